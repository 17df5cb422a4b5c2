"""The pages that people follow, played: every command in them, in order, in a fresh clone."""

from __future__ import annotations

import ast
import csv
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from grading.exercises import load
from tests.clones import ROOT, Clone, commands_of, environment
from tests.grading.courses import NOTEBOOK, answered, model_answers

PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", *(f"docs/{one.name}" for one in (ROOT / "docs").glob("*.md")))
CORE = sum(one.points for one in load(NOTEBOOK).values() if not one.stretch)
STRETCH = sum(one.points for one in load(NOTEBOOK).values() if one.stretch)

# What cannot be played inside a test, and where else it is.
ELSEWHERE = {
    "./infograd lab": "opens a browser; tests/test_command.py and the test of handing in start it",
    "./infograd lab --allow-root": "as ./infograd lab",
    "infograd lab": "as ./infograd lab",
    "./infograd formgrader": "opens a browser; tests/grading/classroom/test_cycle.py calls what its buttons call",
    "./infograd test": "is what runs this",
    "./infograd test tests/grading/exercises/test_exercises.py -k entropy": "tests/test_command.py does",
    'pip install -c constraints.txt -e ".[dev]"': "./infograd does it; tests/test_environment.py checks what it needs",
    "conda env create -f environment.yml": "tests/test_environment.py compares the file with the lock",
    "./infograd build": "takes minutes; its parts are in tests/grading/building",
    "./infograd build --check": "CI runs it before the tests",
    "python -m benchmarks.check": "takes minutes",
    "python -m pip install -c constraints.txt -e '.[cluster,grading]'": "a part of what ./infograd installs",
    "infograd grade 01-information-identities --workers 2": "tests/grading/classroom/test_bulk.py",
    "python -m grading.building.glossary": "tests/grading/building/test_glossary.py compares the page with the table",
    "./infograd new-exercise 04-condition-number-landscapes line_search": "tests/grading/building/test_lint.py",
    "./infograd lint 04-condition-number-landscapes line_search": "tests/grading/building/test_lint.py",
    "./infograd site": "tests/grading/site/test_site.py, and as a whole by the workflow that publishes it",
    'pip install -c constraints.txt -e ".[site]"': "the workflow that publishes the site does it",
    "./infograd demo": "tests/grading/demo/test_demo.py plays it with fewer learners",
    "infograd submit": "tests/grading/classroom/test_handing_in.py",
    "infograd due": "tests/grading/classroom/test_due.py",
    "infograd update": "tests/grading/test_update.py",
    "./infograd update": "tests/grading/test_update.py",
    "./infograd bundle": "tests/grading/building/test_bundle.py",
    "nbgrader db student remove NAME": "tests/grading/classroom/test_roster.py",
    "nbgrader collect --before-duedate": "tests/grading/classroom/test_collecting.py",
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """An ordinary user's, also where root runs the tests: the tests of handing in play root's."""
    one = Clone(tmp_path_factory.mktemp("clone"), ordinary=True)
    yield one
    one.close()


def grade_of(course: Path, learner: str) -> float:
    """A learner's score in the gradebook."""
    with Gradebook(f"sqlite:///{course}/classroom/gradebook.db") as gradebook:
        return float(gradebook.find_submission(NOTEBOOK, learner).score)


def learner_hands_in(clone: Clone, name: str, answers: dict[str, str]) -> None:
    """Fetch, answer and submit, as nbgrader's guide for students says, in a folder that is theirs alone."""
    place = clone.home(name) / "work"
    place.mkdir()
    clone.hand_over(place)
    exchange = f"--Exchange.root={clone.course}/classroom/exchange --course=infograd"
    clone.must(f"nbgrader fetch_assignment {NOTEBOOK} {exchange}", name, place)
    file = place / NOTEBOOK / f"{NOTEBOOK}.ipynb"
    file.write_text(json.dumps(answered(file, answers)))
    clone.must(f"nbgrader submit {NOTEBOOK} {exchange} --student={name}", name, place)


def test_every_command_in_the_pages_is_played_or_said_to_be_played_elsewhere() -> None:
    """Played are those that `test_a_teachers_way...` and the tests below name; a new one fails here."""
    played = {*teachers_commands(), *LEARNERS, "infograd doctor"}
    shown = {command for page in PAGES for command in commands_of((ROOT / page).read_text(encoding="utf-8"))}
    assert shown - played - ELSEWHERE.keys() == set()
    assert ELSEWHERE.keys() - shown == set()


def teachers_commands() -> list[str]:
    """The commands in the README's part for teachers, in order."""
    part = re.search(r"^## For teachers$.*?(?=^## )", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    assert part is not None
    wanted = (command for command in commands_of(part[0]) if command not in ELSEWHERE)
    return [command for command in wanted if "doctor" not in command]


def test_a_teachers_way_from_release_to_feedback(clone: Clone) -> None:
    for command in teachers_commands():
        said = clone.must(command)
        assert said.count(" left to a person") == ("infograd grade" in command), said  # the summary, once
        if "release_assignment" in command:
            learner_hands_in(clone, "ada", model_answers())
            learner_hands_in(clone, "bob", {"entropy": model_answers()["entropy"]})
    assert grade_of(clone.course, "ada") == CORE + STRETCH
    assert grade_of(clone.course, "bob") == load(NOTEBOOK)["entropy"].points
    with (clone.course / "classroom" / "grades.csv").open() as stream:
        table = {line["student_id"]: float(line["score"]) for line in csv.DictReader(stream)}
    assert table == {"ada": CORE + STRETCH, "bob": load(NOTEBOOK)["entropy"].points}
    place = clone.homes / "bob" / "work"
    exchange = f"--Exchange.root={clone.course}/classroom/exchange --course=infograd"
    clone.must(f"nbgrader fetch_feedback {NOTEBOOK} {exchange} --student=bob", "bob", place)
    (page,) = (place / NOTEBOOK / "feedback").rglob("*.html")
    assert {page.stat().st_uid, (clone.course / "classroom" / "gradebook.db").stat().st_uid} == {clone.user}
    assert clone.user != 0
    assert re.search(r"\bentropy\W+correct\b", re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8")))
    assert clone.status == ""


LEARNERS = ("./infograd submit 01", "./infograd feedback 01", "./infograd doctor")


def test_a_learners_way(clone: Clone) -> None:
    """After the teacher's: a learner on the same machine, with the notebook that lies there."""
    assert "Handed in 01-information-identities as " in clone.must(LEARNERS[0], "carol")
    assert "No feedback on 01-information-identities has been released yet." in clone.must(LEARNERS[1], "carol")
    assert "All is well" in clone.must(LEARNERS[2], "carol")
    assert clone.status == ""


def test_the_table_of_situations_names_a_public_report_and_tests_that_are_there() -> None:
    text = (ROOT / "docs" / "situations.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    rows = [row for row in rows if row[0].strip() != "situation"]
    assert len(rows) >= 30
    for situation, report, happens, held in rows:
        assert re.search(r"\(https://github\.com/[\w-]+/[\w-]+/(issues|pull)/\d+\)", report), situation
        named = re.findall(r"`([^`]+)`", held)
        assert all(is_a_test(name) for name in named), f"{situation}: {held}"
        assert named or "Not mended here" in happens, situation


def is_a_test(name: str) -> bool:
    """Whether there is a test of this name, as `file.py::function` below tests/; `[technique]` is a file beside it."""
    found = re.fullmatch(r"([\w/]+\.py)::(test_\w+)(?:\[(\w+)\])?", name)
    if found is None or not (file := ROOT / "tests" / found[1]).is_file():
        return False
    functions = {one.name for one in ast.walk(ast.parse(file.read_text())) if isinstance(one, ast.FunctionDef)}
    return found[2] in functions and (found[3] is None or file.with_name(f"{found[3]}.py").is_file())


NO_TESTS = (
    "test_readme.py", "test_readme.py::test_no", "test_no.py::test_a_learners_way", "test_readme.py::is_a_test",
    "attacks/test_attacks.py::test_technique[no]",
)  # fmt: skip


@pytest.mark.parametrize("name", NO_TESTS)
def test_what_is_no_test_is_seen_to_be_none(name: str) -> None:
    assert not is_a_test(name)


@pytest.mark.parametrize("order", ["infograd grade", "nbgrader release_assignment"])
def test_whatever_comes_first_registers_the_assignment(clone: Clone, order: str) -> None:
    gradebook = clone.course / "classroom" / "gradebook.db"
    gradebook.unlink(missing_ok=True)
    if "release" not in order:
        place = clone.course / "classroom" / "submitted" / "eve" / NOTEBOOK
        place.mkdir(parents=True, exist_ok=True)
        released = clone.course / "notebooks" / NOTEBOOK / f"{NOTEBOOK}.ipynb"
        (place / released.name).write_text(json.dumps(answered(released, {"entropy": model_answers()["entropy"]})))
        clone.hand_over(place.parent)
    clone.must(f"{order} {NOTEBOOK}" + ("" if "release" in order else " --learner eve"))
    with Gradebook(f"sqlite:///{gradebook}") as book:
        assignment = book.find_assignment(NOTEBOOK)
        names = {cell.name: cell.max_score for cell in assignment.notebooks[0].grade_cells}
        assert assignment.max_score == CORE + 2
    notebook = nbformat.read(clone.course / "notebooks" / NOTEBOOK / f"{NOTEBOOK}.ipynb", as_version=4)
    graded = (cell.metadata.nbgrader for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade"))
    assert names == {about.grade_id: about.points for about in graded}
    if "release" not in order:
        assert grade_of(clone.course, "eve") == load(NOTEBOOK)["entropy"].points


def test_the_wrapper_starts_the_command_of_its_own_clone(clone: Clone) -> None:
    line = [*clone.before, str(clone.course / "infograd"), "--help"]
    done = subprocess.run(line, cwd="/", env=environment(clone.home("new")), capture_output=True, text=True, check=True)
    assert "open JupyterLab" in done.stdout
    assert done.stderr == ""
