"""Calling: whatever a function does, an observation comes back, and nothing else happens."""

import functools
import json
import signal
import threading
import time

import pytest
import torch

from helpers.checking import calling, plain
from helpers.checking.calling import perform
from helpers.checking.judging import problem

X = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)


def call(*arguments, driver=None, parameters=()):
    data = {"function": "f", "names": ["x"] * len(arguments), "arguments": [plain.encode(a) for a in arguments]}
    return data | ({"driver": driver, "parameters": [plain.encode(p) for p in parameters]} if driver else {})


def observe(function, *arguments, seconds=5.0, **options):
    observation = perform({"f": function}, call(*arguments or (X,), **options), seconds)
    json.dumps(observation, allow_nan=False)
    return observation


class TestReturned:
    def test_the_value_as_plain_data(self):
        observation = observe(lambda x: x * 2)
        assert observation == {"outcome": "returned", "value": plain.encode(X * 2), "changed": []}

    def test_every_call_gets_arguments_of_its_own(self):
        data = call(X)
        for _ in range(2):
            assert perform({"f": lambda x: x.mul_(2)}, data)["value"] == plain.encode(X * 2)

    def test_gradients_are_on(self):
        with torch.no_grad():
            observation = observe(lambda x: x.detach().requires_grad_().sum().requires_grad)
        assert observation["value"] is True


def set_first(x):
    x[0] = 7
    return x


def resize(x):
    x.resize_(0)


def other_dtype(x):
    x.data = x.data.float()


def sparse(x):
    x.data = torch.zeros(3)
    x.data = x.data.to_sparse()


class TestChangedArguments:
    @pytest.mark.parametrize(
        "damage",
        [set_first, resize, other_dtype, lambda x: x.mul_(2), lambda x: x.fill_(torch.nan), lambda x: x.unsqueeze_(0)],
    )
    def test_damage_is_seen(self, damage):
        assert observe(lambda x: [damage(x), None][1])["changed"] == [0]

    def test_damage_that_makes_the_argument_unreadable_is_seen(self):
        assert observe(lambda x: sparse(x))["outcome"] in ("returned", "raised")

    @pytest.mark.parametrize(
        "damage", [lambda xs: xs.pop(), lambda xs: xs[1].zero_(), lambda xs: xs.__setitem__(0, None)]
    )
    def test_damage_inside_a_list_is_seen(self, damage):
        assert observe(lambda xs: [damage(xs), None][1], [X, X])["changed"] == [0]

    def test_only_the_damaged_one_is_named(self):
        assert observe(lambda x, y, z: y.zero_(), X, X, 1.5)["changed"] == [1]

    @pytest.mark.parametrize("use", [lambda x: x + 1, lambda x: x.requires_grad_().sum(), lambda x: setattr(x, "a", 1)])
    def test_what_is_no_damage(self, use):
        assert observe(use)["changed"] == []

    def test_nan_and_inf_in_an_argument_are_no_damage(self):
        assert observe(lambda x: 1, torch.tensor([torch.nan, torch.inf]))["changed"] == []
        assert observe(lambda x: 1, torch.tensor([True, False]))["changed"] == []

    def test_a_generator_may_advance(self):
        data = {"function": "f", "names": ["g"], "arguments": [{"generator": 3}]}
        observation = perform({"f": lambda g: torch.rand(2, generator=g)}, data)
        assert observation["changed"] == []
        assert observation["value"] == plain.encode(torch.rand(2, generator=torch.Generator().manual_seed(3)))

    def test_a_named_function_is_an_argument(self):
        data = {"function": "f", "names": ["g"], "arguments": [{"function": "chi_squared_generator", "arguments": []}]}
        assert perform({"f": lambda g: g(torch.tensor(3.0))}, data)["value"] == plain.encode(torch.tensor(4.0))


class SilentError(Exception):
    def __str__(self):
        raise KeyError


class EndlessError(Exception):
    def __str__(self):
        while True:
            pass


