"""Lend a training function the optimiser's step that it calls by name (notebook 03).

A run is believed to be made by `adamw_step` only if it follows that function: with a right one it learns, and with
one that takes shorter steps its losses are others. And its losses are believed to be those of a net only if they are
what the weights make them: for some steps late in a further run all weights that come back are zero, which is a net
that has learnt nothing; then they have moved from there along their gradient, which teaches four numbers XOR, but no
net with a hidden layer, whose first weights have no gradient there; and then they are as they were. What the step is
given is looked at, too: t counts from 1, and m and v are those that came back from the step before. Whether the
learner's own `adamw_step` is finished does not matter.
"""

from __future__ import annotations

import collections
import functools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch

STEP = "adamw_step"
SHORTER = 0.9  # of the learning rate
ZEROS, FROM_END = 3, 11  # steps that give zeros, and how many losses before the last they begin
MOVES, EACH = (20.0, 1.0), 2  # how far each parameter then moves at most, and for how many steps: logits, plain outputs
ABSENT = object()


# The two functions below may use no global name: their code runs in the learner's namespace, too. The root is written
# as a power, so that numbers and NumPy arrays go through it as tensors do.
def right_step(
    theta: Any, grad: Any, m: Any, v: Any, t: Any, lr: Any, beta1: Any, beta2: Any, eps: Any, weight_decay: Any
) -> Any:
    """AdamW's step."""
    theta = theta * (1 - lr * weight_decay)
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
    return theta - lr * (m / (1 - beta1**t)) / ((v / (1 - beta2**t)) ** 0.5 + eps), m, v


def step_by(
    theta: Any,
    grad: Any,
    m: Any,
    v: Any,
    t: Any,
    lr: Any,
    beta1: Any,
    beta2: Any,
    eps: Any,
    weight_decay: Any,
    *,
    _take: Any = None,
) -> Any:
    """AdamW's step as another function takes it."""
    return _take(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay)


def lendable(take: Callable[..., Any]) -> FunctionType:
    """A step that may be lent, and that `take` takes: it has the arguments' names, and its code needs no global one."""
    made = FunctionType(step_by.__code__, {}, STEP)
    made.__kwdefaults__ = {"_take": take}
    return made


def shorter(theta: Any, grad: Any, m: Any, v: Any, t: Any, lr: Any, *others: Any) -> Any:
    """AdamW's step at a smaller rate."""
    return right_step(theta, grad, m, v, t, SHORTER * lr, *others)


