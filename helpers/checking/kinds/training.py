"""Training runs (notebook 03): drivers that make them, judges that hold them against what was expected.

`follow` feeds an optimiser's step its own results, with fresh gradients, for hundreds of steps; `follows` says at which
step such a run leaves the expected one. Whole trainings are made by `lending`: `by_its_step`, `each_learns` and
`repeats` judge those of which many are right; `xor_symptom` recognises runs that went wrong in a known way, where the
numbers differ from learner to learner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers.checking import plain
from helpers.checking.comparing import as_array, kind_of, numbers
from helpers.checking.kinds import lending
from helpers.checking.shapes import Expectation
from helpers.checking.words import Phrase, Problem

REST_EVERY = 10  # every tenth gradient is zero
LEAST_STEPS = 20
UNTRAINED, TRAINED = 0.1, 0.05  # a loss before and after learning XOR, for any usual loss
XOR_LABELS = [0, 1, 1, 0]
NO_RUNS = Problem.of("structure", "There are not as many runs as were asked for.")
NO_HIDDEN_LAYER = Problem.of(
    "numbers",
    "Weights of 0 that move once along their gradient know XOR: what is trained here is no net with a hidden layer, "
    "whose first weights have no gradient there.",
)
SAME_LOSSES = Problem.of("randomness", "Two different seeds gave the same losses.")
# What a net that cannot learn XOR is left with: binary cross-entropy in nats, squared error.
PLATEAUS = {
    "linear": (0.693147, 0.25),  # 1/2 everywhere, the best that a linear model can do
    "identical units": (0.477386, 1 / 6),  # one input right, three predicted 2/3
    "few units": (0.346574, 0.125),  # two inputs stay at 1/2, two right
    "no bias": (0.173287, 0.0625),  # input 00 stays at 1/2, three right
}


def gradients(seed: int, first: Tensor, steps: int) -> list[Tensor]:
    """`steps` gradients: `first`, then `first` times fresh numbers in [-1, 1), and zero at every tenth step.

    The numbers are raw words of Philox, which NumPy keeps the same in all its versions, on every machine.
    """
    words = np.random.Philox(key=seed).random_raw(steps * first.numel())
    factors = torch.from_numpy((words >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1).reshape(steps, *first.shape)
    factors[REST_EVERY - 1 :: REST_EVERY] = 0
    factors[:1] = 1
    return list(factors.to(first.dtype) * first)


def follow(step: Callable[..., Any], seed: int, keep: Sequence[int], states: int, *arguments: Any) -> Any:
    """Driver: call `step(theta, grad, *states, ...)` up to step `keep[-1]`, each time with the theta and the `states`
    that it returned and a fresh gradient. An int behind the states is t and counts up.

    Returns theta and the states at the steps in `keep` (from 1), each stacked along a new first dimension; or at once
    what `step` returned, where that cannot be gone on with.
    """
    theta, first, *rest = arguments
    state, others = [theta, *rest[:states]], rest[states:]
    kept = []
    for number, grad in enumerate(gradients(seed, first, keep[-1]), start=1):
        if type(others[0]) is int and number > 1:
            others[0] += 1
        result = step(state[0].clone(), grad, *(s.clone() for s in state[1:]), *others)
        if not isinstance(result, (tuple, list)) or len(result) != len(state):
            return result
        state = [as_tensor(part, theta.dtype) for part in result]
        if not all(isinstance(part, Tensor) and part.shape == theta.shape for part in state):
            return result
        if number in keep:
            kept.append([part.detach().clone() for part in state])
    return tuple(torch.stack(parts) for parts in zip(*kept, strict=True))


def as_tensor(value: Any, dtype: torch.dtype) -> Any:
    """A number as a tensor, so that a run on scalars may return Python's or NumPy's; anything else as it is."""
    return torch.tensor(float(value), dtype=dtype) if isinstance(value, (int, float, np.number)) else value


def follows(value: Any, expectation: Expectation) -> Problem | None:
    """A run kept by `follow` agrees with the expected one: at each kept step every number is within `rtol` of the
    largest size that it has there during the run."""
    wanted, parts = plain.decode(expectation["value"]), expectation["parts"]
    if not isinstance(value, (tuple, list)) or len(value) != len(wanted):
        template = "A step returned {kind}, where {count} results were expected: ({parts})."
        return Problem.of("structure", template, kind=kind_of(value), count=len(wanted), parts=", ".join(parts))
    for got, want, part in zip(value, wanted, parts, strict=True):
        if not isinstance(got, Tensor) or got.shape != want.shape:
            template = "A step returned a {part} that is {kind}; it has the shape of theta, {shape}."
            return Problem.of("shape", template, part=part, kind=kind_of(got), shape=tuple(want.shape[1:]))
        if got.dtype != want.dtype:
            dtypes = {name: str(one.dtype).removeprefix("torch.") for name, one in (("got", got), ("want", want))}
            template = "After some steps {part} has dtype {got}, where {want} was expected."
            return Problem.of("dtype", template, part=part, **dtypes)
    for row, step in enumerate(expectation["steps"]):
        for got, want, part in zip(value, wanted, parts, strict=True):
            g, w = numbers(got), numbers(want)
            bad = ~(np.abs(g[row] - w[row]) <= expectation["rtol"] * np.abs(w).max(0))
            if bad.any():
                place = tuple(int(i) for i in np.argwhere(bad)[0])
                at = f"{part}{list(place) if place else ''}"
                template = "After step {step} of the run {at} should be {want:.10g}, got {got:.10g}.{until}"
                until = Phrase(" It still agreed at step {step}.", {"step": expectation["steps"][row - 1]})
                facts = {"step": step, "at": at, "want": w[row][place], "got": g[row][place]}
                return Problem.of("numbers", template, **facts, until=until if row else "")
    return None


def losses_of(run: Any) -> np.ndarray | None:
    """The losses of a run (losses, predictions) as a vector; None where they are not one number for each step."""
    if not isinstance(run, (tuple, list)) or len(run) != 2:
        return None
    losses = as_array(list(map(flat, run[0])) if isinstance(run[0], (list, tuple)) else run[0])
    return None if losses is None or losses.ndim == 0 else losses.reshape(-1).astype(np.float64)


def flat(item: Any) -> Any:
    """A tensor, array or list of one number as that number, a bool as 0 or 1; anything else as it is."""
    while isinstance(item, (list, tuple)) and len(item) == 1:
        item = item[0]
    if isinstance(item, (Tensor, np.ndarray)) and np.prod(item.shape) == 1:
        item = item.reshape(-1)[0].item()
    return int(item) if type(item) is bool else item


def labels_of(run: Any) -> list[Any] | None:
    """The four predictions of a run as a list; None where they are not four."""
    predictions = run[1]
    if isinstance(predictions, (Tensor, np.ndarray)):
        predictions = predictions.reshape(-1).tolist()
    four = isinstance(predictions, (list, tuple)) and len(predictions) == 4
    return [flat(item) for item in predictions] if four else None


def xor_training(value: Any, expectation: Expectation) -> Problem | None:
    """A run (losses, predictions) that learnt XOR: one finite loss for each step, from untrained to below 0.05, and
    the four labels."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        template = "The answer is {kind}, where two results were expected: (losses, predictions)."
        return Problem.of("structure", template, kind=kind_of(value))
    return losses_problem(value) or labels_problem(value)


