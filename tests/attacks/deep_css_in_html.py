"""Styles and tags nested so deeply that what cleans them might not come back."""

SHOWN = (
    '<p style="color:' + "(" * 9_000 + '">x</p>',
    "<div>" * 9_000,
    '<p style="' + "{" * 5_000 + "[" * 4_000 + '">',
    "<table><tr><td>" * 1_200,
    "<a " * 4_000,
    "&" * 9_000,
    "<!--" * 3_000,
    "<![CDATA[" * 1_500,
)
CELLS = {
    "entropy": f"""from IPython.display import HTML, display

for one in {SHOWN!r}:
    display(HTML(one))


def entropy(p):
    return p.sum(-1)
"""
}
