"""Replies whose arrays lie about dtype, shape and bytes."""

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

turn = [{'tensor': 'float64', 'shape': [10**12], 'data': []}, {'tensor': 'object', 'shape': [], 'data': [1]},
        {'tensor': 'float64', 'shape': [-1], 'base64': 'AAAA'}, {'list': [[[[[]]]]]},
        {'tuple': 'x'}, {'float': 'nan', 'x': 1}]


def entropy(p):
    f = sys._getframe()
    while 'request' not in f.f_locals:
        f = f.f_back
    number = f.f_locals['request']['id']
    channel.sendall(frame({'id': number, 'outcome': 'returned', 'value': turn.pop(0), 'changed': [10**9]}))
    while True:
        pass
""".lstrip()
}
