"""Exercises of notebook 08: reading and writing mathematics."""

from __future__ import annotations

import numpy as np
import torch
from scipy import special, stats

from grading.exercises.derivations import DERIVATIONS
from grading.exercises.draws import normal
from grading.exercises.exercise import case, exercise
from grading.exercises.written import Choice, asked, formula, habits, mistakes, on_sheet, spellings

SHEET = 0  # the model answers are in the words of this sheet
DRAWS = 3


def simplex(rng, *shape):
    """A distribution, or a table of one, away from 0."""
    weights = rng.gamma(1.5, size=shape) + 0.1
    return weights / weights.sum()


def pair(rng):
    """Two distributions over as many outcomes."""
    n = int(rng.integers(3, 6))
    return simplex(rng, n), simplex(rng, n)


def pairs(rng):
    return [pair(rng) for _ in range(DRAWS)]


# ------------------------------------------------------------------------------------------------- ten_signs
INFORMATION = [
    Choice("1", r"$H(X) = -\sum_x p(x)\log p(x)$: why is there a minus?", r"Every $\log p(x)$ is at most 0, and a surprise is not negative", {
        "Entropy falls when the system is left alone": "No: it stands before a sum of numbers that are at most 0, and says nothing of time.",
        "It turns bits into nats, which count the other way round than bits do": "No: bits and nats differ by a factor of log 2, both positive.",
        "It is a habit; without it H would be the same": "No: without it H would be negative, -1.28 for (.4, .3, .2, .1)."}),
    Choice("2a", r"$D(p\|q) = \mathbb{E}_p[\log\frac{p(x)}{q(x)}]$: which of the two draws the samples?", r"$p$", {
        r"$q$": "No: the subscript of the expectation says who draws, and it is p.",
        "Both, half of the samples each, as in the Jensen-Shannon divergence": "No: the mixture belongs to the Jensen-Shannon divergence; here p alone draws.",
        "Neither, as it is a distance": "No: every expectation has a distribution under it, and KL is no distance."}),
    Choice("2b", r"$q(x) = 0$ at an $x$ with $p(x) > 0$. Then $D(p\|q)$ is", "infinite", {
        r"0, since $0\log 0 = 0$": "No: 0 log 0 = 0 is for p(x) = 0. Here a positive p(x) is multiplied by log of something endless.",
        "undefined, and the term is left out of the sum by convention": "No: left out is only p(x) = 0. What p does and q rules out costs without end.",
        r"$D(q\|p)$": "No: the two are different numbers, and that one may well be finite here."}),
    Choice("3", r"$H(p,q) = H(p) + D(p\|q)$, $p$ the data and $q$ a model: which term can training lower?", "the last one", {
        r"$H(p)$, by more data": "No: H(p) belongs to the source; more data only estimate it better.",
        "both of the terms on the right, each by about half of the way": "No: nothing that q does changes H(p).",
        "none, the sum is constant": "No: H(p) is constant, D(p, q) falls to 0 where q = p."}),
    Choice("4", r"In $I(X;Y) = H(X) - H(X\mid Y)$ the semicolon and the bar mean", "between, given", {
        "given, between": "No, the other way round: the bar conditions.",
        "and, or: the joint of the two, and then one of the two": "No: the comma of H(X, Y) means and; the bar conditions.",
        "the same thing": "No: I(X;Y) is symmetric, H(X|Y) is not."}),
    Choice("7", r"$D_f(p\|q) = \sum_x q(x) f\left(\frac{p(x)}{q(x)}\right)$ is never negative if $f$ is", r"convex with $f(1) = 0$", {
        "never negative and differentiable everywhere on the whole line": "No: t log t is negative below 1, and gives KL. Jensen's inequality needs convexity.",
        "concave": "No: Jensen's inequality would make it at most f(1).",
        r"symmetric, $f(t) = f(1/t)$": "No: that is no condition for the sign."}),
    Choice("8", r"With $H$ in nats the perplexity is", r"$e^{H(p,q)}$", {
        r"$2^{H(p,q)}$": "No: 2 to the power goes with bits. In nats it gives 2.61 for a uniform choice among 4.",
        r"$e^{H(p)}$, whatever the model that is measured may predict": "No: a model's perplexity is of the cross-entropy.",
        r"$\log H(p,q)$": "No: the perplexity undoes the logarithm."}),
]  # fmt: skip
OPTIMISATION = [
    Choice("5", r"$\theta_{t+1} = \theta_t - \eta\nabla\mathcal{L}(\theta_t)$: what does the minus do?", "It goes downhill", {
        "It goes uphill": "No: the gradient points uphill, and the minus goes against it.",
        r"It makes the learning rate smaller with each of the steps": "No: the learning rate stays what it is; the minus turns the direction.",
        r"It makes $\theta$ positive": "No: the parameters may have any sign."}),
    Choice("6a", r"In $\hat m_t = m_t/(1-\beta_1^t)$, what is the upper $t$?", "a power", {
        "an index: the beta of step t": "No: as an index it would say that beta changes. It is .9 times itself, t times.",
        "a transpose, as the moments of all of the parameters form one vector": "No: beta is a number, and the transpose of a number is itself.",
        "a footnote": "No: it is a power."}),
    Choice("6b", r"$\beta_1 = .9$, $m_0 = 0$, and $g_1 = 2$. What are $m_1$ and $\hat m_1$?", ".2 and 2", {
        "2 and 2": "No: m_1 = .9 * 0 + .1 * 2.",
        ".2 and .2, as the correction begins to act at the second step": "No: at t = 1 it divides by 1 - .9.",
        "1.8 and 18": "No: the gradient has the weight 1 - beta = .1."}),
    Choice("9", r"$v_{t+1} = \beta v_t + g_t$ with a constant gradient $g$ approaches", r"$g/(1-\beta)$", {
        "$g$": "No: an average would; this is a sum whose weights add up to 1/(1 - beta).",
        r"$\beta g$": "No: put v = beta v + g and solve for v.",
        "no limit at all, as at every step one more gradient is added to it": "No: what was added shrinks by beta at every step."}),
    Choice("10a", r"$\eta_t = \eta_{\min} + \tfrac12(\eta_{\max}-\eta_{\min})(1+\cos(\pi t/T))$ at $t = 0$ and $t = T$ is", r"$\eta_{\max}$, $\eta_{\min}$", {
        r"$\eta_{\min}$, $\eta_{\max}$": "No: cos 0 = 1 gives the largest value at the start.",
        r"$\eta_{\max}$, 0": "No: at T the cosine is -1 and leaves the first term.",
        r"$\tfrac12(\eta_{\max}+\eta_{\min})$ at both of the ends": "No: that is the middle, t = T/2."}),
    Choice("10b", "One inequality constraint, and a minimum inside of what it allows: what does KKT say of its multiplier?", "It is 0", {
        "It is 1": "No: complementary slackness: a constraint that does not bind has no price.",
        "It is negative, since the constraint pulls the minimum to the inside": "No: multipliers of inequalities are never negative, and this one is 0.",
        "Lagrange's method gives it": "No: Lagrange's method is for equalities; with inequalities the slack ones drop out."}),
]  # fmt: skip
SIGNS = [*INFORMATION, *OPTIMISATION]


@exercise(
    hints=[
        "Run the cell with the questions again: the word before an option is its answer, and it stands on your sheet alone.",
        "Say each formula aloud, sign by sign. Then put numbers in: (.4, .3, .2, .1), beta = .9, t = 1.",
    ],
)
def ten_signs():
    return on_sheet(SIGNS, SHEET)


@ten_signs.criterion("at least half of all", marks=0.5, says="for each question the word before your option")
def signs_half(rng):
    yield asked(rng, SIGNS, at_least=0.5)


@ten_signs.criterion("information", marks=1.25, says="for each question the word before your option")
def signs_information(rng):
    yield asked(rng, INFORMATION)


