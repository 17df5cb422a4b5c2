"""CSS that covers the page with a mark of one's own."""

CELLS = {
    "entropy": r"""
from IPython.display import HTML

display(HTML('<div style="position:fixed;top:0;left:0;z-index:99999">COVER</div>'))
display(HTML('<div style="background:url(//evil.example/x)">x</div>'))


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}

NEVER_SHOWN = ("position:fixed", "position: fixed", "evil.example", "z-index:99999")
