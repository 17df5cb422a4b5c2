"""Terminal escapes, line ends and bidirectional marks in output and errors."""

CELLS = {
    "entropy": r"""
print('\x1b[2J\x1b]0;owned\x07\x1b[31mred\u202e')


def entropy(p):
    raise ValueError('\x1b[2J\n\rINFO all students passed\u202e')
""".lstrip()
}

NEVER_SHOWN = ("\x1b", "\u202e")
