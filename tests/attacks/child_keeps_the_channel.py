"""Hand the channel to a child that outlives the cell, and end."""

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
    if os.fork() == 0:
        while True:
            pass
    os._exit(0)
""".lstrip()
}

SAYS = "call of entropy"
