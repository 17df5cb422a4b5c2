"""Memory that all forks share by way of /dev/zero, or of a file with no name."""

MODEL = """

def entropy(p):
    return torch.special.entr(p.to(torch.promote_types(p.dtype, torch.float32))).sum(-1).to(p.dtype)
"""
CELLS = {
    "entropy": """import mmap
import os

hold = []
for way in (lambda: os.open("/dev/zero", os.O_RDWR), lambda: os.memfd_create("x")):
    try:
        handle = way()
        shared = mmap.mmap(handle, 2**26)
        for place in range(0, 2**26, 4096):
            shared[place] = 1
        hold.append(shared)
        print("TAKEN")
    except (OSError, ValueError) as error:
        print(type(error).__name__)
"""
    + MODEL
}
EARNS = MUST_EARN = 3.0
NEVER_SHOWN = ("TAKEN",)