@ten_signs.criterion("optimisation", marks=1.25, says="for each question the word before your option")
def signs_optimisation(rng):
    yield asked(rng, OPTIMISATION)


BY_HABIT = {
    "the_longest": ("longest", "This is always the longest option. Here length says nothing: read each of them."),
    "the_first": ("first", "This is always the first option of your sheet; their order is drawn."),
    "the_last": ("last", "This is always the last option of your sheet; their order is drawn."),
    "letters": ("letters", "The answer is the word before an option, not a letter."),
    "texts": ("texts", "The answer is the word before an option, not the option itself."),
}
habits(ten_signs, SIGNS, BY_HABIT)
spellings(ten_signs, *(on_sheet(SIGNS, sheet) for sheet in (1, 30, 63)))


# --------------------------------------------------------------------------------------------- code_to_formula
CODE = [
    Choice("1", r"`(joint * (joint.sum(-1, keepdim=True) / joint).log()).sum()` computes", r"$H(Y\mid X)$", {
        r"$H(X\mid Y)$": "No: the sum over the last dimension is p(x), so x is what is given.",
        r"$I(X;Y) = \sum_{x,y} p(x,y)\log\frac{p(x,y)}{p(x)p(y)}$": "No: p(y) does not appear in it.",
        r"$-H(Y\mid X)$": "No: the fraction is upside down, which is what the minus does."}),
    Choice("2", r"`v = mu * v - lr * grad(theta + mu * v); theta = theta + v` is", "Nesterov's step", {
        "the heavy ball": "No: the heavy ball takes its gradient at theta.",
        "Adam without its second moment and without the bias corrections": "No: there is no average; and the gradient is taken elsewhere than at theta.",
        "SAM": "No: SAM looks along the gradient, with a normalised step."}),
    Choice("3", r"`px, py = joint.sum(1, keepdim=True), joint.sum(0, keepdim=True); (joint * (joint / (px * py)).log()).sum()` is", r"$D(p(x,y)\,\|\,p(x)p(y))$", {
        r"$D(p(x)p(y)\,\|\,p(x,y))$": "No: the joint weighs the sum, so it comes first.",
        r"$H(X,Y)$": "No: that has log p(x, y) alone.",
        r"$\sum_x p(x)\log p(x) + \sum_y p(y)\log p(y) - \sum_{x,y} p(x,y)\log p(x,y)$": "No: its signs are turned round; it is -I(X;Y)."}),
    Choice("4", r"`0.5 * math.log(2 * math.pi * math.e * sigma**2)` at `sigma = 2` is 2.112086. At `sigma = 1` it is", "less by log 2", {
        "half of it": "No: sigma stands in a logarithm, so a factor becomes a difference.",
        "less by 2 log 2, since sigma is squared in it": "No: the square gives 2 log 2, and the half in front takes it back.",
        "the same": "No: a narrower Gaussian has less entropy."}),
    Choice("5", r"A cosine from `lr_max` to `lr_min`: `lr_min + 0.5 * (lr_max + lr_min) * (1 + math.cos(math.pi * t / T))`. Where is the slip?", "a plus should be a minus", {
        "the half is too much": "No: 1 + cos goes up to 2, which the half takes back.",
        r"the cosine should have `2 * math.pi`, to come to its lowest point": "No: half a turn leads from 1 to -1.",
        "there is none": "There is: at t = 0 this gives lr_max + 2 lr_min."}),
]  # fmt: skip


@exercise(
    hints=[
        "Give every name its shape, then say which sum comes first.",
        "Try the code: with a 2 by 2 joint, or at t = 0 and t = T.",
    ]
)
def code_to_formula():
    return on_sheet(CODE, SHEET)


@code_to_formula.criterion("at least half of all", marks=0.5, says="Return a dict of words")
def code_half(rng):
    yield asked(rng, CODE, at_least=0.5)


@code_to_formula.criterion("all of them", marks=1, says="Return a dict of words")
def code_all(rng):
    yield asked(rng, CODE)


habits(code_to_formula, CODE, BY_HABIT)
spellings(code_to_formula, *(on_sheet(CODE, sheet) for sheet in (1, 30, 63)))


# -------------------------------------------------------------------------------------------------- adam_paper
PAPER = [
    Choice("1", "Why do Adam's averages need a correction?", "They start at 0", {
        "Gradients are noisy": "No: noise makes them waver, it does not make them too small.",
        "They forget too quickly, so that old gradients have too little weight": "No: at the start there are no old ones; m_0 = 0 is what pulls.",
        r"$\epsilon$ is too small": "No: epsilon has another purpose."}),
    Choice("2", "Which learning rate does the paper's Algorithm 1 give as a good default?", ".001", {
        ".1": "No: that is a hundred times as much.",
        ".9, as it also is for the decay of the first moment": "No: .9 is beta_1.",
        "1e-8": "No: that is epsilon."}),
    Choice("3", "Of what order in the number of steps T is the regret that its theorem claims, on convex problems?", r"$\sqrt T$", {
        "$T$": "No: then the average regret would never fall.",
        r"$\log T$, as it is for strongly convex functions with other step sizes": "No: that needs strong convexity.",
        "$1$": "No: the regret grows, only more slowly than T."}),
    Choice("4", "What became of that theorem's proof?", "A counterexample broke it", {
        "It stands": "No: notebook 03 has the counterexample of Reddi, Kale and Kumar (2018).",
        "It was extended by others to networks of every kind and any depth": "No: the problem on which Adam ends at the wrong end is one-dimensional and convex.",
        "Nobody has checked it": "No: Reddi, Kale and Kumar did, in 2018."}),
    Choice("5", "You are told: 'our model has a perplexity of 12'. What do you ask first?", "On which text, in which tokens?", {
        "How many GPUs?": "That is about the price. Perplexity is per token, of a cross-entropy on some data.",
        "Is the optimiser that was used for its training better than Adam is?": "No: a number without its data and its unit compares with nothing.",
        "Is 12 prime?": "No."}),
]  # fmt: skip


@exercise(
    hints=[
        "Three passes: 10 minutes for title, abstract, figures; 30 for method and results; 60 with a pencil.",
        "Algorithm 1 has the defaults beside it, and the text that follows says where each average begins.",
    ]
)
def adam_paper():
    return on_sheet(PAPER, SHEET)


@adam_paper.criterion("at least half of all", marks=0.5, says="Return a dict of words")
def paper_half(rng):
    yield asked(rng, PAPER, at_least=0.5)


@adam_paper.criterion("all of them", marks=0.5, says="Return a dict of words")
def paper_all(rng):
    yield asked(rng, PAPER)


habits(adam_paper, PAPER, BY_HABIT)
spellings(adam_paper, *(on_sheet(PAPER, sheet) for sheet in (1, 30, 63)))


# ------------------------------------------------------------------------------------------------- derivations
PROOFS = [one.as_order() for one in DERIVATIONS]


@exercise(
    hints=[
        "Each right step begins where the one before it ended. One step in each derivation is false: put numbers into both of its sides.",
        "Try the false one with two outcomes, p = (.5, .5) and q = (.9, .1), or at t = 1, or with q = p.",
    ]
)
def derivations():
    return on_sheet(PROOFS, SHEET)


@derivations.criterion("at least half of all", marks=0.5, says="for each derivation the list of its words")
def derivations_half(rng):
    yield asked(rng, PROOFS, at_least=0.5)


@derivations.criterion("of discrete distributions", marks=1.25, says="for each derivation the list of its words")
def derivations_discrete(rng):
    yield asked(rng, PROOFS[:4])


@derivations.criterion("of Gaussians and averages", marks=1.25, says="for each derivation the list of its words")
def derivations_gaussian(rng):
    yield asked(rng, PROOFS[4:])


