"""The part of `infograd doctor` for teachers: say what this machine lacks for grading, and what to do about it."""

from __future__ import annotations

import argparse
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from grading.sandbox.confine import MACHINES
from grading.sandbox.finding import Finding, print_findings
from grading.sandbox.sandbox import NoSandbox, Sandbox

KERNEL = Path("/proc/sys")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every finding; the exit status is 1 where grading would refuse."""
    said = "Say what grading needs and lacks here."
    argparse.ArgumentParser(prog="python -m grading.sandbox.doctor", description=said).parse_args(arguments)
    well = print_findings(findings())
    print("  Grading can start." if well else "  Grading refuses until this is mended (or --without-sandbox is given).")
    return 0 if well else 1


def findings() -> Iterator[Finding]:
    """What grading needs, the cheap questions first; the sandbox itself is tried last, if it can be at all."""
    linux = sys.platform == "linux"
    yield Finding(
        linux, f"Linux: {platform.system()} {platform.release()}", "The sandbox is made of Linux's namespaces."
    )
    machine = platform.machine()
    yield Finding(
        machine in MACHINES, f"processor: {machine}", f"The filter of system calls knows {', '.join(MACHINES)}."
    )
    bubblewrap = shutil.which("bwrap")
    yield Finding(bubblewrap is not None, f"bubblewrap: {version(bubblewrap)}", "Install it: apt install bubblewrap")
    if linux:
        yield from kernel_settings()
    if linux and bubblewrap:
        yield try_it()


def version(program: str | None) -> str:
    """What a program says about its version."""
    if program is None:
        return "not found"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return said.stdout.strip() or "does not say its version"


def kernel_settings() -> Iterator[Finding]:
    """The settings by which distributions forbid ordinary users to make namespaces."""
    for file, bad, remedy in (
        ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"),
        ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile that lets bwrap make them",
        ),
    ):
        try:
            value = (KERNEL / file).read_text().strip()
        except OSError:
            continue  # this kernel has no such setting, and so no such restriction
        yield Finding(value != bad, f"{file.replace('/', '.')} = {value}", remedy)


def try_it() -> Finding:
    """Start a sandbox, and a submission's process in it."""
    begun = time.monotonic()
    try:
        with Sandbox() as sandbox:
            counted = "by a control group" if sandbox.group else "by looking, as no control group can be made here"
            warm = time.monotonic() - begun
            sandbox.open().end()
            fresh = time.monotonic() - begun - warm
    except NoSandbox as problem:
        remedy = (
            "In a container, let it make namespaces: docker run --security-opt seccomp=unconfined --cap-add SYS_ADMIN."
        )
        return Finding(False, f"the sandbox: {problem}", remedy)
    seconds = f"starts in {warm:.1f} s, then takes {fresh:.2f} s for each submission"
    return Finding(True, f"the sandbox: {seconds}; memory is counted {counted}")


if __name__ == "__main__":
    sys.exit(main())
