"""Open files until there are no more."""

CELLS = {
    "entropy": r"""
held = []
try:
    while True:
        held.append(open('/dev/null'))
except OSError as error:
    print('files', len(held))


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}
