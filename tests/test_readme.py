"""The pages that people follow, played: every command in them, in order, in a fresh clone."""

from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from packaging.requirements import Requirement

from grading.building.inputs import PRODUCTS, RECORD, product
from grading.exercises import load, notebooks
from tests.clones import ROOT, Clone, commands_of, environment
from tests.grading.building.test_inputs import note_everything
from tests.grading.courses import NOTEBOOK, answered, model_answers
from tests.named import is_a_test, source_of
from tests.test_environment import EXTRAS

PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", *(f"docs/{one.name}" for one in (ROOT / "docs").glob("*.md")))
CORE = sum(one.points for one in load(NOTEBOOK).values() if not one.stretch)
STRETCH = sum(one.points for one in load(NOTEBOOK).values() if one.stretch)

# What other tests play: each has all words of the line.
ELSEWHERE = {
    "./infograd lab": "browser/test_story.py::test_from_the_start_page_to_the_feedback",
    "./infograd lab --allow-root": "grading/classroom/test_handing_in.py::"
    "test_the_assignment_list_hands_in_what_lies_in_the_notebooks_folder",
    "infograd lab": "test_command.py::test_lab_opens_jupyterlab_on_the_notebooks_without_the_panels_for_teachers",
    "./infograd formgrader": "browser/test_story.py::test_from_the_start_page_to_the_feedback",
    "infograd grade 01-information-identities --workers 2": "grading/classroom/test_bulk.py::"
    "test_of_two_processes_one_is_killed",
    "infograd feedback --class 01-information-identities": "grading/classroom/test_bulk.py::"
    "test_a_classs_feedback_is_what_nbgrader_makes_one_after_another",
    "./infograd new-exercise 04-condition-number-landscapes line_search": "grading/building/test_lint.py::"
    "test_a_new_exercise_can_be_built_and_linted_at_once",
    "./infograd lint 04-condition-number-landscapes line_search": "grading/building/test_lint.py::"
    "test_a_new_exercise_can_be_built_and_linted_at_once",
    "./infograd demo": "grading/demo/test_demo.py::test_everyone_has_a_verdict_and_feedback",
    "infograd submit": "grading/classroom/test_handing_in.py::"
    "test_a_file_from_anywhere_is_handed_in_as_the_notebook_that_it_is",
    "infograd due": "grading/classroom/test_due.py::test_a_due_date_and_an_extension_reach_the_gradebook_and_go_again",
    "infograd update": "grading/test_update.py::test_answers_come_along_and_what_changed_is_named",
    "./infograd update": "grading/test_update.py::test_answers_come_along_and_what_changed_is_named",
    "./infograd bundle": "grading/building/test_bundle.py::test_nothing_of_the_teachers_is_in_it",
    "./infograd bundle --address git+https://github.com/OWNER/REPOSITORY@BRANCH": "grading/building/test_bundle.py::"
    "test_where_an_address_is_known_the_notebooks_install_from_there",
    "nbgrader db student remove NAME": "grading/classroom/test_roster.py::"
    "test_a_learner_from_before_a_name_was_refused_is_changed_and_removed",
    "nbgrader collect --before-duedate": "grading/classroom/test_collecting.py::"
    "test_the_last_counts_or_the_last_in_time_where_that_is_asked_for",
}

# What no test plays, and what comes nearest.
UNPLAYED = {
    "./infograd test": "runs these tests: test_command.py::test_ci_runs_what_the_pages_say",
    "./infograd test --all": "runs these tests, and is what CI runs: test_command.py::test_ci_runs_what_the_pages_say",
    "./infograd build --check": "takes minutes. CI runs it, with --unrun, before the tests, and nbval the notebooks; a "
    "part of it: test_readme.py::test_a_build_makes_what_is_gone_and_touches_nothing_else",
    "python -m benchmarks.check": "takes minutes, and writes how fast this machine is",
    "conda env create -f environment.yml": "needs conda; the file names the line for pip, which is played: "
    "test_environment.py::test_conda_installs_this_project_with_the_same_lock_and_the_same_pythons",
    "./infograd site": "needs packages that only the site has; with them `pytest -m long` plays it, and so does the "
    "workflow that publishes the site: grading/site/test_site.py::test_the_whole_site_is_made_without_a_warning",
    'pip install -c constraints.txt -e ".[site]"': "needs a package index; what it would install is pinned: "
    "test_environment.py::test_every_range_contains_its_pin",
}

