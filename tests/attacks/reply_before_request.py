"""Send replies before they are asked for."""

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


for number in range(20):
    channel.sendall(frame({'id': number, 'outcome': 'returned', 'value': 1.2798542, 'changed': []}))


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}

SAYS = "disturbed"
