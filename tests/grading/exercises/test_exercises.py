"""Every exercise of every notebook: its reference against its oracles, right answers, and wrong ones.

The exercises are found, not listed: a new notebook is covered without an edit here."""

import copy
import itertools
import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest
import torch

from grading import source_rules
from grading.exercises import exercise as definitions
from grading.exercises import kill_table, load, non_answers, notebooks
from grading.exercises.as_text import NoText, answer_text
from helpers.checking import calling, judging, plain
from helpers.checking.calling import SECONDS_PER_CALL
from helpers.checking.check import examine
from helpers.checking.kinds.tables import DRIVERS
from helpers.checking.marking import mark

ROOT = Path(__file__).resolve().parents[3]
EXERCISES = [(notebook, name) for notebook in notebooks() for name in load(notebook)]
# The scope puts the tests of one exercise together: one worker draws its cases.
each_exercise = pytest.mark.parametrize(
    ("notebook", "name"), EXERCISES, ids=[f"{n[:2]}-{x}" for n, x in EXERCISES], scope="module"
)
QUICK = [(n, x) for n, x in EXERCISES if load(n)[x].seconds <= SECONDS_PER_CALL]
each_quick_exercise = pytest.mark.parametrize(
    ("notebook", "name"), QUICK, ids=[f"{n[:2]}-{x}" for n, x in QUICK], scope="module"
)


def seeds_for(exercise):
    """Three submissions; one where a call may take long."""
    return (1, 2, 3) if exercise.seconds <= SECONDS_PER_CALL else (1,)


SHOWS_LATER = {  # mistakes that the first case cannot tell, and why
    "max_entropy_narrow_bracket": "only steep answers leave the bracket",
    "three_ways_chain_rule": "Shannon's entropy obeys the chain rule, and answers of the joint alone have no other",
    "three_ways_of_shannon": "the first entropy is Shannon's, for the same reason",
    "samples_needed_rounded": "to the nearest is up, which is right, or down",
    "capacity_stops_early": "it stops early where convergence is slow",
    "warmup_counted_from_one": "a step of the cosine has no warm-up in it",
    "warmup_ends_one_step_late": "a step of the cosine has no warm-up in it",
    "warmup_from_lr_min": "a step of the cosine has no warm-up in it",
    "warmup_one_step_ahead": "a step of the cosine has no warm-up in it",
    "warmup_times_cosine": "it differs from a cosine over all steps during the warm-up alone",
    "wsd_counted_from_one": "a step of the decay has no warm-up in it",
    "wsd_one_step_ahead": "a step of the decay has no warm-up in it",
    "wsd_without_plateau": "it differs from a jump on the plateau alone",
}


@cache
def graded(notebook, name, seed):
    """The exercise as a submission with this seed meets it."""
    return load(notebook)[name].as_data(seed, mistakes=False)


@cache
def hidden_only(notebook, name, seed):
    """The exercise with the hidden cases alone."""
    data = load(notebook)[name].as_data(seed)
    hidden = [c | {"cases": [one for one in c["cases"] if one.get("hidden")]} for c in data["criteria"]]
    return data | {"criteria": hidden}


def told(report):
    """What went wrong, for a failing test's message."""
    return report.broken_rule or (report.failure and (report.failure.problem, report.failure.case["call"]))


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU kernels are not interpreted")
def test_kernels_are_interpreted_whatever_was_graded_before():
    """The first optimiser of torch.optim imports triton; kernels decorated after that must still be interpreted."""
    lines = "import grading.exercises, torch.optim._adafactor, torch._dynamo, triton.runtime.jit as j, triton"
    script = (
        f"{lines}\nprint(isinstance(triton.jit(lambda x: x), j.JITFunction), 'triton' in __import__('sys').modules)"
    )
    bare = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, env=bare, check=True
    )
    assert said.stdout.split() == ["False", "True"]


