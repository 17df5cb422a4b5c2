# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 08 Reading and writing mathematics
#
# A formula is a text: somebody chose its signs, and each of them could have been another. In this notebook you read ten of them sign by sign, write eight
# yourself, and put seven derivations in order. Nothing here is graded by its looks: a formula that you write is read, evaluated on random numbers, and
# compared with what it should be worth, so every right way to write it counts.
#
# | part | you |
# |---|---|
# | reading | say what each sign does, in formulas, in code, in a paper |
# | writing | write eight formulas in LaTeX |
# | deriving | order the steps, and leave out the false one |
# | looking back | a checklist that fills itself in, and sheets to keep |
#
# You need nothing but the notebooks before; whoever starts here finds the gaps. The whole takes about 90 minutes; each exercise stands alone.

# %%
import math

import torch

from helpers import (
    check,
    gaussians,
    hint,
    information,
    optimisers,
    plotting,
    progress,
    questions,
)
from helpers.checklist import checklist

plotting.use_course_style()
print("ready")

# %% [markdown]
# ## What does each sign say?
#
# Read slowly, from the inside: $\sum_x p(x) \log\frac{p(x)}{q(x)}$ is a ratio, then its logarithm, then a weight, then a sum over $x$. A sign that could be left out is there for a
# reason: the $p$ below an expectation says who draws the samples, the bar in $H(X \mid Y)$ what is known already.
#
# By hand: $p = (.4, .3, .2, .1)$ against the uniform $q$ gives $.4 \log 1.6 + .3 \log 1.2 + .2 \log .8 + .1 \log .4 = .1064$. Turn $p$ and $q$ round, and it is $.1218$.
#
# The options below stand in an order of your own, each after a word of your own. The word is the answer.

# %% tags=["nbval-ignore-output"]
questions.show("ten_signs")

# %% [markdown]
# ### Exercise 1. `ten_signs`
#
# **Goal:** know what each sign does, and what would change without it.
#
# Difficulty ●●○○○ · Importance ●●●●● · 15 minutes
#
# - Return a dict: for each question the word before your option.
# - The cell above ends with an empty one to copy.


# %% nbgrader={"grade_id": "ten_signs"}
def ten_signs() -> dict:
    """The word before the right option, by question."""
    ### BEGIN SOLUTION
    return {
        "1": "lirapi",
        "2a": "fiduba",
        "2b": "vumana",
        "3": "fahuru",
        "4": "valuzi",
        "7": "tazude",
        "8": "fulesu",
        "5": "zodopa",
        "6a": "makabo",
        "6b": "loravi",
        "9": "fofaru",
        "10a": "padori",
        "10b": "dilivi",
    }
    ### END SOLUTION


# %% nbgrader={"grade_id": "ten_signs-check"}
check("ten_signs", ten_signs)

# %% [markdown]
# **Traps.** A superscript is a power until somebody says otherwise ($\beta_1^t$), an index ($x^{(i)}$), or a transpose ($g^\top$). $H(p, q)$ and $H(X, Y)$ look alike: one is a
# cross-entropy of two distributions, the other the entropy of two variables together.
#
# ## Which formula is this code?
#
# | in a formula | in code |
# |---|---|
# | $\sum_x p(x)\, a(x)$ | `(p * a).sum(-1)` |
# | $\log\frac{p(x)}{q(x)}$ | `p.log() - q.log()` |
# | $\mathbb{E}_p[a(x)]$ | `a(samples).mean()` |
# | $\nabla_\theta L$ | `torch.autograd.grad(loss, theta)` |
# | $m_t = \beta m_{t-1} + (1-\beta) g_t$ | `m = beta * m + (1 - beta) * g` |
# | $m_t / (1 - \beta^t)$ | `m / (1 - beta**t)` |
# | $a / (\sqrt{v} + \epsilon)$ | `a / (v.sqrt() + eps)` |

# %% tags=["nbval-ignore-output"]
questions.show("code_to_formula")

# %% [markdown]
# ### Exercise 2. `code_to_formula`
#
# **Goal:** read code as the formula that it computes, and find a slip in one.
#
# Difficulty ●●●○○ · Importance ●●●●○ · 10 minutes
#
# - Return a dict of words, as before.


# %% nbgrader={"grade_id": "code_to_formula"}
def code_to_formula() -> dict:
    """The word before the right option, by question."""
    ### BEGIN SOLUTION
    return {"1": "guroda", "2": "vutovo", "3": "gebebu", "4": "sosedo", "5": "libifi"}
    ### END SOLUTION


# %% nbgrader={"grade_id": "code_to_formula-check"}
check("code_to_formula", code_to_formula)

# %% [markdown]
# ## How do you read a paper?
#
# In three passes. Ten minutes for title, abstract, figures and conclusion: what do they claim? Thirty for the method and the results: could you code it? Sixty with a pencil: is each line true? The questions
# are of Adam's paper (Kingma and Ba, 2015: Algorithm 1, section 3, Theorem 4.1), which you have coded in notebook 03.
#
# Five questions fit any paper of this field. Where do the data come from? Which divergence or distance is made small, and why that one? Which term of $H(p) + D(p\|q)$ moves? What family are the models from?
# What does the reported number measure?

