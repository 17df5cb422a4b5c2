"""Name another kernel and language."""

CELLS = {
    "entropy": """def entropy(p):
    return p.sum(-1) * 0 + 1.0
"""
}


def edit(notebook):
    notebook["metadata"]["kernelspec"] = {"name": "bash", "language": "bash", "display_name": "B"}
    notebook["metadata"]["language_info"] = {"name": "bash"}


SAYS = "another language"