def losses_problem(run: Any) -> Problem | None:
    """What is wrong with the losses of a run."""
    losses = losses_of(run)
    if losses is None:
        template = "losses is {kind}, where one number for each training step was expected."
        return Problem.of("structure", template, kind=kind_of(run[0]))
    if len(losses) < LEAST_STEPS:
        template = "losses holds {count} numbers; one for each training step is expected, at least {least}."
        return Problem.of("structure", template, count=len(losses), least=LEAST_STEPS)
    if not np.isfinite(losses).all():
        template = "The loss of step {step} is not finite: the training diverged."
        return Problem.of("numbers", template, step=int(np.argmin(np.isfinite(losses))) + 1)
    if losses[0] <= UNTRAINED or losses.min() < 0:
        template = (
            "The first loss is {first:.4g} and the least {least:.4g}: "
            "an untrained net starts near log 2 = 0.69 (0.25 for squared error), and no loss is negative."
        )
        return Problem.of("numbers", template, first=losses[0], least=losses.min())
    if losses[-1] >= TRAINED:
        template = "The last of {count} losses is {last:.4g}; it should be below {bound:g}."
        return Problem.of("numbers", template, count=len(losses), last=losses[-1], bound=TRAINED)
    return None


def labels_problem(run: Any) -> Problem | None:
    """What is wrong with the predictions of a run."""
    labels = labels_of(run)
    if labels is None:
        template = "predictions is {kind}, where four labels were expected, for the inputs 00, 01, 10, 11."
        return Problem.of("structure", template, kind=kind_of(run[1]))
    if not all(type(label) in (int, float) and label in (0, 1) for label in labels):
        template = "The predictions are {labels}, where labels were expected: each 0 or 1."
        return Problem.of("numbers", template, labels=shortened(labels))
    if labels != XOR_LABELS:
        template = "The predictions are {labels}, where {want} was expected, for the inputs 00, 01, 10, 11."
        return Problem.of("numbers", template, labels=shortened(labels), want=XOR_LABELS)
    return None