# %% tags=["nbval-ignore-output"]
questions.show("adam_paper")

# %% [markdown]
# ### Exercise 3. `adam_paper`
#
# **Goal:** five answers from one paper.
#
# Difficulty ●●○○○ · Importance ●●●○○ · 10 minutes
#
# - Return a dict of words, as before.


# %% nbgrader={"grade_id": "adam_paper"}
def adam_paper() -> dict:
    """The word before the right option, by question."""
    ### BEGIN SOLUTION
    return {"1": "zazahi", "2": "nakibo", "3": "besegi", "4": "hegole", "5": "falifi"}
    ### END SOLUTION


# %% nbgrader={"grade_id": "adam_paper-check"}
check("adam_paper", adam_paper)

# %% [markdown]
# ## Can you write it?
#
# A formula in LaTeX is a text with commands: `\sum_x`, `\log`, `\frac{a}{b}`, `\hat m_t`, `\sqrt{v}`, `x^2`, `p(x \mid y)`, `D(p \| q)`, `\mathbb{E}_{x \sim p}[...]`, `\ge`. Write it in a raw text, `r"..."`, so that Python leaves the backslashes alone.
#
# The card shows how your formula was *read*, before it says whether that is right. A logarithm takes one bracket, fraction or function behind it (`\log p(x)`), or the plain letters that follow (`\log 2\pi e`); a sum goes on to the
# next plus or minus; where you mean something else, use brackets. Logarithms are natural.

# %% [markdown]
# ### Exercise 4. `entropy_in_latex`
#
# **Goal:** the entropy of $p(x)$.
#
# Difficulty ●○○○○ · Importance ●●●●● · 3 minutes
#
# - An equation, with $H(X)$ on one side.
# - As a sum or as an expectation: both count.


# %% nbgrader={"grade_id": "entropy_in_latex"}
def entropy_in_latex() -> str:
    """The entropy, in LaTeX."""
    ### BEGIN SOLUTION
    return r"H(X) = -\sum_x p(x) \log p(x)"
    ### END SOLUTION


# %% nbgrader={"grade_id": "entropy_in_latex-check"}
check("entropy_in_latex", entropy_in_latex)

# %% [markdown]
# ### Exercise 5. `kl_in_latex`
#
# **Goal:** the divergence of $p(x)$ from $q(x)$, and its sign.
#
# Difficulty ●●○○○ · Importance ●●●●● · 4 minutes
#
# - `D(p \| q)` equals what, and is at least what?


# %% nbgrader={"grade_id": "kl_in_latex"}
def kl_in_latex() -> str:
    """The KL divergence and its sign, in LaTeX."""
    ### BEGIN SOLUTION
    return r"D_{\mathrm{KL}}(p \| q) = \sum_x p(x) \log\frac{p(x)}{q(x)} \ge 0"
    ### END SOLUTION


# %% nbgrader={"grade_id": "kl_in_latex-check"}
check("kl_in_latex", kl_in_latex)

# %% [markdown]
# ### Exercise 6. `decomposition_in_latex`
#
# **Goal:** the cross-entropy as what the data cost and what the model adds.
#
# Difficulty ●●○○○ · Importance ●●●●● · 3 minutes
#
# - $H(p, q)$ in two terms, named or written out.


# %% nbgrader={"grade_id": "decomposition_in_latex"}
def decomposition_in_latex() -> str:
    """The cross-entropy in two terms, in LaTeX."""
    ### BEGIN SOLUTION
    return r"H(p,q) = H(p) + D_{\mathrm{KL}}(p \| q)"
    ### END SOLUTION


# %% nbgrader={"grade_id": "decomposition_in_latex-check"}
check("decomposition_in_latex", decomposition_in_latex)

# %% [markdown]
# ### Exercise 7. `f_divergence_in_latex`
#
# **Goal:** the family that KL belongs to.
#
# Difficulty ●●○○○ · Importance ●●●○○ · 3 minutes
#
# - An equation, with `D_f(p \| q)` on one side, for an `f` that stays open.


# %% nbgrader={"grade_id": "f_divergence_in_latex"}
def f_divergence_in_latex() -> str:
    """The f-divergence, in LaTeX."""
    ### BEGIN SOLUTION
    return r"D_f(p \| q) = \sum_x q(x)\, f\left(\frac{p(x)}{q(x)}\right)"
    ### END SOLUTION


# %% nbgrader={"grade_id": "f_divergence_in_latex-check"}
check("f_divergence_in_latex", f_divergence_in_latex)

# %% [markdown]
# ### Exercise 8. `mutual_information_in_latex`
#
# **Goal:** one number in four forms.
#
# Difficulty ●●●○○ · Importance ●●●●○ · 6 minutes
#
# - A tuple of four: from $H(X)$, from $H(Y)$, with $H(X, Y)$, and as a divergence (no entropy named).
# - The joint is `p(x, y)`; its marginals are `p(x)` and `p(y)`.