LEARNERS = ("./infograd submit 01", "./infograd feedback 01", "./infograd doctor")
INSTALLING = (
    'pip install -c constraints.txt -e ".[dev]"',
    "python -m pip install -c constraints.txt -e '.[cluster,grading]'",
)
AUTHORS = (
    "./infograd build",
    "./infograd test tests/grading/exercises/test_exercises.py -k entropy",
    "python -m grading.building.glossary",
)


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


def test_every_command_in_the_pages_is_played_or_said_not_to_be() -> None:
    """Played are those that `test_a_teachers_way...` and the tests below name; a new one fails here."""
    played = {*teachers_commands(), *LEARNERS, *INSTALLING, *AUTHORS, "infograd doctor"}
    shown = {command for page in PAGES for command in commands_of((ROOT / page).read_text(encoding="utf-8"))}
    assert shown == played | ELSEWHERE.keys() | UNPLAYED.keys()
    assert len(played) + len(ELSEWHERE) + len(UNPLAYED) == len(shown), "a command is in two places"


@pytest.mark.parametrize(("command", "test"), ELSEWHERE.items(), ids=list(ELSEWHERE))
def test_what_is_played_elsewhere_is(command: str, test: str) -> None:
    assert is_a_test(test)
    source = source_of(test)
    words = [word.lstrip("-") for word in shlex.split(command)[1:] if not word.isupper()]
    words = ["NOTEBOOK" if word in notebooks() else word for word in words]
    missing = [word for word in words if not re.search(rf"(?<![\w-])-*{re.escape(word)}(?![\w-])", source)]
    assert missing == [], f"{test} has no {missing}"


@pytest.mark.parametrize("reason", UNPLAYED.values(), ids=list(UNPLAYED))
def test_what_comes_nearest_to_what_is_not_played_is_there(reason: str) -> None:
    assert all(map(is_a_test, re.findall(r"\S+::\S+", reason)))


def test_what_a_class_costs_is_what_was_measured() -> None:
    page = (ROOT / "docs" / "large_classes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d\d) \| ([\d.]+) \| ([\d.]+) \| (\d+) submissions", page, re.M)
    used = {number: float(whole) for number, whole, *_ in rows}
    assert list(used) == [name[:2] for name in notebooks()]
    measured = json.loads((ROOT / "benchmarks" / "results" / "bulk.json").read_text(encoding="utf-8"))["notebooks"]
    for name, one in measured.items():
        inside = one["parts_seconds_each"]["processor, in the sandbox"]
        whole = inside + one["processor_seconds_each_outside_the_sandbox"]
        assert (name[:2], f"{whole:.2f}", f"{inside:.2f}", str(one["submissions"])) in rows
    hours = {number: seconds * 10_000 / 3600 for number, seconds in used.items()}
    together, text = sum(hours.values()), " ".join(page.split())
    assert f"take {hours['01']:.1f} core-hours for 01, {hours['03']:.0f} for 03" in text
    assert f"and {together:.0f} for the eight together" in text
    assert f"that is {0.05 * together:.1f} for all of them" in text


