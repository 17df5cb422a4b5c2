"""The sandbox as other users than the one who runs the tests: what holds for root need not hold for others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from grading.sandbox import sandbox

# root can become somebody else, nobody else can become root
USERS = ("root", "an ordinary user") if os.getuid() == 0 else ("an ordinary user",)
NOBODY = "65534"


def start_as(user: str, patch: pytest.MonkeyPatch) -> None:
    """Let the sandboxes that are started from now on be those of a user."""
    if user == "root" or os.getuid() != 0:
        return
    patch.setattr(sandbox, "privileges", lambda: ["--unshare-user", "--uid", "1000", "--gid", "1000"])
    command = sandbox.command
    patch.setattr(sandbox, "command", lambda control, confined: [*become_nobody(), *command(control, confined)])


def become_nobody() -> list[str]:
    """The command that runs another one as an ordinary user. What the sandbox shows is put into a place of its own
    first, since it may lie in a folder that only root may enter."""
    shown = [*map(Path, sandbox.site_packages()), sandbox.ROOT / "helpers", sandbox.INSIDE]
    places = [*shown, Path("/etc/ld.so.cache"), Path("/sys/devices/system/cpu")]
    above = dict.fromkeys(str(folder) for place in places for folder in reversed(place.parents[:-1]))
    return [
        "bwrap", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--dir", "/tmp",  # where bwrap begins
        *sandbox.flat(("--dir", folder) for folder in above if not folder.startswith("/usr")), *sandbox.system(),
        *sandbox.flat(("--ro-bind", str(place), str(place)) for place in shown),
        "--dev-bind", "/dev", "/dev", "--bind", "/proc", "/proc", "--die-with-parent",
        "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--",
    ]  # fmt: skip
