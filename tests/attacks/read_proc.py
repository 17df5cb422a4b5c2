"""Look at other processes through /proc: their descriptors, maps and memory."""

CELLS = {
    "entropy": r"""
import glob, os

print(os.listdir('/proc'))
print(glob.glob('/proc/[0-9]*'))
for place in ('/proc/1/maps', '/proc/1/mem', '/proc/@PID@/maps', '/proc/@PID@/fd'):
    try:
        print(open(place, 'rb').read(100))
    except OSError as error:
        print(error.errno)


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}

READS_NOTHING = True
