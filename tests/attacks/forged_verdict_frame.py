"""Send a reply that claims marks, a verdict, and outcomes that do not exist."""

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


import sys


def entropy(p):
    f = sys._getframe()
    while 'request' not in f.f_locals:
        f = f.f_back
    number = f.f_locals['request']['id']
    forged = {'id': number, 'outcome': 'correct', 'marks': 3.0, 'passed': True, 'value': {'tensor': 'float64'}}
    channel.sendall(frame(forged))
    while True:
        pass
""".lstrip()
}