# %% nbgrader={"grade_id": "mutual_information_in_latex"}
def mutual_information_in_latex() -> tuple:
    """I(X;Y) in four forms, in LaTeX."""
    ### BEGIN SOLUTION
    return (
        r"I(X;Y) = H(X) - H(X \mid Y)",
        r"I(X;Y) = H(Y) - H(Y \mid X)",
        r"I(X;Y) = H(X) + H(Y) - H(X,Y)",
        r"I(X;Y) = \sum_{x,y} p(x,y) \log\frac{p(x,y)}{p(x)\, p(y)}",
    )
    ### END SOLUTION


# %% nbgrader={"grade_id": "mutual_information_in_latex-check"}
check("mutual_information_in_latex", mutual_information_in_latex)

# %% [markdown]
# ### Exercise 9. `adam_in_latex`
#
# **Goal:** one step of Adam, whole.
#
# Difficulty ●●●○○ · Importance ●●●●● · 8 minutes
#
# - A tuple of assignments, or one text with `\\\\` between them.
# - From `m_{t-1}`, `v_{t-1}`, `\theta_{t-1}` and the gradient `g_t`, with `\beta_1`, `\beta_2`, `\eta`, `\epsilon`, to `m_t`, `v_t` and `\theta_t`.
# - They are carried out one after the other.


# %% nbgrader={"grade_id": "adam_in_latex"}
def adam_in_latex() -> tuple:
    """One step of Adam as assignments, in LaTeX."""
    ### BEGIN SOLUTION
    return (
        r"m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t",
        r"v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2",
        r"\hat m_t = \frac{m_t}{1-\beta_1^t}",
        r"\hat v_t = \frac{v_t}{1-\beta_2^t}",
        r"\theta_t = \theta_{t-1} - \eta \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}",
    )
    ### END SOLUTION


# %% nbgrader={"grade_id": "adam_in_latex-check"}
check("adam_in_latex", adam_in_latex)

# %% [markdown]
# ### Exercise 10. `natural_gradient_in_latex`
#
# **Goal:** the step that does not depend on how the model is written down, and the matrix in it.
#
# Difficulty ●●●●○ · Importance ●●●○○ · 6 minutes
#
# - A tuple of two: the step from `\theta_t` with `\eta`, `F` and `\nabla \mathcal{L}(\theta_t)`; and `F` as an expectation over `p_\theta(x)`.


# %% nbgrader={"grade_id": "natural_gradient_in_latex"}
def natural_gradient_in_latex() -> tuple:
    """The natural step and the Fisher matrix, in LaTeX."""
    ### BEGIN SOLUTION
    return (
        r"\theta_{t+1} = \theta_t - \eta F^{-1} \nabla \mathcal{L}(\theta_t)",
        r"F = \mathbb{E}_{x \sim p_\theta}\left[\nabla_\theta \log p_\theta(x)\, \nabla_\theta \log p_\theta(x)^\top\right]",
    )
    ### END SOLUTION


# %% nbgrader={"grade_id": "natural_gradient_in_latex-check"}
check("natural_gradient_in_latex", natural_gradient_in_latex)

# %% [markdown]
# ### Exercise 11. `rate_distortion_in_latex`
#
# **Goal:** a constrained minimum.
#
# Difficulty ●●●●○ · Importance ●●●○○ · 6 minutes
#
# - $R(D)$: what is minimised, over which channel, under which constraint?
# - The copy is `\hat x`, the distortion `d(x, \hat x)`; `\min_{... : ...}` or `\text{s.t.}`.


# %% nbgrader={"grade_id": "rate_distortion_in_latex"}
def rate_distortion_in_latex() -> str:
    """The rate-distortion function, in LaTeX."""
    ### BEGIN SOLUTION
    return (
        r"R(D) = \min_{p(\hat x \mid x):\, \mathbb{E}[d(x, \hat x)] \le D} I(X; \hat X)"
    )
    ### END SOLUTION


# %% nbgrader={"grade_id": "rate_distortion_in_latex-check"}
check("rate_distortion_in_latex", rate_distortion_in_latex)

# %% [markdown]
# ## Is every line of it true?
#
# A derivation is a row of small claims. Each of them can be *tested*: put random numbers into both sides. A claim that fails once is false; one that holds on a hundred draws is worth a proof.

# %%
generator = torch.Generator().manual_seed(0)
p, q = torch.rand(2, 100, 5, generator=generator, dtype=torch.float64).softmax(-1)
ratio = q / p
for name, left, right in (
    ("log t <= t - 1", ratio.log(), ratio - 1),
    (
        "log of the mean >= mean of the log",
        (p * ratio.log()).sum(-1),
        (p * ratio).sum(-1).log(),
    ),
    (
        "mean of the log = log of the mean",
        (p * ratio.log()).sum(-1),
        (p * ratio).sum(-1).log(),
    ),
):
    holds = torch.isclose(left, right) if " = " in name else left <= right + 1e-12
    print(f"{name:36} holds in {holds.double().mean():.0%} of the draws")

# %% tags=["nbval-ignore-output"]
questions.show("derivations")

