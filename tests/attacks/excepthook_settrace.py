"""Hide errors with `sys.excepthook`, and rewrite frames with `sys.settrace`."""

CELLS = {
    "entropy": r"""
import sys

sys.excepthook = lambda *a: None

def trace(frame, event, arg):
    if 'expected' in frame.f_locals:
        frame.f_locals['expected'] = None
    return trace

sys.settrace(trace)


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}
