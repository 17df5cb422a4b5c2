"""Wrong answers made of a right one that is given its arguments otherwise: one of them normalised over the whole batch,
over the wrong dimension, taken for logits, transposed, squared, one more; or another one in its place.

They are the same for every exercise, and need no text of an answer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from itertools import permutations
from typing import Any

import torch

from grading.exercises.exercise import PUBLIC_SEED, Exercise

Change = Callable[[Any], Any]
OF_TENSORS: dict[str, Change] = {
    "{x} / {x}.sum()": lambda x: x / x.sum(),
    "{x} / {x}.sum(-1, keepdim=True)": lambda x: x / x.sum(-1, keepdim=True),
    "{x} / {x}.sum(0)": lambda x: x / x.sum(0),
    "{x}.softmax(-1)": lambda x: x.softmax(-1),
    "{x}.softmax(0)": lambda x: x.softmax(0),
    "{x}.flatten().softmax(0).view_as({x})": lambda x: x.flatten().softmax(0).view_as(x),
    "{x}.log_softmax(-1)": lambda x: x.log_softmax(-1),
    "{x} - {x}.mean()": lambda x: x - x.mean(),
    "{x} / {x}.norm()": lambda x: x / x.norm(),
    "{x}.mT": lambda x: x.mT if x.ndim > 1 else None,
    "{x}.flip(-1)": lambda x: x.flip(-1),
    "{x}.sort(-1).values": lambda x: x.sort(-1).values,
    "{x}.abs()": torch.abs,
    "{x}.log()": torch.log,
}
OF_NUMBERS: dict[str, Change] = {
    "-{x}": lambda x: -x,
    "2 * {x}": lambda x: 2 * x,
    "{x} / 2": lambda x: x / 2,
    "{x} ** 2": lambda x: x**2,
    "{x} ** 0.5": lambda x: x**0.5,
    "1 / {x}": lambda x: 1 / x,
    "1 - {x}": lambda x: 1 - x,
}
OF_COUNTS: dict[str, Change] = {
    "{x} + 1": lambda x: x + 1,
    "{x} - 1": lambda x: x - 1,
}


def is_tensor(x: Any) -> bool:
    """Whether an argument is a tensor of numbers that are not whole."""
    return isinstance(x, torch.Tensor) and x.is_floating_point()


def is_number(x: Any) -> bool:
    """Whether an argument is such a tensor, or a number that is not whole."""
    return is_tensor(x) or type(x) is float


def is_count(x: Any) -> bool:
    """Whether an argument is a whole number."""
    return type(x) is int


# What each change is made for.
FITTING = {
    **dict.fromkeys(OF_TENSORS, is_tensor),
    **dict.fromkeys(OF_NUMBERS, is_number),
    **dict.fromkeys(OF_COUNTS, is_count),
}


def taken_otherwise(exercise: Exercise, without: str = "") -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """What stands in place of what, and the wrong answer that it makes of a right one, not that called `without`."""
    right = next((f for name, f in right_answers(exercise).items() if name != without), None)
    if right is None:
        return
    names = list(inspect.signature(exercise.references[exercise.name]).parameters)
    first, *_ = exercise.draw(exercise.criteria[0], PUBLIC_SEED)
    tensors = [i for i, x in enumerate(first.arguments) if is_tensor(x)]
    for place, name in enumerate(names):
        for words, change in (OF_TENSORS | OF_NUMBERS | OF_COUNTS).items():
            yield words.format(x=name), name, with_arguments(right, [place], changed_where_it_fits(words, change))
    if len(tensors) == 2:
        one, two = (names[place] for place in tensors)
        for words, change in OF_TENSORS.items():
            after = f"{words.format(x=one)}, {words.format(x=two)}"
            yield after, f"{one}, {two}", with_arguments(right, tensors, changed_where_it_fits(words, change))
    for place, other in permutations(range(len(names)), 2):
        yield names[other], names[place], with_another(right, place, other)
        if place < other:
            both = f"{names[place]}, {names[other]}"
            yield f"{names[other]}, {names[place]}", both, with_exchanged(right, place, other)


def right_answers(exercise: Exercise) -> dict[str, Callable[..., Any]]:
    """The right answers by name."""
    return {functions[exercise.name].__name__: functions[exercise.name] for functions in exercise.alternatives.values()}


def changed_where_it_fits(words: str, change: Change) -> Change:
    """A change of an argument; other things than it is made for, or that it makes no numbers of, raise TypeError."""

    def made(x: Any) -> Any:
        value = change(x) if FITTING[words](x) else None
        if value is None or (finite(x) and not finite(value)):
            raise TypeError(words)
        return value

    return made


def finite(x: torch.Tensor | float) -> bool:
    """Whether all numbers are finite."""
    return bool(torch.as_tensor(x).isfinite().all())


def with_arguments(right: Callable[..., Any], places: Sequence[int], change: Change) -> Callable[..., Any]:
    """A right answer that takes some arguments otherwise."""

    def wrong(*given: Any) -> Any:
        return right(*(change(x) if i in places else x for i, x in enumerate(given)))

    return wrong


def with_another(right: Callable[..., Any], place: int, other: int) -> Callable[..., Any]:
    """A right answer that takes one tensor for another one."""

    def wrong(*given: Any) -> Any:
        must_be_like(given[place], given[other])
        if not isinstance(given[place], torch.Tensor):
            raise TypeError("a number in another one's place explains too much")
        return right(*(given[other] if i == place else x for i, x in enumerate(given)))

    return wrong


def with_exchanged(right: Callable[..., Any], place: int, other: int) -> Callable[..., Any]:
    """A right answer that takes two arguments for one another."""

    def wrong(*given: Any) -> Any:
        must_be_like(given[place], given[other])
        order = {place: other, other: place}
        return right(*(given[order.get(i, i)] for i in range(len(given))))

    return wrong


def must_be_like(one: Any, other: Any) -> None:
    """Raise TypeError unless two arguments are of a kind that people exchange."""
    if type(one) is not type(other) or isinstance(one, (bool, str)) or callable(one):
        raise TypeError("not of one kind")
