"""JupyterLab on the notebooks, open at the start page."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir

from helpers.files import unwritable

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE.parent / "notebooks"
SETTINGS = HERE / "lab_settings"  # Markdown is shown as a page, and colours follow the system's
EXTENSIONS = HERE / "lab_extensions"  # the start page is brought up to date, and sliders have names


def main(arguments: Sequence[str] | None = None) -> int:
    """`infograd lab` where only learners' files are: replace this process with JupyterLab."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] != ["lab"]:
        asked = given[:1] in (["-h"], ["--help"])
        print("usage: infograd lab [ARGUMENT ...]\n\nOpens JupyterLab on the notebooks; arguments go to JupyterLab.")
        return 0 if asked else 2
    if not NOTEBOOKS.is_dir():
        print(f"infograd lab: there is no {NOTEBOOKS}; unpack the whole course, and start it there", file=sys.stderr)
        return 1
    return open_lab(NOTEBOOKS, given[1:])


def open_lab(notebooks: Path, arguments: Sequence[str], settings: Sequence[Path] = ()) -> int:
    """Replace this process with JupyterLab, rooted in the folder of the notebooks and open at its start page.
    `settings` are folders of Jupyter's configuration that win over those which are installed."""
    if not notebooks.is_dir():
        print(f"infograd lab: {notebooks} is missing; `infograd build` makes it", file=sys.stderr)
        return 1
    path = [*map(str, settings), str(SETTINGS), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(path)
    ours = [f"--ServerApp.root_dir={notebooks}", f"--LabServerApp.extra_labextensions_path={EXTENSIONS}"]
    return replace_by("-m", "jupyterlab", *ours, *at_start_page(notebooks), *arguments)


def at_start_page(notebooks: Path) -> list[str]:
    """JupyterLab's arguments to open at the start page, which is written now; none where it cannot be."""
    from helpers.checking import start  # here: it needs torch, and the teacher's commands should not wait for that
    from helpers.checking.key import KeyProblem

    try:
        page = start.write(notebooks)
    except (OSError, KeyProblem) as problem:
        print(f"infograd lab: there is no start page ({problem})", file=sys.stderr)
        return []
    os.environ[start.VARIABLE] = str(page)
    return [f"--LabApp.default_url=/lab/tree/{start.NAME}"]


def replace_by(*arguments: str) -> int:
    """Run one of Jupyter's servers with these arguments instead of this process, so that signals reach it; return its
    status if not, and 1 where it would find no place for its files."""
    place = Path(jupyter_runtime_dir())
    if reason := unwritable(place):
        print(
            f"infograd: Jupyter keeps its files in {place}, which cannot be written ({reason}). Set HOME or "
            "JUPYTER_DATA_DIR to a folder of yours.",
            file=sys.stderr,
        )
        return 1
    command = [sys.executable, *arguments]
    sys.stdout.flush()
    if os.name == "nt":  # exec does not wait there: the prompt would come back while the program runs
        return subprocess.run(command, check=False).returncode
    os.execv(sys.executable, command)


if __name__ == "__main__":
    sys.exit(main())