class LyingText(str):
    def strip(self, *arguments):
        raise KeyError


class LyingTextError(Exception):
    def __str__(self):
        return LyingText("text")


class Nameless(type):
    @property
    def __name__(cls):
        raise ZeroDivisionError


class NamelessError(Exception, metaclass=Nameless):
    pass


def throwing(error):
    def throw(x):
        raise error

    return throw


class TestRaised:
    def test_the_error_its_first_line_and_its_place(self):
        def broken(x):
            y = x + 1
            return y.nothing

        observation = observe(broken)
        assert observation["error"] == "AttributeError"
        assert observation["message"] == "'Tensor' object has no attribute 'nothing'"
        assert observation["line"] == broken.__code__.co_firstlineno + 2

    def test_the_place_is_the_learners_own_even_where_the_library_raises(self):
        def broken(x):
            return torch.stack(x, "no dimension")

        assert observe(broken)["line"] == broken.__code__.co_firstlineno + 1

    def test_a_long_and_wild_text_is_cut_to_one_printable_line(self):
        message = observe(throwing(ValueError("\x1b[31m" + "x" * 1000 + "\nsecond")))["message"]
        assert message.isprintable()
        assert 200 < len(message) <= calling.MOST_LETTERS_OF_A_MESSAGE

    @pytest.mark.parametrize(
        "error", [SystemExit(1), GeneratorExit(), KeyError("x"), RecursionError(), StopIteration()]
    )
    def test_any_error_is_only_observed(self, error):
        assert observe(throwing(error))["error"] == type(error).__name__

    @pytest.mark.parametrize("error", [SilentError(), LyingTextError(), NamelessError("text")], ids=range(3))
    def test_errors_that_lie_about_themselves(self, error):
        observation = observe(throwing(error))
        assert observation["outcome"] == "raised"
        assert observation["error"].endswith("Error")

    def test_an_error_whose_text_never_ends(self, monkeypatch):
        monkeypatch.setattr(calling, "SECONDS_FOR_TEXT", 0.05)
        assert observe(throwing(EndlessError()))["message"] == ""

    def test_endless_recursion(self):
        def deeper(x):
            return deeper(x)

        assert observe(deeper)["error"] == "RecursionError"

    def test_a_pending_interrupt_of_the_learner(self):
        assert observe(throwing(KeyboardInterrupt()))["message"] == "interrupted"


class TestNotAttempted:
    def test_a_bare_stub(self):
        def stub(x):
            raise NotImplementedError()

        def older(x):
            raise NotImplementedError

        assert observe(stub) == observe(older) == observe(functools.wraps(stub)(lambda x: stub(x)))
        assert observe(stub) == {"outcome": "not attempted"}

    def test_a_stub_further_down_is_an_error_with_its_name(self):
        def entropy(p):
            raise NotImplementedError()

        def perplexity(p):
            return entropy(p).exp()

        observation = observe(perplexity)
        assert (observation["outcome"], observation["error"]) == ("raised", "NotImplementedError")
        assert observation["message"] == "entropy is not written yet"

    def test_one_with_words_is_an_error(self):
        assert observe(throwing(NotImplementedError("later")))["outcome"] == "raised"


class TestNoValue:
    def test_what_has_no_plain_form(self):
        assert observe(lambda x: {1, 2})["message"].startswith("The answer is of type set")

    def test_what_is_no_function(self):
        assert observe(3.0)["message"] == "What is called f is not a function but of type float."

    def test_what_is_not_there(self):
        assert perform({}, call(X))["message"] == "There is no function called f."


