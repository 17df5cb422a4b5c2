"""Send half a frame, and stop."""

CELLS = {
    "entropy": r"""
import json, os, socket, struct

channel = None
for number in range(3, 64):
    try:
        candidate = socket.socket(fileno=os.dup(number))
        if candidate.family == socket.AF_UNIX:
            channel = candidate
            break
    except OSError:
        continue


def frame(data):
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return struct.pack('>I', len(body)) + body


def entropy(p):
    channel.sendall(b'\0\0\1\0{')
    while True:
        pass
""".lstrip()
}

SAYS = "call of entropy"
