"""Gain rights through a setuid program, or dump core."""

CELLS = {
    "entropy": r"""
import os, resource, subprocess

for program in ('/usr/bin/su', '/usr/bin/sudo', '/usr/bin/mount', '/usr/bin/newgrp'):
    try:
        subprocess.run([program, '-c', 'id'], capture_output=True, timeout=2, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        pass
print('ROOT' if os.geteuid() == 0 else 'user')
try:
    resource.setrlimit(resource.RLIMIT_NPROC, (10**6, 10**6))
    print('RAISED')
except (ValueError, OSError):
    pass


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}

NEVER_SHOWN = ("ROOT", "RAISED")