habits(derivations, PROOFS, {
    "everything": ("everything", "These are all the steps; one of each derivation is false and is left out."),
    "as_shown": ("as shown", "This is the order in which your sheet shows them, which is drawn."),
    "backwards": ("backwards", "This is your sheet's order from below, which is drawn."),
    "letters": ("letters", "The answer is a list of the words before the steps, not a letter."),
    "texts": ("texts", "The answer is a list of the words before the steps, not the steps themselves."),
})  # fmt: skip
spellings(derivations, *(on_sheet(PROOFS, sheet) for sheet in (1, 30, 63)))


# ------------------------------------------------------------------------------------------- entropy_in_latex
@exercise(
    hints=[
        "A minus, a sum over x, p(x), and the logarithm of p(x).",
        r"\sum_x is the sum, \log the logarithm: H(X) = -\sum_x ... . Write it in a raw text, r\"...\".",
    ]
)
def entropy_in_latex():
    return r"H(X) = -\sum_x p(x) \log p(x)"


@entropy_in_latex.criterion("means the entropy", marks=0.75, says="As a sum or as an expectation")
def entropy_means(rng):
    draws = [(simplex(rng, int(rng.integers(3, 6))),) for _ in range(DRAWS)]
    values = [[stats.entropy(p)] for (p,) in draws]
    yield formula(rng, "entropy", "value", draws, values, text="the entropy of p, in nats")


@entropy_in_latex.criterion("says what it defines", marks=0.25, says="An equation")
def entropy_names(rng):
    yield formula(rng, "entropy", "subject", [(simplex(rng, 3),)], [[1.0]], text="H(X) = ...")


spellings(
    entropy_in_latex, r"H(X) = \sum_x p(x)\log\frac{1}{p(x)}", r"H(p) = -\mathbb{E}_{x \sim p}[\log p(x)]",
    r"$H(X)=-\sum_{x\in\mathcal{X}}p(x)\ln p(x)$", r"H(X) = -\sum_{i=1}^{n} p_i \log p_i", r"H = \mathbb{E}\left[-\log p(X)\right]",
    r"\[ H(p) := -\sum_{x} p(x)\,\log\left(p(x)\right) \]", r"H(X) = \sum_x -p(x)\log p(x)", r"H(X) = -\sum_i p(x_i)\log p(x_i)",
    r"-\sum_x \log(p(x))\, p(x) = H(X)", r"H(X) = -\mathbb{E}[\log p(X)] = -\sum_x p(x) \log p(x)", r"\mathrm{H}(X) = -\sum p \log p",
    r"H(P)=\log 2\cdot\left(-\sum_x p(x)\log_2 p(x)\right)",
)  # fmt: skip
mistakes(entropy_in_latex, {
    "no_minus": ("The minus is missing: every log p(x) is at most 0.", r"H(X) = \sum_x p(x) \log p(x)"),
    "bits": ("These are bits; in nats the logarithm is \\log or \\ln, without a base.", r"H(X) = -\sum_x p(x) \log_2 p(x)"),
    "no_weight": ("The weight is missing: each surprise is multiplied by its p(x).", r"H(X) = -\sum_x \log p(x)"),
    "no_sum": ("The logarithm is taken of the sum, which is 1: it belongs inside.", r"H(X) = -\log \sum_x p(x)"),
    "squared": ("This is the sum of squares; the logarithm is missing.", r"H(X) = \sum_x p(x)^2"),
    "of_the_square": ("Here is a square too much: one p(x) weighs, one is in the logarithm.", r"H(X) = -\sum_x p(x)^2 \log p(x)"),
    "bracket": ("The logarithm takes p(x) p(x) here: write p(x) \\log p(x), the weight before the sign.", r"H(X) = -\sum_x \log (p(x) p(x))"),
    "plus_inverse": ("Two signs too many: with 1/p(x) in the logarithm there is no minus.", r"H(X) = -\sum_x p(x) \log\frac{2}{p(x)}"),
    "gini": ("This is Gini's impurity, 1 minus the sum of squares.", r"H(X) = 1 - \sum_x p(x)^2"),
})  # fmt: skip


# ------------------------------------------------------------------------------------------------ kl_in_latex
@exercise(
    hints=[
        "The expectation, under p, of a logarithm of p(x) over q(x).",
        r"A fraction is \frac{...}{...}, at least is \ge, the double bar is \|: D(p\|q) = ... \ge 0.",
    ]
)
def kl_in_latex():
    return r"D_{\mathrm{KL}}(p \| q) = \sum_x p(x) \log\frac{p(x)}{q(x)} \ge 0"


@kl_in_latex.criterion("means the divergence of p from q", marks=1, says="equals what")
def kl_means(rng):
    draws = pairs(rng)
    yield formula(rng, "kl", "value", draws, [[stats.entropy(*d)] for d in draws], text="D(p, q) in nats")


@kl_in_latex.criterion("says that it is at least 0", marks=0.5, says="is at least what")
def kl_sign(rng):
    yield formula(rng, "kl", "sign", [pair(rng)], [[1.0]], text="... \\ge 0")


spellings(
    kl_in_latex, r"0 \le D(p\|q) = \sum_x p(x)\log\frac{p(x)}{q(x)}", r"\mathrm{KL}(p \parallel q) = \mathbb{E}_p\left[\log\frac{p(x)}{q(x)}\right] \geq 0",
    r"D_{KL}(p||q) = \sum_i p_i \log(p_i/q_i) \ge 0", r"D(p\|q) = -\sum_x p(x)\log\frac{q(x)}{p(x)} \geqslant 0",
    r"\sum_x p(x)(\log p(x) - \log q(x)) \ge 0", r"D(p\,\|\,q) = \mathbb{E}_{x\sim p}[\log p(x) - \log q(x)] \ge 0",
    r"D_{\text{KL}}(P\|Q) = \sum_{x\in\mathcal X} p(x)\ln\frac{p(x)}{q(x)} \ge 0", r"\mathrm{KL}(p,q) = \sum_x p(x)\log p(x) - \sum_x p(x)\log q(x) \ge 0",
    r"D\left(p\middle\|q\right)=\sum_x p(x)\left[\log p(x)-\log q(x)\right]\ge 0", r"D(p\|q)=\sum_{i=1}^n p(x_i)\log\dfrac{p(x_i)}{q(x_i)}\ge 0",
    r"D = \sum_x q(x) \frac{p(x)}{q(x)}\log\frac{p(x)}{q(x)} \ge 0", r"D(p\|q) = \sum p \log \frac{p}{q} \ge 0",
)  # fmt: skip
mistakes(kl_in_latex, {
    "swapped": ("This is D(q, p): the weight and the numerator are p's.", r"D(p\|q) = \sum_x q(x) \log\frac{q(x)}{p(x)} \ge 0"),
    "fraction_upside_down": ("The fraction is upside down: this is minus the divergence.", r"D(p\|q) = \sum_x p(x) \log\frac{q(x)}{p(x)} \ge 0"),
    "weight_of_q": ("The weight is q's: p draws the samples.", r"D(p\|q) = \sum_x q(x) \log\frac{p(x)}{q(x)} \ge 0"),
    "cross_entropy": ("This is the cross-entropy H(p, q); the entropy of p is to be taken off.", r"D(p\|q) = -\sum_x p(x) \log q(x) \ge 0"),
    "bits": ("These are bits; in nats the logarithm has no base.", r"D(p\|q) = \sum_x p(x) \log_2\frac{p(x)}{q(x)} \ge 0"),
    "no_weight": ("The weight p(x) is missing.", r"D(p\|q) = \sum_x \log\frac{p(x)}{q(x)} \ge 0"),
    "no_logarithm": ("The logarithm is missing.", r"D(p\|q) = \sum_x p(x) \frac{p(x)}{q(x)} \ge 0"),
    "log_of_the_sum": ("The logarithm is outside of the sum; it is taken of each ratio.", r"D(p\|q) = \log \sum_x p(x) \frac{p(x)}{q(x)} \ge 0"),
    "silent": ("Say also that it is at least 0: \\ge 0.", r"D(p\|q) = \sum_x p(x) \log\frac{p(x)}{q(x)}"),
    "strict": ("It is 0 where p = q, so at least 0, \\ge, and not more than 0.", r"D(p\|q) = \sum_x p(x) \log\frac{p(x)}{q(x)} > 0"),
})  # fmt: skip