def shortened(labels: list[Any]) -> str:
    """Predictions as a sentence shows them."""
    return "[" + ", ".join(f"{x:.4g}" if type(x) in (int, float) else str(kind_of(x)) for x in labels) + "]"


def by_its_step(value: Any, expectation: Expectation) -> Problem | None:
    """Runs made by `lend`: the first learns, the second repeats it, and the third, with shorter steps, is another; and
    the step was given what it should be."""
    if not isinstance(value, tuple) or len(value) != 5:
        return NO_RUNS
    right, again, shorter, zeroed, fault = value
    if problem := xor_training(right, expectation):
        return problem
    if not equal(losses_of(right), losses_of(again)):
        return Problem.of("randomness", "Two calls with the same seed gave different losses.")
    if equal(losses_of(right), losses_of(shorter)):
        return Problem.of("numbers", "The losses are the same whatever adamw_step does: this run was not made by it.")
    return weightless(right, zeroed) or given_otherwise(fault)


def given_otherwise(fault: Any) -> Problem | None:
    """What is wrong with what adamw_step was given, by the word of a fault."""
    if fault == lending.COUNT:
        template = "adamw_step was given a t that does not count the steps: it is 1 in the first, 2 in the second."
        return Problem.of("numbers", template)
    if fault == lending.STATE:
        template = "adamw_step was given an m or a v that it had not returned for this parameter at the step before."
        return Problem.of("numbers", template)
    return None


def weightless(right: Any, zeroed: Any) -> Problem | None:
    """A run in which adamw_step gives weights of zero for some steps has the loss of an untrained net there, in the
    places that are zero whether a loss is taken before its step or behind it; and it has not learnt XOR where the
    weights have moved from there along their gradient."""
    losses, places = losses_of(zeroed), lending.zeroed(len(losses_of(right)))  # type: ignore[arg-type] # it has losses
    there = np.zeros(1) if losses is None else losses[places.start + 1 : places.stop]
    if losses is not None and len(there) and not (there <= UNTRAINED).any():
        behind = [losses[place] for place in lending.moved(len(losses_of(right))) if place < len(losses)]  # type: ignore[arg-type]
        return NO_HIDDEN_LAYER if any(loss < TRAINED for loss in behind) else None
    template = (
        "With every weight set to 0 for some steps by adamw_step the loss stays at {loss:.4g}: it is not the net's."
    )
    return Problem.of("numbers", template, loss=there.min() if len(there) else 0.0)


def repeats(value: Any, expectation: Expectation) -> Problem | None:
    """Runs made by `reseed`: the same seed gives the same losses and labels, another seed gives other losses."""
    if not isinstance(value, tuple) or len(value) != 3:
        return NO_RUNS
    for run in value:
        if problem := xor_training(run, expectation):
            return problem
    first, again, other = map(losses_of, value)
    if not equal(first, again):
        return Problem.of("randomness", "Two calls with the same seed gave different losses.")
    if labels_of(value[0]) != labels_of(value[1]):
        return Problem.of("randomness", "Two calls with the same seed gave different predictions.")
    return SAME_LOSSES if equal(first, other) else None


def each_learns(value: Any, expectation: Expectation) -> Problem | None:
    """Runs made by `for_each_seed`: all learn XOR, and no two are the same."""
    if not isinstance(value, tuple) or len(value) < 2:
        return NO_RUNS
    for run in value:
        if problem := xor_training(run, expectation):
            return problem
    losses = [losses_of(run) for run in value]
    same = any(equal(a, b) for i, a in enumerate(losses) for b in losses[:i])
    return SAME_LOSSES if same else None


