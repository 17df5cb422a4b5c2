"""An input transformer that empties every later cell."""

CELLS = {
    "entropy": r"""
try:
    get_ipython().input_transformers_cleanup.append(lambda lines: [])
except Exception:
    pass


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}
