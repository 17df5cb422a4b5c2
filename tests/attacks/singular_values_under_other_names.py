"""Take singular vectors or inverses by functions less well known, where the exercise asks for products."""

NOTEBOOK = "07-beyond-adam"
CELLS = {
    "muon_orthogonalize": r"""
import torch


def muon_orthogonalize(matrix, steps):
    x = matrix.double()
    wide = x.shape[-2] < x.shape[-1]
    x = x.mT if wide else x
    u, s, v = torch.pca_lowrank(x, q=x.shape[-1], center=False, niter=2)
    s = s / (s.square().sum(-1, keepdim=True).sqrt() + 1e-7)
    for _ in range(steps):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    made = u @ torch.diag_embed(s) @ v.mT
    return (made.mT if wide else made).to(matrix.dtype)
""".lstrip(),
    "kfac_step": r"""
import math

import torch


def kfac_step(weight, grad, a, g, lr, damping):
    left = g.mT @ g / len(g) + math.sqrt(damping) * torch.eye(g.shape[1], dtype=g.dtype)
    right = a.mT @ a / len(a) + math.sqrt(damping) * torch.eye(a.shape[1], dtype=a.dtype)
    return weight - lr * torch.linalg.matrix_power(left, -1) @ grad @ torch.linalg.matrix_power(right, -1)
""".lstrip(),
}
