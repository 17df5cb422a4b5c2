"""Never end a call, and swallow every exception."""

CELLS = {
    "entropy": r"""
def entropy(p):
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue
""".lstrip()
}

SAYS = "did not answer in time"
