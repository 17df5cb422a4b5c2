"""Read other processes' memory with ptrace and process_vm_readv."""

CELLS = {
    "entropy": r"""
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
print([libc.ptrace(16, pid, 0, 0) for pid in (1, 2, @PID@)])
print([libc.process_vm_readv(pid, None, 0, None, 0, 0) for pid in (2, @PID@)])


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}
