"""Reach torch's method by an attribute that one's own class has, too."""

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax": r"""
class Rows:
    softmax = None

    def logs(self):
        return self.double().softmax(-1).log().to(self.dtype)


class Table:
    def __init__(self, x):
        self.softmax = x

    def logs(self):
        return self.softmax


def log_softmax(x, temperature=1.0):
    rows = x - x.amax(-1, keepdim=True)
    for make in (Rows.logs, Table):
        return make(rows) if make is Rows.logs else Table(x).logs()
""".lstrip(),
}
SAYS = "softmax is not an answer here"
