"""A thread that outlives the cell and changes what it can, again and again."""

CELLS = {
    "entropy": r"""
import threading, time

def later():
    while True:
        time.sleep(0.01)
        globals()['entropy'] = lambda p: 1.0

threading.Thread(target=later, daemon=False).start()


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}
