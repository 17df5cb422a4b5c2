"""Every exercise of every notebook: its reference against its oracles, right answers, and wrong ones.

The exercises are found, not listed: a new notebook is covered without an edit here."""

import ast
import importlib
import inspect
import json
import re
from functools import cache

import pytest
import torch

from grading import exercise as definitions
from grading import kill_table, non_answers, reading
from grading.exercises import load, notebooks
from helpers.checking import calling, judging, plain
from helpers.checking.calling import SECONDS_PER_CALL
from helpers.checking.check import examine
from helpers.checking.drivers import DRIVERS
from helpers.checking.marking import mark

EXERCISES = [(notebook, name) for notebook in notebooks() for name in load(notebook)]
each_exercise = pytest.mark.parametrize(("notebook", "name"), EXERCISES, ids=[f"{n[:2]}-{x}" for n, x in EXERCISES])
each_notebook = pytest.mark.parametrize("notebook", notebooks())


def seeds_for(exercise):
    """Three submissions; one where a call may take long."""
    return (1, 2, 3) if exercise.seconds <= SECONDS_PER_CALL else (1,)


@cache
def graded(notebook, name, seed):
    """The exercise as a submission with this seed meets it."""
    return load(notebook)[name].as_data(seed, hidden_mistakes=False)


@cache
def hidden_only(notebook, name, seed):
    """The exercise with the hidden cases alone."""
    data = load(notebook)[name].as_data(seed)
    hidden = [c | {"cases": [one for one in c["cases"] if one.get("hidden")]} for c in data["criteria"]]
    return data | {"criteria": hidden}


def told(report):
    """What went wrong, for a failing test's message."""
    return report.broken_rule or (report.failure and (report.failure.problem, report.failure.case["call"]))


@each_notebook
def test_marks_add_up(notebook):
    exercises = load(notebook).values()
    assert sum(x.points for x in exercises if not x.stretch) == 20
    assert all(x.points == 3 for x in exercises if x.stretch)
    assert all(c.marks > 0 and c.marks * 4 == int(c.marks * 4) for x in exercises for c in x.criteria)


@each_exercise
def test_there_is_enough_of_everything(notebook, name):
    exercise = load(notebook)[name]
    few = 2 if exercise.stretch else 3
    assert len(exercise.alternatives) >= few
    assert len(exercise.misconceptions) >= few + (not exercise.stretch)
    assert len(exercise.hints) >= 2
    assert len({c.name for c in exercise.criteria}) == len(exercise.criteria) >= 2
    sentences = [m.sentence for m in exercise.misconceptions.values()]
    for text in [*sentences, *exercise.hints]:
        assert text.endswith((".", "?", "`")), text
        assert "!" not in re.sub("`[^`]*`", "", text), text


class TestTheReference:
    @each_exercise
    def test_agrees_with_an_oracle(self, notebook, name):
        exercise = load(notebook)[name]
        spoken = 0
        for seed in seeds_for(exercise):
            for criterion in exercise.criteria:
                for case in exercise.draw(criterion, seed):
                    spoken += sum(self.agrees(exercise, case, oracle) for oracle in exercise.oracles.values())
        assert spoken, "no oracle speaks to any case"

    def agrees(self, exercise, case, oracle):
        """Whether the oracle speaks to a case; if so, it meets what is expected there."""
        function, rtol = oracle
        given = isinstance(case.expected, dict)
        if case.function not in (None, exercise.name) or case.driver == "gradient":
            return False
        if (given and case.expected["judge"] == "raises") or not (given or case.expected is None):
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
            expected |= {"rtol": rtol, "atol": rtol / 100}
        answer = plain.encode(definitions.as_tensors(answer))
        problem = judging.problem({"outcome": "returned", "value": answer, "changed": []}, expected)
        assert problem is None, (function.__name__, problem, definitions.argument_as_data(case.arguments))
        return True


