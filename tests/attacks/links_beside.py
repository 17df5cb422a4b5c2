"""Symbolic links to secrets, to devices, and in a loop, beside the notebook."""

CELLS = {
    "entropy": """def entropy(p):
    return p.sum(-1) * 0 + 1.0
"""
}


def beside(folder):
    (folder / "a").symlink_to("/dev/zero")
    (folder / "b").symlink_to(folder)
    (folder / "c").symlink_to(folder.parents[3] / "solutions")
    (folder / "timestamp.txt").unlink(missing_ok=True)
    (folder / "timestamp.txt").symlink_to("/dev/zero")


SAYS = "symbolic links"
