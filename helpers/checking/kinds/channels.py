"""What judging notebook 02 needs: capacities and bottlenecks, of which many answers are right, mistakes whose numbers
differ from learner to learner, and the entropies that are handed to an answer."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from helpers.checking import plain
from helpers.checking.comparing import as_array, close, missing, numbers, wrong_form, wrong_numbers
from helpers.checking.kinds.lending import kept_generators
from helpers.checking.shapes import Expectation
from helpers.checking.words import Phrase, Problem

ROUNDING = 1e-5  # of a sum of float32 probabilities
AS_LARGE = 0.02  # how closely a deviation is the one that a mistake makes
SLACK = 1e-3  # nats that a bottleneck may be above the best one
AT_REST = 1e-4  # how little one more round moves an encoder


def capacity(value: Any, expectation: Expectation) -> Problem | None:
    """(C, r): C within `tol` of the capacity, and r within sqrt(tol) of the best input where that is `unique`; where it
    is not, any input that carries the capacity to within `tol`."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return close(value, expectation)
    tol, (best, best_input) = expectation["tol"], plain.decode(expectation["value"])
    found, r = value
    if found is None or r is None:
        return missing("capacity" if found is None else "input distribution")
    slack: Expectation = {**expectation, "rtol": 0.0, "atol": 1.001 * tol}
    problem = wrong_form(found, best, expectation, "capacity") or wrong_numbers(found, best, slack, "capacity")
    problem = problem or wrong_form(r, best_input, expectation, "input distribution")
    if problem:
        return problem
    inputs = numbers(r)
    if not (inputs >= -1e-9).all() or not abs(inputs.sum() - 1) <= ROUNDING:
        template = "The input distribution is none: its smallest entry is {least:.6g} and its sum {total:.6g}."
        return Problem.of("numbers", template, least=inputs.min(), total=inputs.sum())
    if expectation["unique"]:
        return wrong_numbers(r, best_input, {**slack, "atol": math.sqrt(tol)}, "input distribution")
    carried = information(inputs, numbers(plain.decode(expectation["channel"])))
    if not carried >= best - 1.01 * tol:
        template = "This input carries {carried:.6g} nats, but the capacity is {best:.6g}."
        return Problem.of("numbers", template, carried=carried, best=best)
    return None


def information(inputs: np.ndarray, channel: np.ndarray) -> float:
    """The mutual information in nats of input and output."""
    joint = inputs[:, None] * channel
    used = joint > 0
    outer = np.outer(joint.sum(1), joint.sum(0))
    return float((joint[used] * np.log(joint[used] / outer[used])).sum())


def tsallis(q: float) -> Callable[[Tensor], Tensor]:
    """Tsallis' entropy (1 - sum p^q) / (q - 1) of distributions (..., n): Shannon's, in nats, for q = 1, the Gini
    impurity for q = 2. Only Shannon's obeys the chain rule."""
    if q == 1:
        return lambda p: -torch.special.xlogy(torch.as_tensor(p), torch.as_tensor(p)).sum(-1)
    return lambda p: (1 - (torch.as_tensor(p) ** q).sum(-1)) / (q - 1)


FUNCTIONS = (tsallis,)
OWN = "by its own entropies"
ROUTES = torch.tensor([[0.3, 0.05, 0.1], [0.02, 0.2, 0.08], [0.07, 0.04, 0.14]], dtype=torch.float64)
ONE_SUM = (
    "All three results are one and the same sum: where the marginals do not quite belong to the table, they still "
    "agree. Take H(X given Y) as the average of the columns' entropies, H(Y given X) as that of the rows'."
)
COPIES = {"clone", "_to_copy", "contiguous"}


class DisturbedMarginals(TorchDispatchMode):
    """Makes every marginal of a table a little wrong: as many factors near 1 as it has entries.

    H(X) - H(X given Y), H(Y) - H(Y given X) and H(X) + H(Y) - H(X, Y) are one number because the marginals belong to
    the table. With others the three part, however each is written (weights times entropies of columns, or sums of
    joint * log(joint / p(y))), while one sum in three shapes stays one."""

    def __init__(self, table: Tensor):
        super().__init__()  # type: ignore[no-untyped-call] # torch's has no types
        self.tables, self.size = [table.untyped_storage()], table.numel()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Do not import torch's compiler, which takes seconds, for the first operator."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """One operator."""
        value, name = func(*args, **(kwargs or {})), func.overloadpacket.__name__
        if not args or not isinstance(args[0], Tensor) or not isinstance(value, Tensor):
            return value
        if any(args[0].untyped_storage()._cdata == one._cdata for one in self.tables) and args[0].numel() == self.size:
            if name in COPIES:
                self.tables.append(value.untyped_storage())
            elif name == "sum" and 1 < value.numel() < self.size:
                turns = torch.arange(value.numel(), dtype=torch.float64).reshape(value.shape)
                value = value * (1 + 0.1 * torch.sin(3 * turns + value.ndim)).to(value.dtype)
        return value


