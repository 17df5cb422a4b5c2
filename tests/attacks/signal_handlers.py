"""Take every signal, the alarm of the time limit too, and sleep."""

CELLS = {
    "entropy": r"""
import signal, time

for number in range(1, 60):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass


def entropy(p):
    while True:
        time.sleep(1)
""".lstrip()
}
