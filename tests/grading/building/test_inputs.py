"""What a change to the course makes stale: everything that it can have changed, and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from grading.building import build, inputs
from grading.building.inputs import PRODUCTS, BuildError, Inputs, Record, data_files, installed, product, source_of
from grading.course import ROOT, notebooks
from helpers.checking import card

NAMES = notebooks()
FIRST, FIFTH = NAMES[0], NAMES[4]
ALL = {(kind, name) for kind in PRODUCTS for name in NAMES}


def of(name: str, *kinds: str) -> set[tuple[str, str]]:
    return {(kind, name) for kind in kinds or PRODUCTS}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the course is built from, and its products, as if they had just been made."""
    root = tmp_path_factory.mktemp("course")
    for folder in ("helpers", "grading", "solutions", "notebooks"):
        shutil.copytree(
            ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        )
    for file in ("nbgrader_config.py", "constraints.txt"):
        shutil.copy(ROOT / file, root)
    note_everything(root)
    return root


def note_everything(root: Path) -> None:
    made_from, record = Inputs(root, NAMES), Record(root)
    for kind in PRODUCTS:
        for name in NAMES:
            record.note(kind, name, made_from.digest(kind, name))


@pytest.fixture
def course(whole: Path) -> Iterator[Path]:
    """The course, put back after the test."""
    before = {file: file.read_bytes() for file in whole.rglob("*") if file.is_file()}
    yield whole
    for file in whole.rglob("*"):
        if file.is_file() and file not in before:
            file.unlink()
    for file, content in before.items():
        if not file.is_file() or file.read_bytes() != content:
            file.write_bytes(content)


def stale(root: Path) -> set[tuple[str, str]]:
    made_from, record = Inputs(root, NAMES), Record(root)
    return {(kind, name) for kind, name in ALL if not record.is_fresh(kind, name, made_from.digest(kind, name))}


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_nothing_is_stale_that_nothing_has_changed(course: Path) -> None:
    assert stale(course) == set()


def test_other_marks_concern_their_own_notebook_alone(course: Path) -> None:
    edit(course / "grading/exercises/01_information_identities.py", "marks=1,", "marks=1.25,")
    assert stale(course) == of(FIRST, "answer key", "executed solution")
    edit(course / product("answer key", FIRST), "entropy", "Entropy")  # as the build does next
    assert stale(course) == of(FIRST, "answer key", "executed solution")
    edit(course / product("executed solution", FIRST), "entropy", "Entropy")
    assert stale(course) == of(FIRST)


def test_another_total_concerns_the_progress_table_of_all(course: Path) -> None:
    edit(course / product("answer key", FIRST), '"points": 3.0', '"points": 4.0')
    assert stale(course) == of(FIRST, "answer key") | {("executed solution", name) for name in NAMES}


def test_the_progress_table_shows_of_notebooks_not_begun_what_counts_here_alone() -> None:
    """Other names and marks with the same total, as in other keys: the table is the same."""
    begun = [("entropy", 3.0, False, {"marks": 2.0})]
    ones = card.progress_table(
        {"01": begun, "02": [("a", 2.0, False, {}), ("b", 1.0, False, {}), ("c", 3.0, True, {})]}
    )
    others = card.progress_table({"01": begun, "02": [("d", 1.5, False, {}), ("e", 1.5, False, {})]})
    assert ones == others
    assert "02: 0 of 3" in ones.text
    assert "entropy: 2 of 3" in ones.text


def test_prose_concerns_the_notebook_and_not_its_key(course: Path) -> None:
    source = source_of(FIFTH, course)
    source.write_text(source.read_text(encoding="utf-8") + "\n# %% [markdown]\n# One word more.\n", encoding="utf-8")
    assert stale(course) == of(FIFTH, "executed solution")


def test_a_routine_concerns_those_that_import_it_also_by_way_of_others(course: Path) -> None:
    edit(course / "helpers/vae.py", "from __future__", "# changed\nfrom __future__")
    assert stale(course) == of(FIFTH, "executed solution")


@pytest.mark.parametrize(
    ("file", "some"),
    [
        ("helpers/checking/check.py", "executed solution"),
        ("helpers/checking/kinds/training.py", "answer key"),
        ("helpers/plotting.py", "executed solution"),
        ("grading/building/products.py", "learner's notebook"),
        ("grading/exercises/exercise.py", "answer key"),
        ("grading/release.py", "learner's notebook"),
        ("helpers/texts/alice.txt", "executed solution"),
    ],
)
def test_what_serves_all_concerns_all(course: Path, file: str, some: str) -> None:
    with (course / file).open("a", encoding="utf-8") as stream:
        stream.write("\n")
    assert stale(course) >= {(some, name) for name in NAMES}


def test_what_is_new_beside_them_counts(course: Path) -> None:
    (course / "helpers/texts/new.txt").write_text("a text", encoding="utf-8")
    assert stale(course) == ALL


