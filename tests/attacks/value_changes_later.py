"""A tensor that a thread goes on changing after it was returned."""

CELLS = {
    "entropy": r"""
import threading, torch

shared = torch.zeros((), dtype=torch.float64)

def run():
    while True:
        shared.add_(1e-3)

threading.Thread(target=run, daemon=True).start()


def entropy(p):
    return shared
""".lstrip()
}
