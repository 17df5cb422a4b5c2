"""The lock, the ranges, the conda file and what is installed say the same; and what is imported is declared."""

from __future__ import annotations

import ast
import re
import shlex
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from grading.command import COMMANDS
from grading.site.build import TARGET

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
OWN = {"helpers", "grading", "benchmarks", "tests"}
PYTHONS = ("3.11.0", "3.12.0", "3.13.0")  # systems keep the first patch releases for years: Debian 12 has 3.11.2


def constraints() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    names = [canonicalize_name(pin.name) for pin in pins]
    assert len(set(names)) == len(names), "a package is pinned twice"
    return dict(zip(names, pins, strict=True))


def requirements(*extras: str) -> list[Requirement]:
    """The direct dependencies, with those of these extras."""
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]
    return [r for r in map(Requirement, lines) if r.name != "infograd"]


def exact_version(pin: Requirement) -> str:
    (specifier,) = pin.specifier
    assert specifier.operator == "==", f"{pin} is not an exact version"
    return specifier.version


def imported_modules(folder: str) -> dict[str, Path]:
    """Other people's top-level modules that are imported below the folder, each with a file that does."""
    found: dict[str, Path] = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        # What is imported inside a function of an exercise is part of an answer, and maybe one that must fail.
        for node in tree.body if path.parent.name == "exercises" else ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            modules = {name.partition(".")[0] for name in names} - OWN - sys.stdlib_module_names
            # A program that the sandbox starts imports the file beside it by its bare name.
            found |= {name: path.relative_to(ROOT) for name in modules if not path.with_name(f"{name}.py").exists()}
    return found


@pytest.mark.parametrize("requirement", requirements(*EXTRAS), ids=str)
def test_every_range_contains_its_pin(requirement: Requirement) -> None:
    pin = constraints().get(canonicalize_name(requirement.name))
    assert pin is not None, f"constraints.txt does not pin {requirement.name}"
    assert requirement.specifier.contains(exact_version(pin)), f"{pin} is outside {requirement}"


def test_everything_installed_is_pinned_and_has_the_version_of_its_pin() -> None:
    """What only the site needs is installed where it is made."""
    installed = EXTRAS.keys() - {"site"}
    pins, wanted, seen = constraints(), requirements(*installed), set()
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        extras = tuple(sorted(requirement.extras))
        if (name, extras) in seen or not applies(requirement):
            continue
        seen.add((name, extras))
        assert name in pins, f"constraints.txt does not pin {name}"
        # torch 2.13.0 satisfies its pin in every build: 2.13.0+cpu as well as 2.13.0.
        version = metadata.version(name)
        assert pins[name].specifier.contains(version), f"{name} {version} is installed; the lock says {pins[name]}"
        assert applies(pins[name]), f"constraints.txt says that {pins[name]} is not for this machine, but it is here"
        about = metadata.metadata(name)  # with importlib_metadata imported, which Dask does, an absent key is an error
        pythons = SpecifierSet(str(about["Requires-Python"] or "") if "Requires-Python" in about else "")
        for python in PYTHONS:
            assert pythons.contains(python), f"{pins[name]} needs Python {pythons}, and the course takes {python}"
        for line in metadata.requires(name) or []:
            dependency = Requirement(line)
            if any(applies(dependency, extra) for extra in ("", *extras)):
                dependency.marker = None
                wanted.append(dependency)
    assert len(seen) > len(requirements(*installed))


def applies(requirement: Requirement, extra: str = "") -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def test_triton_is_asked_for_on_linux_only_and_is_the_release_that_torch_asks_for() -> None:
    (triton,) = (r for r in requirements() if r.name == "triton")
    assert triton.marker is not None
    systems = ("linux", "darwin", "win32")
    assert [triton.marker.evaluate({"sys_platform": system}) for system in systems] == [True, False, False]
    assert exact_version(constraints()["torch"]) == "2.13.0"
    assert exact_version(constraints()["triton"]) == "3.7.1"


def test_conda_installs_this_project_with_the_same_lock_and_the_same_pythons() -> None:
    python, pip, last = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    assert pip == "pip"
    assert last == {"pip": ["-c constraints.txt", "-e .[dev]"]}
    ours, theirs = SpecifierSet(PROJECT["requires-python"]), Requirement(python).specifier
    listed = (c.rpartition(" ")[2] for c in PROJECT["classifiers"] if c.startswith("Programming Language :: Python ::"))
    named = set(listed)
    assert named == {f"3.{minor}" for minor in range(30) if theirs.contains(f"3.{minor}")}
    assert all(ours.contains(version) for version in named)
    assert not ours.contains("3.10")


@pytest.mark.parametrize(
    ("folder", "extras"),
    [("helpers", ()), ("grading", ("cluster", "grading")), ("tests", ("cluster", "grading", "dev"))],
)
def test_what_is_imported_is_declared(folder: str, extras: tuple[str, ...]) -> None:
    declared = {canonicalize_name(r.name) for r in requirements(*extras)}
    distributions = metadata.packages_distributions()
    for module, path in imported_modules(folder).items():
        names = {canonicalize_name(name) for name in distributions.get(module, [])}
        assert names & declared, f"{path} imports {module}, which pyproject.toml does not ask for"


def steps_of(workflow: Path) -> list[dict[str, Any]]:
    """The steps of a workflow's jobs."""
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


@pytest.mark.parametrize("workflow", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda file: file.stem)
def test_what_a_workflow_runs_is_there(workflow: Path) -> None:
    """Files, subcommands, extras and folders; which actions there are is read in their own pages."""
    steps = steps_of(workflow)
    assert [step for step in steps if not ("uses" in step) ^ ("run" in step)] == []
    for step in steps:
        words = shlex.split(step.get("run", ""))
        named = [word for word in words if "/" in word and not word.startswith((".venv/", "kernel."))]
        assert [word for word in named if not (ROOT / word).exists()] == []
        if words[:1] == ["infograd"]:
            assert words[1] in {command.name for command in COMMANDS}
        for extras in (re.fullmatch(r"\.\[(.*)\]", word) for word in words):
            assert extras is None or set(extras[1].split(",")) <= EXTRAS.keys()
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]) for step in steps if "uses" in step)


def test_the_workflow_tests_every_python_that_the_course_names() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))["jobs"]
    tested = jobs["test"]["strategy"]["matrix"]["python"]
    named = [one.rpartition(" ")[2] for one in PROJECT["classifiers"] if "Python :: 3." in one]
    assert tested == named == [python.removesuffix(".0") for python in PYTHONS]


def test_the_site_is_published_from_where_it_is_made() -> None:
    uploaded = [step for step in steps_of(ROOT / ".github/workflows/site.yml") if "upload" in step.get("uses", "")]
    assert [step["with"]["path"] for step in uploaded] == [TARGET.relative_to(ROOT).as_posix()]
