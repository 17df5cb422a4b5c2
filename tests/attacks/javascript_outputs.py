"""Outputs of kinds that run: JavaScript, SVG, widgets, LaTeX with links."""

CELLS = {
    "entropy": r"""
from IPython.display import SVG, Javascript, Latex, Markdown

display(Javascript('EVIL()'))
widget = {'application/vnd.jupyter.widget-view+json': {'model_id': 'EVIL'}}
display({'application/javascript': 'EVIL()', 'text/plain': 'x', **widget})
display(Latex(r'$\href{javascript:EVIL()}{x}$'))
display(Markdown('[x](javascript:EVIL())'))
try:
    display(SVG('<svg xmlns="http://www.w3.org/2000/svg" onload="EVIL()"></svg>'))
except Exception:
    pass


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}

NEVER_SHOWN = ("<script>EVIL", "onload", "<svg onload", "model_id")
