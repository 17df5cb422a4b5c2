"""TeX that makes links, its letters written as references, or with something between them that is dropped."""

SHOWN = (
    "$&#92;href{javascript:EVIL()}{x}$ $\\hr&#101;f{javascript:EVIL()}{x}$"
    " $\\hr<script></script>ef{javascript:EVIL()}{x}$"
    "$\\hr<!-- -->ef{javascript:EVIL()}{x}$ $&bsol;href{javascript:EVIL()}{x}$"
    " $\\hr<blink>ef</blink>{javascript:EVIL()}{x}$"
    "$\\eqref{x}$ $\\gdef\\a{1}$ $\\newcommand{\\a}{1}$ $\\texttip{x}{y}$ $\\toggle{1}{2}$ $\\HTML{x}$"
)
CELLS = {
    "entropy": f"""from IPython.display import HTML, display

display(HTML({SHOWN!r}))


def entropy(p):
    return p.sum(-1)
""",
    "reflection": SHOWN,
}
NEVER_SHOWN = ("\\href", "\\eqref", "\\gdef", "\\newcommand", "\\texttip", "\\toggle")