# %% [markdown]
# ### Exercise 12. `derivations`
#
# **Goal:** seven derivations in order, without the false step of each.
#
# Difficulty ●●●●○ · Importance ●●●●● · 20 minutes
#
# - Return a dict: for each derivation the list of its words, in order.
# - Every step begins where the one before it ended. One step of each is false; leave it out.


# %% nbgrader={"grade_id": "derivations"}
def derivations() -> dict:
    """The words before the right steps, in order, by derivation."""
    ### BEGIN SOLUTION
    return {
        "kl": ["bakevo", "gukotu", "vofozo", "salezi"],
        "log n": ["fakupi", "vunisa", "sadotu", "hariho"],
        "cross-entropy": ["pihizo", "livifa", "luboni", "poseme"],
        "maximum entropy": ["kulobo", "digafu", "pozebe", "setovo", "rebafa"],
        "Gaussian entropy": ["genanu", "fumule", "garubo", "tesuvu", "dolelo"],
        "two Gaussians": ["lahate", "sofadu", "kakaru", "kirisa"],
        "bias correction": ["lubesu", "kisifo", "femomo", "gozone"],
    }
    ### END SOLUTION


# %% nbgrader={"grade_id": "derivations-check"}
check("derivations", derivations)

# %% [markdown]
# ## What does a GAN's discriminator measure?
#
# Somebody shows you numbers, each from sample $x$ or from sample $y$ with equal chance, and you say which. A classifier that gives $x$ the probability $\sigma(wz + b)$ has the cross-entropy $C$, in nats. However it is made, $C \ge \log 2 - \mathrm{JS}$, so
#
# $$\log 2 - C \le \mathrm{JS}(p \| q) = \tfrac12 D\left(p \,\|\, \tfrac{p+q}{2}\right) + \tfrac12 D\left(q \,\|\, \tfrac{p+q}{2}\right),$$
#
# with equality for the best of all classifiers, $p(z) / (p(z) + q(z))$ (Goodfellow et al., 2014, section 4.1). It measures the divergence of two distributions of which you have samples only. (On the samples it was fitted to, it says a little too much.)
#
# By hand: a coin for a classifier has $C = \log 2$, and the bound is 0.

# %% [markdown]
# ### Stretch. `js_from_classifier`
#
# **Goal:** a lower bound on a divergence, from samples.
#
# Difficulty ●●●●○ · Importance ●●●○○ · 15 minutes
#
# - `x` and `y` are vectors of numbers, of any two lengths; each sample counts a half. They are not separable.
# - Fit $w$ and $b$ to the bottom (the loss is convex) and return $\log 2 - C$ in float64, within $10^{-4}$.
# - Nothing that came in is changed.


# %% nbgrader={"grade_id": "js_from_classifier"}
def js_from_classifier(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """log 2 minus the cross-entropy of the best logistic classifier between two samples."""
    ### BEGIN SOLUTION
    z = torch.cat([x, y]).double()
    features = torch.stack([z, torch.ones_like(z)], 1)
    label = torch.cat([torch.ones(len(x)), torch.zeros(len(y))]).double()
    weight = 0.5 * torch.where(label == 1, 1 / len(x), 1 / len(y)).double()
    wb = torch.zeros(2, dtype=torch.float64)
    for _ in range(50):
        s = torch.sigmoid(features @ wb)
        hessian = (features * (weight * s * (1 - s))[:, None]).T @ features
        wb = wb - torch.linalg.solve(hessian, features.T @ (weight * (s - label)))
    losses = torch.nn.functional.softplus(features @ wb) - label * (features @ wb)
    return math.log(2) - (weight * losses).sum()
    ### END SOLUTION


# %% nbgrader={"grade_id": "js_from_classifier-check"}
check("js_from_classifier", js_from_classifier)

# %% [markdown]
# ## Frequent questions, each with a measurement
#
# Some have been measured where they belong: whether bias correction is needed (03), whether networks compress (02), whether Jensen-Shannon is a distance (01), Adam or SGD and
# whether Lion halves the memory (07), whether `nll_loss` loses digits (06). Here are ten more.
#
# > **Is it true?** "KL breaks the triangle inequality, so it cannot be right to train with."

# %%
stops = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]], dtype=torch.float64)
kl = information.kl_divergence
direct = kl(stops[0], stops[2])
detour = kl(stops[0], stops[1]) + kl(stops[1], stops[2])
print(f"direct {direct:.4f}, by a detour {detour:.4f}")

# %% [markdown]
# > It breaks it: the inequality says that a detour is never *shorter*, and here it is half as long. But training makes no detours. It moves $q$ towards one fixed $p$, and asks only that the loss be 0 there and nowhere else.
#
# > **Is it true?** "Perplexity can go to 1, if only the model is good." "The floor is the entropy of the training text." "An entropy at its maximum means that nothing was learnt."

# %%
p = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
generator = torch.Generator().manual_seed(0)
print(f"the source itself: {information.perplexity(p, p):.3f}")
seen, fresh = [], []
for _ in range(1000):
    counts = torch.bincount(
        torch.multinomial(p, 50, True, generator=generator), minlength=4
    )
    fitted = (counts + 0.5) / (counts + 0.5).sum()
    seen.append(information.cross_entropy(counts / 50, fitted.float()))
    fresh.append(information.cross_entropy(p.float(), fitted.float()))
