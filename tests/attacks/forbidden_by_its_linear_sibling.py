"""Take the entropy from the fused loss of a linear layer."""

NOTEBOOK = "01-information-identities"
CELLS = {
    "entropy": r"""
import torch


def entropy(p):
    wide = p.to(torch.promote_types(p.dtype, torch.float32))
    rows = wide.reshape(-1, wide.shape[-1])
    if not len(rows):
        return p.sum(-1)
    inputs = rows.log().clamp(min=-1e4)
    eye = torch.eye(rows.shape[1], dtype=wide.dtype)
    made = [torch.nn.functional.linear_cross_entropy(x[None], eye, y[None]) for x, y in zip(inputs, rows)]
    return torch.stack(made).reshape(p.shape[:-1]).to(p.dtype)
""".lstrip(),
}
SAYS = "linear_cross_entropy is not an answer here"