def three_ways(function: Callable[..., Any], joint: Tensor, entropy: Callable[[Tensor], Tensor]) -> Any:
    """Driver: call with the table and an entropy; an answer that takes the table alone has Shannon's entropies of its
    own, and is asked whether its three ways are three. Raises `plain.Unsupported` where they are not."""
    if takes(function, joint, entropy):
        return function(joint, entropy)
    value = function(joint)
    if one_sum(function):
        raise plain.Unsupported(ONE_SUM)
    is_shannons = abs(float(entropy(torch.tensor([0.5, 0.5], dtype=torch.float64))) - math.log(2)) < 1e-12
    return value if is_shannons else {OWN: value}


def takes(function: Callable[..., Any], *arguments: Any) -> bool:
    """Whether a function can be called with these arguments, as far as its signature says."""
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # it has none
        pass
    return True


def one_sum(function: Callable[..., Any]) -> bool:
    """Whether three results agree although the marginals were disturbed, or are the same to the last digit in all of
    several tables. False where that cannot be seen: whatever else is wrong is for the judge to say."""
    table = ROUTES.clone()
    with torch.no_grad(), DisturbedMarginals(table):
        disturbed = three_numbers_of(function, table)
    others = [three_numbers_of(function, one.contiguous()) for one in (ROUTES, ROUTES.T, ROUTES.flip(0))]
    plainly = [one for one in others if one is not None]
    if disturbed is None or len(plainly) < len(others):
        return False
    seen = not np.allclose(disturbed, plainly[0], rtol=1e-6, atol=0)
    return bool(seen and np.ptp(disturbed) < 1e-9) or all(np.ptp(one) == 0 for one in plainly)


def three_numbers_of(function: Callable[..., Any], table: Tensor) -> np.ndarray | None:
    """What a function answers to one table; None unless it is three finite numbers."""
    try:
        found = flat(function(table))
    except Exception:
        return None
    return found if found is not None and found.shape == (3,) and np.isfinite(found).all() else None


def judge_three_ways(value: Any, expectation: Expectation) -> Problem | None:
    """The three ways by the entropy that was handed in, or by an answer's own, Shannon's."""
    if isinstance(value, dict) and list(value) == [OWN]:
        return close(value[OWN], {**expectation, "value": expectation["answers"][0]})
    return close(value, expectation)


def deviates(value: Any, expectation: Expectation) -> Problem | None:
    """Recognises what is off by as much as one of several `answers` is, which have the form of the right `value`."""
    exact, got = flat(plain.decode(expectation["value"])), flat(value)
    if got is not None and exact is not None and got.shape == exact.shape:
        for answer in map(plain.decode, expectation["answers"]):
            off = flat(answer)
            if off is not None and (np.abs(got - off) <= AS_LARGE * np.abs(off - exact) + 1e-15).all():
                return None
    return Problem.of("numbers", "It deviates in another way.")


def flat(value: Any) -> np.ndarray | None:
    """A number, tensor or tuple of them as one vector; None for anything else."""
    if isinstance(value, (tuple, list)):
        parts = [flat(part) for part in value]
        return None if any(part is None for part in parts) else np.concatenate([p for p in parts if p is not None])
    array = as_array(value)
    return None if array is None else np.asarray(array, dtype=np.float64).reshape(-1)


def has_nan(value: Any, expectation: Expectation) -> Problem | None:
    """Recognises an answer that has a nan in it."""
    found = flat(value)
    return None if found is not None and np.isnan(found).any() else Problem.of("numbers", "It has no nan.")


def same_generator(function: Callable[..., Any], *arguments: Any) -> tuple[Any, Any, Any]:
    """Driver: call three times with generators of the last one's seed, and the global ones in three states."""
    *others, generator = arguments
    seed = generator.initial_seed()
    answers = []
    for state in (101, 202, 303):
        with kept_generators(state):
            answers.append(function(*others, torch.Generator().manual_seed(seed)))
    return tuple(answers)


def same_answers(value: Any, expectation: Expectation) -> Problem | None:
    """All calls of `same_generator` gave the same answer."""
    first, *others = map(plain.encode, value)
    if any(other != first for other in others):
        template = "The same seed gave different answers: draw every random number from `generator`."
        return Problem.of("randomness", template)
    return None


