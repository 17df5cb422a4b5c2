"""Classes by which the page's own style sheet lays an output over everything, or makes it look like the page's own."""

CLASSES = ("modal fade in", "navbar-fixed-top", "affix", "help", "score tabbable", "panel panel-primary nbgrader_cell")
SHOWN = "".join(f'<div class="{one}" id="notebook">FULL MARKS</div>' for one in CLASSES)
CELLS = {
    "entropy": f"""from IPython.display import HTML, display

display(HTML({SHOWN!r}))


def entropy(p):
    return p.sum(-1)
""",
    "reflection": SHOWN,
}
