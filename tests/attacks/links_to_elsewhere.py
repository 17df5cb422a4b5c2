"""Links and pictures that tell another server who looks, when and from where."""

SHOWN = (
    "<a href='https://evil.example/?x'>your grades</a> [a](https://evil.example) <https://evil.example/b> "
    "![p](https://evil.example/p.png) <img src='//evil.example/q.png'> <a href='//evil.example'>x</a> "
    "<a href='mailto:evil@evil.example'>m</a> <a href=' https://evil.example'>y</a> <a href='/formgrader/x'>z</a>"
)
CELLS = {
    "entropy": f"""from IPython.display import HTML, display

display(HTML({SHOWN!r}))


def entropy(p):
    return p.sum(-1)
""",
    "reflection": SHOWN,
}
NEVER_SHOWN = ('href="https', 'href="//', 'href="mailto', 'href="/', 'src="http', 'src="//')