def bottleneck(value: Any, expectation: Expectation) -> Problem | None:
    """(encoder, I(X; T), I(T; Y)): an encoder of `joint` whose I(X; T) - beta I(T; Y) is at most SLACK above the best,
    and the two informations that it has."""
    best = plain.decode(expectation["value"])
    if not isinstance(value, (tuple, list)) or len(value) != 3:
        return close(value, expectation)
    parts = ("encoder", "I(X; T)", "I(T; Y)")
    for got, want, part in zip(value, best, parts, strict=True):
        if got is None:
            return missing(part)
        if problem := wrong_form(got, want, expectation, part):
            return problem
    encoder, *informed = map(numbers, value)
    if not (encoder >= -1e-9).all() or not (np.abs(encoder.sum(1) - 1) <= ROUNDING).all():
        template = "The rows of the encoder are no distributions: they sum to {sums}; the least entry is {least:.6g}."
        sums = ", ".join(f"{total:.6g}" for total in encoder.sum(1))
        return Problem.of("numbers", template, sums=sums, least=encoder.min())
    joint, beta = numbers(plain.decode(expectation["joint"])), expectation["beta"]
    has = informations(joint, encoder)
    for got, want, part in zip(informed, has, parts[1:], strict=True):
        if not abs(got - want) <= (ROUNDING if expectation["dtype"] == "float32" else 1e-6):
            template = "{part}: this encoder has {want:.6g} nats, got {got:.6g}."
            return Problem.of("numbers", template, part=part, want=want, got=float(got))
    loss, least = has[0] - beta * has[1], best[1] - beta * best[2]
    if loss <= least + SLACK:
        return None
    moved = np.abs(EQUATIONS["right"](joint, beta, encoder) - encoder).max()
    rest = Phrase(" One more round moves the encoder by {moved:.2g}: go on until it rests.", {"moved": moved})
    template = "I(X; T) - beta I(T; Y) is {loss:.4f} nats for this encoder; {least:.4f} can be reached.{rest}"
    return Problem.of("numbers", template, loss=loss, least=least, rest=rest if moved > AT_REST else "")


def informations(joint: np.ndarray, encoder: np.ndarray) -> tuple[float, float]:
    """I(X; T) and I(T; Y) in nats."""
    return information(joint.sum(1), encoder), information(np.ones(encoder.shape[1]), encoder.T @ joint)


def divergences(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """KL(row i of p, row j of q) in nats, with a very large number for infinity."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p), 0).sum(1)
    found: np.ndarray = terms[:, None] - p @ np.log(np.maximum(q, 1e-300)).T
    return found


def one_round(scores: Callable[..., np.ndarray], weigh: bool = True) -> Callable[..., np.ndarray]:
    """A round of encoder = softmax of scores(p(t), p(y given x), p(y given t), beta) over t; without `weigh` every x
    counts alike in p(t) and p(y given t)."""

    def round_of(joint: np.ndarray, beta: float, encoder: np.ndarray) -> np.ndarray:
        given_x = joint / np.maximum(joint.sum(1, keepdims=True), 1e-300)
        px = joint.sum(1) if weigh else np.full(len(joint), 1 / len(joint))
        pt = np.maximum(px @ encoder, 1e-300)
        s = scores(pt, given_x, (encoder.T * px) @ given_x / pt[:, None], beta)
        weights: np.ndarray = np.exp(s - s.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        return weights

    return round_of


EQUATIONS = {
    "right": one_round(lambda pt, x, t, beta: np.log(pt) - beta * divergences(x, t)),
    "reversed": one_round(lambda pt, x, t, beta: np.log(pt) - beta * divergences(t, x).T),
    "no prior": one_round(lambda pt, x, t, beta: -beta * divergences(x, t)),
    "unweighted": one_round(lambda pt, x, t, beta: np.log(pt) - beta * divergences(x, t), weigh=False),
}


def bottleneck_symptom(value: Any, expectation: Expectation) -> Problem | None:
    """Recognises answers to the bottleneck that went wrong in a known way, which `symptom` names."""
    joint, beta, symptom = numbers(plain.decode(expectation["joint"])), expectation["beta"], expectation["symptom"]
    if not isinstance(value, (tuple, list)) or len(value) != 3 or not isinstance(value[0], Tensor):
        return Problem.of("structure", "It is no encoder with two informations.")
    encoder, i_xt, i_ty = map(numbers, value)
    shape = (len(joint), expectation["clusters"])
    if encoder.shape != shape or symptom == "turned":
        turned = symptom == "turned" and encoder.shape == shape[::-1] != shape
        return None if turned else Problem.of("shape", "It has another shape.")
    if not np.isfinite(encoder).all() or not (encoder > -1e-9).all():
        return Problem.of("numbers", "It is no encoder.")
    if symptom in EQUATIONS:
        met = np.abs(EQUATIONS[symptom](joint, beta, encoder) - encoder).max() < AT_REST
    elif symptom in ("exchanged", "bits"):
        a, b = informations(joint, encoder)
        wanted = (b, a) if symptom == "exchanged" else (a / math.log(2), b / math.log(2))
        met = b > AT_REST and np.allclose((i_xt, i_ty), wanted, rtol=1e-4, atol=1e-6)
    else:
        moved = np.abs(EQUATIONS["right"](joint, beta, encoder) - encoder).max()
        met = {
            "useless": np.ptp(encoder, axis=0).max() < AT_REST,
            "hard": np.minimum(encoder, 1 - encoder).max() < 1e-6,
            "moving": moved > AT_REST,
        }[symptom]
    return None if met else Problem.of("numbers", "It went wrong in another way.")
