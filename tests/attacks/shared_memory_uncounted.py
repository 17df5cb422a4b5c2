"""Memory without a file that all forks share, which a count of each process's own leaves out."""

MODEL = """

def entropy(p):
    return torch.special.entr(p.to(torch.promote_types(p.dtype, torch.float32))).sum(-1).to(p.dtype)
"""
CELLS = {
    "entropy": """import mmap

hold = []
try:
    for _ in range(8):
        shared = mmap.mmap(-1, 2**26)
        for place in range(0, 2**26, 4096):
            shared[place] = 1
        hold.append(shared)
    print("TAKEN")
except OSError as error:
    print(type(error).__name__)
"""
    + MODEL
}
EARNS = MUST_EARN = 3.0
NEVER_SHOWN = ("TAKEN",)
