"""`infograd doctor`: one page on this machine, for learners and for teachers, to read or to paste into a mail.

It starts where other commands fail: a package that is broken or missing is a finding, not an error."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from grading.course import ROOT
from grading.sandbox.finding import Finding, print_findings

TESTED = ((3, 11), (3, 13))
FREE = 500 * 2**20  # bytes that JupyterLab, PyTorch's caches and a few notebooks want
DIRECT = re.compile(r"^[A-Za-z0-9_.-]+")
UPDATE = "`./infograd lab` brings the environment up to date."


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what is well and what is not, with the remedy; the exit status is 1 where something is not."""
    parser = argparse.ArgumentParser(
        prog="infograd doctor",
        description="Say what is well on this machine, what is not, and what to do about it.",
        epilog="example: infograd doctor --learner > doctor.txt",
    )
    parser.add_argument("--learner", action="store_true", help="only what learners need, not what grading needs")
    options = parser.parse_args(arguments)
    print(f"infograd {own_version()} in {ROOT}, {platform.system()} {platform.release()} on {platform.machine()}\n")
    print("For learners")
    well = print_findings(for_learners())
    print("  All is well: open a notebook with ./infograd lab." if well else "  Mend these first, from the top.")
    if options.learner:
        return 0 if well else 1
    print("\nFor teachers, to grade")
    from grading.sandbox import doctor

    return doctor.main([]) or (0 if well else 1)


def own_version() -> str:
    """The version of the course that is installed."""
    try:
        return metadata.version("infograd")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def for_learners() -> Iterator[Finding]:
    """What a learner needs, in the order in which things break."""
    yield python()
    yield environment()
    yield packages()
    yield from torch()
    yield notebooks()
    yield answer_keys()
    yield kernel()
    yield table()
    yield from places()
    yield handing_in()


def python() -> Finding:
    """The version of Python."""
    found = sys.version_info[:2]
    remedy = "The course is tested with Python 3.11 to 3.13. Name another: INFOGRAD_PYTHON=python3.13 ./infograd lab"
    return Finding(TESTED[0] <= found <= TESTED[1], f"Python {platform.python_version()}: {sys.executable}", remedy)


def environment() -> Finding:
    """Whether the course's modules are those of this folder."""
    found = find_spec("helpers")
    place = Path(found.origin or "").resolve().parent.parent if found else None
    remedy = "Start it by ./infograd in the folder of the course that you mean; a notebook needs its `helpers`."
    return Finding(place == ROOT, f"helpers: {place or 'not found'}", remedy)


def packages() -> Finding:
    """Whether the packages that a learner needs are there, in the versions that the course is tested with."""
    pins = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", text_of(ROOT / "constraints.txt"), re.M))
    wrong = []
    for name in needed():
        wanted = next((pin for one, pin in pins.items() if one.lower() == name.lower()), None)
        try:
            here = metadata.version(name)
        except metadata.PackageNotFoundError:
            here = "missing"
        if here == "missing" or (wanted and here.partition("+")[0] != wanted.partition("+")[0]):
            wrong.append(f"{name} {here}" + (f" (tested: {wanted})" if wanted else ""))
    return Finding(not wrong, f"packages: {', '.join(wrong) or 'all there, as tested'}", UPDATE)


def needed() -> list[str]:
    """The packages that a learner needs on this machine."""
    listed = re.search(r"^dependencies = \[(.*?)^\]", text_of(ROOT / "pyproject.toml"), re.M | re.S)
    lines = re.findall(r"^\s*[\"'](.+)[\"'],", listed[1], re.M) if listed else []
    here = (line for line in lines if "sys_platform" not in line or f'"{sys.platform}"' in line)
    return [found[0] for line in here if (found := DIRECT.match(line))]