class TestTheReference:
    @each_exercise
    def test_agrees_with_an_oracle(self, notebook, name):
        """An exercise without one has cases with expectations of their own, which its reference must meet."""
        exercise = load(notebook)[name]
        oracles = exercise.oracles or {name: (exercise.references[name], 1e-9)}
        spoken = 0
        for seed in seeds_for(exercise):
            for criterion in exercise.criteria:
                for case in exercise.draw(criterion, seed):
                    if exercise.oracles or isinstance(case.expected, dict):
                        spoken += sum(self.agrees(exercise, case, *oracle) for oracle in oracles.values())
        assert spoken, "no oracle speaks to any case"

    def agrees(self, exercise, case, function, rtol):
        """Whether the oracle speaks to a case; if so, it meets what is expected there."""
        given = isinstance(case.expected, dict)
        if case.function not in (None, exercise.name) or case.driver == "gradient":
            return False
        by_kernel = case.driver == "kernel"  # such cases bring their value, in float32
        if (given and case.expected["judge"] in ("raises", "from_kernel")) or not (
            given or by_kernel or case.expected is None
        ):
            return False
        arguments = [
            definitions.in_float64(calling.argument(definitions.argument_as_data(a)))
            for a in (*case.parameters, *case.arguments)
        ]
        answer = DRIVERS[case.driver](function, *arguments)
        if answer is None or (isinstance(answer, tuple) and all(part is None for part in answer)):
            return False
        expected = exercise.expectation(case) | {"dtype": None, "unchanged": False}
        if expected["judge"] == "close":
            expected |= {"rtol": max(rtol, 1e-5), "atol": 1e-6} if by_kernel else {"rtol": rtol, "atol": rtol / 100}
        answer = plain.encode(definitions.as_tensors(answer))
        problem = judging.problem({"outcome": "returned", "value": answer, "changed": []}, expected)
        assert problem is None, (function.__name__, problem, case.arguments)
        return True

    @each_exercise
    def test_refuses_what_must_be_refused(self, notebook, name):
        exercise = load(notebook)[name]
        for criterion in exercise.criteria:
            for case in exercise.draw(criterion, 1):
                if isinstance(case.expected, dict) and case.expected["judge"] == "raises":
                    call = exercise.call_as_data(case)
                    observation = calling.perform(exercise.references, call, exercise.seconds)
                    assert judging.problem(observation, case.expected) is None, case.arguments


class TestRightAnswers:
    @each_exercise
    def test_every_alternative_gets_full_marks(self, notebook, name):
        exercise = load(notebook)[name]
        data_of = graded if len(seeds_for(exercise)) > 1 else hidden_only
        seeds = itertools.cycle(seeds_for(exercise))  # each seed with some alternative, each alternative with one seed
        for (alternative, functions), seed in zip(exercise.alternatives.items(), seeds, strict=False):
            report = examine(name, data_of(notebook, name, seed), functions)
            assert report.outcome == "correct", (alternative, seed, told(report))
            assert report.marks == exercise.points

    @each_exercise
    def test_the_grader_reads_the_rules_in_their_text_as_the_check_does(self, notebook, name):
        exercise = load(notebook)[name]
        for functions in exercise.alternatives.values():
            if all(isinstance(one, FunctionType) and one.__name__ != "<lambda>" for one in functions.values()):
                assert broken_in_text(notebook, functions, exercise.rules) is None, functions
        for functions in exercise.rule_breakers.values():
            assert broken_in_text(notebook, functions, exercise.rules), functions


def broken_in_text(notebook, functions, rules):
    """The rule that an answer breaks, read from a notebook made of it and of what it needs."""
    cells = [answer_text(notebook, functions)]
    return source_rules.AnswerText(cells).broken_rule({"functions": [*functions], "rules": rules})


def test_an_answer_is_a_text_that_says_the_same():
    """Helpers, imports and the reference that it calls come with it, under the names that a learner would give."""
    exercise = load("02-mutual-information")["mutual_information"]
    joint = torch.tensor([[0.5, 0.1], [0.15, 0.25]], dtype=torch.float64)
    for name, wrong in {**exercise.misconceptions, **exercise.alternatives}.items():
        functions = wrong if isinstance(wrong, dict) else wrong.functions
        given = {}
        exec(answer_text("02-mutual-information", functions), given)
        expected, got = functions["mutual_information"](joint), given["mutual_information"](joint)
        np.testing.assert_allclose(got, expected, err_msg=name)


def test_nearly_every_answer_has_a_text():
    """What lacks one needs the definitions' own rooms, or is no function."""
    lacking = []
    for notebook in notebooks():
        for exercise in load(notebook).values():
            for kind in (exercise.alternatives, exercise.misconceptions, exercise.rule_breakers):
                for name, one in kind.items():
                    try:
                        answer_text(notebook, one if isinstance(one, dict) else one.functions)
                    except NoText as error:
                        lacking.append(f"{name}: {error}")
    assert len(lacking) < 5, lacking


