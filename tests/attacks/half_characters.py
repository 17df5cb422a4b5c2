"""Halves of characters, which cannot be written as UTF-8, in an answer."""

CELLS = {
    "entropy": """def entropy(p):
    return p.sum(-1) * 0 + 1.0
"""
}


def write(file, text):
    file.write_text(text.replace("return p.sum", "'\\ud800'; return p.sum"))
