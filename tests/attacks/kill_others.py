"""Kill, stop or slow down every process that can be seen."""

CELLS = {
    "entropy": r"""
import os, signal

for pid in [*range(2, 300), @PID@, -1]:
    try:
        os.kill(pid, signal.SIGKILL)
        print('KILLED', pid)
    except OSError:
        pass
try:
    os.setpriority(os.PRIO_PROCESS, @PID@, 19)
except OSError:
    pass


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}
