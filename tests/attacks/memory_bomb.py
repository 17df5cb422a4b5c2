"""Take all memory."""

CELLS = {
    "entropy": r"""
def entropy(p):
    hold = []
    while True:
        hold.append(bytearray(2**26))
""".lstrip()
}
