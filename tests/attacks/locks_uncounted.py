"""Memory in the kernel for locks on the bytes of a file, of which one file may have any number."""

CELLS = {
    "entropy": """import fcntl

hold = []
for kind in (fcntl.LOCK_EX, fcntl.LOCK_SH):
    for name in range(20):
        try:
            hold.append(open(f"/tmp/{name}", "w+b"))
            for place in range(1000, 0, -1):
                fcntl.lockf(hold[-1], kind | fcntl.LOCK_NB, 1, 2 * place)
            print("TAKEN")
        except OSError as error:
            print(type(error).__name__)


def entropy(p):
    return torch.special.entr(p.to(torch.promote_types(p.dtype, torch.float32))).sum(-1).to(p.dtype)
""",
}
EARNS = MUST_EARN = 3.0
NEVER_SHOWN = ("TAKEN",)
