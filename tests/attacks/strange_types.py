"""Cells and metadata of types that no notebook has."""

CELLS = {
    "entropy": """def entropy(p):
    return p.sum(-1) * 0 + 1.0
"""
}


def edit(notebook):
    notebook["cells"] += [
        None,
        3,
        [],
        {},
        {"cell_type": [], "metadata": 7, "source": {"a": 1}},
        {"metadata": {"nbgrader": {"grade_id": "kl_divergence"}}, "source": [1, 2]},
    ]
    notebook["metadata"] = ["kernelspec"]