class TestRightAnswers:
    @each_exercise
    def test_every_alternative_gets_full_marks(self, notebook, name):
        exercise = load(notebook)[name]
        for alternative, functions in exercise.alternatives.items():
            for seed in seeds_for(exercise):
                report = examine(name, graded(notebook, name, seed), functions)
                assert report.outcome == "correct", (alternative, seed, told(report))
                assert report.marks == exercise.points

    @each_exercise
    def test_the_grader_reads_the_rules_in_their_text_as_the_check_does(self, notebook, name):
        exercise = load(notebook)[name]
        for alternative in exercise.alternatives:
            assert broken_in_text(notebook, alternative, exercise.rules) is None, alternative
        for breaker in exercise.rule_breakers:
            assert broken_in_text(notebook, breaker, exercise.rules), breaker


@cache
def definitions_of(notebook):
    """The module of a notebook as trees: what is neither a function nor a class, and functions by name, undecorated."""
    module = importlib.import_module(f"grading.exercises.{notebook.replace('-', '_')}")
    tree = ast.parse(inspect.getsource(module))
    functions = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    for node in functions.values():
        node.decorator_list = []
    return [node for node in tree.body if node not in functions.values()], functions


def broken_in_text(notebook, function, rules):
    """The rule that a function breaks, read from a notebook made of it and of what it needs."""
    plain_statements, functions = definitions_of(notebook)
    needed, queue = {}, [function]
    while queue:
        node = functions[queue.pop()]
        needed[node.name] = node
        names = {leaf.id for leaf in ast.walk(node) if isinstance(leaf, ast.Name)}
        queue += [name for name in names if name in functions and name not in needed]
    cells = [ast.unparse(node) for node in [*plain_statements, *needed.values()]]
    return reading.broken_rule({"functions": [function], "rules": rules}, cells)


class TestUntouched:
    @each_exercise
    def test_a_stub_is_not_attempted(self, notebook, name):
        def stub(*arguments):
            raise NotImplementedError()

        data = graded(notebook, name, 1)
        report = examine(name, data, dict.fromkeys(data["functions"], stub))
        assert (report.outcome, report.marks) == ("not attempted", 0)
        assert report.mistake is None


class TestMisconceptions:
    @each_exercise
    def test_each_fails_and_is_told_its_sentence(self, notebook, name):
        exercise = load(notebook)[name]
        for mistake, misconception in exercise.misconceptions.items():
            report = examine(name, exercise.as_data(), misconception.functions)
            assert report.marks < exercise.points, mistake
            assert report.mistake_sentence == misconception.sentence, (mistake, report.mistake, told(report))

    @each_exercise
    def test_each_fails_on_hidden_cases_alone(self, notebook, name):
        exercise = load(notebook)[name]
        for seed in seeds_for(exercise)[:2]:
            data = hidden_only(notebook, name, seed)
            for mistake, misconception in exercise.misconceptions.items():
                report = examine(name, data, misconception.functions)
                assert report.marks < exercise.points, (mistake, seed)
                assert report.mistake_sentence == misconception.sentence, (mistake, seed, report.mistake, told(report))


class TestWrongAnswers:
    @each_exercise
    def test_rule_breakers_are_refused(self, notebook, name):
        exercise = load(notebook)[name]
        for breaker, functions in exercise.rule_breakers.items():
            report = examine(name, exercise.as_data(), functions)
            assert report.broken_rule, breaker
            assert (report.outcome, report.marks) == ("incorrect", 0), breaker

    @each_exercise
    def test_blunt_non_answers_earn_nothing(self, notebook, name):
        exercise = load(notebook)[name]
        for kind, answer in non_answers.blunt(exercise).items():
            data = kill_table.for_non_answer(graded(notebook, name, 1), kind)
            report = examine(name, data, {**exercise.references, name: answer})
            assert report.outcome in ("incorrect", "raised an error"), kind
            assert report.marks == 0, (kind, [c.name for c in report.criteria if c.passed])

    @each_exercise
    def test_near_non_answers_are_not_right(self, notebook, name):
        exercise = load(notebook)[name]
        for kind, answer in non_answers.near(exercise).items():
            data = kill_table.for_non_answer(graded(notebook, name, 1), kind)
            report = examine(name, data, {**exercise.references, name: answer})
            assert report.marks < exercise.points, kind

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

        def play(call):
            return calling.perform(right if json.dumps(call) in known else constant, call, exercise.seconds)

        assert mark(name, public, play, lambda: None).criteria[0].passed
        assert mark(name, hidden_only(notebook, name, 1), play, lambda: None).marks == 0


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
