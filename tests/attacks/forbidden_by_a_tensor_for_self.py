"""Let a list of one's own methods, one of which is named like torch's, be called with a tensor."""

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax": r"""
class Steps:
    def logsumexp(self, *where, **how):
        return self.logsumexp(*where, **how)

    def all(self):
        return [Steps.logsumexp]


def log_softmax(x, temperature=1.0):
    (step,) = Steps().all()
    return x - step(x, -1, keepdim=True)
""".lstrip(),
}
SAYS = "logsumexp is not an answer here"
