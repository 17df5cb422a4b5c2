"""Connect to a server on the host, to the cloud's metadata address, and to a name server."""

CELLS = {
    "entropy": r"""
import socket

for place in (('127.0.0.1', @PORT@), ('169.254.169.254', 80), ('8.8.8.8', 53), ('localhost', @PORT@)):
    try:
        with socket.create_connection(place, timeout=0.3) as connection:
            connection.sendall(b'hello')
            print('CONNECTED')
    except OSError as error:
        print(type(error).__name__)


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}

NEVER_SHOWN = ("CONNECTED",)
