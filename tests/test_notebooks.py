"""The notebooks as a learner and a reader find them."""

import ast
import copy
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbgrader.validator import Validator

from grading.building import build, products
from grading.building.inputs import PRODUCTS, BuildError, product, source_of
from grading.exercises import load, notebooks
from grading.release import released_text
from grading.slicing import spared
from grading.source_rules import CellText

ROOT = Path(build.ROOT)
NAMES = notebooks()


@cache
def solution(name):
    return nbformat.read(ROOT / "solutions" / name / f"{name}.ipynb", as_version=4)


@cache
def learners(name):
    return nbformat.read(ROOT / "notebooks" / name / f"{name}.ipynb", as_version=4)


def without_demonstrations(notebook):
    """The notebook without those of our cells that no answer and no check needs: nbval runs them in the solution."""
    code = [cell.source if cell.cell_type == "code" else "" for cell in notebook.cells]
    ours = [not cell.metadata.get("nbgrader") for cell in notebook.cells]
    spare = {number for number in spared([*map(CellText, code, ours)]) if notebook.cells[number].cell_type == "code"}
    notebook.cells = [cell for number, cell in enumerate(notebook.cells) if number not in spare]
    return notebook


@pytest.fixture(scope="session", params=NAMES)
def validated(request, tmp_path_factory):
    """A learner's notebook with untouched stubs, run from top to bottom by nbgrader's own validator, and what that
    found. The reflection is answered: unanswered, nbgrader lists it, too."""

    class Keeping(Validator):
        def _preprocess(self, notebook):
            self.executed = super()._preprocess(notebook)
            return self.executed

    folder = tmp_path_factory.mktemp(request.param)
    file = folder / f"{request.param}.ipynb"
    notebook = without_demonstrations(copy.deepcopy(learners(request.param)))
    next(cell for cell in notebook.cells if cell.id == "reflection").source = "Half of it is noise."
    nbformat.write(notebook, file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFOGRAD_PROGRESS", str(folder / "progress.json"))
        patch.setenv("PYTHONPATH", str(ROOT))
        validator = Keeping()
        validator.config.Execute.timeout = 120
        results = validator.validate(str(file))
    return request.param, validator.executed, results


def text_of(output):
    return "".join(output.get("data", {}).get("text/plain", output.get("text", "")))


def check_cells(notebook):
    return {c.id: c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade") and c.cell_type == "code"}


def test_the_cells_that_untouched_answers_and_checks_need_raise_nothing(validated):
    _, executed, _ = validated
    errors = [o for c in executed.cells if c.cell_type == "code" for o in c.outputs if o.output_type == "error"]
    assert errors == []


def test_every_check_of_an_untouched_notebook_says_not_attempted_and_scores_0(validated):
    name, executed, _ = validated
    checks = check_cells(executed)
    assert {identity.removesuffix("-check") for identity in checks} == set(load(name))
    for identity, cell in checks.items():
        card, score = cell.outputs
        assert f"{identity.removesuffix('-check')}: not attempted, 0 of" in text_of(card)
        assert (score.output_type, text_of(score)) == ("execute_result", "0.0")


def test_nbgraders_validation_lists_exactly_the_core_checks(validated):
    name, executed, results = validated
    core = {f"{exercise.name}-check" for exercise in load(name).values() if not exercise.stretch}
    wanted = sorted(cell.source.strip() for identity, cell in check_cells(executed).items() if identity in core)
    assert list(results) == ["failed"]
    assert sorted(one["source"] for one in results["failed"]) == wanted


@pytest.mark.parametrize("name", NAMES)
def test_the_executed_solution_earns_full_marks_everywhere(name):
    for identity, cell in check_cells(solution(name)).items():
        exercise = load(name)[identity.removesuffix("-check")]
        card, score = cell.outputs
        assert f"{exercise.name}: correct, {exercise.points:g} of {exercise.points:g} points" in text_of(card)
        assert float(text_of(score)) == (0 if exercise.stretch else exercise.points)


@pytest.mark.parametrize("name", NAMES)
def test_marks_add_up(name):
    cells = [c.metadata.nbgrader for c in learners(name).cells if c.metadata.get("nbgrader", {}).get("grade")]
    assert sum(c.points for c in cells if c.grade_id.endswith("-check")) == 20
    assert [c.points for c in cells if not c.grade_id.endswith("-check")] == [2]


@pytest.mark.parametrize("name", NAMES)
def test_a_canary_in_every_solution_does_not_reach_the_learner(name, tmp_path):
    planted = copy.deepcopy(solution(name))
    canaries = []
    for cell in planted.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            canaries.append(f"canary-{len(canaries)}-{cell.id}")
            cell.source = cell.source.replace("### BEGIN SOLUTION", f"### BEGIN SOLUTION\n    # {canaries[-1]}")
    target = tmp_path / "solutions" / name / f"{name}.ipynb"
    target.parent.mkdir(parents=True)
    nbformat.write(planted, target)
    assert len(canaries) == len(load(name)) + 1
    assert all(canary in target.read_text() for canary in canaries)
    released = released_text(name, tmp_path)
    assert "canary" not in released
    assert "SOLUTION" not in released


@pytest.mark.parametrize("name", NAMES)
def test_the_released_folder_holds_the_notebook_and_no_outputs(name):
    assert [file.name for file in (ROOT / "notebooks" / name).iterdir() if file.suffix != ""] == [f"{name}.ipynb"]
    assert all(not cell.outputs for cell in learners(name).cells if cell.cell_type == "code")


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_key_holds_no_hidden_case_and_no_code(name):
    text = (ROOT / "helpers" / "keys" / f"{name}.json").read_text()
    assert '"hidden"' not in text
    assert not re.search(r"\blambda\b[\w\s,=*]*:", text)
    assert not re.search(r"\bdef \w+\(", text)
    criteria = [c for exercise in json.loads(text)["exercises"].values() for c in exercise["criteria"]]
    calls = {json.dumps(case["call"]) for criterion in criteria for case in criterion["cases"]}
    for exercise in load(name).values():
        cases = (one for criterion in exercise.criteria for one in exercise.draw(criterion, seed=2**31 + 7))
        drawn = [json.dumps(exercise.call_as_data(one)) for one in cases]
        assert set(drawn) - calls, f"{exercise.name}: every hidden case is a public one"


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_has_an_alternative_text(name):
    for cell in solution(name).cells:
        for output in cell.get("outputs", ()):
            html = "".join(output.get("data", {}).get("text/html", ""))
            assert html.count("<img") == html.count("alt=")
            assert "image/png" not in output.get("data", {}) or output.metadata["image/png"]["alt"]


# Words that a learner reads without unfolding anything, formulas and tables included.
MOST_WORDS = {"01-information-identities": 2550, "02-mutual-information": 3600, "03-adam-bias-correction": 3150}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_added_to_the_prose_is_cut_or_folded_elsewhere(name):
    text = "\n".join(cell.source for cell in learners(name).cells if cell.cell_type == "markdown")
    unfolded = re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
    assert len(unfolded.split()) <= MOST_WORDS.get(name, 4500)
    assert unfolded.count("<details>") == unfolded.count("</details>") == 0


@pytest.mark.parametrize("name", NAMES)
def test_exercises_stand_alone(name):
    """No cell outside an exercise's own uses what a learner writes: figures and facts come from the helpers."""
    source = jupytext.read(source_of(name, ROOT), fmt="py:percent")
    for cell in source.cells:
        if cell.cell_type == "code" and "nbgrader" not in cell.metadata:
            used = {node.id for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)}
            assert not used & set(load(name)), cell.source


SENTENCE = (
    ": this kernel lacks the course. Open the notebook with ./infograd lab, or choose the kernel in the course's "
    ".venv; elsewhere, as in Colab, run %pip install with the course's folder or git+ADDRESS, and restart.\n"
)


@pytest.mark.parametrize("name", NAMES)
def test_away_from_the_course_the_first_cell_says_in_a_sentence_what_to_do(name, tmp_path):
    assert run_first_cell(name, tmp_path) == f"ImportError: No module named 'helpers'{SENTENCE}"


@pytest.mark.parametrize(
    ("helpers", "reason"),
    [("", "cannot import name 'check' from 'helpers'"), ("from torch import check", "No module named 'torch'")],
    ids=["of another project", "without packages"],
)
def test_helpers_that_are_of_no_use_are_no_riddle(helpers, reason, tmp_path):
    (tmp_path / "helpers.py").write_text(helpers)
    said = run_first_cell(NAMES[0], tmp_path)
    assert said.startswith(f"ImportError: {reason}")
    assert said.endswith(SENTENCE)


def run_first_cell(name, folder):
    """The last line that a Python without any packages says of a notebook's first cell."""
    source = next(cell.source for cell in learners(name).cells if cell.cell_type == "code")
    (folder / "cell.py").write_text(source)
    line = [sys.executable, "-E", "-S", "cell.py"]  # its folder is where a kernel would look, too
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stderr.splitlines(keepends=True)[-1]


class TestBuild:
    def test_a_difference_is_found_in_each_product_and_named(self, tmp_path, capsys, monkeypatch):
        name = NAMES[0]
        for kind in PRODUCTS:
            file = product(kind, name)
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            text = (ROOT / file).read_text()
            (tmp_path / file).write_text(text)
            assert products.same(tmp_path / file, ROOT / file)
            changed = text.replace("entropy", "enthalpy", 1)
            (tmp_path / file).write_text(changed)
            assert not products.same(tmp_path / file, ROOT / file)
        assert not products.same(ROOT / product("answer key", name), tmp_path / "missing.json")

    def test_numbers_in_the_key_are_compared_to_12_digits(self, tmp_path):
        key = ROOT / product("answer key", NAMES[0])
        text = key.read_text()
        digits = re.search(r"1\.27985422583\d+", text)[0]
        (tmp_path / "last.json").write_text(text.replace(digits, "1.279854225833667"))
        (tmp_path / "more.json").write_text(text.replace(digits, "1.2798542258"))
        assert products.same(tmp_path / "last.json", key)
        assert not products.same(tmp_path / "more.json", key)

    def test_pictures_are_compared_for_presence(self, tmp_path):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("draw()")])
        html = "<img alt='a' src='data:image/png;base64,{}'>"
        files = []
        for content in (html.format("AAAA"), html.format("BBBB"), "no picture"):
            notebook.cells[0].outputs = [nbformat.v4.new_output("display_data", {"text/html": content})]
            files.append(tmp_path / f"{len(files)}.ipynb")
            nbformat.write(notebook, files[-1])
        assert products.same(files[0], files[1])
        assert not products.same(files[0], files[2])

    def test_unrun_the_cells_are_compared_and_the_outputs_taken_as_they_are(self, tmp_path):
        name = NAMES[0]
        source, solution = source_of(name, tmp_path), product("executed solution", name)
        source.parent.mkdir(parents=True)
        text = source_of(name, ROOT).read_text()
        for changed in (text, text.replace("Someone rolls", "Somebody rolls"), text.replace("print(", "print(1, ", 1)):
            source.write_text(changed)
            products.write_cells(name, tmp_path)
            assert products.same(tmp_path / solution, ROOT / solution) == (changed == text)
        with pytest.raises(SystemExit, match="2"):
            build.main(["--unrun", name])

    def test_an_unknown_notebook_is_named(self, capsys):
        with pytest.raises(SystemExit, match="2"):
            build.main(["99-nothing"])
        said = capsys.readouterr().err
        assert "'99-nothing'" in said
        assert NAMES[-1] in said

    def test_a_cell_that_raises_or_warns_stops_the_build(self):
        cell = nbformat.v4.new_code_cell("x")
        cell.outputs = [nbformat.v4.new_output("error", ename="NameError", evalue="x", traceback=[])]
        with pytest.raises(BuildError, match="here raised NameError"):
            products.tidy_outputs(cell, "here")
        cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text="UserWarning: odd")]
        with pytest.raises(BuildError, match="here warns"):
            products.tidy_outputs(cell, "here")

    def test_a_cell_without_an_exercise_is_named(self):
        cell = nbformat.v4.new_code_cell("x", metadata={"nbgrader": {"grade_id": "nothing"}})
        with pytest.raises(BuildError, match="no exercise for the cell with grade_id 'nothing'"):
            products.complete(cell, NAMES[0])
