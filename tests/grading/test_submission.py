from __future__ import annotations

import ast
import json
import os
from pathlib import Path

import nbformat
import pytest

from grading.building.bundle import with_address
from grading.matching import grade_id
from grading.submission import Submission, as_python, read_submission, sorted_cells
from tests.grading.courses import answered

ANSWER = "def entropy(p):\n    return p.sum(-1)\n"


def take(tmp_path: Path, released: Path, text: str | bytes | None) -> Submission:
    file = tmp_path / "handed_in.ipynb"
    if text is not None:
        file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_submission(file, nbformat.read(released, as_version=4), 100_000, 1000)


def source(submission: Submission, name: str) -> str:
    return next(cell.source for cell in submission.notebook.cells if grade_id(cell) == name)


def test_only_the_text_of_answers_is_taken(tmp_path: Path, released: Path) -> None:
    notebook = answered(released, {"entropy": ANSWER, "entropy-check": "3.0", "reflection": "my words"})
    notebook["cells"][0]["source"] = "import nothing"
    submission = take(tmp_path, released, json.dumps(notebook))
    ours = nbformat.read(released, as_version=4)
    assert source(submission, "entropy") == ANSWER
    assert source(submission, "reflection") == "my words"
    assert source(submission, "entropy-check") == source(Submission(ours, sorted_cells(ours), ""), "entropy-check")
    assert [cell.metadata for cell in submission.notebook.cells] == [cell.metadata for cell in ours.cells]
    assert submission.notebook.cells[0].source == ours.cells[0].source
    assert submission.irregularities


def test_an_honest_notebook_has_no_irregularity(tmp_path: Path, released: Path) -> None:
    notebook = answered(released, {"entropy": ANSWER})
    notebook["cells"].append({"cell_type": "code", "source": "", "metadata": {}, "outputs": []})
    for cell in notebook["cells"]:
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x"}]
        cell["metadata"]["collapsed"] = True
    assert take(tmp_path, released, json.dumps(notebook)).irregularities == []


def test_lines_and_carriage_returns(tmp_path: Path, released: Path) -> None:
    notebook = answered(released, {"entropy": "LINES"})
    cell = next(cell for cell in notebook["cells"] if cell["source"] == "LINES")
    cell["source"] = ["a = 1\r\n", "b = 2\r", "c\0 = 3"]
    assert source(take(tmp_path, released, json.dumps(notebook)), "entropy") == "a = 1\nb = 2\nc = 3"


HELPER = "import math as m\n\ndef surprise(p):\n    return -m.log(p)\n\nx = 3"
USES = "def entropy(p):\n    x = [q * surprise(q) for q in p]\n    return sum(x)"


def with_cells_after(released: Path, answer: str, *texts: str, named: bool) -> str:
    """The notebook with an answer to entropy and cells behind it, with its name if they are parts of it."""
    notebook = answered(released, {"entropy": answer})
    place = next(number for number, cell in enumerate(notebook["cells"]) if grade_id(cell) == "entropy")
    for text in reversed(texts):
        new = {"cell_type": "code", "metadata": {}, "outputs": [], "source": text}
        notebook["cells"].insert(place + 1, {**notebook["cells"][place], "source": text} if named else new)
    return json.dumps(notebook)


def test_a_cell_that_was_split_is_whole_again_and_a_copy_is_not_added(tmp_path: Path, released: Path) -> None:
    both = take(tmp_path, released, with_cells_after(released, HELPER, USES, named=True))
    assert source(both, "entropy") == f"{HELPER}\n{USES}"
    assert both.irregularities == ["The cell entropy was split; its parts count together."]
    halves = USES.partition("    return")
    middle = take(tmp_path, released, with_cells_after(released, halves[0], halves[1] + halves[2], named=True))
    assert "    return sum(x)" in source(middle, "entropy")
    for copy in (USES, "def entropy(p):\n    return 0", ""):
        one = take(tmp_path, released, with_cells_after(released, USES, copy, named=True))
        assert source(one, "entropy") == USES
        assert one.irregularities == ["The cell entropy is there more than once; the first counts."]


