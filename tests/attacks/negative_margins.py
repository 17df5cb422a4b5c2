"""Styles that lay an output over the card above it: margins below zero by other names, layers of its own."""

STYLES = (
    "margin-top:calc(0px - 420px)",
    "margin:-.4e3px 0 0",
    "margin-top:-4 20px",
    "margin-top:var(--jp-x, -420px)",
    "transform:translateY(-420px)",
    "opacity:.99;margin-top:min(0px, -420px)",
    "position:re/**/lative;top:-420px",
    "position:sticky;inset:0",
    "margin-top:\\2d 420px",
)
SHOWN = "".join(f'<div style="{one};background:white">OVER</div>' for one in STYLES)
CELLS = {
    "entropy": f"""from IPython.display import HTML, display

display(HTML({SHOWN!r}))


def entropy(p):
    return p.sum(-1)
""",
    "reflection": SHOWN,
}
NEVER_SHOWN = ("420", "4e3", "sticky")
