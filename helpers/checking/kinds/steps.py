"""Follow steps that are not shaped like Adam's, and judge estimates of a Hessian's diagonal (notebook 07).

`follow_on` feeds any step its own results, with fresh numbers for the arguments named; `orthogonal_momentum` and
`descend_by` make the steps themselves and take only a direction from the learner's function. Runs are judged by
`training.follows`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from helpers.checking import plain
from helpers.checking.comparing import close, kind_of
from helpers.checking.kinds.training import as_tensor, gradients
from helpers.checking.shapes import Expectation, Judge
from helpers.checking.words import Problem

Places = Sequence[Sequence[int]]


def follow_on(
    step: Callable[..., Any], seed: int, keep: Sequence[int], fed: Places, drawn: Sequence[int], *arguments: Any
) -> Any:
    """Driver: call `step` up to step `keep[-1]`, each time with what it returned and with fresh numbers.

    `fed` holds pairs (argument, result): that argument becomes that result. The arguments in `drawn` get fresh numbers
    of their first size (see `training.gradients`), and an int counts up. Returns the results at the steps in `keep`,
    each stacked along a new first dimension; or at once what `step` returned, where that cannot be gone on with.
    """
    now = list(arguments)
    fresh = [gradients(seed + i, now[place], keep[-1]) for i, place in enumerate(drawn)]
    kept = []
    for number in range(1, keep[-1] + 1):
        for place, stream in zip(drawn, fresh, strict=True):
            now[place] = stream[number - 1]
        returned = step(*(x.clone() if isinstance(x, Tensor) else x for x in now))
        model = arguments[fed[0][0]]
        results = [as_tensor(part, model.dtype) for part in parts(returned)]
        if len(results) <= max(result for _, result in fed) or not all(alike(part, model) for part in results):
            return returned
        for place, result in fed:
            now[place] = results[result]
        now = [x + 1 if type(x) is int else x for x in now]
        if number in keep:
            kept.append([part.detach().clone() for part in results])
    return stacked(kept)


def parts(returned: Any) -> Sequence[Any]:
    """What a step returned as several results; a single one counts as one."""
    return returned if isinstance(returned, (tuple, list)) else (returned,)


def alike(part: Any, model: Tensor) -> bool:
    """Whether a result can take its argument's place."""
    return isinstance(part, Tensor) and part.shape == model.shape


def stacked(kept: Sequence[Sequence[Tensor]]) -> tuple[Tensor, ...]:
    """The kept results, each along a new first dimension."""
    return tuple(torch.stack(column) for column in zip(*kept, strict=True))


def orthogonal_momentum(
    orthogonalize: Callable[..., Any],
    seed: int,
    keep: Sequence[int],
    weight: Tensor,
    beta: float,
    lr: float,
    first: Tensor,
    steps: int,
) -> Any:
    """Driver: momentum of fresh gradients, whose orthogonalised form moves `weight`. Returns the weight at the steps in
    `keep`, stacked, or at once what came back, where that is no matrix of the weight's shape."""
    velocity, kept = torch.zeros_like(weight), []
    for number, grad in enumerate(gradients(seed, first, keep[-1]), start=1):
        velocity = beta * velocity + grad
        direction = orthogonalize(velocity.clone(), steps)
        if not alike(direction, weight):
            return direction
        weight = weight - lr * direction.detach().to(weight.dtype)
        if number in keep:
            kept.append([weight])
    return stacked(kept)


def descend_by(
    gradient: Callable[..., Any],
    keep: Sequence[int],
    lr: float,
    grad_fn: Callable[[Tensor], Tensor],
    theta: Tensor,
    rho: float,
) -> Any:
    """Driver: theta - lr gradient(grad_fn, theta, rho), again and again. Returns theta at the steps in `keep`, stacked,
    or at once what came back, where that has not theta's shape."""
    kept = []
    for number in range(1, keep[-1] + 1):
        direction = gradient(grad_fn, theta.clone(), rho)
        if not alike(direction, theta):
            return direction
        theta = theta - lr * direction.detach().to(theta.dtype)
        if number in keep:
            kept.append([theta])
    return stacked(kept)


def average_estimates(
    estimate: Callable[..., Any],
    repeats: int,
    loss_fn: Callable[[Tensor], Tensor],
    params: Tensor,
    generator: torch.Generator,
) -> Any:
    """Driver: the mean of `repeats` estimates from one generator, and how far two estimates lie apart whose generators
    have one seed. Returns at once an estimate that has not the shape of `params`."""
    seed = generator.initial_seed()
    made = []
    for number in range(repeats + 2):
        source = torch.Generator().manual_seed(seed) if number < 2 else generator
        one = estimate(loss_fn, params.clone(), source)
        if not alike(one, params):
            return one
        made.append(one.detach())
    return torch.stack(made[2:]).mean(0), (made[1] - made[0]).abs().max()


def estimates(value: Any, expectation: Expectation) -> Problem | None:
    """Estimates made by `average_estimates`: one seed gives one estimate, and their mean is the expected diagonal; or,
    to recognise a mistake, what the expectation says that it `seems`."""
    wanted = plain.decode(expectation["value"])
    pair = value if isinstance(value, (tuple, list)) and len(value) == 2 else (value, None)
    if not all(isinstance(part, Tensor) for part in pair):
        template = "An estimate is {kind}; it has the shape of params, {shape}."
        return Problem.of("structure", template, kind=kind_of(value), shape=tuple(wanted.shape))
    mean, apart = pair
    if apart != 0:
        return Problem.of("randomness", "The same seed gave two estimates: draw u from `generator`.")
    seems = expectation.get("seems", "right")
    if seems == "never negative":
        known = bool((wanted < 0).any() and (mean > 0).all())
        return None if known else Problem.of("numbers", "Some are negative, or need not be.")
    problem = close(mean, {**expectation, "value": plain.encode(SEEMING[seems](wanted))})
    template = "On average over many draws: {problem}"
    return None if problem is None else Problem.of(problem.kind, template, problem=problem.phrase)


SEEMING: dict[str, Callable[[Tensor], Tensor]] = {
    "right": lambda diagonal: diagonal,
    "zero": torch.zeros_like,
    "the trace": lambda diagonal: torch.full_like(diagonal, diagonal.sum().item()),
}
DRIVERS: dict[str, Callable[..., Any]] = {
    "follow_on": follow_on,
    "orthogonal_momentum": orthogonal_momentum,
    "descend_by": descend_by,
    "average_estimates": average_estimates,
}
WORDS = {
    "follow_on": ", and on from its own results with fresh numbers",
    "orthogonal_momentum": ", of the momentum of hundreds of gradients",
    "descend_by": ", again and again, going downhill by it",
    "average_estimates": ", hundreds of times",
}
JUDGES: dict[str, Judge] = {"estimates": estimates}
