r"""What each question of notebook 08 lets a formula speak of: functions and tables, and what they are worth in a draw.

A draw is a list of arrays (see each function for its order). A quantity is found by its canonical spelling, so the
names under which a learner may write it are listed here: D_{KL}(p \| q), KL(p, q) and D(p; q) are one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from helpers.checking.kinds.meaning import Array, Scope, Table


@dataclass(frozen=True)
class Language:
    """A question's signs: `functions` take any arguments, `tables` take letters; `subject` is what the formula defines,
    as a pattern on canonical spellings, and `draws` the names of a draw's arrays."""

    draws: tuple[str, ...]
    scope: Callable[..., Scope]
    subject: re.Pattern[str]
    functions: frozenset[str] = frozenset({"E"})
    tables: frozenset[str] = frozenset({"p", "q"})


def entropy_of(p: Array) -> float:
    """-sum p log p of any table without zeros."""
    return float(-(p * np.log(p)).sum())


def kl_of(p: Array, q: Array) -> float:
    """sum p log(p/q) of two tables without zeros."""
    return float((p * np.log(p / q)).sum())


def spelt(names: Sequence[str], *arguments: str) -> list[str]:
    """A function of some arguments under all its names, with every sign between them."""
    return [f"{name}({sign.join(arguments)})" for name in names for sign in ("|", ",", ";")]


DIVERGENCE = ("D_KL", "KL", "D", "D_kl", "KL_div")


def of_one(p: Array) -> Scope:
    """p(x)."""
    return Scope(tables={"p": Table(("x",), p)}, values={"n": len(p)})


def of_two(p: Array, q: Array) -> Scope:
    """p(x) and q(x)."""
    return Scope(tables={"p": Table(("x",), p), "q": Table(("x",), q)}, values={"n": len(p)})


def with_their_quantities(p: Array, q: Array) -> Scope:
    """p(x) and q(x), H(p) and D(p, q)."""
    one, divergence, back = entropy_of(p), kl_of(p, q), kl_of(q, p)
    values = dict.fromkeys(("H(p)", "H(P)", "H_p", "H(X)"), one) | {"H(q)": entropy_of(q)}
    values |= dict.fromkeys(spelt(DIVERGENCE, "p", "q"), divergence) | dict.fromkeys(spelt(DIVERGENCE, "q", "p"), back)
    return Scope(tables=of_two(p, q).tables, values={**values, "n": len(p)})


def with_a_function(p: Array, q: Array, curve: Array) -> Scope:
    """p(x), q(x), and a convex f with f(1) = 0: a (t - 1)^2 + b t log t, its a and b in `curve`."""
    a, b = curve.tolist()
    return Scope(tables=of_two(p, q).tables, functions={"f": lambda t: a * (t - 1) ** 2 + b * t * np.log(t)})


def of_a_joint(joint: Array) -> Scope:
    """p(x, y), and its entropies."""
    px, py = joint.sum(1), joint.sum(0)
    h = {"X": entropy_of(px), "Y": entropy_of(py), "X,Y": entropy_of(joint)}
    h |= {"Y,X": h["X,Y"], "X|Y": h["X,Y"] - h["Y"], "Y|X": h["X,Y"] - h["X"]}
    values = {f"H({name})": value for name, value in h.items()}
    values |= {f"H({name.lower()})": value for name, value in h.items()}
    information = kl_of(joint, px[:, None] * py)
    for product in ("p(x)p(y)", "p(y)p(x)", "p_Xp_Y", "p_xp_y", "p_X(x)p_Y(y)", "p(X)p(Y)"):
        for whole in ("p(x,y)", "p_XY", "p_xy", "p_XY(x,y)", "p_X,Y", "p(X,Y)", "p_X,Y(x,y)"):
            values |= dict.fromkeys(spelt(DIVERGENCE, whole, product), information)
    return Scope(tables={"p": Table(("x", "y"), joint)}, values=values)