def test_of_a_cell_and_its_copies_the_first_that_was_worked_in_counts(tmp_path: Path, released: Path) -> None:
    stub = source(take(tmp_path, released, released.read_text()), "entropy")
    given = take(tmp_path, released, with_cells_after(released, stub, ANSWER, USES, named=True))
    assert source(given, "entropy") == ANSWER
    assert given.irregularities == [
        f"The cell entropy is there more than once; the first {what}counts." for what in ("that was worked in ", "")
    ]


@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_an_answer_in_a_cell_of_another_type_counts(tmp_path: Path, released: Path, kind: str) -> None:
    notebook = answered(released, {"entropy": ANSWER})
    next(cell for cell in notebook["cells"] if grade_id(cell) == "entropy")["cell_type"] = kind
    given = take(tmp_path, released, json.dumps(notebook))
    assert source(given, "entropy") == ANSWER
    assert given.irregularities == ["The type of the cell entropy was changed; ours counts."]


def test_what_an_answer_uses_of_a_cell_that_is_left_out_is_told(tmp_path: Path, released: Path) -> None:
    """A check in the notebook has seen it."""
    told = "The cell entropy uses surprise of a cell that was left out: write it into entropy."
    left = "1 cell is not from the course's notebook; it was left out."
    given = take(tmp_path, released, with_cells_after(released, USES, HELPER, named=False))
    assert given.irregularities == [left, told]
    # names of its own, and of the course, are no such names; nor is what it has in its own cell as well
    for answer, own in ((ANSWER, "x = p = torch = 1"), (f"{HELPER}\n{USES}", HELPER), (USES, "surprise(")):
        given = take(tmp_path, released, with_cells_after(released, answer, own, named=False))
        assert given.irregularities == [left]


@pytest.mark.parametrize(
    "address", ["git+https://github.com/OWNER/REPOSITORY@BRANCH", "infograd-0.1.0-py3-none-any.whl"]
)
def test_the_first_cell_of_a_bundle_is_ours_unless_it_was_changed(tmp_path: Path, released: Path, address: str) -> None:
    bundled = json.loads(with_address(json.dumps(answered(released, {"entropy": ANSWER})), address))
    first = next(cell for cell in bundled["cells"] if cell["cell_type"] == "code")
    assert take(tmp_path, released, json.dumps(bundled)).irregularities == []
    installing = "".join(first["source"])
    assert "%pip install" in installing
    for changed in (
        installing.replace("%pip", "%run"),
        installing.replace(address, f"{address}; rm -r ~"),
        installing.replace(address, f"{address}\n    import os"),
        installing.replace("--quiet", "--quiet --upgrade"),
        installing + "\nx = 3",
        "x = 3\n" + installing,
        installing.partition("\n\n")[0],
    ):
        first["source"] = changed
        noted = take(tmp_path, released, json.dumps(bundled)).irregularities
        assert noted == ["1 cell is not from the course's notebook; it was left out."], changed


def test_a_missing_cell_is_not_attempted(tmp_path: Path, released: Path) -> None:
    notebook = answered(released, {})
    notebook["cells"] = [cell for cell in notebook["cells"] if grade_id(cell) != "entropy"]
    submission = take(tmp_path, released, json.dumps(notebook))
    assert "NotImplementedError" in source(submission, "entropy")
    assert "The cell entropy is missing; it counts as not attempted." in submission.irregularities


def test_an_overlong_answer_is_not_taken(tmp_path: Path, released: Path) -> None:
    submission = take(tmp_path, released, json.dumps(answered(released, {"entropy": "x" * 1001})))
    assert "NotImplementedError" in source(submission, "entropy")


def nameless(notebook: dict, ids: bool) -> dict:
    """The notebook with its metadata gone, and its cells' ids new or kept."""
    for number, cell in enumerate(notebook["cells"]):
        cell["metadata"] = {}
        if not ids:
            cell["id"] = f"new-{number}"
    return notebook


