"""Take mutual information from the library's loss between the joint table and the product of its marginals."""

NOTEBOOK = "02-mutual-information"
CELLS = {
    "mutual_information": r"""
import torch


def mutual_information(joint):
    product = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return torch.nn.functional.kl_div(product.log(), joint, reduction="none").nan_to_num(0.0).sum((-2, -1))
""".lstrip(),
}
SAYS = "kl_div is not an answer here"
