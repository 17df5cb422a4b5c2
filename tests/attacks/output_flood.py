"""Print without end: many lines, and one endless one."""

CELLS = {
    "entropy": r"""
for _ in range(200_000):
    print('FLOOD')
print('x' * 50_000_000)


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}
