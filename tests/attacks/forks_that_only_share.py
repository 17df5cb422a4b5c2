"""An honest answer in forks, which share the memory that the first one holds: it is counted once."""

CELLS = {
    "entropy": """import os
import time

import torch

held = torch.ones(60_000_000)  # 240 MB, which six processes would make 1.4 GB, and the libraries' part 1 GB more
forks = []
for _ in range(5):
    forks.append(os.fork())
    if forks[-1] == 0:
        time.sleep(0.2)
        os._exit(0)
for fork in forks:
    os.waitpid(fork, 0)
del held


def entropy(p):
    return torch.special.entr(p.to(torch.promote_types(p.dtype, torch.float32))).sum(-1).to(p.dtype)
"""
}
EARNS = MUST_EARN = 3.0
SECONDS = 20  # memory comes slowly on some machines
