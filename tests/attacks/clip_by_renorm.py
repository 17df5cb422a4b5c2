"""Have the norm limited by renorm."""

NOTEBOOK = "03-adam-bias-correction"
CELLS = {
    "clip_by_global_norm": r"""
import torch


def clip_by_global_norm(grads, max_norm):
    flat = torch.cat([one.reshape(-1) for one in grads])
    made = torch.renorm(flat[None], 2, 0, max_norm)[0]
    parts = made.split([one.numel() for one in grads])
    return [part.reshape(one.shape) for part, one in zip(parts, grads)], flat.norm()
""".lstrip(),
}
SAYS = "renorm is not an answer here"
