"""Modules beside the notebook under the names of libraries and of the course."""

CELLS = {
    "entropy": """def entropy(p):
    return p.sum(-1) * 0 + 1.0
"""
}


def beside(folder):
    for name in ("numpy.py", "helpers.py", "random.py", "conftest.py", "ipython_config.py", "sitecustomize.py"):
        (folder / name).write_text("raise SystemExit(0)")
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text("allclose = lambda *a, **k: True")


SAYS = "other files or folders"
