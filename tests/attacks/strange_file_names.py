"""Names with line ends, format characters, formulas and terminal escapes."""

CELLS = {
    "entropy": """def entropy(p):
    return p.sum(-1) * 0 + 1.0
"""
}


def beside(folder):
    for name in ("a\nb", "{x}%s", "=cmd()", "\x1b[31mred", "-rf", "x" * 200):
        (folder / name).write_text("x")


SAYS = "other files or folders"
