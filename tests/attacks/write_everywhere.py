"""Write into packages, bytecode caches, helpers, the worker, the system and the course."""

CELLS = {
    "entropy": r"""
import os, torch

places = [os.path.dirname(torch.__file__), '/course', '/course/helpers', '/course/worker.py', '/usr', '/etc']
places += ['/', '/dev', '@COURSE@']
for place in places:
    target = place if place.endswith('.py') else os.path.join(place, 'written.py')
    try:
        open(target, 'a').close()
        print('WROTE', target)
    except OSError as error:
        print(error.errno)


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}

NEVER_SHOWN = ("WROTE",)
