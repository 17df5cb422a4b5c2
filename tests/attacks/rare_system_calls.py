"""Reach for io_uring, keyrings, BPF, performance counters, memory files, and handles."""

CELLS = {
    "entropy": r"""
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
for number in (425, 248, 249, 250, 321, 298, 323, 319, 29, 304, 101, 310, 435 + 0x40000000 * 0):
    if libc.syscall(number, 1, 0, 0, 0, 0) >= 0:
        print('ALLOWED', number)


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}

NEVER_SHOWN = ("ALLOWED",)
