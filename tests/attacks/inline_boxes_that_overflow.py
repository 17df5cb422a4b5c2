"""Plain styles that overflow: an inline box whose padding covers lines around it, glyphs without a line, a float."""

SHOWN = (
    "<span style='padding:900px;background:white'>OVER</span>"
    "<p style='line-height:0;font-size:999px'>OVER</p>"
    "<div style='float:left;width:900px;padding:900px;background:#fff'>OVER</div></div></div></div>"
)
CELLS = {
    "entropy": f"""from IPython.display import HTML, display

display(HTML({SHOWN!r}))


def entropy(p):
    return p.sum(-1)
""",
    "reflection": SHOWN,
}
ONLY_BOXED = "OVER"