@pytest.mark.parametrize("what", ["packages", "python"])
def test_another_environment_concerns_all(course: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if what == "python":
        monkeypatch.setattr(sys, "version", "3.99")
    else:
        monkeypatch.setattr(inputs, "installed", lambda package: "99" if package == "torch" else installed(package))
    assert stale(course) == ALL


def test_a_package_that_the_course_does_not_lock_concerns_nothing(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody installs one into the environment while the course is being built, or tested."""
    (tmp_path / "stranger-1.dist-info").mkdir()
    (tmp_path / "stranger-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert version("stranger") == "1"
    assert stale(course) == set()


@pytest.mark.parametrize("kind", PRODUCTS)
@pytest.mark.parametrize("how", ["edited", "gone"])
def test_a_product_that_is_not_as_it_was_left_is_stale(course: Path, kind: str, how: str) -> None:
    file = course / product(kind, FIFTH)
    if how == "edited":
        file.write_text(file.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    else:
        file.unlink()
    found = stale(course)
    assert (kind, FIFTH) in found
    assert how == "gone" or found <= of(FIFTH)


@pytest.mark.parametrize("damage", [None, "", "{", "[]", '{"helpers/keys/01-information-identities.json": 3}'])
def test_without_a_record_that_can_be_read_all_is_stale(course: Path, damage: str | None) -> None:
    file = course / inputs.RECORD
    file.unlink() if damage is None else file.write_text(damage, encoding="utf-8")
    assert stale(course) == ALL


def test_a_source_that_is_no_python_is_named(course: Path) -> None:
    source_of(FIFTH, course).write_text("# %%\nx = (\n", encoding="utf-8")
    with pytest.raises(BuildError, match=rf"{FIFTH}\.py, line 2: "):
        stale(course)


def test_a_build_makes_what_is_stale_and_what_that_makes_stale(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def pretend(kind: str, names: list[str], root: Path, pool: object) -> Iterator[str]:
        for name in names:
            made.append((kind, name))
            if kind != "learner's notebook":
                edit(root / product(kind, name), '"', ' "')
            yield name

    monkeypatch.setattr(build, "make", pretend)
    edit(course / "grading/exercises/01_information_identities.py", "marks=1,", "marks=1.25,")
    assert build.build(NAMES, course) == 0
    assert made == [(kind, FIRST) for kind in PRODUCTS]
    made.clear()
    assert build.build(NAMES, course) == 0
    assert made == []
    assert build.build(NAMES, course, force=True) == 0
    assert set(made) == ALL


def test_a_build_with_nothing_to_do_imports_nothing_heavy(course: Path) -> None:
    code = """
import sys
from grading.building.build import main
assert main([]) == 0
print(*{"torch", "nbgrader", "nbclient", "jupytext"} & set(sys.modules), sep=", ")
"""
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, cwd=course, env={"PYTHONPATH": str(course)}, capture_output=True, text=True, check=True)
    assert done.stdout == "infograd build: nothing has changed\n\n"


def test_a_package_counts_where_it_is_installed_not_where_setuptools_brings_it_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.12 and newer import setuptools with torch, and Python 3.11 does not."""
    assert installed("torch") == version("torch")
    assert installed("no-such-thing") == ""
    for folder in ("_vendor", "site-packages"):
        (tmp_path / folder / "no_such_thing-1.2.dist-info").mkdir(parents=True)
        (tmp_path / folder / "no_such_thing-1.2.dist-info" / "METADATA").write_text(
            "Name: no-such-thing\nVersion: 1.2\n"
        )
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "_vendor")])
    assert installed("no-such-thing") == ""
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "site-packages")])
    assert installed("no-such-thing") == "1.2"


OPENED = """
import os, sys, runpy
root, source = sys.argv[1:]
seen = set()
def note(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        file = os.path.realpath(arguments[0])
        if file.startswith(root + os.sep) and "w" not in str(arguments[1]):
            seen.add(os.path.relpath(file, root))
sys.addaudithook(note)
sys.dont_write_bytecode = True
sys.path.insert(0, root)
import grading.exercises.key, grading.building.products
grading.exercises.key.make_key(os.path.basename(source)[:-3])
runpy.run_path(source)
print(*sorted(seen), sep="\\n")
"""


@pytest.mark.slow
def test_a_notebook_reads_nothing_that_does_not_count(course: Path, tmp_path: Path) -> None:
    """A whole notebook and its key, watched: whatever it opens in the course is among its inputs."""
    line = [sys.executable, "-c", OPENED, str(course.resolve()), str(source_of(FIRST, course))]
    variables = {"INFOGRAD_PROGRESS": str(tmp_path / "progress.json"), "MPLBACKEND": "agg", "HOME": str(tmp_path)}
    done = subprocess.run(line, cwd=tmp_path, env=variables, capture_output=True, text=True, check=True)
    opened = {re.sub(r"__pycache__/(\w+)\.cpython-.*", r"\1.py", one) for one in done.stdout.splitlines()}
    opened = {one for one in opened if one.startswith(("helpers/", "grading/", "solutions/"))}
    made_from = Inputs(course, [FIRST])
    files = {*made_from.code_files("answer key", FIRST), *made_from.code_files("executed solution", FIRST)}
    counted = {str(file.relative_to(course)) for file in (*files, *data_files(course))}
    keys = {str(product("answer key", name)) for name in NAMES}
    assert "helpers/texts/alice.txt" in opened
    assert "helpers/checking/card.py" in opened
    assert opened - counted - keys == set()


def test_the_record_is_the_working_trees_own() -> None:
    line = ["git", "-C", str(ROOT), "check-ignore", inputs.RECORD]
    assert subprocess.run(line, capture_output=True, check=False).returncode == 0
