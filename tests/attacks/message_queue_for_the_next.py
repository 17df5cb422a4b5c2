"""Leave a message for the next submission in a queue of POSIX; the next one looks for it."""

CELLS = {
    "entropy": r"""
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
queue = libc.mq_open(b"/next", 0o102, 0o666, None)
if queue >= 0:
    libc.mq_send(queue, b"x", 1, 0)


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip(),
}
THEN = r"""
import ctypes

found = ctypes.CDLL(None, use_errno=True).mq_open(b"/next", 2)
print("the queue is there" if found >= 0 else "there is no queue")
""".lstrip()
THEN_SHOWS = "there is no queue"
