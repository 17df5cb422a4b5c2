"""An error whose text, type name and traceback run code, loop or are huge."""

CELLS = {
    "entropy": r"""
class Evil(Exception):
    def __str__(self):
        while True:
            pass


class Huge(Exception):
    def __str__(self):
        return 'z' * 10**8

Huge.__name__ = 'N' * 10**6


def entropy(p):
    raise Huge


def kl_divergence(p, q):
    raise Evil
""".lstrip()
}
