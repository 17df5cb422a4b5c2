"""Memory in the buffers of sockets, which belongs to no process."""

MODEL = """

def entropy(p):
    return torch.special.entr(p.to(torch.promote_types(p.dtype, torch.float32))).sum(-1).to(p.dtype)
"""
CELLS = {
    "entropy": """import socket

hold = []
for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            for one in socket.socketpair(family, kind):
                one.setblocking(False)
                one.send(bytes(2**16))
                hold.append(one)
            print("TAKEN")
        except OSError as error:
            print(type(error).__name__)
"""
    + MODEL
}
EARNS = MUST_EARN = 3.0
NEVER_SHOWN = ("TAKEN",)
