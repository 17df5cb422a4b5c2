"""Take the eigenvectors of X^T X by the function for matrices that need not be symmetric, which the list leaves out."""

NOTEBOOK = "07-beyond-adam"
CELLS = {
    "muon_orthogonalize": r"""
import torch


def muon_orthogonalize(matrix, steps):
    x = matrix.double()
    x = x / (x.square().sum((-2, -1), keepdim=True).sqrt() + 1e-7)
    values, vectors = torch.linalg.eig(x.mT @ x)
    values, vectors = values.real.clamp(min=0), vectors.real
    vectors = vectors / vectors.square().sum(-2, keepdim=True).sqrt()
    factor = torch.ones_like(values)
    for _ in range(steps):
        factor = factor * (3.4445 - 4.7750 * values * factor**2 + 2.0315 * (values * factor**2) ** 2)
    return (x @ vectors @ torch.diag_embed(factor) @ vectors.mT).to(matrix.dtype)
""".lstrip(),
    "sophia_step": r"""
import torch


def hessian_diagonal_estimate(loss_fn, params, generator):
    def slope(x):
        return torch.func.grad(loss_fn)(x)

    columns = torch.func.vmap(lambda v: torch.func.jvp(slope, (params,), (v,))[1])
    eye = torch.eye(params.numel(), dtype=params.dtype).reshape(-1, *params.shape)
    return columns(eye).reshape(params.numel(), -1).diagonal().reshape(params.shape)


def sophia_step(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    return theta, m, h
""".lstrip(),
}
