"""Open sockets of families that a network namespace does not confine."""

CELLS = {
    "entropy": r"""
import socket

for family in (16, 17, 38, 40, 44):
    try:
        socket.socket(family, socket.SOCK_RAW)
        print('OPENED', family)
    except OSError as error:
        print(error.errno)


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}

NEVER_SHOWN = ("OPENED",)