# ---------------------------------------------------------------------------------------- decomposition_in_latex
@exercise(
    hints=[
        "What the data cost anyhow, and what the model adds.",
        r"H(p,q) = H(p) + D(p\|q); named or written out as sums.",
    ]
)
def decomposition_in_latex():
    return r"H(p,q) = H(p) + D_{\mathrm{KL}}(p \| q)"


def cross_entropy(p, q):
    return -(p * np.log(q)).sum()


@decomposition_in_latex.criterion("adds up to the cross-entropy", marks=0.5, says="$H(p, q)$ in two terms")
def decomposition_value(rng):
    draws = pairs(rng)
    yield formula(rng, "decomposition", "value", draws, [[cross_entropy(*d)] for d in draws], text="H(p, q) in nats")


@decomposition_in_latex.criterion("in two terms", marks=0.5, says="in two terms, named or written out")
def decomposition_terms(rng):
    draws = pairs(rng)
    values = [sorted([stats.entropy(p), stats.entropy(p, q)]) for p, q in draws]
    yield formula(rng, "decomposition", "terms", draws, values, text="H(p) and D(p, q)")


spellings(
    decomposition_in_latex, r"H(p,q) = D(p\|q) + H(p)", r"H(p, q) = H(p) + \mathrm{KL}(p \parallel q)", r"H(p,q) = -\sum_x p(x)\log p(x) + \sum_x p(x)\log\frac{p(x)}{q(x)}",
    r"H(p,q) = H(p) + \sum_x p(x)\log\frac{p(x)}{q(x)}", r"H(p,q)=\mathbb{E}_p[-\log p(x)] + \mathbb{E}_p[\log\frac{p(x)}{q(x)}]", r"$H(p,q) = H(p) + D_{KL}(p||q)$",
    r"H(p) + D(p\|q) = H(p,q)", r"H(p;q) = H(p) + D(p;q)", r"\mathrm{CE}(p,q) = H(p) + D(p,q)", r"H(p,q) = D(p\|q) - \sum_x p(x)\log p(x)",
    r"H(p,q) = -\sum_x p(x)\log q(x) = H(p) + D(p\|q)", r"H(p) + D_{\mathrm{KL}}(p\,\|\,q)",
)  # fmt: skip
mistakes(decomposition_in_latex, {
    "minus": ("The divergence is added: a wrong model costs more.", r"H(p,q) = H(p) - D(p\|q)"),
    "swapped": ("This is D(q, p): the samples are p's.", r"H(p,q) = H(p) + D(q\|p)"),
    "entropy_of_q": ("The entropy is the data's, H(p).", r"H(p,q) = H(q) + D(p\|q)"),
    "both_of_q": ("Both terms belong to H(q, p).", r"H(p,q) = H(q) + D(q\|p)"),
    "product": ("A sum, not a product: logarithms turn products into sums.", r"H(p,q) = H(p) D(p\|q)"),
    "joint": ("H(p, q) is no joint entropy; the second term is a divergence.", r"H(p,q) = H(p) + H(q)"),
    "divergence_alone": ("The entropy of the data is missing.", r"H(p,q) = D(p\|q)"),
    "the_other_way": ("The divergence is the cross-entropy less the entropy, so the entropy is added.", r"H(p,q) = D(p\|q) - H(p)"),
    "one_term": ("This is the cross-entropy, but not in two terms: name H(p) and D(p, q).", r"H(p,q) = -\sum_x p(x) \log q(x)"),
})  # fmt: skip


# --------------------------------------------------------------------------------------- f_divergence_in_latex
def curve(rng):
    """The two weights of a convex f with f(1) = 0."""
    return rng.uniform(0.3, 2.0, 2)


def f_of(t, weights):
    return weights[0] * (t - 1) ** 2 + weights[1] * special.xlogy(t, t)


@exercise(
    hints=[
        "f is asked about the ratio p(x)/q(x), and q weighs.",
        r"D_f(p\|q) = \sum_x q(x) f\left(\frac{...}{...}\right)",
    ]
)
def f_divergence_in_latex():
    return r"D_f(p \| q) = \sum_x q(x)\, f\left(\frac{p(x)}{q(x)}\right)"


@f_divergence_in_latex.criterion("means the f-divergence", marks=0.75, says="for an `f` that stays open")
def f_means(rng):
    draws = [(*pair(rng), curve(rng)) for _ in range(DRAWS)]
    values = [[(q * f_of(p / q, w)).sum()] for p, q, w in draws]
    yield formula(rng, "f-divergence", "value", draws, values, text="the divergence of p from q for a convex f")


@f_divergence_in_latex.criterion("says what it defines", marks=0.25, says="An equation")
def f_names(rng):
    yield formula(rng, "f-divergence", "subject", [(*pair(rng), curve(rng))], [[1.0]], text="D_f(p, q) = ...")


spellings(
    f_divergence_in_latex, r"D_f(p\|q) = \mathbb{E}_{x\sim q}\left[f\left(\frac{p(x)}{q(x)}\right)\right]", r"D_f(p\|q)=\sum_x f\left(\frac{p(x)}{q(x)}\right) q(x)",
    r"D_f(p,q) = \sum_i q_i f(p_i/q_i)", r"D_{f}(P\|Q) = \sum_{x\in\mathcal X} q(x) f(p(x)/q(x))", r"$D_f(p||q)=\sum_{i=1}^n q_i f\left(\dfrac{p_i}{q_i}\right)$",
    r"D_f(p\|q) = \mathbb{E}_q[f(p(x)/q(x))]", r"\sum_x q(x) f\left(\frac{p(x)}{q(x)}\right) = D_f(p\|q)", r"D_f = \sum q\, f(p/q)",
    r"D_f(p \parallel q) = \sum_x q(x) \cdot f\left( p(x) / q(x) \right)", r"D_f(p\|q) := \sum_x q(x) f\left(p(x) q(x)^{-1}\right)",
    r"D_f(p\|q) = \sum_{i} q(x_i) f\Bigl(\tfrac{p(x_i)}{q(x_i)}\Bigr)", r"D_f(p\|q)=\mathbb{E}_{q(x)}\bigl[f\bigl(\frac{p(x)}{q(x)}\bigr)\bigr]",
)  # fmt: skip
mistakes(f_divergence_in_latex, {
    "weight_of_p": ("The weight is q's; p stands in the ratio alone.", r"D_f(p\|q) = \sum_x p(x) f\left(\frac{p(x)}{q(x)}\right)"),
    "ratio_upside_down": ("The ratio is p over q.", r"D_f(p\|q) = \sum_x q(x) f\left(\frac{q(x)}{p(x)}\right)"),
    "swapped": ("This is the divergence of q from p.", r"D_f(p\|q) = \sum_x p(x) f\left(\frac{q(x)}{p(x)}\right)"),
    "no_weight": ("The weight q(x) is missing.", r"D_f(p\|q) = \sum_x f\left(\frac{p(x)}{q(x)}\right)"),
    "f_outside": ("f is taken of each ratio, not of the sum.", r"D_f(p\|q) = f\left(\sum_x q(x) \frac{p(x)^2}{q(x)}\right)"),
    "difference": ("f is asked about the ratio, not the difference plus 1.", r"D_f(p\|q) = \sum_x q(x) f\left(1 + p(x) - q(x)\right)"),
    "log_inside": ("There is no logarithm: f has its own.", r"D_f(p\|q) = \sum_x q(x) f\left(1 + \log\frac{p(x)}{q(x)}\cdot\log\frac{p(x)}{q(x)}\right)"),
    "no_f": ("f is missing: this is the sum of p, which is 1.", r"D_f(p\|q) = \sum_x q(x) \frac{p(x)}{q(x)}"),
    "kl": ("This is KL, one member of the family: leave f open.", r"D_f(p\|q) = \sum_x p(x) \log\frac{p(x)}{q(x)}"),
})  # fmt: skip