print(f"fitted to 50 symbols, on those: {torch.stack(seen).mean().exp():.3f}")
print(f"the same models on all others:  {torch.stack(fresh).mean().exp():.3f}")
coin = torch.full((2,), 0.5, dtype=torch.float64)
print(
    f"a fair coin, known exactly: perplexity {information.perplexity(coin, coin):.0f}, KL {kl(coin, coin):.0f}"
)

# %% [markdown]
# > Three times no. No model has less than $e^{H(p)}$ on what $p$ will say, 3.596 here; below it are only those who are asked what they have already seen. And of a fair coin the largest entropy there is *is* all there is to learn.
#
# > **Is it true?** "Cross-entropy or squared error, for a classifier it is a matter of taste." "Squared error has nothing to do with probability."

# %%
z = torch.tensor(-10.0, dtype=torch.float64, requires_grad=True)
for name, loss in (
    ("cross-entropy", -torch.nn.functional.logsigmoid(z)),
    ("squared error", (1 - torch.sigmoid(z)) ** 2),
):
    print(
        f"gradient of a confident mistake, {name}: {torch.autograd.grad(loss, z)[0]:.5f}"
    )
said = torch.linspace(
    0.01, 0.99, 99, dtype=torch.float64
)  # of an event that happens with .3
squared = 0.3 * (1 - said) ** 2 + 0.7 * said**2
print(f"squared error is least at {said[squared.argmin()]:.2f}")
y, f = torch.randn(2, 5, generator=generator, dtype=torch.float64)
print("minus a Gaussian's log-density, less half of the square:",
      [round(x, 4) for x in (-torch.distributions.Normal(f, 1).log_prob(y) - (y - f) ** 2 / 2).tolist()])  # fmt: skip

# %% [markdown]
# > Both are proper: their means are least at the true probability. The difference is the gradient: where the sigmoid is flat, squared error has nearly none left, and the mistake stays. For a regression squared error *is* a likelihood, a Gaussian's, less a constant.
#
# > **Is it true?** "A very negative `log_var` makes the VAE's KL explode, so clamp it from below."

# %%
for log_var in (-30.0, -10.0, 0.0, 10.0, 89.0):
    value = gaussians.vae_kl(torch.zeros(1, 1), torch.full((1, 1), log_var))
    print(f"log_var = {log_var:5}: {value:.4g}")

# %% [markdown]
# > The other end explodes: at 89 `exp` overflows in float32. At -30 it is 14.5, and it only grows as fast as $-\tfrac12$ `log_var`.
#
# > **Is it true?** "Gradients are clipped at 1.0 since larger ones are wrong."

# %%
theta = {limit: torch.zeros(4, dtype=torch.float64) for limit in (1.0, 0.001)}
for limit in theta:
    noise, m, v = torch.Generator().manual_seed(0), torch.zeros(4), torch.zeros(4)
    m, v = m.double(), v.double()
    for t in range(1, 101):
        g = 5 * torch.randn(4, generator=noise, dtype=torch.float64) + 3
        (g,), _ = optimisers.clip_by_global_norm([g], limit)
        theta[limit], m, v = optimisers.adam_step(
            theta[limit], g, m, v, t, 0.01, 0.9, 0.999, 1e-12
        )
    print(
        f"clipped at {limit}: Adam is at {[round(x, 6) for x in theta[limit].tolist()]}"
    )

# %% [markdown]
# > Adam divides by the size of gradients, so where all of them are clipped, the limit cancels. What clipping changes is the weight of the *rare* long ones against the rest. 1.0 is a custom, worth comparing with the norms that you log.
#
# > **Is it true?** "GPT-2 small has 117M parameters." "In mixed precision it needs half the memory." "A step costs $d^2$." "Ask for `set_to_none=True`, it is faster."

# %%
d, layers = 768, 12
with torch.device("meta"):  # shapes without memory
    block = [torch.nn.LayerNorm(d), torch.nn.Linear(d, 3 * d), torch.nn.Linear(d, d)]
    block += [
        torch.nn.LayerNorm(d),
        torch.nn.Linear(d, 4 * d),
        torch.nn.Linear(4 * d, d),
    ]
    ends = [
        torch.nn.Embedding(50257, d),
        torch.nn.Embedding(1024, d),
        torch.nn.LayerNorm(d),
    ]
size, total = (
    sum(x.numel() for part in parts for x in part.parameters())
    for parts in (block, ends)
)
total += layers * size
print(f"parameters: {total:,}; in bfloat16 {2 * total / 1e6:.0f} MB")
print(
    f"bytes a parameter: float32 {4 + 4 + 8}, mixed {2 + 2 + 4 + 8}"
)  # weights, gradients, master copy, m and v
print(f"operations a token: 6 d = {6 * total:.1e}; d^2 = {total**2:.1e}")
weight = torch.ones(1, requires_grad=True)
weight.backward()
torch.optim.SGD([weight]).zero_grad()
print("after zero_grad() the gradient is", weight.grad)

