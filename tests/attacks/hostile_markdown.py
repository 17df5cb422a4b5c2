"""Raw HTML, links that run and TeX that links in the hand-graded answer."""

CELLS = {
    "entropy": """def entropy(p):
    return p.sum(-1)
""",
    "reflection": r"""<script>EVIL()</script> <img src=x onerror=EVIL()> [x](javascript:EVIL())
<iframe src="//evil.example">
<a href="jav&#x09;ascript:EVIL()">y</a> $\href{javascript:EVIL()}{z}$ $\unicode{x}$ ![i](//evil.example/i.png)
<div style="<div style=\"position:fixed">COVER</div> {{ 7 * 7 }} {% raw %}
""",
}
NEVER_SHOWN = (
    "<script>EVIL", "onerror=EVIL", 'href="javascript', "<iframe", '<div style="position:fixed', r"\href{javascript",
)  # fmt: skip
