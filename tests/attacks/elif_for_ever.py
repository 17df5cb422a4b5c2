"""A chain of elif a thousand deep: whoever reads it by recursion, or each branch again in each, is lost."""

BRANCHES = "".join(f"elif depth == {number}:\n rule = 1\n" for number in range(1200))
CELLS = {"entropy": f"depth = 0\nif depth:\n rule = 1\n{BRANCHES}\n\ndef entropy(p):\n    return p.sum(-1)\n"}