@pytest.mark.parametrize("ids", [True, False])
def test_cells_that_lost_their_names_are_found(tmp_path: Path, released: Path, ids: bool) -> None:
    notebook = nameless(answered(released, {"entropy": ANSWER, "reflection": "my words"}), ids)
    submission = take(tmp_path, released, json.dumps(notebook))
    assert source(submission, "entropy") == ANSWER
    assert source(submission, "reflection") == "my words"
    (said,) = submission.irregularities
    assert said.startswith("4 cells had lost their names; they were found by their content: entropy, kl_divergence, ")


@pytest.mark.parametrize("sign", ["id", "definition", "place"])
def test_one_sign_is_enough_to_find_a_cell_that_lost_its_name(tmp_path: Path, released: Path, sign: str) -> None:
    answer = ANSWER if sign == "definition" else "entropy = my_own\n"
    notebook = nameless(answered(released, {"entropy": answer}), ids=sign == "id")
    if sign != "place":
        place = next(number for number, cell in enumerate(notebook["cells"]) if cell["source"] == answer)
        notebook["cells"].append(notebook["cells"].pop(place))
    assert source(take(tmp_path, released, json.dumps(notebook)), "entropy") == answer


@pytest.mark.parametrize("minor", [0, 1, 2, 3, 4, 5, 99, None, "5"])
@pytest.mark.parametrize("ids", [True, False], ids=["ids", "no ids"])
def test_a_notebook_of_any_minor_version_is_read(tmp_path: Path, released: Path, minor: object, ids: bool) -> None:
    notebook = answered(released, {"entropy": ANSWER}) | {"nbformat_minor": minor}
    for cell in notebook["cells"] if not ids else ():
        del cell["id"]
    submission = take(tmp_path, released, json.dumps(notebook))
    assert submission.unreadable is None
    assert source(submission, "entropy") == ANSWER


def test_of_two_cells_that_could_be_an_answer_neither_is_taken(tmp_path: Path, released: Path) -> None:
    notebook = nameless(answered(released, {"entropy": ANSWER}), ids=False)
    notebook["cells"].append({"cell_type": "code", "source": ANSWER + "# again\n", "metadata": {}, "outputs": []})
    submission = take(tmp_path, released, json.dumps(notebook))
    assert "NotImplementedError" in source(submission, "entropy")
    assert "The cell entropy is missing; it counts as not attempted." in submission.irregularities


def test_a_name_counts_before_content(tmp_path: Path, released: Path) -> None:
    notebook = answered(released, {"entropy": ANSWER})
    notebook["cells"].insert(0, {"cell_type": "code", "source": "def entropy(p):\n    return 0\n", "metadata": {}})
    assert source(take(tmp_path, released, json.dumps(notebook)), "entropy") == ANSWER


@pytest.mark.parametrize("name", ["handed_in (1).ipynb", "Copy.ipynb.txt", "übung 1.ipynb", "notebook.json"])
def test_a_notebook_under_another_name_is_found(tmp_path: Path, released: Path, name: str) -> None:
    (tmp_path / name).write_text(json.dumps(answered(released, {"entropy": ANSWER})))
    (tmp_path / "another.ipynb").write_text('{"cells": []}')
    submission = take(tmp_path, released, None)
    assert source(submission, "entropy") == ANSWER
    assert "The notebook was handed in under another name; it was found by its content." in submission.irregularities


def test_of_several_notebooks_none_is_chosen_unless_they_are_the_same(tmp_path: Path, released: Path) -> None:
    text = json.dumps(answered(released, {"entropy": ANSWER}))
    (tmp_path / "a.ipynb").write_text(text)
    (tmp_path / "b.ipynb").write_text(text)
    assert source(take(tmp_path, released, None), "entropy") == ANSWER
    (tmp_path / "b.ipynb").write_text(json.dumps(answered(released, {})))
    assert "Several files could be the notebook: a.ipynb, b.ipynb." in str(take(tmp_path, released, None).unreadable)


