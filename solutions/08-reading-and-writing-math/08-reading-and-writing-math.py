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

from helpers import check, hint, information, optimisers, plotting, progress, questions
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
# are of Adam's paper (Kingma and Ba, 2015), which you have coded in notebook 03.
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
# > **Is it true?** "The Jensen-Shannon divergence is a distance." "A detour never pays, so KL must be wrong."
# >
# > Measure first.


# %%
def js(a: torch.Tensor, b: torch.Tensor) -> float:
    mean = (a + b) / 2
    pairs = ((a, mean), (b, mean))
    return sum(torch.special.xlogy(c, c / m).sum().item() for c, m in pairs) / 2


ends = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], dtype=torch.float64)
direct, detour = js(ends[0], ends[2]), js(ends[0], ends[1]) + js(ends[1], ends[2])
roots = js(ends[0], ends[1]) ** 0.5 + js(ends[1], ends[2]) ** 0.5
print(f"JS: direct {direct:.4f}, by a detour {detour:.4f}")
print(f"its root: direct {direct**0.5:.4f}, by a detour {roots:.4f}")

# %% [markdown]
# > JS breaks the triangle inequality, which says that a detour does not shorten; its square root obeys. Training needs neither: it moves $q$ towards one fixed $p$, and asks only that the loss be 0 there and nowhere else.
#
# > **Is it true?** "Cross-entropy or squared error, for a classifier it is a matter of taste."
# >
# > Measure first: the gradients by the logit $z$ of a confident mistake.

# %%
z = torch.tensor(-10.0, dtype=torch.float64, requires_grad=True)
for name, loss in (
    ("cross-entropy", -torch.nn.functional.logsigmoid(z)),
    ("squared error", (1 - torch.sigmoid(z)) ** 2),
):
    print(f"{name}: {torch.autograd.grad(loss, z)[0]:.5f}")

# %% [markdown]
# > Both are proper: their means are least at the true probability. But where the sigmoid is flat, squared error has nearly no gradient left, and the mistake stays.
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
# | $F[q] - F[p] = T\, D(q\|p)$ for $p \propto e^{-E/T}$ | free energy (physics) |

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
    mean_length = (
        p * (-p.log2()).ceil()
    ).sum()  # Shannon's lengths meet Kraft's inequality
    sigma = 0.5 + torch.rand((), generator=generator, dtype=torch.float64)
    gauss = 0.5 * torch.log(2 * math.pi * math.e * sigma**2)
    energy, heat = (
        torch.randn(6, generator=generator, dtype=torch.float64),
        0.5 + seed / 50,
    )
    boltzmann = (-energy / heat).softmax(-1)

    free = [(r * energy).sum() - heat * entropy(r) for r in (q, boltzmann)]
    smaller = (
        (-kl(p, q), 0 * sigma),
        ((p * q).sum() ** 2, (p * q**2).sum()),
        (entropy(p), information.cross_entropy(p, q)),
        (passed, mutual),
        (given, entropy(two) + wrong * math.log(2)),
        (bits, mean_length),
        (mean_length, bits + 1),
        (entropy(p), torch.full_like(sigma, math.log(6))),
        (torch.log(sigma * math.sqrt(12)), gauss),  # a uniform density of this sigma
    )
    equal = (
        (information.cross_entropy(p, q), entropy(p) + kl(p, q)),
        (mutual, entropy(px) + entropy(py) - entropy(joint.flatten())),
        (
            entropy(joint.flatten()),
            entropy(px) + (px * entropy(joint / px[:, None])).sum(),
        ),
        (gauss, torch.distributions.Normal(0 * sigma, sigma).entropy()),
        (free[0] - free[1], heat * kl(q, boltzmann)),
    )
    assert all(left <= right + 1e-12 for left, right in smaller)
    for left, right in equal:
        torch.testing.assert_close(left, right)
print(f"{len(smaller)} inequalities and {len(equal)} equalities hold on 100 draws")

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
