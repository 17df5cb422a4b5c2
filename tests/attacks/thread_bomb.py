"""Start 100,000 threads."""

CELLS = {
    "entropy": r"""
import threading, time

started = 0
try:
    while True:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        started += 1
except RuntimeError:
    print('threads', started)


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}