# %% [markdown]
# > 117M was a slip, which its makers have corrected (README of openai/gpt-2). What mixed precision halves are the activations: weights, gradients, the float32 copy and Adam's two averages are 16 bytes either way. A step costs about two operations a parameter and token forward, twice that back. `set_to_none` has been the default since torch 2.0.
#
# > **Is it true?** "A GAN minimises the reverse KL." "f-divergences are for theory only."

# %%
p, q = torch.tensor([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.2, 0.5]], dtype=torch.float64)
best = p / (p + q)  # of all discriminators
loss = -(p * best.log() + q * (1 - best).log()).sum() / 2
middle = (p + q) / 2
print(
    f"log 2 - loss {math.log(2) - loss:.4f}; JS {(kl(p, middle) + kl(q, middle)) / 2:.4f}; KL(q, p) {kl(q, p):.4f}"
)
variation = information.f_divergence(p, q, lambda t: (t - 1).abs() / 2)
print(
    f"total variation {variation:.2f}; the best guess from one sample errs in {torch.minimum(p, q).sum() / 2:.2f}"
)

# %% [markdown]
# > The original GAN's discriminator measures Jensen-Shannon. With another $f$ it measures another divergence: that is the f-GAN (Nowozin et al., 2016). Total variation says how well anything can tell two sources apart: the least error is $(1 - \mathrm{TV})/2$.
#
# > **Is it true?** "KL is easy to estimate and Wasserstein's distance is hard."

# %%
x, y = torch.randn(2, 1000, generator=generator, dtype=torch.float64) + torch.tensor(
    [[0.0], [1.0]]
)
print(
    f"Wasserstein, by sorting: {(x.sort().values - y.sort().values).abs().mean():.3f} where 1 is true"
)
for bins in (10, 100, 1000):
    a, b = (torch.histc(each, bins, -4, 5) / 1000 for each in (x, y))
    print(
        f"KL, with {bins} bins: {information.kl_divergence(a, b):.3f} where .5 is true"
    )

# %% [markdown]
# > From densities KL is the easy one. From samples alone it is the harder one: an empty bin makes it infinite. Along a line Wasserstein's distance needs nothing but sorting; with more dimensions it is hard, too.
#
# > **Is it true?** "Adam's $v$ approximates the diagonal of the Hessian."

# %%
hessian = torch.tensor([1.0, 100.0])  # of a bowl
for place in ((1.0, 1.0), (1.0, 0.01), (0.0, 0.0)):
    g = hessian * torch.tensor(place)
    print(
        f"at {place}: Hessian {hessian.tolist()}, v of a steady gradient {[round(x, 4) for x in (g**2).tolist()]}"
    )

# %% [markdown]
# > It averages the squares of gradients, which depend on where you are; the bowl's Hessian does not. Near a minimum of a log-likelihood, noise makes it a relative of the Fisher matrix's diagonal (notebook 04), and Adam takes its root.
#
# > **Is it true?** "A convex problem has strong duality." Take $\min e^{-x}$ with $x^2/y \le 0$, $y > 0$. The constraint leaves only $x = 0$.

# %%
print(f"primal: {math.exp(0):.0f}")
for k in (1, 10, 100):
    x, y = k, k**3
    print(f"dual, at multiplier 1: not above {math.exp(-x) + x**2 / y:.4f}")

# %% [markdown]
# > Convex, and yet the best dual bound is 0: every multiplier lets $x$ grow and pays nothing where $y$ grows faster. Slater's condition (a point strictly inside) is missing. KKT has no slack variables either, only complementary *slackness*: the multiplier times the slack is 0.
#
# ## Sheets to keep
#
# Each row is asserted on random draws by the cell under it.
#
# | formula | code |
# |---|---|
# | $H = -\sum p\log p$ | `-(p * p.log()).sum(-1)` |
# | $D = \sum p\log\frac{p}{q}$ | `(p * (p.log() - q.log())).sum(-1)` |
# | $H(p,q) = H + D$ | `-(p * q.log()).sum(-1)` |
# | $m_t$ | `beta1 * m + (1 - beta1) * g` |
# | $\hat m_t$ | `m / (1 - beta1**t)` |
# | Adam's step | `theta - lr * m_hat / (v_hat.sqrt() + eps)` |
# | log-softmax | `z - z.logsumexp(-1, keepdim=True)` |
# | cross-entropy of logits | `-log_p.gather(-1, y[:, None]).mean()` |
# | $D(N_1 \| N_2)$ | `(s2 / s1).log() + (s1**2 + (m1 - m2)**2) / (2 * s2**2) - 0.5` |
# | the VAE's KL | `0.5 * (m1**2 + s1**2 - 1 - (s1**2).log())` |
# | perplexity | `H(p, q).exp()` |