def test_another_notebook_is_said_to_be_one(tmp_path: Path, released: Path) -> None:
    cell = {"cell_type": "code", "source": "1", "metadata": {"nbgrader": {"grade_id": "marginals"}}}
    submission = take(tmp_path, released, json.dumps({"nbformat": 4, "cells": [cell]}))
    assert "None of this notebook's answers is in the file. Is it another notebook?" in submission.irregularities


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<!DOCTYPE html><html>", "a web page"),
        (b"\xef\xbb\xbf <html>", "a web page"),
        (b"PK\x03\x04....", "zip archive"),
        ('{"worksheets": [{"cells": []}], "nbformat": 3}', "format 3"),
        ('{\n<<<<<<< HEAD\n "cells": [],\n=======\n>>>>>>> 1f2\n}', "marks of a conflict"),
        (None, "No notebook"),
        ("", "not whole JSON"),
        ("{", "not whole JSON"),
        ("[]", "no list of cells"),
        ('{"cells": {}}', "no list of cells"),
        ("[" * 1000, "nested"),
        (b"\xff\xfe{}", "UTF-8"),
        (" " * 100_001, "larger than"),
        ('{"cells": [' + "0," * 2001 + "0]}", "more than 2000"),
        ('{"cells": [' + "1" * 5000 + "]}", "not whole JSON"),
    ],
)
def test_what_is_no_notebook(tmp_path: Path, released: Path, text: str | bytes | None, reason: str) -> None:
    submission = take(tmp_path, released, text)
    assert reason in str(submission.unreadable)
    assert submission.notebook == nbformat.read(released, as_version=4)


def test_a_link_is_not_followed(tmp_path: Path, released: Path) -> None:
    (tmp_path / "handed_in.ipynb").symlink_to(released)
    assert "not a file of its own" in str(take(tmp_path, released, None).unreadable)


def test_a_bracket_in_a_text_is_no_nesting(tmp_path: Path, released: Path) -> None:
    deep = "# " + '[{"\\"' * 100
    submission = take(tmp_path, released, json.dumps(answered(released, {"entropy": deep})))
    assert source(submission, "entropy") == deep
    assert submission.unreadable is None


def test_the_digest_is_that_of_the_file(tmp_path: Path, released: Path) -> None:
    text = json.dumps(answered(released, {}))
    assert take(tmp_path, released, text).digest == take(tmp_path, released, text).digest
    assert take(tmp_path, released, text).digest != take(tmp_path, released, text + " ").digest
    assert os.listdir(tmp_path) == ["handed_in.ipynb"]


FUNCTION = "def f(p):\n    return p\n"
NOTHING = "get_ipython()"


@pytest.mark.parametrize("text", [FUNCTION, "x = 5 % 3\n", "y = (4\n% 3)\n", "", 'text = """\n%time x\n"""\n'])
def test_python_stays_as_it_is(text: str) -> None:
    assert as_python(text) == text


@pytest.mark.parametrize("magic", ["%%time", "%%capture out", "\n\n%%timeit -n 3", "%%time\n%%capture"])
def test_what_stands_under_a_magic_stays_code(magic: str) -> None:
    assert as_python(f"{magic}\n{FUNCTION}") == FUNCTION


@pytest.mark.parametrize(
    ("line", "code"),
    [("%time x = f(1)", "x = f(1)"), ("    %timeit -n 10 -r3 f(1)", "    f(1)"), ("%prun -l 5 f(1)", "f(1)")],
)
def test_what_follows_a_magic_stays_code(line: str, code: str) -> None:
    assert as_python(f"if 1:\n    pass\n{line}\n") == f"if 1:\n    pass\n{code}\n"


@pytest.mark.parametrize(
    "line", ["%matplotlib inline", "!ls", "x = !ls", "x = %who", "f?", "?f", "%%bash\nls", "%time -o"]
)
def test_all_else_becomes_a_call_that_does_nothing(line: str) -> None:
    made = as_python(f"{line}\n" if line.startswith("%%") else f"{FUNCTION}{line}\n")
    ast.parse(made)
    assert NOTHING in made or made.endswith("\n-o\n")


@pytest.mark.parametrize("text", ["x = %a\n" * 6000, "x?\r" * 12000, "!ls\n" * 12000])
def test_what_would_take_ipython_minutes_stays_as_it_is(text: str) -> None:
    assert as_python(text) == text