# ---------------------------------------------------------------------------------- mutual_information_in_latex
@exercise(
    hints=[
        "Uncertainty less what is left of it; for X, for Y, for both together; and a divergence between two joints.",
        r"H(X) - H(X \mid Y); the same for Y; H(X) + H(Y) - H(X, Y); and \sum_{x,y} p(x,y) \log\frac{p(x,y)}{p(x) p(y)}.",
    ]
)
def mutual_information_in_latex():
    return (
        r"I(X;Y) = H(X) - H(X \mid Y)",
        r"I(X;Y) = H(Y) - H(Y \mid X)",
        r"I(X;Y) = H(X) + H(Y) - H(X,Y)",
        r"I(X;Y) = \sum_{x,y} p(x,y) \log\frac{p(x,y)}{p(x)\, p(y)}",
    )


def entropies(joint):
    """H(X), H(Y), H(X, Y) and I."""
    x, y, both = (stats.entropy(np.ravel(t)) for t in (joint.sum(1), joint.sum(0), joint))
    return x, y, both, x + y - both


def joints(rng):
    return [(simplex(rng, int(rng.integers(2, 4)), int(rng.integers(3, 5))),) for _ in range(2)]


def form(place, terms, text):
    """The cases of one form: it is I(X;Y), made of the terms asked for."""

    def draw(rng):
        draws = joints(rng)
        measured = [entropies(joint) for (joint,) in draws]
        yield formula(rng, "mutual information", "value", draws, [[m[3]] for m in measured], place, text=text)
        if terms is None:
            yield formula(rng, "mutual information", "written out", draws, [[1.0]] * len(draws), place, text=text)
        else:
            values = [sorted(terms(*m)) for m in measured]
            yield formula(rng, "mutual information", "terms", draws, values, place, text=text)

    return draw


SAYS = ("from $H(X)$", "from $H(Y)$", "with $H(X, Y)$", "no entropy named")
for at, (name, terms) in enumerate({
    "from H(X)": lambda x, y, both, i: [x, y - both],
    "from H(Y)": lambda x, y, both, i: [y, x - both],
    "from the joint": lambda x, y, both, i: [x, y, -both],
    "as a divergence": None,
}.items()):  # fmt: skip
    mutual_information_in_latex.criterion(name, marks=0.5, says=SAYS[at])(form(at, terms, f"I(X;Y), {name}"))

FIRST, SECOND, THIRD, FOURTH = mutual_information_in_latex()
spellings(
    mutual_information_in_latex,
    (r"I(X;Y)=H(X)-H(X|Y)", r"I(X;Y)=H(Y)-H(Y|X)", r"I(X;Y)=H(Y)+H(X)-H(Y,X)", r"I(X;Y) = D_{\mathrm{KL}}(p(x,y)\,\|\,p(x)p(y))"),
    (r"H(X)-H(X\mid Y)", r"-H(Y\mid X)+H(Y)", r"H(X)+H(Y)-H(X,Y)", r"\mathbb{E}\left[\log\frac{p(X,Y)}{p(X)p(Y)}\right]"),
    [FIRST, SECOND, THIRD, r"I(X;Y)=\sum_x\sum_y p(x,y)\log\frac{p(x,y)}{p(x)p(y)}"], [FIRST, SECOND, THIRD, r"I = \sum_{x,y} p(x,y)\log\frac{p(y\mid x)}{p(y)}"],
    (FIRST, SECOND, THIRD, r"I(X;Y) = \sum_{x,y} p(x)p(y|x)\log\frac{p(y|x)}{p(y)}"), (FIRST, SECOND, THIRD, r"I(X;Y)=\sum_{i,j} p_{ij}\log\frac{p_{ij}}{p_i\,p_j}"),
    (FIRST, SECOND, THIRD, r"I(X;Y)=\mathbb{E}_{p(x,y)}[\log\frac{p(x\mid y)}{p(x)}]"), (r"H(X) - H(X|Y) = I(X;Y)", SECOND, THIRD, FOURTH),
    (FIRST, SECOND, THIRD, r"I(X;Y) = \sum_y p(y) \sum_x p(x|y)\log\frac{p(x|y)}{p(x)}"), (r"I(X,Y) = H(X) - H(X|Y)", SECOND, THIRD, FOURTH),
    (FIRST, SECOND, THIRD, r"I(X;Y) = -\sum_{x,y} p(x,y)\log\frac{p(x)p(y)}{p(x,y)}"), (FIRST, SECOND, r"-\sum_x p(x)\log p(x) - \sum_y p(y)\log p(y) + \sum_{x,y} p(x,y)\log p(x,y)", FOURTH),
)  # fmt: skip
mistakes(mutual_information_in_latex, {
    "sum_for_difference": ("What is left of the uncertainty is taken off, not added.", (r"H(X) + H(X\mid Y)", SECOND, THIRD, FOURTH)),
    "bar_turned": ("From H(X) take what is left of X once Y is known, H(X given Y).", (r"H(X) - H(Y\mid X)", SECOND, THIRD, FOURTH)),
    "joint_for_conditional": ("H(X, Y) is the joint; here the conditional is taken off.", (r"H(X) - H(X,Y)", SECOND, THIRD, FOURTH)),
    "the_other_sign": ("This is minus the mutual information.", (r"H(X\mid Y) - H(X)", SECOND, THIRD, FOURTH)),
    "second_bar_turned": ("From H(Y) take what is left of Y once X is known, H(Y given X).", (FIRST, r"H(Y) - H(X\mid Y)", THIRD, FOURTH)),
    "joint_added": ("The joint is taken off: what the two share was counted twice.", (FIRST, SECOND, r"H(X,Y) - H(X) - H(Y)", FOURTH)),
    "weight_of_the_product": ("The joint weighs the sum: this is the divergence the other way round, up to its sign.", (FIRST, SECOND, THIRD, r"\sum_{x,y} p(x)p(y)\log\frac{p(x,y)}{p(x)p(y)}")),
    "no_marginals": ("Both marginals belong below the fraction: this is minus the joint entropy.", (FIRST, SECOND, THIRD, r"\sum_{x,y} p(x,y)\log p(x,y)")),
    "one_marginal": ("One marginal is missing below the fraction: this is minus a conditional entropy.", (FIRST, SECOND, THIRD, r"\sum_{x,y} p(x,y)\log\frac{p(x,y)}{p(x)}")),
    "first_form_again": ("Four forms are asked for, and the second starts from H(Y).", (FIRST, FIRST, THIRD, FOURTH)),
    "entropies_again": ("The last form names no entropy: write the divergence, or its sum.", (FIRST, SECOND, THIRD, THIRD)),
})  # fmt: skip


# --------------------------------------------------------------------------------------------- adam_in_latex
@exercise(
    hints=[
        r"m and v are moving averages of g and g^2. \hat m_t and \hat v_t divide by one minus a power of beta.",
        r"Five lines: m_t = \beta_1 m_{t-1} + ...; v_t = ...; \hat m_t = \frac{m_t}{1 - \beta_1^t}; \hat v_t = ...; \theta_t = \theta_{t-1} - \eta \frac{...}{\sqrt{\hat v_t} + \epsilon}.",
    ]
)
def adam_in_latex():
    return ADAM