class Steps:
    """Right steps, counted, and what was wrong with what they were given. With `each` calls for a step of training,
    those in `zeros` give weights of zero, those behind them such as have moved along their gradient by MOVES, and the
    next one the weights that there were."""

    def __init__(self, each: int = 1, zeros: range = range(0)):
        self.each, self.zeros, self.calls = each, zeros, 0
        self.kept: dict[int, Any] = {}
        self.slopes: dict[int, Any] = {}
        self.given = Given()

    def take(self, theta: Any, *others: Any) -> Any:
        """One call."""
        step, place = divmod(self.calls, self.each)
        self.calls += 1
        if not self.zeros:
            return self.given.noted(others, right_step(theta, *others))
        since = step - self.zeros.start
        if since == 0:
            self.kept[place] = right_step(theta, *others)
        if place not in self.kept or not 0 <= since <= ZEROS + EACH * len(MOVES):
            return right_step(theta, *others)
        if since < ZEROS:
            self.slopes[place] = others[0]
            return (theta * 0, *self.kept[place][1:])
        if since < ZEROS + EACH * len(MOVES):
            far = MOVES[(since - ZEROS) // EACH]
            return (down(self.slopes.get(place, theta), far), *self.kept[place][1:])
        return self.kept[place]

    @property
    def function(self) -> FunctionType:
        """The step as a function that may be lent."""
        return lendable(self.take)


def down(slope: Any, far: float) -> Any:
    """Weights that have moved from zero against their gradient, the farthest by `far`; zero where it is zero."""
    most = np.abs(in_numbers(slope)).max(initial=0)
    return slope * (-far / most if 0 < most < np.inf else 0.0)


class Given:
    """What the calls of a step were given, held against what the calls before gave back."""

    def __init__(self) -> None:
        self.fault = ""
        self.returned: dict[float, list[tuple[np.ndarray, np.ndarray]]] = {}
        self.taken = collections.Counter[float]()

    def noted(self, others: tuple[Any, ...], result: Any) -> Any:
        """The result of a call, which is remembered, and so is the first fault."""
        _, m, v, t, *_ = others
        if not self.fault:
            self.fault = self.fault_of(float(t), in_numbers(m), in_numbers(v))
            self.returned.setdefault(float(t), []).append((in_numbers(result[1]), in_numbers(result[2])))
        return result

    def fault_of(self, t: float, m: np.ndarray, v: np.ndarray) -> str:
        """The fault of one call: COUNT, STATE or nothing."""
        nothing = not m.any() and not v.any()
        before = self.returned.get(t - 1, [])
        first = self.taken[t]  # most often the calls of one step come in the order of those of the last
        self.taken[t] += 1
        if (t == 1 and nothing) or among((*before[first:], *before[:first]), m, v):
            return ""
        begun = bool(self.returned)
        at_another_time = any(among(states, m, v) for states in self.returned.values())
        return COUNT if at_another_time or (nothing and not begun) else STATE


COUNT, STATE = "count", "state"


def in_numbers(value: Any) -> np.ndarray:
    """A copy of a tensor, an array or a number, as it is now."""
    return np.array(value.detach().double().numpy() if isinstance(value, torch.Tensor) else value, dtype=np.float64)


def among(states: Iterable[tuple[np.ndarray, np.ndarray]], m: np.ndarray, v: np.ndarray) -> bool:
    """Whether m and v are one of some states."""
    return any(same(m, a) and same(v, b) for a, b in states)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two states agree, as far as float32 goes; what diverged is like everything."""
    if a.shape != b.shape:
        return a.size == b.size and same(a.reshape(-1), b.reshape(-1))
    with np.errstate(invalid="ignore"):
        apart = np.abs(a - b).max(initial=0)
        return not apart > 1e-5 * np.abs(b).max(initial=0)


def namespace(function: Any) -> dict[str, Any]:
    """The global names that a function sees, below decorators, partial applications and methods; {} for a stranger."""
    for _ in range(20):
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, MethodType):
            function = function.__func__
        elif isinstance(function, FunctionType) and not hasattr(function, "__wrapped__"):
            return function.__globals__
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        elif isinstance(call := vars(type(function)).get("__call__"), FunctionType):
            function = call
        else:
            break
    return {}


@contextmanager
def lent(train: Callable[..., Any], step: FunctionType) -> Iterator[None]:
    """While this lasts `adamw_step`, wherever `train` has it from, is `step`.

    The name is bound to `step`; and of a plain function the code itself is exchanged, since a default argument, a
    partial application or a class may hold the function already.
    """
    space = namespace(train)
    before = space.get(STEP, ABSENT)
    space[STEP] = step
    held = before
    while hasattr(held, "__wrapped__"):
        held = held.__wrapped__
    plain = isinstance(held, FunctionType) and held.__closure__ is None
    parts = ("__code__", "__defaults__", "__kwdefaults__")
    own = {part: getattr(held, part) for part in parts} if plain else {}
    try:
        for part in own:
            setattr(held, part, getattr(step, part))
        yield
    finally:
        for part, value in own.items():
            setattr(held, part, value)
        if before is ABSENT:
            space.pop(STEP, None)
        else:
            space[STEP] = before


@contextmanager
def kept_generators(state: int) -> Iterator[None]:
    """The global generators started from `state`, and put back afterwards."""
    before = (torch.get_rng_state(), np.random.get_state(), random.getstate())
    torch.manual_seed(state)
    np.random.seed(state)
    random.seed(state)
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])
        random.setstate(before[2])


def run(train: Callable[..., Any], seed: int, state: int, step: Any = right_step) -> Any:
    """One run with a lent step, from a given state of the global generators."""
    with kept_generators(state), lent(train, step):
        return train(seed)


def lend(train: Callable[..., Any], seed: int) -> tuple[Any, Any, Any, Any, str]:
    """Driver: train twice with a right step, then with a shorter one, all else the same; and once more with a right one
    that gives weights of zero for the steps `zeroed`, and such as are `moved` from there (None where the first run
    tells no number of steps). Last comes what is wrong with what the step was given, COUNT, STATE or nothing."""
    counted = Steps()
    first = run(train, seed, 101, counted.function)
    others = run(train, seed, 101), run(train, seed, 101, lendable(shorter))
    count = losses_in(first)
    fault = counted.given.fault
    if count <= FROM_END:
        return first, *others, None, fault
    each = max(1, round(counted.calls / count))
    return first, *others, run(train, seed, 101, Steps(each, zeroed(count)).function), fault


def losses_in(result: Any) -> int:
    """How many losses a run has returned."""
    losses = result[0] if isinstance(result, (tuple, list)) and result else None
    return len(losses) if isinstance(losses, (list, tuple, np.ndarray, torch.Tensor)) and np.ndim(losses) else 0


def zeroed(count: int) -> range:
    """The steps that give weights of zero in a run with so many losses."""
    return range(count - FROM_END, count - FROM_END + ZEROS)


def moved(count: int) -> Iterator[int]:
    """The losses, in a run with so many, of weights that have moved from zero along their gradient, whether a loss is
    taken before its step or behind it."""
    for number in range(len(MOVES)):
        yield zeroed(count).stop + EACH * number + 1


def reseed(train: Callable[..., Any], other: int, seed: int) -> tuple[Any, Any, Any]:
    """Driver: train twice with `seed`, then with the seed `other`, with the global generators in another state each
    time."""
    return run(train, seed, 101), run(train, seed, 202), run(train, other, 303)


def for_each_seed(train: Callable[..., Any], others: Sequence[int], seed: int) -> tuple[Any, ...]:
    """Driver: train with `seed` and with each of the seeds `others`, the global generators elsewhere each time."""
    return tuple(run(train, number, 101 + i) for i, number in enumerate((seed, *others)))
