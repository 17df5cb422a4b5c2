"""Replies full of empty objects, which take many times their length in the memory of whoever keeps them."""

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


def send_with_junk(data):
    body = json.dumps({**data, "junk": "JUNK"}).encode().replace(b'"JUNK"', b"[" + b"{}," * 2_000_000 + b"{}]")
    channel.sendall(struct.pack(">I", len(body)) + body)


import sys

frame = sys._getframe()
while frame is not None:
    if "answer_requests" in frame.f_globals:
        frame.f_globals["send"] = lambda channel, data: send_with_junk(data)
    frame = frame.f_back


def entropy(p):
    return p.sum(-1)
""".lstrip()
}
SAYS = "too large"
