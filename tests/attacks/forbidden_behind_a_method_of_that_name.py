"""Reach torch's method from one's own method of the same name, whose first parameter is given a tensor."""

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax": r"""
class Rows:
    def log_softmax(self, dim):
        return self.log_softmax(dim)


def log_softmax(x, temperature=1.0):
    return Rows.log_softmax(x, -1)
""".lstrip(),
}
SAYS = "log_softmax is not an answer here"
