"""check, hint and progress, as a learner meets them: what is shown, what is returned, what is remembered."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch

import helpers
from helpers import check, hint, information, progress
from helpers.checking import card, key
from helpers.checking import progress as progress_of
from helpers.checking.check import examine
from helpers.checking.progress import recall

NAME = "entropy"


def right(p):
    wide = p if p.dtype in (torch.float32, torch.float64) else p.float()
    return torch.special.entr(wide).sum(-1).to(p.dtype)


def bits(p):
    return right(p) / torch.tensor(2.0, dtype=p.dtype).log()


def untouched(p):
    raise NotImplementedError()


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("INFOGRAD_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.delenv("INFOGRAD_KEYS", raising=False)
    key.keys.cache_clear()
    yield
    key.keys.cache_clear()


class TestOutcomes:
    def test_a_right_answer(self, capsys):
        assert check(NAME, right) == 3
        text = capsys.readouterr().out
        assert text.startswith("entropy: correct, 3 of 3 points\n")
        assert "Hint" not in text
        assert "Called" not in text

    def test_a_recognised_mistake(self, capsys):
        assert check(NAME, bits) == 0
        text = capsys.readouterr().out
        assert "entropy: incorrect, 0 of 3 points" in text
        assert "Recognised: These are bits, not nats" in text
        assert "Expected: tensor(1.279854" in text
        assert "Got:      tensor(1.846439, float64)" in text
        assert "Hint 1 of 3:" in text

    def test_an_untouched_stub(self, capsys):
        assert check(NAME, untouched) == 0
        text = capsys.readouterr().out
        assert "entropy: not attempted, 0 of 3 points\n  Replace the NotImplementedError" in text
        assert "Expected: tensor(1.279854" in text
        assert text.lower().count("not attempted") == 1

    def test_an_error_names_its_line_and_no_traceback_of_ours(self, capsys):
        def broken(p):
            total = 0
            return p.nothing + total

        assert check(NAME, broken) == 0
        text = capsys.readouterr().out
        assert "entropy: raised an error" in text
        line = broken.__code__.co_firstlineno + 2
        assert f"It raised AttributeError in line {line} of your cell: 'Tensor' object has no attribute" in text
        assert "Traceback" not in text

    def test_partial_credit_counts_each_criterion(self, capsys):
        assert check(NAME, lambda p: -(p * p.log()).sum(-1)) == 1.5
        assert "0 * log 0 is nan" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("answer", "sentence"),
        [
            (lambda p: None, "is None: is a return missing?"),
            (lambda p: "1.279854", "The answer is a text, where a single number was expected."),
            (lambda p: [1.279854], "The answer is a list, where a single number was expected."),
            (lambda p: right, "a function that was not called"),
            (lambda p: right(p) * torch.ones(1, dtype=p.dtype), "has shape (1,), where () was expected"),
            (lambda p: right(p) + float("nan"), "got nan"),
            (lambda p: type("Lazy", (), {})(), "is of type Lazy"),
            (lambda p: (x for x in p), "is a generator"),
        ],
    )
    def test_what_is_no_number_is_told_so(self, answer, sentence, capsys):
        assert check(NAME, answer) == 0
        assert sentence in capsys.readouterr().out

    def test_an_object_whose_operators_lie_gains_nothing(self, capsys):
        class Yes(torch.Tensor):
            def __eq__(self, other):
                return True

            __ge__ = __le__ = __eq__

        class Always(float):
            def __eq__(self, other):
                return True

            __hash__ = float.__hash__

        assert check(NAME, lambda p: torch.zeros(p.shape[:-1]).as_subclass(Yes)) == 0
        assert "subclass of Tensor" in capsys.readouterr().out
        assert check(NAME, lambda p: Always(0)) == 0
        assert "subclass of float" in capsys.readouterr().out

    def test_an_endless_answer_is_stopped(self):
        exercise = {**key.find(NAME), "seconds": 0.05}
        start = time.monotonic()
        report = examine(NAME, exercise, {NAME: lambda p: time.sleep(3600)})
        assert time.monotonic() - start < 5
        assert report.failure.problem.text == "It was stopped: no answer after 0.05 s."
        assert len(report.criteria[0].played) == 1

    def test_an_answer_from_the_helpers_is_refused(self, capsys):
        assert check(NAME, information.entropy) == 0
        assert "which is not an answer" in capsys.readouterr().out

        def borrowed(p):
            return information.entropy(p)

        assert check(NAME, borrowed) == 0
        assert "helpers.information" in capsys.readouterr().out


class TestWhatCannotBeChecked:
    def shown(self, capsys, *arguments):
        assert check(*arguments) == 0
        return capsys.readouterr().out

    def test_an_unknown_name(self, capsys):
        text = self.shown(capsys, "entropie", right)
        assert "There is no exercise called 'entropie'. Did you mean 'entropy'?" in text

    def test_a_function_where_the_name_belongs(self, capsys):
        assert "takes the exercise's name first" in self.shown(capsys, right)

    def test_no_function(self, capsys):
        assert "check('entropy', entropy)" in self.shown(capsys, NAME)

    def test_something_that_is_no_function(self, capsys):
        assert "entropy is not a function but of type float" in self.shown(capsys, NAME, 1.28)

    def test_no_answer_key(self, capsys, monkeypatch, tmp_path):
        monkeypatch.setenv("INFOGRAD_KEYS", str(tmp_path))
        assert "No answer key was found" in self.shown(capsys, NAME, right)
        progress()
        assert "No answer key was found" in capsys.readouterr().out

    def test_a_key_of_another_version(self, capsys, monkeypatch, tmp_path):
        monkeypatch.setenv("INFOGRAD_KEYS", str(tmp_path))
        (tmp_path / "01.json").write_text(json.dumps({"format": 99}))
        text = self.shown(capsys, NAME, right)
        assert "01.json is of version 99, but this course reads version 1" in text

    def test_a_damaged_key(self, capsys, monkeypatch, tmp_path):
        monkeypatch.setenv("INFOGRAD_KEYS", str(tmp_path))
        (tmp_path / "01.json").write_text('{"format"')
        assert "01.json cannot be read" in self.shown(capsys, NAME, right)


class TestScore:
    def test_nbgrader_reads_a_number(self):
        bundle = check(NAME, right)._repr_mimebundle_()
        assert bundle["text/plain"] == "3.0"
        assert "3 of 3 points" in bundle["text/html"]

    def test_a_stretch_exercise_never_moves_the_mark(self):
        stretch = next(name for name, e in key.keys(key.folder())[0]["exercises"].items() if e["stretch"])
        assert check(stretch, untouched) == 0
        assert "(stretch)" in check(stretch, untouched).words


class TestHints:
    def test_stages(self, capsys):
        hint(NAME)
        assert "entropy: hint 1 of 3" in capsys.readouterr().out
        hint(NAME, 3)
        assert "xlogy" in capsys.readouterr().out

    @pytest.mark.parametrize("stage", [0, 4, "two"])
    def test_there_is_no_other_stage(self, stage, capsys):
        hint(NAME, stage)
        assert "There are hints 1 to 3 for entropy" in capsys.readouterr().out

    def test_an_unknown_exercise(self, capsys):
        hint("entrpy")
        assert "Did you mean 'entropy'?" in capsys.readouterr().out


class TestProgress:
    def test_the_best_result_is_kept(self, capsys):
        check(NAME, right)
        check(NAME, bits)
        assert recall()[NAME]["marks"] == 3
        capsys.readouterr()
        progress()
        text = capsys.readouterr().out
        assert "01-information-identities: 3 of 20" in text
        assert "✓ entropy: 3 of 3" in text

    @pytest.mark.parametrize("damage", ["[1, 2", "[]", "\x00"])
    def test_a_damaged_table_is_told_and_kept_and_a_new_one_begun(self, tmp_path, capsys, damage):
        (tmp_path / "progress.json").write_text(damage)
        assert recall() == {}
        progress()
        assert "progress.json is damaged. The next check keeps it" in capsys.readouterr().out
        check(NAME, right)
        assert recall()[NAME]["marks"] == 3
        assert (tmp_path / "progress.json.damaged").read_text() == damage

    def test_entries_of_another_shape_are_passed_over(self, tmp_path):
        (tmp_path / "progress.json").write_text(json.dumps({NAME: {"marks": "all"}, "other": {"marks": 2}}))
        check(NAME, right)
        assert {name: one["marks"] for name, one in recall().items()} == {NAME: 3, "other": 2}

    def test_what_was_not_tried_is_no_attempt_without_marks(self, tmp_path, capsys):
        (tmp_path / "progress.json").write_text(json.dumps({"perplexity": {"marks": 0, "outcome": "not attempted"}}))
        check(NAME, untouched)
        assert recall() == {}
        check(NAME, lambda p: 1.0)
        assert list(recall()) == [NAME]
        progress()
        assert f"    ✗ {NAME}: 0 of 3\n" in (text := capsys.readouterr().out)
        assert "    · perplexity: 0 of 2\n" in text

    def test_notebooks_that_are_open_together_lose_no_entry(self, tmp_path):
        def remember(name):
            for number in range(20):
                progress_of.remember(SimpleNamespace(exercise=f"{name}-{number}", marks=1.0, outcome="correct"))

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(remember, "abc"))
        assert set(recall()) == {f"{name}-{number}" for name in "abc" for number in range(20)}

    def test_a_table_that_cannot_be_written_is_told(self, monkeypatch, tmp_path, capsys):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("INFOGRAD_PROGRESS", str(tmp_path / "file" / "progress.json"))
        progress()
        assert "cannot be written, so nothing is remembered. Set INFOGRAD_PROGRESS" in capsys.readouterr().out

    def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(self, monkeypatch, tmp_path):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("INFOGRAD_PROGRESS", str(tmp_path / "file" / "progress.json"))
        assert check(NAME, right) == 3


class TestCard:
    def report(self, answer):
        return examine(NAME, key.find(NAME), {NAME: answer})

    def test_the_text_is_the_same_every_time(self):
        assert card.from_report(self.report(bits)) == card.from_report(self.report(bits))

    def test_what_a_learner_wrote_is_escaped(self):
        def hostile(p):
            raise ValueError("<script>alert(1)</script>")

        html = card.from_report(self.report(hostile)).html
        assert "<script>" not in html
        assert "&lt;script&gt;" in html

    def test_hints_unfold_without_a_kernel(self):
        html = card.from_report(self.report(bits)).html
        assert html.count("<details>") == len(key.find(NAME)["hints"])

    def test_a_long_value_is_cut(self):
        text = card.describe(torch.arange(10_000.0))
        assert len(text) < 200
        assert "shape=(10000,)" in text


def test_the_public_names():
    assert helpers.__all__ == ["check", "hint", "progress"]