M, V = r"m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t", r"v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2"
MHAT, VHAT = r"\hat m_t = \frac{m_t}{1-\beta_1^t}", r"\hat v_t = \frac{v_t}{1-\beta_2^t}"
STEP = r"\theta_t = \theta_{t-1} - \eta \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}"
ADAM = [M, V, MHAT, VHAT, STEP]


def adam_draw(rng):
    theta, g, m = rng.normal(size=3)
    v, eta, b1, b2 = rng.uniform(0.1, 2), rng.uniform(0.05, 0.5), rng.uniform(0.5, 0.95), rng.uniform(0.6, 0.97)
    return (np.array([theta, g, m, v, eta, b1, b2, rng.uniform(0.1, 0.4), float(rng.integers(2, 6))]),)


def adam_moments(numbers):
    _, g, m, v, _, b1, b2, _, _ = numbers
    return [m + (1 - b1) * (g - m), v + (1 - b2) * (g * g - v)]


def adam_theta(numbers):
    theta, _, _, _, eta, b1, b2, eps, t = numbers
    m, v = adam_moments(numbers)
    return [theta - eta * (m / -np.expm1(t * np.log(b1))) / (np.sqrt(v / -np.expm1(t * np.log(b2))) + eps)]


@adam_in_latex.criterion("the two averages", marks=0.75, says="to `m_t`, `v_t`")
def adam_averages(rng):
    draws = [adam_draw(rng) for _ in range(DRAWS)]
    yield formula(rng, "adam", "moments", draws, [adam_moments(*d) for d in draws], text="m and v after one step")


@adam_in_latex.criterion("the step, with both corrections", marks=1.25, says=r"and `\theta_t`")
def adam_step(rng):
    draws = [adam_draw(rng) for _ in range(DRAWS)]
    yield formula(rng, "adam", "step", draws, [adam_theta(*d) for d in draws], text="theta after one step")


spellings(
    adam_in_latex, r" \\ ".join(ADAM), r", \quad ".join(ADAM), [M, V, r"\theta_t = \theta_{t-1} - \eta \frac{m_t/(1-\beta_1^t)}{\sqrt{v_t/(1-\beta_2^t)} + \epsilon}"],
    [V, M, VHAT, MHAT, r"\theta_t = \theta_{t-1} - \eta\, \hat m_t / (\sqrt{\hat v_t} + \epsilon)"],
    [r"m_{t+1} = \beta_1 m_t + (1-\beta_1) g_t", r"v_{t+1} = \beta_2 v_t + (1-\beta_2) g_t^2", r"\theta_{t+1} = \theta_t - \eta \frac{m_{t+1}/(1-\beta_1^t)}{\sqrt{v_{t+1}/(1-\beta_2^t)}+\varepsilon}"],
    [r"m \leftarrow \beta_1 m + (1-\beta_1) g", r"v \leftarrow \beta_2 v + (1-\beta_2) g^2", r"\hat m \leftarrow m/(1-\beta_1^t)", r"\hat v \leftarrow v/(1-\beta_2^t)", r"\theta \leftarrow \theta - \eta \hat m/(\sqrt{\hat v}+\epsilon)"],
    [r"g_t = \nabla_\theta \mathcal{L}(\theta_{t-1})", *ADAM], [M, V.replace("g_t^2", r"g_t \odot g_t"), MHAT, VHAT, STEP.replace(r"\eta", r"\alpha")],
    [r"m_t = m_{t-1} + (1-\beta_1)(g_t - m_{t-1})", V, MHAT, VHAT, STEP], [M, V, r"\hat{m}_t = m_t (1-\beta_1^t)^{-1}", r"\hat{v}_t = v_t / (1-\beta_2^{t})", STEP],
    r"\begin{aligned} " + r" \\ ".join(line.replace("=", "&=", 1) for line in ADAM) + r" \end{aligned}",
    [M, V, r"\widehat{m}_t = \frac{m_t}{1-\beta_1^t}", r"\widehat{v}_t = \frac{v_t}{1-\beta_2^t}", r"\theta_t = \theta_{t-1} - \frac{\eta}{\sqrt{\widehat{v}_t}+\epsilon}\widehat{m}_t"],
)  # fmt: skip
mistakes(adam_in_latex, {
    "uphill": ("This walks uphill: subtract the step.", [M, V, MHAT, VHAT, STEP.replace(" - ", " + ")]),
    "epsilon_inside": ("epsilon stands outside of the root.", [M, V, MHAT, VHAT, r"\theta_t = \theta_{t-1} - \eta \frac{\hat m_t}{\sqrt{\hat v_t + \epsilon}}"]),
    "no_correction": ("Neither average is corrected: divide by 1 - beta^t.", [M, V, r"\theta_t = \theta_{t-1} - \eta \frac{m_t}{\sqrt{v_t}+\epsilon}"]),
    "first_correction_alone": ("v is not corrected: it starts at 0 as m does.", [M, V, MHAT, r"\theta_t = \theta_{t-1} - \eta \frac{\hat m_t}{\sqrt{v_t}+\epsilon}"]),
    "second_correction_alone": ("m is not corrected: it starts at 0 as v does.", [M, V, VHAT, r"\theta_t = \theta_{t-1} - \eta \frac{m_t}{\sqrt{\hat v_t}+\epsilon}"]),
    "no_power": ("The corrections are by a power, 1 - beta^t; without it they hold at the first step only.", [M, V, r"\hat m_t = \frac{m_t}{1-\beta_1}", r"\hat v_t = \frac{v_t}{1-\beta_2}", STEP]),
    "no_root": ("The root is missing: v is a mean of squares.", [M, V, MHAT, VHAT, r"\theta_t = \theta_{t-1} - \eta \frac{\hat m_t}{\hat v_t+\epsilon}"]),
    "weights_exchanged": ("The old average keeps beta_1, the gradient gets the rest.", [r"m_t = (1-\beta_1) m_{t-1} + \beta_1 g_t", V, MHAT, VHAT, STEP]),
    "betas_exchanged": ("beta_1 belongs to m, beta_2 to v.", [M.replace("beta_1", "beta_2"), V.replace("beta_2", "beta_1"), MHAT, VHAT, STEP]),
    "no_square": ("v averages the squares of the gradient.", [M, V.replace("g_t^2", "g_t"), MHAT, VHAT, STEP]),
    "sum_for_average": ("m is an average: the gradient has the weight 1 - beta_1.", [r"m_t = \beta_1 m_{t-1} + g_t", V, MHAT, VHAT, STEP]),
})  # fmt: skip


# ------------------------------------------------------------------------------------ natural_gradient_in_latex
@exercise(
    hints=[
        r"Gradient descent with the inverse of the Fisher matrix before the gradient; and the Fisher matrix is a mean of outer products.",
        r"The score is \nabla_\theta \log p_\theta(x), a column; times its transpose, ^\top, it is a matrix; take \mathbb{E}_{x \sim p_\theta}[...] of that.",
    ]
)
def natural_gradient_in_latex():
    return NATURAL, FISHER


NATURAL = r"\theta_{t+1} = \theta_t - \eta F^{-1} \nabla \mathcal{L}(\theta_t)"
FISHER = (
    r"F = \mathbb{E}_{x \sim p_\theta}\left[\nabla_\theta \log p_\theta(x)\, \nabla_\theta \log p_\theta(x)^\top\right]"
)


def natural_draw(rng):
    a = rng.normal(size=(3, 3))
    return rng.normal(size=3), rng.normal(size=3), a @ a.T + 0.5 * np.eye(3), np.array(rng.uniform(0.1, 0.9))


def model_draw(rng):
    """A model of one multiplier more than it has parameters: scores have mean 0 under p."""
    p, scores = simplex(rng, 5), rng.normal(size=(5, 2))
    return p, scores - p @ scores


