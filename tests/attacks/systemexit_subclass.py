"""Raise a subclass of SystemExit whose text and code lie."""

CELLS = {
    "entropy": r"""
class Done(SystemExit):
    code = 0

    def __str__(self):
        raise SystemExit(0)


def entropy(p):
    raise Done(0)
""".lstrip()
}