def torch() -> Iterator[Finding]:
    """Whether PyTorch starts, and on what."""
    try:
        found = importlib.import_module("torch")
    except Exception as error:
        remedy = "Remove the folder .venv, then run ./infograd lab."
        yield Finding(False, f"PyTorch: {type(error).__name__}: {str(error)[:200]}", remedy)
        return
    device = found.cuda.get_device_name() if found.cuda.is_available() else "the processor (no GPU is needed)"
    yield Finding(True, f"PyTorch {found.__version__} on {device}")


def notebooks() -> Finding:
    """Whether the notebooks are there and whole."""
    files = sorted((ROOT / "notebooks").glob("*/*.ipynb"))
    broken = [str(file.relative_to(ROOT)) for file in files if not is_json(file)]
    remedy = (
        "`infograd build` makes the notebooks." if not files else "git restore, or `infograd update`, brings it back."
    )
    found = f"damaged: {', '.join(broken)}" if broken else f"{len(files)} in {ROOT / 'notebooks'}"
    return Finding(bool(files) and not broken, f"notebooks: {found}", remedy)


def answer_keys() -> Finding:
    """Whether `check` can read its keys."""
    try:
        key = importlib.import_module("helpers.checking.key")
        found = key.keys(key.folder())
    except Exception as problem:  # also where numpy or torch is broken
        return Finding(False, f"answer keys: {problem}", "Install the course again, or run `infograd build`.")
    return Finding(True, f"answer keys: {len(found)}")


def kernel() -> Finding:
    """Whether a notebook's kernel is this Python."""
    try:
        manager = importlib.import_module("jupyter_client.kernelspec").KernelSpecManager()
        program = manager.get_kernel_spec("python3").argv[0]
    except Exception as problem:
        return Finding(False, f"kernel: {problem}", UPDATE)
    which = shutil.which(program)
    same = Path(program).name == program or (which is not None and Path(which).samefile(sys.executable))
    remedy = (
        f"Choose the kernel of {sys.executable} in the notebook's upper right corner; in VS Code: Select Kernel, "
        "Python Environments. Otherwise `import helpers` fails."
    )
    return Finding(same, f"kernel python3: {program}", remedy)


def table() -> Finding:
    """Whether progress can be remembered."""
    try:
        progress = importlib.import_module("helpers.checking.progress")
    except Exception as problem:
        return Finding(False, f"progress: {problem}", UPDATE)
    found = progress.trouble()
    return Finding(found is None, f"progress: kept in {progress.file()}", found or "")


def places() -> Iterator[Finding]:
    """Whether there is room, and leave to write."""
    for name, place in (("the course", ROOT), ("your home", Path.home())):
        if not place.is_dir():
            yield Finding(False, f"{name}: there is no folder {place}", "Set HOME to a folder of yours.")
            continue
        free, leave = shutil.disk_usage(place).free, os.access(place, os.W_OK)
        remedy = f"Make room in {place}." if leave else "It cannot be written: copy the course to a folder of yours."
        if name == "your home" and not leave:
            remedy = "It cannot be written: set HOME or JUPYTER_DATA_DIR to a folder of yours before ./infograd lab."
        yield Finding(leave and free > FREE, f"{name}: {place}, {free / 2**30:.1f} GB free", remedy)


def handing_in() -> Finding:
    """Whether something can be handed in here."""
    try:
        root = Path(importlib.import_module("grading.course").course_settings().Exchange.root)
    except Exception as problem:
        return Finding(False, f"nbgrader_config.py: {type(problem).__name__}: {problem}", "Mend it, or git restore it.")
    well = root.is_dir() and os.access(root, os.W_OK | os.X_OK)
    return Finding(well, f"exchange: {root}", "Your teacher makes this folder; nbgrader_config.py names it.")


def is_json(file: Path) -> bool:
    """Whether a file is whole JSON."""
    try:
        return isinstance(json.loads(text_of(file)), dict)
    except ValueError:
        return False


def text_of(file: Path) -> str:
    """A file's text; nothing where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