@natural_gradient_in_latex.criterion("the step", marks=0.75, says=r"the step from `\theta_t`")
def natural_step(rng):
    draws = [natural_draw(rng) for _ in range(2)]
    values = [[(theta - eta * np.linalg.solve(f, g))[:, None]] for theta, g, f, eta in draws]
    yield formula(rng, "natural step", "value", draws, values, 0, text="theta after one natural step")


@natural_gradient_in_latex.criterion("the Fisher matrix", marks=0.75, says="`F` as an expectation")
def natural_fisher(rng):
    draws = [model_draw(rng) for _ in range(2)]
    values = [[np.einsum("n,ni,nj->ij", p, s, s)] for p, s in draws]
    yield formula(rng, "fisher", "value", draws, values, 1, text="the covariance of the score")


spellings(
    natural_gradient_in_latex, (r"\theta_{t+1}=\theta_t-\eta F(\theta_t)^{-1}\nabla L(\theta_t)", FISHER), (r"\theta \leftarrow \theta - \eta F^{-1} g", FISHER),
    [NATURAL, r"F = \mathbb{E}_{p_\theta}[(\nabla\log p_\theta(x))(\nabla\log p_\theta(x))^\top]"], (NATURAL, r"F(\theta) = \mathbb{E}[\nabla_\theta\log p_\theta(X)\nabla_\theta\log p_\theta(X)^T]"),
    (NATURAL, r"F = -\mathbb{E}_{x\sim p_\theta}[\nabla^2_\theta\log p_\theta(x)]"), (NATURAL, r"F = \sum_x p_\theta(x)\,\nabla_\theta\log p_\theta(x)\,\nabla_\theta\log p_\theta(x)^{\top}"),
    (r"\theta_t - \eta F^{-1}\nabla_\theta \mathcal{L}(\theta_t)", FISHER), (r"\theta_{t+1} = \theta_t - \alpha F_\theta^{-1} \nabla J(\theta_t)", FISHER),
    (NATURAL, r"F = \sum_x \frac{\nabla p_\theta(x)\nabla p_\theta(x)^\top}{p_\theta(x)}"), (NATURAL, r"F_\theta = \mathbb{E}_{x\sim p_\theta}[\nabla\log p_\theta(x)\,(\nabla\log p_\theta(x))^\mathsf{T}]"),
    (r"\theta_{t+1} = -\eta F^{-1}\nabla\mathcal{L}(\theta_t) + \theta_t", FISHER), (NATURAL, r"\mathbb{E}_{x\sim p}[\nabla\log p(x)\nabla\log p(x)^\top]"),
)  # fmt: skip
mistakes(natural_gradient_in_latex, {
    "no_inverse": ("The inverse is missing: F^{-1}.", (NATURAL.replace("^{-1}", ""), FISHER)),
    "uphill": ("This walks uphill: subtract.", (NATURAL.replace("- ", "+ "), FISHER)),
    "plain": ("This is plain gradient descent: F^{-1} is missing.", (NATURAL.replace("F^{-1} ", ""), FISHER)),
    "squared_inverse": ("One inverse is enough.", (NATURAL.replace("F^{-1}", "F^{-1} F^{-1}"), FISHER)),
    "no_rate": ("The learning rate is missing.", (NATURAL.replace(r"\eta ", ""), FISHER)),
    "no_transpose_right": ("These are probabilities, not their logarithms: the score is the gradient of log p.", (NATURAL, FISHER.replace(r"\log ", ""))),
    "hessian_sign": ("The minus is missing: log p bends down, and F is positive.", (NATURAL, r"F = \mathbb{E}_{x\sim p_\theta}[\nabla^2_\theta\log p_\theta(x)]")),
    "no_weights": ("The mean is under p: each outcome has the weight p(x).", (NATURAL, r"F = \sum_x \nabla_\theta\log p_\theta(x)\nabla_\theta\log p_\theta(x)^\top")),
    "inner_product": ("This is the inner product, one number: the transpose belongs to the second factor.", (NATURAL, r"F = \mathbb{E}_{x\sim p_\theta}[\nabla\log p_\theta(x)^\top\nabla\log p_\theta(x)]")),
    "mean_score": ("The mean of the score alone is 0: take the mean of the outer product.", (NATURAL, r"F = \mathbb{E}_{p_\theta}[\nabla\log p_\theta(x)]\,\mathbb{E}_{p_\theta}[\nabla\log p_\theta(x)]^\top")),
})  # fmt: skip


# ------------------------------------------------------------------------------------ rate_distortion_in_latex
@exercise(
    hints=[
        "The least information that a channel must carry, over all channels whose mean distortion is small enough.",
        r"R(D) = \min_{p(\hat x \mid x) : \ldots \le D} ..., with \mathbb{E}[d(x, \hat x)] in the constraint.",
    ]
)
def rate_distortion_in_latex():
    return RATE


RATE = r"R(D) = \min_{p(\hat x \mid x):\, \mathbb{E}[d(x, \hat x)] \le D} I(X; \hat X)"


def channel_draw(rng):
    n, k = 3, 4
    channel = np.stack([simplex(rng, k) for _ in range(n)])
    return simplex(rng, n), channel, rng.uniform(0.1, 2, (n, k)), np.array(rng.uniform(0.5, 1))


def channels(rng):
    return [channel_draw(rng) for _ in range(2)]


@rate_distortion_in_latex.criterion("what is minimised", marks=0.5, says="what is minimised")
def rate_objective(rng):
    draws = channels(rng)
    values = [[entropies(p[:, None] * w)[3]] for p, w, _, _ in draws]
    yield formula(rng, "rate-distortion", "objective", draws, values, text="the information between X and its copy")


@rate_distortion_in_latex.criterion("over which channels", marks=0.5, says="over which channel")
def rate_variable(rng):
    yield formula(rng, "rate-distortion", "variable", [channel_draw(rng)], [[1.0]], text="a minimum over p(x^ given x)")


@rate_distortion_in_latex.criterion("under which constraint", marks=0.5, says="under which constraint")
def rate_constraint(rng):
    draws = channels(rng)
    values = [[np.einsum("n,nk,nk->", p, w, d), limit] for p, w, d, limit in draws]
    yield formula(rng, "rate-distortion", "constraint", draws, values, text="a mean distortion of at most D")


