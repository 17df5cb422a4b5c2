"""Take conditional entropy from the library's cross-entropy, whose targets may be probabilities."""

NOTEBOOK = "02-mutual-information"
CELLS = {
    "conditional_entropy": r"""
import torch

LOSSES = {"of rows": torch.nn.CrossEntropyLoss(reduction="none")}


def conditional_entropy(joint):
    weight = joint.sum(-1)
    given = torch.where(weight[..., None] > 0, joint / weight[..., None], 1.0 / joint.shape[-1])
    rows = given.reshape(-1, joint.shape[-1])
    lost = LOSSES["of rows"](rows.log().clamp(min=-1e4), rows).reshape(weight.shape)
    return (weight * lost).sum(-1)
""".lstrip(),
}
SAYS = "is not an answer here"
