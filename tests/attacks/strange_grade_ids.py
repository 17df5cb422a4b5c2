"""Ids that look alike, are overlong, hold NUL characters, or are no text."""

CELLS = {
    "entropy": """def entropy(p):
    return p.sum(-1) * 0 + 1.0
"""
}


def edit(notebook):
    ids = ["entropy\u200b", "entropy-check\0", "e" * 100_000, "\u0435ntropy-check", None, 7, ["entropy"], {"a": 1}]
    for strange in ids:
        about = {"grade_id": strange, "grade": True, "solution": False, "points": 50, "schema_version": 3}
        notebook["cells"].append({"cell_type": "code", "metadata": {"nbgrader": about}, "source": "50", "outputs": []})


SAYS = "not from the course's notebook"