spellings(
    rate_distortion_in_latex, r"R(D)=\min_{p(\hat{x}|x):\mathbb{E}[d(X,\hat{X})]\leq D} I(X;\hat{X})", r"R(D) = \inf_{p(\hat x|x): \mathbb{E}[d(x,\hat x)] \le D} I(X;\hat X)",
    r"R(D) = \min_{p(\hat x|x)} I(X;\hat X) \text{ s.t. } \mathbb{E}[d(x,\hat x)] \le D", r"R(D)=\min_{q(\hat x\mid x):\,\mathbb E[d(x,\hat x)]\le D}I(X;\hat X)",
    r"R(D) = \min_{p(\hat x|x) : \sum_{x,\hat x} p(x) p(\hat x|x) d(x,\hat x) \le D} I(X;\hat X)", r"\min_{p(\hat x|x): \mathbb{E}[d(x,\hat x)]\le D} I(X;\hat X) = R(D)",
    r"R(D) = \min_{p(\hat x|x), \mathbb{E}[d(x,\hat x)] \le D} I(X;\hat X)", r"R(D) = \min_{p(\hat x|x) : D \ge \mathbb{E}[d(x,\hat x)]} I(X;\hat X)",
    r"R(D)=\min_{p_{\hat X|X}:\mathbb{E}[d(X,\hat X)]\le D} I(X;\hat X)", r"\min_{p(\hat x|x):\mathbb{E}[d(x,\hat x)]\le D} I(\hat X;X)",
    r"R(D) = \min_{p(\hat x|x):\mathbb{E}[d(x,\hat x)]\le D} \sum_{x,\hat x} p(x)p(\hat x|x)\log\frac{p(\hat x|x)}{p(\hat x)}", r"R(D) = \min_{p(\hat x|x)} I(X;\hat X) \quad \text{subject to} \quad \mathbb{E}[d(x,\hat x)] \le D",
)  # fmt: skip
mistakes(rate_distortion_in_latex, {
    "distortion_minimised": ("Information is minimised; the distortion is what the constraint bounds.", r"R(D) = \min_{p(\hat x|x):\mathbb{E}[d(x,\hat x)]\le D} \mathbb{E}[d(x,\hat x)]"),
    "twice": ("A factor too much before the information.", r"R(D) = \min_{p(\hat x|x):\mathbb{E}[d(x,\hat x)]\le D} 2 I(X;\hat X)"),
    "negative": ("The information is minimised, not its negative.", r"R(D) = \min_{p(\hat x|x):\mathbb{E}[d(x,\hat x)]\le D} -I(X;\hat X)"),
    "trade_off": ("This is the trade-off with the distortion added; with a constraint, the information stands alone.", r"R(D) = \min_{p(\hat x|x):\mathbb{E}[d(x,\hat x)]\le D} \left(I(X;\hat X) + \mathbb{E}[d(x,\hat x)]\right)"),
    "product_weights": ("The information has the joint for its weights.", r"R(D) = \min_{p(\hat x|x):\mathbb{E}[d(x,\hat x)]\le D} \sum_{x,\hat x} p(x)p(\hat x)\log\frac{p(x,\hat x)}{p(x)p(\hat x)}"),
    "over_the_source": ("The source p(x) is given; the minimum is over the channel.", r"R(D) = \min_{p(x):\mathbb{E}[d(x,\hat x)]\le D} I(X;\hat X)"),
    "channel_backwards": ("The channel leads from x to its copy: the copy given x.", r"R(D) = \min_{p(x|\hat x):\mathbb{E}[d(x,\hat x)]\le D} I(X;\hat X)"),
    "at_least": ("The distortion is at most D.", r"R(D) = \min_{p(\hat x|x):\mathbb{E}[d(x,\hat x)]\ge D} I(X;\hat X)"),
    "sum_without_weights": ("The distortion is a mean: each pair has its probability.", r"R(D) = \min_{p(\hat x|x):\sum_{x,\hat x} d(x,\hat x)\le D} I(X;\hat X)"),
})  # fmt: skip


# ------------------------------------------------------------------------------------------ js_from_classifier
TOLERANCE = 1e-4


# Inputs: samples of 4 to 200 numbers, of one length and of two; equal samples, and means up to 1.5 apart.
@exercise(
    stretch=True,
    hints=[
        "Label x with 1 and y with 0 and fit sigmoid(w z + b) by the mean cross-entropy of the two halves, each half counting a half.",
        "The loss is convex in (w, b): Newton's method or torch.optim.LBFGS in float64 gets to the bottom. Return log 2 minus it.",
    ],
    modules=["sklearn"],
    because="Fit it yourself.",
    seconds=20,
)
def js_from_classifier(x, y):
    z, label, weight = stacked(x, y)
    wb = np.zeros(2)
    features = np.stack([z, np.ones_like(z)], 1)
    for _ in range(100):
        s = special.expit(features @ wb)
        curvature = (features * (weight * s * (1 - s))[:, None]).T @ features
        wb = wb - np.linalg.solve(curvature, features.T @ (weight * (s - label)))
    s = features @ wb
    return np.array(np.log(2) - (weight * (np.logaddexp(0, s) - label * s)).sum())


def stacked(x, y):
    """All points, their labels, and weights that make each sample count a half."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    weight = np.concatenate([np.full(len(x), 0.5 / len(x)), np.full(len(y), 0.5 / len(y))])
    return np.concatenate([x, y]), np.concatenate([np.ones(len(x)), np.zeros(len(y))]), weight


@js_from_classifier.oracle(rtol=1e-6)
def js_by_scipy(x, y):
    from scipy import optimize

    z, label, weight = stacked(x, y)

    def loss(wb):
        s = wb[0] * z + wb[1]
        return (weight * (np.logaddexp(0, s) - label * s)).sum()

    return float(np.log(2) - optimize.minimize(loss, np.zeros(2), tol=1e-12).fun)


def samples(rng, n, m, shift):
    return normal(rng, n), normal(rng, m) + shift


@js_from_classifier.criterion("log 2 less the best cross-entropy", marks=1.5, says=r"return $\log 2 - C$")
def js_value(rng):
    for shift in (0.5, 1.5):
        yield case(*samples(rng, 200, 200, shift), rtol=TOLERANCE, atol=TOLERANCE, dtype="float64", hidden=True)
    yield case(*samples(rng, 8, 8, 0.4), rtol=TOLERANCE, atol=TOLERANCE, dtype="float64", unchanged=True)


@js_from_classifier.criterion("samples of two sizes", marks=1, says="of any two lengths")
def js_sizes(rng):
    yield case(*samples(rng, 4, 12, 0.3), rtol=TOLERANCE, atol=TOLERANCE, dtype="float64", unchanged=True)


@js_from_classifier.criterion("nothing to tell apart", marks=0.5, says="to the bottom")
def js_same(rng):
    x = normal(rng, 8)
    yield case(x, x.clone(), atol=TOLERANCE, rtol=TOLERANCE, dtype="float64", unchanged=True)


def fitted(x, y, half=True):
    """w, b and the mean loss by torch."""
    x, y = x.double(), y.double()
    wb = torch.zeros(2, dtype=torch.float64, requires_grad=True)

    def loss():
        one = torch.nn.functional.softplus(-(wb[0] * x + wb[1]))
        two = torch.nn.functional.softplus(wb[0] * y + wb[1])
        return (one.mean() + two.mean()) / 2 if half else torch.cat([one, two]).mean()

    optimiser = torch.optim.LBFGS(
        [wb], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def closure():
        optimiser.zero_grad()
        value = loss()
        value.backward()
        return value

    optimiser.step(closure)
    return wb.detach(), loss().detach()


@js_from_classifier.alternative
def js_by_lbfgs(x, y):
    return torch.log(torch.tensor(2.0, dtype=torch.float64)) - fitted(x, y)[1]


@js_from_classifier.alternative
def js_by_newton(x, y):
    z = torch.cat([x, y]).double()
    features = torch.stack([z, torch.ones_like(z)], 1)
    label = torch.cat([torch.ones(len(x)), torch.zeros(len(y))]).double()
    weight = torch.cat([torch.full((len(x),), 0.5 / len(x)), torch.full((len(y),), 0.5 / len(y))]).double()
    wb = torch.zeros(2, dtype=torch.float64)
    for _ in range(60):
        s = torch.sigmoid(features @ wb)
        hessian = (features * (weight * s * (1 - s))[:, None]).T @ features
        wb = wb - torch.linalg.solve(hessian, features.T @ (weight * (s - label)))
    losses = torch.nn.functional.binary_cross_entropy_with_logits(features @ wb, label, reduction="none")
    return np.log(2) - (weight * losses).sum()


@js_from_classifier.misconception("This is the loss itself: the bound is log 2 minus it.")
def js_the_loss(x, y):
    return fitted(x, y)[1]


@js_from_classifier.misconception("The two samples count by their sizes; each is to count a half.")
def js_by_size(x, y):
    return np.log(2) - fitted(x, y, half=False)[1]


@js_from_classifier.misconception("The losses are added, not averaged: subtract half of their sum.")
def js_summed(x, y):
    return np.log(2) - 2 * fitted(x, y)[1]


@js_from_classifier.misconception("log 2 in bits is 1; in nats it is .693.")
def js_in_bits(x, y):
    return 1 - fitted(x, y)[1]