# %%
for seed in range(100):
    generator = torch.Generator().manual_seed(seed)
    p, q = torch.randn(2, 6, generator=generator, dtype=torch.float64).softmax(-1)
    h = -(p * p.log()).sum(-1)
    d = (p * (p.log() - q.log())).sum(-1)
    cross = -(p * q.log()).sum(-1)
    logits = torch.randn(4, 6, generator=generator, dtype=torch.float64)
    y = torch.randint(6, (4,), generator=generator)
    log_p = logits - logits.logsumexp(-1, keepdim=True)
    theta, g, m, v = torch.randn(4, generator=generator, dtype=torch.float64)
    v, t, lr, beta1, beta2, eps = v**2, seed + 1, 0.1, 0.9, 0.999, 1e-8
    m1, v1 = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m1 / (1 - beta1**t), v1 / (1 - beta2**t)
    mine = theta - lr * m_hat / (v_hat.sqrt() + eps)
    adam = optimisers.adam_step(theta, g, m, v, t, lr, beta1, beta2, eps)
    mu1, mu2, s1, s2 = torch.randn(4, generator=generator, dtype=torch.float64)
    s1, s2 = s1.exp(), s2.exp()
    first = torch.distributions.Normal(mu1, s1)
    second, unit = (
        torch.distributions.Normal(mu2, s2),
        torch.distributions.Normal(0 * mu1, 1 + 0 * s1),
    )
    kl = torch.distributions.kl_divergence
    rows = (
        (h, information.entropy(p)),
        (d, information.kl_divergence(p, q)),
        (cross, h + d),
        (m1, adam[1]),
        (m_hat * (1 - beta1**t), adam[1]),
        (mine, adam[0]),
        (log_p, torch.log_softmax(logits, -1)),
        (
            -log_p.gather(-1, y[:, None]).mean(),
            torch.nn.functional.cross_entropy(logits, y),
        ),
        (
            (s2 / s1).log() + (s1**2 + (mu1 - mu2) ** 2) / (2 * s2**2) - 0.5,
            kl(first, second),
        ),
        (0.5 * (mu1**2 + s1**2 - 1 - (s1**2).log()), kl(first, unit)),
        (cross.exp(), information.perplexity(p, q)),
    )
    for left, right in rows:
        torch.testing.assert_close(left, right)
print(f"{len(rows)} rows hold on 100 draws")

# %% [markdown]
# | inequality | name |
# |---|---|
# | $D(p\|q) \ge 0$ | Gibbs |
# | $f(\mathbb{E}X) \le \mathbb{E}f(X)$ for a convex $f$ | Jensen |
# | $H(p,q) \ge H(p)$ | a model never beats the source |
# | $I(X;Z) \le I(X;Y)$ along $X \to Y \to Z$ | data processing |
# | $H(X\mid Y) \le h(P_e) + P_e\log(k-1)$ | Fano |
# | $H \le \bar\ell < H + 1$, in bits | source coding |
# | $H \le \log n$ | the uniform is largest |
# | $h \le \tfrac12\log(2\pi e\sigma^2)$ | the Gaussian is largest |
#
# | equality | name |
# |---|---|
# | $H(p,q) = H(p) + D(p\|q)$ | decomposition |
# | $I = H(X) + H(Y) - H(X,Y)$ | overlap |
# | $I = D(p(x,y)\|p(x)p(y))$ | as a divergence |
# | $H(X,Y) = H(X) + H(Y\mid X)$ | chain rule |
# | $D(N_1\|N_2)$ | asserted above |
# | $h(N) = \tfrac12\log(2\pi e\sigma^2)$ | Gaussian entropy |

# %%
for seed in range(100):
    generator = torch.Generator().manual_seed(seed)
    joint = (
        torch.randn(12, generator=generator, dtype=torch.float64).softmax(-1).view(3, 4)
    )
    channel = torch.randn(4, 3, generator=generator, dtype=torch.float64).softmax(-1)
    p, q = torch.randn(2, 6, generator=generator, dtype=torch.float64).softmax(-1)
    px, py = joint.sum(1), joint.sum(0)
    entropy, kl = information.entropy, information.kl_divergence
    mutual = kl(joint.flatten(), (px[:, None] * py).flatten())
    after = joint @ channel
    passed = kl(after.flatten(), (px[:, None] * after.sum(0)).flatten())
    given = entropy(joint.flatten()) - entropy(py)
    wrong = 1 - joint.max(0).values.sum()
    two = torch.stack([wrong, 1 - wrong])
    bits = entropy(p) / math.log(2)
    shannon = (p * (-p.log2()).ceil()).sum()  # his lengths meet Kraft's inequality
    huffman = (p * information.huffman_code_lengths(p)).sum()
    sigma = 0.5 + torch.rand((), generator=generator, dtype=torch.float64)
    gauss = 0.5 * torch.log(2 * math.pi * math.e * sigma**2)
    smaller = (
        (-kl(p, q), 0 * sigma),
        *(
            (f((p * q).sum()), (p * f(q)).sum())
            for f in (torch.square, torch.exp, lambda t: -t.log())
        ),
        (entropy(p), information.cross_entropy(p, q)),
        (passed, mutual),
        (given, entropy(two) + wrong * math.log(2)),
        *((bits, length) for length in (shannon, huffman)),
        *((length, bits + 1) for length in (shannon, huffman)),
        (entropy(p), torch.full_like(sigma, math.log(6))),
        (torch.log(sigma * math.sqrt(12)), gauss),  # a uniform density of this sigma,
        (1 + torch.log(sigma * math.sqrt(2)), gauss),  # and Laplace's
    )
    equal = (
        (information.cross_entropy(p, q), entropy(p) + kl(p, q)),
        (mutual, entropy(px) + entropy(py) - entropy(joint.flatten())),
        (
            entropy(joint.flatten()),
            entropy(px) + (px * entropy(joint / px[:, None])).sum(),
        ),
        (gauss, torch.distributions.Normal(0 * sigma, sigma).entropy()),
    )
    assert all(left <= right + 1e-12 for left, right in smaller)
    for left, right in equal:
        torch.testing.assert_close(left, right)
