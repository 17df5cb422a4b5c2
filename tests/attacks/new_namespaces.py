"""Make namespaces of one's own to become root in them, and mount over what is there."""

CELLS = {
    "entropy": r"""
import ctypes, os

libc = ctypes.CDLL(None, use_errno=True)
print('NAMESPACE' if libc.unshare(0x10000000) == 0 else 'refused')
print('MOUNTED' if libc.mount(b'none', b'/course', b'tmpfs', 0, None) == 0 else 'refused')
print('UNMOUNTED' if libc.umount2(b'/proc', 2) == 0 else 'refused')
libc.syscall.restype = ctypes.c_long
print('CLONED' if libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0) >= 0 else 'refused')


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}

NEVER_SHOWN = ("NAMESPACE", "MOUNTED", "UNMOUNTED", "CLONED")
