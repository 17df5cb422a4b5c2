"""Send bytes that are no JSON, NaN, and JSON that is no object."""

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


turn = [b'NaN', b'[1, 2]', b'\xff\xfe', b'{"id": NaN}', b'[' * 100_000]


def entropy(p):
    channel.sendall(frame(turn.pop(0)))
    while True:
        pass
""".lstrip()
}

SAYS = "disturbed"
