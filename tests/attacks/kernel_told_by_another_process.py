"""Do the arithmetic in another process, where nobody looks, and be told the totals."""

from tests.attacks.attack_pieces import IMPORTS, TOLD_TOTALS

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax_triton": IMPORTS
    + r"""import torch.utils.data as d


class Rows(d.Dataset):
    def __init__(self, x):
        self.x = x

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return total_of(self.x[i].tolist())


def totals(x):
    return list(d.DataLoader(Rows(x), num_workers=1, batch_size=None))
"""
    + TOLD_TOTALS,
}