def of_a_step(numbers: Array) -> Scope:
    """One number each: theta, g, m, v, eta, beta_1, beta_2, epsilon and t, before a step of Adam."""
    names = ("theta", "g", "m", "v", "eta", "beta_1", "beta_2", "epsilon", "t")
    now = dict(zip(names, numbers.tolist(), strict=True))
    values = {**now, "alpha": now["eta"], "g_t": now["g"], "g_t+1": now["g"], "G": now["g"]}
    return Scope(values=values, gradients={"L": now["g"], "f": now["g"], "J": now["g"], "f_t": now["g"]})


def of_a_natural_step(theta: Array, gradient: Array, fisher: Array, eta: Array) -> Scope:
    """Columns theta and the gradient, the Fisher matrix, and eta."""
    column, g = theta[:, None], gradient[:, None]
    values = dict.fromkeys(("F", "F_theta", "F_t", "F_theta_t", "F(theta)", "F(theta_t)"), fisher)
    values |= dict.fromkeys(("theta", "theta_t", "theta_t-1", "theta_k"), column)
    values |= dict.fromkeys(("g", "g_t"), g)
    return Scope(values={**values, "eta": float(eta), "alpha": float(eta)}, gradients={"L": g, "J": g, "f": g})


def of_a_model(p: Array, scores: Array) -> Scope:
    """A model p_theta(x) with the score of each outcome; its log-probabilities bend alike everywhere."""
    fisher = (scores.T * p) @ scores
    return Scope(tables={"p": Table(("x",), p)}, scores=scores, curvatures=-fisher)


def of_a_test_channel(p: Array, channel: Array, distortion: Array, limit: Array) -> Scope:
    r"""A source p(x), a test channel p(\hat x | x), their distortion d(x, \hat x), and D."""
    joint = p[:, None] * channel
    information = kl_of(joint, p[:, None] * joint.sum(0))
    values = dict.fromkeys(("I(X;hat X)", "I(x;hat x)", "I(X,hat X)", "I(hat X;X)"), information) | {"D": float(limit)}
    both, d = Table(("x", "hat x"), joint), Table(("x", "hat x"), distortion, distribution=False)
    return Scope(tables={"p": both, "q": both, "W": both, "d": d}, values=values)


LANGUAGES = {
    "entropy": Language(("p",), of_one, re.compile(r"H(_\w+)?(\(.*\))?"), frozenset({"E", "H"})),
    "kl": Language(("p", "q"), of_two, re.compile(r"(D|KL)(_\w+)?(\(.*\))?"), frozenset({"E", "D", "KL"})),
    "decomposition": Language(
        ("p", "q"), with_their_quantities, re.compile(r"(H|CE)(_\w+)?\([pP][,;|][qQ]\)|H_q\(p\)|CE"),
        frozenset({"E", "D", "KL", "H", "CE"}),
    ),
    "f-divergence": Language(
        ("p", "q", "f"), with_a_function, re.compile(r"D(_f|_\w+)?(\(.*\))?"), frozenset({"E", "D", "f"})
    ),
    "mutual information": Language(
        ("p(x, y)",), of_a_joint, re.compile(r"I(\(.*\))?"), frozenset({"E", "D", "KL", "H", "I"}), frozenset({"p"})
    ),
    "adam": Language(
        ("theta, g, m, v, eta, beta_1, beta_2, epsilon, t",), of_a_step, re.compile("(?!)"), frozenset({"L", "J", "f"}),
        frozenset(),
    ),
    "natural step": Language(
        ("theta", "gradient", "F", "eta"), of_a_natural_step, re.compile(r"theta(_t\+1|_t|_k\+1)?"),
        frozenset({"L", "J", "f", "F"}), frozenset(),
    ),
    "fisher": Language(
        ("p", "scores"), of_a_model, re.compile(r"F(_\w+)?(\(.*\))?"), frozenset({"E", "F"}), frozenset({"p"})
    ),
    "rate-distortion": Language(
        ("p", "channel", "d", "D"), of_a_test_channel, re.compile(r"R(\(.*\))?"), frozenset({"E", "I", "R"}),
        frozenset({"p", "q", "W", "d"}),
    ),
}  # fmt: skip
