"""Connect to an abstract unix socket of the host."""

CELLS = {
    "entropy": r"""
import socket

try:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect('\0@ABSTRACT@')
    print('CONNECTED')
except OSError as error:
    print(type(error).__name__)


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}

NEVER_SHOWN = ("CONNECTED",)
