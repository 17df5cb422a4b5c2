"""Put the forbidden function into the library, under a name that is allowed, from another cell."""

CELLS = {
    "entropy": """import torch


def entropy(p):
    return torch.special.entr(p).sum(-1)
""",
    "kl_divergence": """import torch


class Sum:
    def __init__(self, p):
        self.p = p

    def sum(self, dim):
        return torch.distributions.Categorical(probs=self.p).entropy()


torch.special.entr = Sum


def kl_divergence(p, q):
    return p.sum(-1)
""",
}
