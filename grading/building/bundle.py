"""`infograd bundle`: the course as learners get it, in one zip, and what they import as a wheel.

The zip has the released notebooks, `helpers`, and what makes their environment; nothing of solutions/ or grading/. The
same sources make the same bytes."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from grading.building.build import BuildError
from grading.course import ROOT
from grading.exercises import notebooks
from grading.first_cell import ADDRESS, installing
from grading.release import released_text
from helpers.files import write_whole_bytes

DEFAULT = ROOT / "dist" / "infograd-learners.zip"
FOLDER = "infograd"  # everything is in it, so that unpacking scatters nothing
AS_THEY_ARE = ("LICENSE", "LICENSE-PROSE", "constraints.txt", "environment.yml", "infograd")
LEFT_OUT = ("__pycache__", ".ipynb_checkpoints")
DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold
README = """# infograd

Notebooks on information theory and optimisation for machine learning, whose exercises grade themselves.

With Python 3.11, 3.12 or 3.13, on Linux or macOS:

    ./infograd lab

makes the environment in .venv once (some minutes), then opens JupyterLab on a page that says where to go on. As root,
add `--allow-root`. On Windows: `pip install -c constraints.txt -e .`, then `infograd lab`. With conda:
`conda env create -f environment.yml`, `conda activate infograd`, `infograd lab`. In VS Code open this folder and choose
the kernel in .venv.

Replace each `raise NotImplementedError()` by your answer and run the check below it. `hint("entropy")` helps,
`progress()` shows what is done. To hand in, send the notebook's file to your teacher.
"""
PYPROJECT = """[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "infograd"
version = "{version}"
description = "{description}"
readme = "README.md"
requires-python = "{python}"
license = "BSD-3-Clause AND CC-BY-4.0"
license-files = ["LICENSE", "LICENSE-PROSE"]
dependencies = [
{dependencies}
]

[project.optional-dependencies]
dev = []  # what ./infograd and environment.yml ask for; the course's own tools are the teacher's

[project.scripts]
infograd = "helpers.lab:main"

[tool.setuptools.packages.find]
include = ["helpers*"]

[tool.setuptools.package-data]
helpers = [{data}]
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the zip and, with `--wheel`, the wheel beside it; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="infograd bundle",
        description="Make the zip that learners get: notebooks, helpers and their environment, no solutions.",
        epilog="example: infograd bundle --to ~/course.zip",
    )
    parser.add_argument(
        "--to", type=Path, default=DEFAULT, metavar="FILE", help=f"the zip; dist/{DEFAULT.name} by default"
    )
    parser.add_argument("--wheel", action="store_true", help="also make a wheel of helpers beside it, with pip")
    parser.add_argument(
        "--address",
        metavar="ADDRESS",
        help="what pip can install the course from (git+https://..., a wheel); notebooks that are opened without the "
        "course, as in Colab, install it from there",
    )
    options = parser.parse_args(arguments)
    if options.address and not ADDRESS.fullmatch(options.address):
        print(f"infograd bundle: --address {options.address!r} is none that pip can install from", file=sys.stderr)
        return 2
    try:
        write_zip(options.to, options.address)
        print(f"{options.to}: {options.to.stat().st_size / 1e6:.1f} MB, for learners")
        return make_wheel(options.to) if options.wheel else 0
    except BuildError as problem:
        print(f"infograd bundle: {problem}", file=sys.stderr)
    except OSError as problem:
        print(f"infograd bundle: --to {options.to} cannot be written: {problem.strerror}", file=sys.stderr)
    return 1


def write_zip(place: Path, address: str | None = None) -> None:
    """Write the zip whole or not at all; `address` is what pip can install the course from, if that is known. Raises
    OSError, or BuildError where a notebook has not been built."""
    with tempfile.TemporaryFile() as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in sorted(files(address)):
                entry = zipfile.ZipInfo(f"{FOLDER}/{name}", DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = (0o100755 if name == "infograd" else 0o100644) << 16
                archive.writestr(entry, content)
        stream.seek(0)
        write_whole_bytes(place, stream.read())


def files(address: str | None) -> Iterator[tuple[str, bytes]]:
    """All files of the zip: name and content. The notebooks are as released, whatever lies in notebooks/."""
    yield "README.md", README.encode()
    yield "pyproject.toml", pyproject().encode()
    for name in AS_THEY_ARE:
        yield name, (ROOT / name).read_bytes()
    for name in notebooks():
        if not (ROOT / "solutions" / name / f"{name}.ipynb").is_file():
            raise BuildError(f"solutions/{name}/{name}.ipynb is missing; run `infograd build {name}`")
        text = released_text(name, ROOT)
        yield f"notebooks/{name}/{name}.ipynb", (with_address(text, address) if address else text).encode()
    for file in (ROOT / "helpers").rglob("*"):
        part = file.relative_to(ROOT)
        if file.is_file() and file.suffix not in (".pyc", ".tmp") and not set(part.parts) & set(LEFT_OUT):
            yield part.as_posix(), file.read_bytes()


def with_address(text: str, address: str) -> str:
    """A released notebook whose first code cell installs the course from `address` where there is none."""
    notebook = json.loads(text)
    first = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    first["source"] = installing("".join(first["source"]), address).splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def pyproject() -> str:
    """The learners' pyproject.toml, with what the course's own says of them."""
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, data = ours["project"], ours["tool"]["setuptools"]["package-data"]["helpers"]
    return PYPROJECT.format(
        version=project["version"],
        description=project["description"],
        python=project["requires-python"],
        dependencies="\n".join(f"    '{one}'," for one in project["dependencies"]),
        data=", ".join(f'"{one}"' for one in data),
    )


def make_wheel(archive: Path) -> int:
    """Make a wheel of `helpers` from what is in the zip, beside it; returns pip's status. It is built with the
    setuptools that is installed, which torch needs: no network is asked."""
    beside = str(archive.parent.resolve())
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", beside)
    with tempfile.TemporaryDirectory(prefix="infograd-wheel-") as folder:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
        line = [sys.executable, "-m", "pip", "wheel", *options, str(Path(folder) / FOLDER)]
        return subprocess.run(line, check=False).returncode