class TestTime:
    def test_an_endless_call_is_stopped(self):
        start = time.monotonic()
        observation = observe(lambda x: time.sleep(60), seconds=0.05)
        assert observation == {"outcome": "interrupted", "message": "no answer after 0.05 s"}
        assert time.monotonic() - start < 5

    def test_a_loop_that_catches_exceptions_is_stopped_too(self):
        def stubborn(x):
            while True:
                try:
                    time.sleep(60)
                except Exception:
                    continue

        assert observe(stubborn, seconds=0.05)["outcome"] == "interrupted"

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_a_loop_is_stopped_where_the_first_alarm_was_lost(self):
        """Python drops an exception that is raised while an object is deleted."""

        class Slow:
            def __del__(self):
                deadline = time.monotonic() + 60
                while time.monotonic() < deadline:
                    pass

        def answer(x):
            slow = Slow()
            del slow
            while True:
                pass

        assert observe(answer, seconds=0.05)["outcome"] == "interrupted"

    def test_no_alarm_rings_after_a_call(self):
        observe(lambda x: time.sleep(60), seconds=0.05)
        assert signal.getitimer(signal.ITIMER_REAL)[1] != calling.SECONDS_TO_NEXT_ALARM

    def test_a_value_that_never_ends_being_written_is_stopped(self):
        items = list(range(1000))
        for _ in range(3):
            items = [items] * 1000
        assert observe(lambda x: items, seconds=0.5)["outcome"] in ("interrupted", "no value")

    def test_alarms_set_before_still_ring(self):
        rung = []
        before = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
        delay, interval = signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            observe(lambda x: 1)
            observe(lambda x: time.sleep(60), seconds=0.05)
            assert not rung
            deadline = time.monotonic() + 5
            while not rung and time.monotonic() < deadline:
                signal.sigtimedwait([], 0.01)
            assert rung
        finally:
            signal.signal(signal.SIGALRM, before)
            signal.setitimer(signal.ITIMER_REAL, delay, interval)

    def test_elsewhere_than_in_the_main_thread_there_is_no_limit(self):
        seen = []
        thread = threading.Thread(target=lambda: seen.append(observe(lambda x: 1.0)))
        thread.start()
        thread.join()
        assert seen[0]["outcome"] == "returned"


class TestDrivers:
    def test_the_gradient(self):
        value, gradient = plain.decode(observe(lambda x: (x**2).sum(), driver="gradient", parameters=[None])["value"])
        assert value == 14
        assert gradient.tolist() == [2.0, 4.0, 6.0]

    def test_the_gradient_by_weights(self):
        weights = torch.tensor([1.0, 0.0, 2.0], dtype=torch.float64)
        _, gradient = plain.decode(observe(lambda x: x**2, driver="gradient", parameters=[weights])["value"])
        assert gradient.tolist() == [2.0, 0.0, 12.0]

    def test_a_wrong_shape_is_left_to_the_judge(self):
        weights = torch.ones(3, dtype=torch.float64)
        observation = observe(lambda x: x[:2] ** 2, driver="gradient", parameters=[weights])
        assert plain.decode(observation["value"])[0].shape == (2,)

    @pytest.mark.parametrize("answer", [lambda x: x.detach().sum(), lambda x: x.sum().item(), lambda x: torch.ones(())])
    def test_what_leaves_autograd_has_none(self, answer):
        assert plain.decode(observe(answer, driver="gradient", parameters=[None])["value"])[1] is None

    def test_twice(self):
        made = iter([1.0, 2.0])
        assert plain.decode(observe(lambda x: next(made), driver="twice")["value"]) == (1.0, 2.0)


class TooLarge(ValueError):
    pass


class TestErrors:
    def test_an_error_of_a_class_of_ones_own_is_the_kind_that_it_extends(self):
        def refuses(x):
            raise TooLarge(x)

        call = {"function": "refuses", "names": ["x"], "arguments": [1]}
        observation = perform({"refuses": refuses}, call)
        assert problem(observation, {"judge": "raises", "error": "ValueError"}) is None
        assert problem(observation, {"judge": "raises", "error": "TypeError"}) is not None
        assert "bases" not in perform({"refuses": int}, {**call, "function": "refuses", "arguments": ["x"]})