def test_float32_in_another_order_is_right_for_every_submission():
    """The backward pass is a difference of two terms, which float32 rounds: no seed may draw a case too fine for it."""
    exercise = load("06-triton-log-softmax")["log_softmax_backward_triton"]

    def backwards(grad, y):
        g, logs = grad.float().flip(-1), y.float().flip(-1)
        return (g - logs.exp() * g.cumsum(-1)[..., -1:]).flip(-1).to(y.dtype)

    for seed in range(300):
        for criterion in exercise.criteria[1:]:
            for one in exercise.hidden(criterion, seed, mistakes=False):
                arguments = [calling.argument(a) for a in (*one["call"]["parameters"], *one["call"]["arguments"])]
                value = DRIVERS[one["call"]["driver"]](backwards, *arguments)  # no answer: nobody asks it for a kernel
                observation = {"outcome": "returned", "value": plain.encode(value), "changed": []}
                assert judging.problem(observation, one["expected"]) is None, (seed, criterion.name)


class TestUntouched:
    @each_exercise
    def test_a_stub_is_not_attempted(self, notebook, name):
        def stub(*arguments):
            raise NotImplementedError()

        data = graded(notebook, name, 1)
        report = examine(name, data, dict.fromkeys(data["functions"], stub))
        assert (report.outcome, report.marks) == ("not attempted", 0)
        assert report.mistake is None


class TestWrongAnswers:
    @each_exercise
    def test_each_is_caught_and_told_what_the_kill_table_says(self, notebook, name):
        exercise = load(notebook)[name]
        rows = kill_table.rows(exercise)
        blunt = non_answers.blunt(exercise)
        for row in rows:
            assert row.caught, f"{row.name} survives"
            assert row.told
            assert row.earns < exercise.points, row
            if row.kind == "misconception":
                assert row.told == exercise.misconceptions[row.name].sentence, row.name
            elif row.kind == "rule breaker":
                assert (row.caught, row.earns) == ("source rule", 0), row
            elif row.name in blunt:
                assert row.earns == 0, row
        section = kill_table.section(name, rows)
        new = set(section.splitlines()) - set(committed_kill_table().splitlines())
        assert section in committed_kill_table(), f"run python -m grading.exercises.kill_table: {sorted(new)[:3]}"

    @each_quick_exercise
    def test_misconceptions_fail_on_hidden_cases_alone(self, notebook, name):
        exercise = load(notebook)[name]
        at_the_gate = {m for one in exercise.as_data()["criteria"][0]["cases"] for m in one["mistakes"]}
        for seed in seeds_for(exercise)[:2]:
            data = hidden_only(notebook, name, seed)
            for mistake, misconception in exercise.misconceptions.items():
                report = examine(name, data, misconception.functions)
                assert report.marks < exercise.points, (mistake, seed)
                lucky = report.criteria[0].passed and mistake in at_the_gate  # public cases would not have let it by
                told_right = report.mistake_sentence == misconception.sentence
                assert told_right or lucky, (mistake, seed, report.mistake, told(report))

    @each_exercise
    def test_the_first_case_tells_the_mistakes_of_the_first_criterion_apart(self, notebook, name):
        """No uniform marginal, no mean difference of 1: what is wrong by the definition is wrong in the first case, and
        in a way of its own."""
        exercise = load(notebook)[name]
        cases = exercise.as_data()["criteria"][0]["cases"]
        valued = {mistake for mistake, m in exercise.misconceptions.items() if m.looks is None}
        answers = cases[0]["mistakes"]
        unseen = {mistake for case in cases for mistake in case["mistakes"]} & valued - set(answers) - set(SHOWS_LATER)
        assert not unseen, "these are right in the first case"
        seen = {}
        for mistake in sorted(valued & set(answers) - set(SHOWS_LATER)):
            sentence = exercise.misconceptions[mistake].sentence
            other = seen.setdefault(json.dumps(answers[mistake], sort_keys=True), sentence)
            assert other == sentence, f"{mistake} answers what another one does"

    @each_exercise
    def test_an_exercise_on_tensors_watches_its_inputs(self, notebook, name):
        exercise = load(notebook)[name]
        cases = [one for criterion in exercise.as_data()["criteria"] for one in criterion["cases"]]
        if any("tensor" in str(one["call"]["arguments"]) for one in cases):
            assert "the input spoilt" in non_answers.near(exercise)

    @each_exercise
    def test_a_table_of_the_public_answers_fails_on_hidden_cases(self, notebook, name):
        exercise = load(notebook)[name]
        right = next(iter(exercise.alternatives.values()))
        constant = dict.fromkeys(right, lambda *arguments: non_answers.CONSTANT)
        public = exercise.as_data()
        known = {json.dumps(one["call"]) for criterion in public["criteria"] for one in criterion["cases"]}

        def play(number, calls):
            table = (right if json.dumps(call) in known else constant for call in calls)
            return (calling.perform(one, call, exercise.seconds) for one, call in zip(table, calls, strict=True))

        assert mark(name, gate_of(public), play, lambda: None).criteria[0].passed
        assert mark(name, hidden_only(notebook, name, 1), play, lambda: None).marks == 0


