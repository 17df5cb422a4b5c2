"""Be just fast enough in each call, so that the whole takes for ever."""

CELLS = {
    "entropy": r"""
import time


def entropy(p):
    time.sleep(0.9)
    return p.sum(-1)
""".lstrip()
}
