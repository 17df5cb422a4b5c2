"""Hand in notebooks of other formats and versions."""

CELLS = {
    "entropy": """def entropy(p):
    return p.sum(-1) * 0 + 1.0
"""
}


def edit(notebook):
    notebook["nbformat"], notebook["nbformat_minor"] = 3, "x"
    notebook["worksheets"] = []


SAYS = "format 4"