print(f"{len(smaller)} inequalities and {len(equal)} equalities hold on 100 draws")

# %% [markdown]
# | physics | here |
# |---|---|
# | Boltzmann's $p \propto e^{-E/T}$ | has the largest entropy of all with its mean energy |
# | free energy $F[q] = \langle E \rangle_q - T H(q)$ | $F[q] - F[p] = T\, D(q\|p)$: it is least at $p$ |
# | ELBO | $-F[q]$ with $E(z) = -\log p(x, z)$ and $T = 1$: training a VAE *lowers* a free energy |
# | second law | $D(pW\|\pi)$ falls under any channel $W$ that leaves $\pi$ alone: data processing; if $\pi$ is uniform, the entropy rises |
# | Landauer's $kT\log 2$ | the least heat for erasing a bit; far below what training spends |

# %%
for seed in range(100):
    generator = torch.Generator().manual_seed(seed)
    energy, other = torch.randn(2, 6, generator=generator, dtype=torch.float64)
    q = torch.randn(6, generator=generator, dtype=torch.float64).softmax(-1)
    heat = 0.5 + seed / 50
    boltzmann = (-energy / heat).softmax(-1)
    plane = torch.linalg.qr(torch.stack([torch.ones(6).double(), energy], 1))[0]
    aside = other - plane @ (plane.T @ other)  # keeps the sum and the mean energy
    moved = boltzmann + 0.5 * boltzmann.min() / aside.abs().max() * aside
    free = [(r * energy).sum() - heat * entropy(r) for r in (q, boltzmann)]
    joint_z = (-energy).exp() / 100  # p(x, z) for one x
    elbo = (q * (joint_z.log() - q.log())).sum()
    turn = torch.eye(6).double()[torch.randperm(6, generator=generator)]
    mixing = (
        0.7 * torch.eye(6).double() + 0.3 * turn
    )  # leaves the uniform distribution alone
    smaller = (
        (entropy(moved), entropy(boltzmann)),
        (entropy(q), entropy(q @ mixing)),
        (kl(q @ mixing, boltzmann @ mixing), kl(q, boltzmann)),
    )
    equal = (
        (moved @ energy, boltzmann @ energy),
        (free[0] - free[1], heat * kl(q, boltzmann)),
        (elbo, joint_z.sum().log() - kl(q, joint_z / joint_z.sum())),
        (elbo, -((q * -joint_z.log()).sum() - entropy(q))),
    )
    assert all(left <= right + 1e-12 for left, right in smaller)
    for left, right in equal:
        torch.testing.assert_close(left, right)
print("four rows hold on 100 draws")
bit = 1.380649e-23 * 300 * math.log(2)  # joule, at 300 kelvin
spent = (
    400 / 312e12
)  # an A100's 400 W over its 312e12 operations a second in bfloat16 (its data sheet)
print(
    f"Landauer {bit:.2e} J a bit, an A100 {spent:.2e} J an operation: {spent / bit:.1e} apart"
)

# %% [markdown]
# ## In your own words (2 points, graded by hand)
#
# KL is not symmetric, breaks the triangle inequality and may be infinite. Why is it nevertheless the right thing to train with? In at most six sentences.

# %% [markdown] nbgrader={"grade_id": "reflection", "grade": true, "solution": true, "points": 2}
# ### BEGIN SOLUTION
# **A model answer.** To make $D(p\|q)$ small over $q$ is to make the cross-entropy small, as $H(p)$ does not move, and that is maximum likelihood: the data's own log-probability, averaged. It can be estimated from samples of $p$ alone, without knowing $p(x)$, one batch at a time, with gradients that
# are unbiased; a distance such as Wasserstein's needs a second optimisation. That it has a direction is a choice, not a defect: forward, the model must cover all that the data do; reverse, it may keep to one mode, which is what variational inference lives with. Training never asks for the way back or for a detour: only that the loss be 0 where $q = p$ and nowhere else, which Gibbs's inequality grants.
# It is infinite where the model rules out what happens, and rightly so.
#
# **Rubric.** ½ point each: it is likelihood (cross-entropy minus a constant); it can be computed or estimated from samples; the direction is a choice with consequences (covering, seeking); why symmetry and the triangle inequality are not needed, or when one would want another (supports that do not meet). No marks are lost for style.
# ### END SOLUTION

# %% [markdown]
# ## Where you are
#
# Twenty things to be able to do. Your own progress fills in the list.

# %% tags=["nbval-ignore-output"]
checklist()

# %% tags=["nbval-ignore-output"]
progress()
