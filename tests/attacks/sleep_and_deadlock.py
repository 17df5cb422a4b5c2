"""Sleep, and wait for a lock that nobody opens."""

CELLS = {
    "entropy": r"""
import threading, time

lock = threading.Lock()
lock.acquire()


def entropy(p):
    lock.acquire()
    time.sleep(1e6)
""".lstrip()
}