def gate_of(data):
    """The exercise with its first criterion alone."""
    return data | {"criteria": data["criteria"][:1]}


@cache
def committed_kill_table():
    return kill_table.FILE.read_text(encoding="utf-8")


class TestKillTable:
    def test_it_has_these_parts_and_no_others(self):
        headings = re.findall(r"^##+ (.*)", committed_kill_table(), flags=re.M)
        assert headings == [part for notebook in notebooks() for part in (notebook, *load(notebook))]
        assert committed_kill_table().startswith(kill_table.HEADER)

    def test_writing_and_checking(self, tmp_path, monkeypatch, capsys):
        entropy = load("01-information-identities")["entropy"]
        monkeypatch.setattr(kill_table, "FILE", tmp_path / "KILL_TABLE.md")
        monkeypatch.setattr(kill_table, "notebooks", lambda: ["01-information-identities"])
        monkeypatch.setattr(kill_table, "load", lambda notebook: {"entropy": entropy})
        assert kill_table.main(["--check"]) == 1
        assert kill_table.main([]) == 0
        assert kill_table.main(["--check"]) == 0
        assert [file.name for file in tmp_path.iterdir()] == ["KILL_TABLE.md"]
        text = kill_table.FILE.read_text(encoding="utf-8")
        assert "| `entropy_bits` | matches the definition | 0 | These are bits, not nats" in text
        kill_table.FILE.write_text(text + " ", encoding="utf-8")
        capsys.readouterr()
        assert kill_table.main(["--check"]) == 1
        assert "out of date: run python -m grading.exercises.kill_table" in capsys.readouterr().out

    def test_a_survivor_is_named_and_nothing_is_written(self, tmp_path, monkeypatch, capsys):
        entropy = copy.copy(load("01-information-identities")["entropy"])
        right = next(iter(entropy.alternatives.values()))
        entropy.misconceptions = {**entropy.misconceptions, "secretly_right": definitions.Misconception("No.", right)}
        monkeypatch.setattr(kill_table, "FILE", tmp_path / "KILL_TABLE.md")
        monkeypatch.setattr(kill_table, "notebooks", lambda: ["01-information-identities"])
        monkeypatch.setattr(kill_table, "load", lambda notebook: {"entropy": entropy})
        assert kill_table.main([]) == 1
        assert "entropy: secretly_right" in capsys.readouterr().err
        assert not list(tmp_path.iterdir())


class TestDrawing:
    @each_exercise
    def test_a_seed_always_gives_the_same_cases_and_another_one_others(self, notebook, name):
        exercise = load(notebook)[name]
        for criterion in exercise.criteria:
            first, again, other = ([exercise.call_as_data(c) for c in exercise.draw(criterion, s)] for s in (1, 1, 2))
            assert first == again
            if criterion is exercise.criteria[0]:
                assert first != other

    @each_exercise
    def test_the_data_are_json(self, notebook, name):
        data = load(notebook)[name].as_data()
        assert json.loads(json.dumps(data, allow_nan=False)) == data

    @each_exercise
    def test_drawing_leaves_global_randomness_alone(self, notebook, name):
        torch.manual_seed(1)
        exercise = load(notebook)[name]
        for criterion in exercise.criteria:
            exercise.draw(criterion, 5)
        drawn = torch.rand(3)
        torch.manual_seed(1)
        assert torch.equal(drawn, torch.rand(3))
