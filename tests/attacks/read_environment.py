"""Print the environment, of this process and of others."""

CELLS = {
    "entropy": r"""
import os

print(dict(os.environ))
for place in ('/proc/self/environ', '/proc/1/environ', '/proc/2/environ', '/proc/@PID@/environ'):
    try:
        print(open(place, 'rb').read())
    except OSError as error:
        print(error.errno)


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}
