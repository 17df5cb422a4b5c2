"""Shell commands and magics that read or write files."""

CELLS = {
    "entropy": r"""
!cat /etc/passwd
%run /course/worker.py
%load_ext x
%cd /
%env SECRET=1
import os
print(os.getcwd())


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}

NEVER_SHOWN = ("root:x:",)
