"""Handing in, from a terminal and from JupyterLab, what people have: any file, under any name."""

from __future__ import annotations

import codecs
import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange import ExchangeError
from traitlets.config import Config

from grading.classroom.exchange import DeskList
from grading.classroom.learners import unfit
from grading.exercises import load
from tests.clones import Clone, environment
from tests.grading.courses import NOTEBOOK, answered, model_answers

OTHER = "02-mutual-information"
ENTROPY = load(NOTEBOOK)["entropy"].points
TOKEN = "only-for-this-test"


def released(clone: Clone, name: str = NOTEBOOK) -> Path:
    return clone.course / "notebooks" / name / f"{name}.ipynb"


@pytest.mark.slow
def test_a_file_from_anywhere_is_handed_in_as_the_notebook_that_it_is(clone: Clone) -> None:
    """Downloaded twice, with a byte order mark, no grade_ids, new cell ids, a foreign kernel and another minor."""
    notebook = answered(released(clone), {"entropy": model_answers()["entropy"], "reflection": "My own words."})
    for number, cell in enumerate(notebook["cells"]):
        cell["metadata"] = {"id": f"colab-{number}", "colab": {"base_uri": "https://example.org"}}
        cell["id"] = f"colab-{number}"
    notebook["nbformat_minor"] = 0
    notebook["metadata"] = {"colab": {"name": "Copy"}, "kernelspec": {"name": "another", "display_name": "Another"}}
    file = clone.homes / "Zoë" / "Down loads" / "Kopie von 01 (1).ipynb"
    file.parent.mkdir(parents=True)
    file.write_bytes(codecs.BOM_UTF8 + json.dumps(notebook).encode())
    said = clone.must(f"infograd submit '{file.name}' --learner \"Zoë O'Neil\"", "Zoë", file.parent)
    assert f"Handed in {NOTEBOOK} as Zoë O'Neil, at " in said
    assert f"answered   2 of {len(load(NOTEBOOK)) + 1}" in said
    assert "untouched  cross_entropy, kl_divergence" in said
    assert "10 cells had lost their names; they were found by their content: entropy, cross_entropy, " in said
    assert said.count("  note  ") == 1

    clone.must(f"nbgrader collect {NOTEBOOK}")
    clone.must(f'./infograd grade {NOTEBOOK} --learner "Zoë O\'Neil"')
    clone.must(f"nbgrader generate_feedback {NOTEBOOK}")
    assert "No feedback on" in clone.must('infograd feedback 01 --learner "Zoë O\'Neil"', "Zoë", file.parent)
    clone.must(f"nbgrader release_feedback {NOTEBOOK}")
    said = clone.must('infograd feedback 01 --learner "Zoë O\'Neil"', "Zoë", file.parent)
    page = Path(said.strip().rpartition(": ")[2])
    assert page.is_relative_to(clone.course / "notebooks" / NOTEBOOK / "feedback")
    assert "My own words." in page.read_text(encoding="utf-8")
    with Gradebook(f"sqlite:///{clone.course}/classroom/gradebook.db") as gradebook:
        assert gradebook.find_submission(NOTEBOOK, "Zoë O'Neil").score == ENTROPY
    assert clone.status == ""


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("infograd submit 42", "no notebook '42'; there are 01-information-identities"),
        ("infograd submit 02-mutal-information", "did you mean 02-mutual-information?"),
        ("infograd submit README.md", "README.md cannot be read. The file is not a notebook"),
        ("infograd submit 01 --learner ../teacher", "begins with a dot"),
        ("infograd submit 01 --learner a+b", "it has +, which nbgrader reads as a pattern"),
    ],
)
def test_what_cannot_be_handed_in_is_refused_with_the_reason(clone: Clone, line: str, reason: str) -> None:
    status, said = clone.run(line, "ada")
    assert status == 1
    assert reason in said
    assert "Traceback" not in said


def test_an_exchange_that_can_only_be_read_is_named_with_the_way_out() -> None:
    desk = DeskList(coursedir=CourseDirectory(), config=Config(Exchange={"root": "/proc"}))  # not even by the superuser
    with pytest.raises(ExchangeError, match=r"the exchange /proc cannot be written .*copy the course to a folder"):
        desk.start()


