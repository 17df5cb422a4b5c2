"""Take the joint norm from torch's own part of clipping."""

NOTEBOOK = "03-adam-bias-correction"
CELLS = {
    "clip_by_global_norm": r"""
import torch


def clip_by_global_norm(grads, max_norm):
    norm = torch.nn.utils.get_total_norm(grads)
    scale = min(1.0, max_norm / float(norm)) if norm > 0 else 1.0
    return [one * scale for one in grads], norm
""".lstrip(),
}
SAYS = "get_total_norm is not an answer here"
