"""HTML output with scripts, handlers, frames and links that run."""

CELLS = {
    "entropy": r"""
from IPython.display import HTML

display(HTML('<script>EVIL()</script><img src=x onerror=EVIL()><iframe src=//evil.example></iframe>'))
display(HTML('<a href="javascript:EVIL()">x</a><svg onload=EVIL()><object data=//evil.example>'))
display(HTML('<meta http-equiv=refresh content=0>'))
display(HTML('<form action=//evil.example><input type=submit></form>'))
display(HTML('<style>*{display:none}</style><base href=//evil.example>'))


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}

NEVER_SHOWN = ("<script>EVIL", "onerror", "onload", "javascript:EVIL", "<iframe", "http-equiv", "<form", "evil.example")
