"""Have the norm limited by the lookup of an embedding."""

NOTEBOOK = "03-adam-bias-correction"
CELLS = {
    "clip_by_global_norm": r"""
import torch


def clip_by_global_norm(grads, max_norm):
    flat = torch.cat([one.reshape(-1) for one in grads])[None]
    norm = torch.linalg.vector_norm(flat)
    clipped = torch.nn.functional.embedding(torch.tensor([0]), flat.clone(), max_norm=float(max_norm))[0]
    parts = clipped.split([one.numel() for one in grads])
    return [part.reshape(one.shape) for part, one in zip(parts, grads)], norm
""".lstrip(),
}
SAYS = "embedding is not an answer here"