def test_where_jupyter_cannot_write_nothing_is_half_handed_in(clone: Clone) -> None:
    """As in a home that can only be read, but for the superuser, too: the folder's place is taken by a file."""
    inbound = clone.course / "classroom" / "exchange" / "infograd" / "inbound"
    clone.must("infograd submit 01 --learner before", "ada")
    for line in ("infograd submit 01 --learner nowhere", "infograd lab --no-browser", "infograd formgrader"):
        status, said = clone.run(line, "ada", JUPYTER_DATA_DIR=str(clone.course / "README.md"))
        assert status == 1
        assert "cannot be written (Not a directory). Set HOME or JUPYTER_DATA_DIR to a folder of yours." in said
        assert "Traceback" not in said
    assert [one.name.partition("+")[0] for one in inbound.iterdir() if one.name.startswith("nowhere")] == []


@pytest.fixture
def lab(clone: Clone) -> Iterator[int]:
    """`./infograd lab` in the clone; the port that it listens on."""
    port = 9872
    options = ["--no-browser", "--allow-root", f"--port={port}", "--ServerApp.port_retries=0"]
    line = [str(clone.course / "infograd"), "lab", *options, f"--IdentityProvider.token={TOKEN}"]
    with (clone.homes / "lab.log").open("w") as log:
        server = subprocess.Popen(line, cwd="/", env=environment(clone.homes / "lab"), stdout=log, stderr=log)
    try:
        for _ in range(600):
            time.sleep(0.2)
            try:
                ask(port, "/api/status")
                break
            except OSError:
                assert server.poll() is None, (clone.homes / "lab.log").read_text()
        yield port
    finally:
        server.terminate()
        server.wait()


def ask(port: int, path: str, **data: str) -> Any:
    """What the server answers, as the panel would ask."""
    body = urllib.parse.urlencode(data).encode() if data else None
    headers = {"Authorization": f"token {TOKEN}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


@pytest.mark.slow
def test_the_assignment_list_hands_in_what_lies_in_the_notebooks_folder(clone: Clone, lab: int) -> None:
    shown = ask(lab, "/assignments?course_id=infograd")["value"]
    found = {one["assignment_id"]: one for one in shown if one["status"] == "fetched"}
    assert found[OTHER]["notebooks"][0]["path"] == f"{OTHER}/{OTHER}.ipynb"
    shown = ask(lab, "/assignments/submit", assignment_id=OTHER, course_id="infograd")["value"]
    assert [one["assignment_id"] for one in shown if one["status"] == "submitted"] == [OTHER]
    inbound = clone.course / "classroom" / "exchange" / "infograd" / "inbound"
    (handed_in,) = inbound.glob(f"*+{OTHER}+*")
    assert (handed_in / f"{OTHER}.ipynb").read_bytes() == released(clone, OTHER).read_bytes()
    assert clone.status == ""


GOOD = ("Ada Lovelace", "a.b@example.org", "O'Neil", "Jürgen", "李雷", "12345", "x,y", "{0}")
BAD = (".hidden", "x[1]", "a+b", "who?", "two\nlines", "a*")


@pytest.mark.slow
def test_every_name_is_graded_and_shown_or_refused_with_the_reason(clone: Clone) -> None:
    for name in (*GOOD, *BAD):
        place = clone.course / "classroom" / "submitted" / name / NOTEBOOK
        place.mkdir(parents=True)
        answers = {"entropy": model_answers()["entropy"]}
        (place / f"{NOTEBOOK}.ipynb").write_text(json.dumps(answered(released(clone), answers)))
    status, said = clone.run(f"infograd grade {NOTEBOOK}")
    assert status == 1
    assert all(f"nobody can be called {name!r}" in said for name in BAD)
    clone.must(f"nbgrader generate_feedback {NOTEBOOK}")
    clone.must("nbgrader export --to classroom/names.csv")
    table = (clone.course / "classroom" / "names.csv").read_text(encoding="utf-8")
    with Gradebook(f"sqlite:///{clone.course}/classroom/gradebook.db") as gradebook:
        known = {one.id for one in gradebook.students}
        assert known.isdisjoint(BAD)
        for name in GOOD:
            assert gradebook.find_submission(NOTEBOOK, name).score == ENTROPY, name
            assert (clone.course / "classroom" / "feedback" / name / NOTEBOOK / f"{NOTEBOOK}.html").is_file()
            assert name in table
    for name in BAD:
        assert not (clone.course / "classroom" / "autograded" / name).exists()


@pytest.mark.parametrize(
    "name", ["", " ", " ada", "..", "#1", "50%", "a/b", "a\\b", "a\0", "\ud800", "x" * 101, "ü" * 51]
)
def test_more_names_that_cannot_be(name: str) -> None:
    assert unfit(name)