def equal(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    """Whether two runs have the same losses, but for the last digits."""
    return a is not None and b is not None and a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-6, atol=1e-9))


def xor_symptom(value: Any, expectation: Expectation) -> Problem | None:
    """Whether a run shows the `symptom` named in the expectation: None where it does."""
    shown = isinstance(value, (tuple, list)) and len(value) >= 2 and SYMPTOMS[expectation["symptom"]](value)
    if shown:
        return None
    return Problem.of("numbers", "The run does not look like: {symptom}.", symptom=expectation["symptom"])


def stuck_at(name: str) -> Callable[[Any], bool]:
    """The symptom of a loss that moved at first and ends on the plateau called `name`."""

    def symptom(value: Any) -> bool:
        losses = losses_of(first_run(value))
        if losses is None or not losses.size or still(losses) or still_falling(value):
            return False
        return any(plateau * 0.999 <= losses[-1] <= plateau * 1.03 for plateau in PLATEAUS[name])

    return symptom


def still(losses: np.ndarray) -> bool:
    """Whether a loss never moved."""
    return bool(np.ptp(losses) <= 1e-6 * np.abs(losses).max()) if losses.size else False


def never_moved(value: Any) -> bool:
    """The symptom of a gradient that is zero from the start."""
    losses = losses_of(first_run(value))
    return losses is not None and losses.size > 1 and still(losses)


def still_falling(value: Any) -> bool:
    """The symptom of too short a run: at its end the loss still falls."""
    losses = losses_of(first_run(value))
    return (
        losses is not None
        and losses.size >= LEAST_STEPS
        and TRAINED <= losses[-1] < 0.98 * losses[int(-0.1 * losses.size) - 1]
    )


def probabilities(value: Any) -> bool:
    """The symptom of predictions that are no labels."""
    run = first_run(value)
    labels = labels_of(run) if isinstance(run, (tuple, list)) and len(run) == 2 else None
    return labels is not None and all(type(x) is float for x in labels) and any(x not in (0, 1) for x in labels)


def one_loss(value: Any) -> bool:
    """The symptom of a single loss where a list of them was asked for."""
    run = first_run(value)
    losses = as_array(run[0]) if isinstance(run, (tuple, list)) and len(run) == 2 else None
    return losses is not None and losses.size == 1


def two_results(value: Any) -> bool:
    """The symptom of a seed that does not decide the run."""
    return (
        len(value) in (3, 5) and all(map(whole_run, value[:2])) and not equal(losses_of(value[0]), losses_of(value[1]))
    )


def step_ignored(value: Any) -> bool:
    """The symptom of a run by `lend` that `adamw_step` has no part in."""
    if len(value) != 5 or not whole_run(value[0]):
        return False
    right, *others = map(losses_of, value[:3])
    return right is not None and not still(right) and all(equal(right, other) for other in others)


def given(fault: str) -> Callable[[Any], bool]:
    """The symptom of a step that is given what it should not be."""
    return lambda value: len(value) == 5 and value[4] == fault


def whole_run(run: Any) -> bool:
    """Whether a run is a pair with a finite loss for each of several steps."""
    losses = losses_of(run)
    return losses is not None and losses.size > 1 and bool(np.isfinite(losses).all())


def seed_ignored(value: Any) -> bool:
    """The symptom of a run that is the same for every seed."""
    return len(value) > 2 and all(equal(losses_of(value[0]), losses_of(run)) for run in value[1:])


def first_run(value: Any) -> Any:
    """The first of several runs, or the only one, which is a pair."""
    return value[0] if len(value) > 2 else value


SYMPTOMS: dict[str, Callable[[Any], bool]] = {
    "never moved": never_moved,
    **{f"stuck: {name}": stuck_at(name) for name in PLATEAUS},
    "still falling": still_falling,
    "probabilities": probabilities,
    "one loss": one_loss,
    "two results": two_results,
    "step ignored": step_ignored,
    "t does not count": given(lending.COUNT),
    "state lost": given(lending.STATE),
    "seed ignored": seed_ignored,
}
