"""Wait for input, and for a debugger."""

CELLS = {
    "entropy": r"""
try:
    input('say')
except EOFError:
    print('no input')


def entropy(p):
    breakpoint()
    return input()
""".lstrip()
}
