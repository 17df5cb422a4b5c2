"""Halves of characters in what is displayed, printed, raised and returned: no file in UTF-8 can hold them."""

CELLS = {
    "entropy": r"""from IPython.display import HTML, display

display(HTML("<b>\ud800</b> \udfff"), "\udc80")
print("\ud800 half", "\ud83d\ude00 whole", "\\ud800 a backslash")


def entropy(p):
    return "\ud800"
""",
    "kl_divergence": r"""raise type("\udcff", (Exception,), {})("\ud83d")
""",
    "reflection": "half \ud800",
}