def teachers_commands() -> list[str]:
    """The commands in the README's part for teachers, in order."""
    part = re.search(r"^## For teachers$.*?(?=^## )", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    assert part is not None
    wanted = (command for command in commands_of(part[0]) if command not in (*ELSEWHERE, *UNPLAYED))
    return [command for command in wanted if "doctor" not in command]


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_learners_way(clone: Clone) -> None:
    """After the teacher's: a learner on the same machine, with the notebook that lies there."""
    assert "Handed in 01-information-identities as " in clone.must(LEARNERS[0], "carol")
    assert "No feedback on 01-information-identities has been released yet." in clone.must(LEARNERS[1], "carol")
    assert "All is well" in clone.must(LEARNERS[2], "carol")
    assert clone.status == ""


@pytest.mark.slow
def test_the_lines_for_pip_ask_for_what_is_installed(clone: Clone) -> None:
    """Played without a network and without changing anything: pip finds all that it would install, as it is pinned. The
    second line asks for a part of what the first asks for."""
    said = clone.must(f"{INSTALLING[0]} --dry-run --no-index --no-build-isolation")
    (would_install,) = (one for one in said.splitlines() if one.startswith("Would install "))
    assert would_install == f"Would install infograd-{metadata.version('infograd')}"
    part = INSTALLING[1].replace("python -m pip", "pip").replace(".[cluster,grading]", ".[dev]")
    assert shlex.split(part) == shlex.split(INSTALLING[0])
    (own,) = (one for one in map(Requirement, EXTRAS["dev"]) if one.name == "infograd")
    assert {"cluster", "grading"} <= own.extras


@pytest.mark.slow
def test_a_build_makes_what_is_gone_and_touches_nothing_else(clone: Clone) -> None:
    note_everything(clone.course)  # as after the author's last build
    clone.hand_over(clone.course / RECORD)
    file = clone.course / product("learner's notebook", NOTEBOOK)
    file.write_text(file.read_text(encoding="utf-8").replace("Information identities", "Identities", 1))
    clone.hand_over(file)
    status, said = clone.run("./infograd build 01 --check --unrun")
    assert status == 1
    assert said.count("differs from a fresh build") == 1
    assert f"{file.relative_to(clone.course)} differs from a fresh build; run `infograd build`" in said
    before = {one: one.stat().st_mtime_ns for one in built(clone)}
    clone.must(AUTHORS[0])
    assert clone.status == ""
    assert {one for one in built(clone) if before[one] != one.stat().st_mtime_ns} == {file}
    assert "nothing has changed" in clone.must(AUTHORS[0])


def built(clone: Clone) -> list[Path]:
    """All that a build can make."""
    return [clone.course / product(kind, name) for kind in PRODUCTS for name in notebooks()]


@pytest.mark.slow
def test_an_authors_other_lines(clone: Clone) -> None:
    said = clone.must(f"{AUTHORS[1]} --collect-only -q -p no:cacheprovider")
    assert "tests/grading/exercises/test_exercises.py::TestTheReference::test_agrees_with_an_oracle[01-entropy]" in said
    assert re.search(r"^\d+/\d+ tests collected", said, re.MULTILINE)
    table = clone.course / "docs" / "glossary.md"
    table.write_text("", encoding="utf-8")
    clone.must(AUTHORS[2])
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


NO_TESTS = (
    "test_readme.py", "test_readme.py::test_no", "test_no.py::test_a_learners_way", "test_readme.py::grade_of",
    "attacks/test_attacks.py::test_technique[no]",
)  # fmt: skip


@pytest.mark.parametrize("name", NO_TESTS)
def test_what_is_no_test_is_seen_to_be_none(name: str) -> None:
    assert not is_a_test(name)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["infograd grade", "nbgrader release_assignment"])
def test_whatever_comes_first_registers_the_assignment(clone: Clone, order: str) -> None:
    gradebook = clone.course / "classroom" / "gradebook.db"
    gradebook.unlink(missing_ok=True)
    if "release" not in order:
        place = clone.course / "classroom" / "submitted" / "eve" / NOTEBOOK
        place.mkdir(parents=True, exist_ok=True)
        released = clone.course / "notebooks" / NOTEBOOK / f"{NOTEBOOK}.ipynb"
        (place / released.name).write_text(json.dumps(answered(released, {"entropy": model_answers()["entropy"]})))
        clone.hand_over(clone.course / "classroom")
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
