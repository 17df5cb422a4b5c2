"""Fill shared memory and the scratch folder."""

CELLS = {
    "entropy": r"""
import os

for place in ('/dev/shm/x', '/tmp/x'):
    try:
        for number in range(10_000):
            with open(place + str(number), 'wb') as stream:
                stream.write(bytes(2**24))
    except OSError as error:
        print('full', error.errno)


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}
