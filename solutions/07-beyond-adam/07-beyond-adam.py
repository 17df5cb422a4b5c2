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
# # 07 Beyond Adam
#
# Adam is from 2014, and many papers have claimed to beat it since. In this notebook you write five of the methods that are still used or argued about, each of
# which adds one thing that Adam lacks, and then look at one comparison in which all of them are treated alike.
#
# | what Adam lacks | who adds it |
# |---|---|
# | it keeps two numbers for every parameter | Lion keeps one |
# | it sees numbers, where a layer is a matrix | Muon |
# | it looks at the slope where it stands, and no further | SAM |
# | it needs a schedule, which must know the end | Schedule-Free |
# | it may walk to the wrong end (notebook 03) | ADOPT |
# | it divides by the size of gradients, not by curvature | Sophia and K-FAC (stretch) |
#
# You need notebook 03's Adam. The whole takes about 90 minutes; each exercise stands alone. Stuck? `hint("lion_step")` gives a nudge,
# `hint("lion_step", 2)` a bigger one.

# %%
import math

import torch

from helpers import beyond_adam, check, hint, landscapes, optimisers, plotting, progress
from helpers.experiments import problems, report
from helpers.figures import beyond_adam as figures
from helpers.figures import comparison, ideas

plotting.use_course_style()
print("ready")

# %% [markdown]
# ## Why remember two numbers where one will do?
#
# Follow Adam on a gradient that stays the same: $\hat m$ is the gradient, $\sqrt{\hat v}$ its size, and the step is $\eta$ times its *sign*. So drop $v$ and take the
# sign. What is left to decide is of what: the gradient alone is too noisy, the average too slow. **Lion** (Chen et al., 2023), which was
# found by a computer's search over programs, blends the two for the step, and remembers for longer than it blends:
#
# $$c = \beta_1 m + (1-\beta_1)\, g, \qquad \theta \leftarrow \theta - \eta \left(\operatorname{sign} c + \lambda\theta\right), \qquad
# m \leftarrow \beta_2 m + (1-\beta_2)\, g .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\theta$, $g$, $m$ | `theta`, `grad`, `m` | any, the same | parameters, gradient, the one state |
# | $c$ | | as `theta` | the blend; $\operatorname{sign} 0 = 0$ |
# | $\beta_1$, $\beta_2$ | `beta1`, `beta2` | float | for the blend (.9), for the memory (.99) |
# | $\lambda$ | `weight_decay` | float | decoupled decay, as in AdamW |
#
# By hand, $\theta = 1$, $g = -.2$, $m = .01$, $\eta = .1$, $\lambda = .1$: $c = .009 - .02 = -.011$, so $\theta = 1 + .1 - .01 = 1.09$, while
# $m = .0099 - .002 = .0079$ stays positive.

# %% [markdown]
# ### Exercise 1. `lion_step`
#
# **Goal:** one step of Lion, and then three hundred.
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes
#
# - Return the new `(theta, m)`, in the dtype of `theta`. Nothing that came in is changed.
# - Tensors have any shape, empty ones too; gradients may be 0, tiny or huge, the betas and the decay 0. Where the blend is 0 only the decay
#   acts.
# - The blend uses the `m` that came in; the decay uses the `theta` that came in.


# %% nbgrader={"grade_id": "lion_step"}
def lion_step(
    theta: torch.Tensor,
    grad: torch.Tensor,
    m: torch.Tensor,
    lr: float,
    beta1: float,
    beta2: float,
    weight_decay: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step of Lion: the new (theta, m)."""
    ### BEGIN SOLUTION
    blend = beta1 * m + (1 - beta1) * grad
    theta = theta - lr * (torch.sign(blend) + weight_decay * theta)
    return theta, beta2 * m + (1 - beta2) * grad
    ### END SOLUTION


# %% nbgrader={"grade_id": "lion_step-check"}
check("lion_step", lion_step)

# %%
plotting.show_figure(figures.step_lengths())

# %% [markdown]
# Adam's step shrinks where the gradient is mostly noise; Lion's never does. Its learning rate is usually smaller, by a factor of 3 to 10 in its
# authors' experience (their section 5), with a decay larger by the same factor.
#
# > **Is it true?** "Lion halves the memory."
# >
# > Measure first: the bytes that one layer of a million weights takes up in training.

# %%
layer = torch.nn.Parameter(torch.zeros(1000, 1000))
layer.grad = torch.ones_like(layer)
adamw = torch.optim.AdamW([layer])
adamw.step()
adamw_state = [s for s in adamw.state[layer].values() if s.numel() > 1]
_, m = beyond_adam.lion_step(layer.detach(), layer.grad, layer.grad, 0.1, 0.9, 0.99, 0)
for name, states in (("AdamW", adamw_state), ("Lion", [m])):
    held = [layer, layer.grad, *states]
    size = [sum(t.nbytes for t in tensors) / 1e6 for tensors in (states, held)]
    print(f"{name:6} state {size[0]:.0f} bytes a parameter, in all {size[1]:.0f}")

# %% [markdown]
# > It halves the *optimiser's* memory: 8 bytes become 4. With weights and gradients it is 16 to 12, and in mixed precision as well (2 + 2 for the
# > half-precision copies, 4 for the float32 weights, 8 or 4 for the states). Activations come on top.
#
# **In practice.** Lion likes large batches: a sign of noise is as long as a sign of signal.
#
# **Traps.** `m` renewed before the blend. The decay inside the sign, where all of it but the direction is lost. A learning rate copied from AdamW.

# %% [markdown]
# ## What does a matrix know that its numbers do not?
#
# Which step lowers the loss most? That depends on which steps count as equally long. If no *number* may change by more than $\eta$, the best
# step is $-\eta \operatorname{sign} g$: Adam and Lion. But a layer acts as a whole, $y = Wx$, and what matters is by how much a step $O$ can change
# $Ox$: by its largest singular value. Among matrices whose singular values are at most 1, the one that goes along $G = U S V^\top$ the most is
# $U V^\top$: every direction as far as every other. (For $O = UMV^\top$ the sum of $G_{ij} O_{ij}$ is $\sum_i s_i M_{ii}$, and no $M_{ii}$ exceeds 1.)
#
# **Muon** (Jordan, 2024) steps along $UV^\top$ of the momentum. Singular values are slow to compute, but a polynomial with odd powers only,
# $a X + b\, X X^\top X + c\, (X X^\top)^2 X$, acts on them alone: $U\, p(S)\, V^\top$ with $p(s) = a s + b s^3 + c s^5$. So start from
# $X = G / \lVert G \rVert_F$, whose singular values are at most 1, and repeat
#
# $$S = X X^\top, \qquad X \leftarrow a X + (b S + c S S)\, X, \qquad (a, b, c) = (3.4445,\ -4.7750,\ 2.0315).$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $G$ | `matrix` | `(..., rows, columns)` | the momentum; each matrix by itself |
# | $\lVert G \rVert_F$ | | `(..., 1, 1)` | root of the sum of all squares; add $10^{-7}$ |
# | $X$ | | as `matrix` | result; $X^\top$ is `X.mT` |
#
# By hand, $G = \mathrm{diag}(3, 4)$ and one step: the norm is 5, the singular values .6 and .8 become $3.4445 \cdot .6 - 4.775 \cdot .216 + 2.0315 \cdot .07776 = 1.193$
# and .976.

# %% [markdown]
# ### Exercise 2. `muon_orthogonalize`
#
# **Goal:** singular values near 1, by matrix products alone.
#
# Difficulty ●●●○○ · Importance ●●●●○ · 15 minutes
#
# - Compute in float32 (or float64), return the dtype of `matrix`, which is not changed.
# - Wide, tall, batched (a batch may be empty), of any scale; a zero matrix stays zero. `steps` may be 0.
# - The check then takes your answer for the step of a whole run, 300 steps long.
# - No singular values, eigenvalues or QR: iterate.


# %% nbgrader={"grade_id": "muon_orthogonalize"}
def muon_orthogonalize(matrix: torch.Tensor, steps: int) -> torch.Tensor:
    """The matrix with its singular values near 1, after so many steps."""
    ### BEGIN SOLUTION
    x = matrix.float()
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        s = x @ x.mT
        x = 3.4445 * x + (-4.7750 * s + 2.0315 * s @ s) @ x
    return x.to(matrix.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "muon_orthogonalize-check"}
check("muon_orthogonalize", muon_orthogonalize)

# %% [markdown]
# > **Is it true?** "Newton-Schulz makes the singular values 1."
# >
# > Measure first.

# %%
plotting.show_figure(figures.singular_values())
s = torch.linspace(0.01, 1, 1000, dtype=torch.float64)
for steps in (1, 2, 5, 10, 30):
    after = figures.after_steps(s, steps)
    print(f"{steps:2} steps: from {after.min():.2f} to {after.max():.2f}")

# %% [markdown]
# > No, and it never will: after five steps all that began at .01 or more lie between .68 and 1.13, and more steps go on waving. The coefficients were chosen for
# > a steep start (a small value grows 3.4 times a step), not for a limit. Jordan (2024) saw no harm from it in training.
#
# > **Is it true?** "Muon is Gram-Schmidt."
# >
# > Measure first: turn the columns round, orthogonalise, and turn them back. For one and the same matrix, what has changed?

# %%
matrix = torch.randn(
    4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64
)


def gram_schmidt(a: torch.Tensor) -> torch.Tensor:
    q, r = torch.linalg.qr(a)
    return q * r.diagonal().sign()


def polar_factor(a: torch.Tensor) -> torch.Tensor:
    u, _, vt = torch.linalg.svd(a)
    return u @ vt


def five_steps(a: torch.Tensor) -> torch.Tensor:
    return beyond_adam.muon_orthogonalize(a, 5)


for function in (gram_schmidt, polar_factor, five_steps):
    change = (function(matrix.flip(1)).flip(1) - function(matrix)).abs().max().item()
    shown = f"{change:.2f}" if change > 1e-12 else "below 1e-12"
    print(f"{function.__name__:13} largest change {shown}")

# %% [markdown]
# > No. Gram-Schmidt keeps the first column's direction and bends the others, so the order of the columns would matter. The polar factor $UV^\top$, the
# > orthogonal matrix nearest to $G$, turns round with the columns, and so does what Muon makes of them.
#
# **In practice.** Muon is for the matrices inside a network; embeddings, the output layer and biases stay with AdamW. `torch.optim.Muon` has it (in
# bfloat16), and `adjust_lr_fn="match_rms_adamw"` scales its steps so that AdamW's learning rate fits both. Fifteen products of $d \times d$ matrices a step
# look expensive, but one step of a large batch has $6 d^2$ operations for each of $T$ tokens: Muon adds a share of about $5d/T$.
#
# **Traps.** `X.T` on a batch. Newton and Schulz's own $\tfrac32 X - \tfrac12 X X^\top X$ lets a small value grow 1.5 times a step only. Without the norm, whatever is above
# 1.264 grows for ever.

# %% [markdown]
# ## Is the lowest place also a safe one?
#
# Data that the model has not seen shift the loss a little. In a narrow valley a little is a lot. **SAM** (Foret et al., 2021) therefore minimises the worst
# loss within a distance $\rho$, $\max_{\lVert e \rVert \le \rho} L(\theta + e)$. To first order $L(\theta + e) = L(\theta) + g \cdot e$, which is largest for $e$
# along $g$; the gradient is then taken over there, with $e$ held fixed:
#
# $$e = \rho\, \frac{g}{\lVert g \rVert}, \qquad g_{\mathrm{SAM}} = \nabla L(\theta + e).$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\nabla L$ | `grad_fn` | function | gives the gradient at a point |
# | $\rho$ | `rho` | float | how far to look, perhaps .05 |
# | $\lVert g \rVert$ | | scalar | one norm over all of `theta` |
#
# By hand, $L = \theta_1^2 + 2\theta_2^2$ at $(1.5, 1)$, $\rho = .5$: $g = (3, 4)$ has norm 5, so $e = (.3, .4)$, and the gradient at $(1.8, 1.4)$ is $(3.6, 5.6)$.

# %% [markdown]
# ### Exercise 3. `sam_gradient`
#
# **Goal:** the gradient a little further uphill.
#
# Difficulty ●●○○○ · Importance ●●●○○ · 10 minutes
#
# - Return a gradient of the shape and dtype of `theta`, and leave `theta` where it is. `theta` has any shape, and one norm.
# - `grad_fn` may be any gradient, however large or small, and `rho` 0. The check also descends for 300 steps by your answers.
# - Where the gradient is 0 there is nothing to climb, and the answer is 0.


# %% nbgrader={"grade_id": "sam_gradient"}
def sam_gradient(grad_fn, theta: torch.Tensor, rho: float) -> torch.Tensor:
    """The gradient at a distance rho uphill from theta."""
    ### BEGIN SOLUTION
    grad = grad_fn(theta)
    return grad_fn(theta + rho * grad / (grad.norm() + 1e-12))
    ### END SOLUTION


# %% nbgrader={"grade_id": "sam_gradient-check"}
check("sam_gradient", sam_gradient)

# %%
plotting.show_figure(figures.sharpness_against_radius())

# %% [markdown]
# Two small nets fit a noisy sine, with a learning rate that falls to 0. At $\rho = .2$ they end where the largest curvature is .61 and .44 of what it is without: that much SAM
# promises. Whether flat is also *better* on new points is another question. Here it is not: the error grows from .020 to .022 and .023.
#
# **In practice.** Every step costs two gradients. In a fair race SAM takes half as many steps.
#
# **Traps.** A norm for each layer instead of one for all. Updating $\theta$ from where you looked instead of from where you stood. With batch normalisation, statistics that are
# counted twice.

# %% [markdown]
# ## Must a schedule know its end?
#
# A constant learning rate never settles: at the end the parameters still jump about by the last few gradients' noise. A falling one settles, but has to be told when. There is a third
# way, as old as Polyak and Ruppert: keep jumping, and keep the *average* of all places. What it lacked was speed, as the average is always behind.
# **Schedule-Free** SGD (Defazio et al., 2024) takes its gradients at a point between the two:
#
# $$z_t = z_{t-1} - \eta\, \nabla L(y_{t-1}), \qquad x_t = \left(1 - \tfrac1t\right) x_{t-1} + \tfrac1t z_t, \qquad y_t = (1-\beta)\, z_t + \beta\, x_t .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $z$ | `z` | any | jumps: plain gradient steps |
# | $x$ | `x` | as `z` | the average of $z_1, \dots, z_t$: *what you keep and evaluate* |
# | $y$ | `y` | as `z` | where the next gradient is taken |
# | $\nabla L(y_{t-1})$ | `grad` | as `z` | taken at the y of the step before; at the start all three are one |
# | $t$ | `t` | int | the number of this step, from 1 |
# | $\beta$ | `beta` | float in [0, 1] | how near $y$ is to the average, often .9 |
#
# The letters are the paper's. It counts from a $z_1 = x_1$ before the first step and weighs by $1/(t+1)$, which keeps the starting point in the average; its authors' code
# leaves that out, and so do we.
#
# By hand, from $x = z = 1$ with $\eta = .1$, $\beta = .9$ and gradients 2 and 1: first $z = x = y = .8$; then $z = .7$, $x = .75$, $y = .07 + .675 = .745$.

# %% [markdown]
# ### Exercise 4. `schedule_free_step`
#
# **Goal:** one step without a schedule.
#
# Difficulty ●●○○○ · Importance ●●●○○ · 10 minutes
#
# - Return `(z, x, y)`, in this order. Shapes, dtype and inputs as in `lion_step`; `beta` may be 0 or 1, `t` 1 or large.
# - From its own results your step then goes on for 300 steps.
# - Use the new `z` in the average, and the new `z` and `x` in `y`.


# %% nbgrader={"grade_id": "schedule_free_step"}
def schedule_free_step(
    z: torch.Tensor,
    x: torch.Tensor,
    grad: torch.Tensor,
    t: int,
    lr: float,
    beta: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One step of Schedule-Free SGD, t counted from 1: the new (z, x, y)."""
    ### BEGIN SOLUTION
    z = z - lr * grad
    x = x + (z - x) / t
    return z, x, (1 - beta) * z + beta * x
    ### END SOLUTION


# %% nbgrader={"grade_id": "schedule_free_step-check"}
check("schedule_free_step", schedule_free_step)

# %%
plotting.show_figure(figures.averages())

# %% [markdown]
# On a noisy bowl $z$ alone is worse than plain SGD at the same rate, while $x$ ends at .0062, where a cosine that was told the end reaches .0050. At 100 or 200 steps $x$ is
# nearly as close to a cosine that was told *that* end (.022 and .016; .013 and .010). One run of $x$ gives all three; the cosine needs three.
#
# > **Is it true?** "The stable phase of a warm-up, stable, decay schedule is as good as its end; the decay is a formality."
# >
# > Measure first: a small language model with AdamW (the experiment below has the details), five seeds each.

# %%
for name, losses in report.schedules().items():
    print(f"{name:25} {report.mean_and_range(losses)} nats a character")

# %% [markdown]
# > No. Stopped before the decay the model stands at 2.263. The remaining fifth of the steps brings it to 2.234 at the full rate, and to 2.165 if the rate falls meanwhile: more than
# > three times as much. A loss in the stable phase says little about where the run will end, which is why half-finished runs should not be compared.
#
# **In practice.** `schedulefree` on PyPI has it for SGD and AdamW. Its optimisers have a `train()` and an `eval()` of their own, which move the parameters between $y$ and $x$.
#
# **Traps.** Evaluating at $y$ or $z$. A weight $1/(t+1)$ with $t$ counted from 1. A schedule on top of it.

# %% [markdown]
# ## Why does Adam walk to the wrong end?
#
# Notebook 03 had a problem on which it does: a gradient of 1010 once in 101 steps and of $-10$ otherwise. The large one meets a $v$ that it has just made large itself, and so
# counts for little: in $g / \sqrt{v}$ top and bottom are not independent, and the mean of the quotient may have the wrong sign. **ADOPT** (Taniguchi et al., 2024) changes two
# things: the gradient is divided by the $v$ from *before* it came, and it is divided *before* it enters the average.
#
# $$m \leftarrow \beta_1 m + (1-\beta_1) \frac{g}{\max(\sqrt v, \epsilon)}, \qquad \theta \leftarrow \theta - \eta\, m, \qquad
# v \leftarrow \beta_2 v + (1-\beta_2)\, g^2 .$$
#
# In the first step ($t = 1$) there is no $v$ from before: it only sets $v = g^2$, and $\theta$ and $m$ stay. So $v$ needs no correction; $m$ gets none, and the first steps are
# shorter for it.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $m$ | `m` | as `theta` | average of the *quotients* |
# | $v$ | `v` | as `theta` | average of the squares, one step late |
# | $\epsilon$ | `eps` | float | the least divisor, usually $10^{-6}$ |
#
# By hand, $\theta = 1$, $g = 3$, $m = .2$, $v = 4$, $t = 2$, $\eta = .1$, $\beta_1 = .9$, $\beta_2 = .99$: the quotient is 1.5, $m = .18 + .15 = .33$, $\theta = .967$,
# $v = 3.96 + .09 = 4.05$.

# %% [markdown]
# ### Exercise 5. `adopt_step`
#
# **Goal:** Adam in an order that converges.
#
# Difficulty ●●●○○ · Importance ●●●○○ · 10 minutes
#
# - Return the new `(theta, m, v)`. Nothing that came in is changed.
# - `eps` is a floor under the root, not added to it. Nothing is clipped. Where `t` is 1, only `v` changes.
# - Shapes, dtype, inputs and the 300 steps as before.


# %% nbgrader={"grade_id": "adopt_step"}
def adopt_step(
    theta: torch.Tensor,
    grad: torch.Tensor,
    m: torch.Tensor,
    v: torch.Tensor,
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One step of ADOPT, t counted from 1: the new (theta, m, v)."""
    ### BEGIN SOLUTION
    if t == 1:
        return theta, m, grad**2
    m = beta1 * m + (1 - beta1) * grad / v.sqrt().clamp(min=eps)
    return theta - lr * m, m, beta2 * v + (1 - beta2) * grad**2
    ### END SOLUTION


# %% nbgrader={"grade_id": "adopt_step-check"}
check("adopt_step", adopt_step)

# %% [markdown]
# > **Is it true?** "Adam converges."
# >
# > Measure first: the problem of notebook 03, where $-1$ is the best place and $+1$ the worst.

# %%
paths = {
    "Adam": optimisers.online_problem(100_000, amsgrad=False),
    "ADOPT": beyond_adam.adopt_online_problem(100_000),
}
for name, path in paths.items():
    places = "  ".join(f"{path[t - 1]:+.3f}" for t in (100, 1_000, 10_000, 100_000))
    print(f"{name:6} after 100, 1,000, 10,000 and 100,000 steps: {places}")
plotting.show_figure(figures.right_end())

# %% [markdown]
# > Not always, whatever the proof in its paper said: Reddi, Kale and Kumar (2018) found the gap. ADOPT ends at the right end here, and its authors prove that it does with any
# > $\beta_2$, where the loss is smooth and the noise has a variance.
#
# **In practice.** The authors' later code clips the quotient at $t^{1/4}$, and with reason: a parameter whose first gradient is 0 (a word that is not in the first batch) has $v = 0$, and
# its next gradient is divided by $10^{-6}$.
#
# **Traps.** Renewing $v$ first: the gradient meets itself again. Averaging first and dividing afterwards: $m$ holds gradients that are in $v$.

# %% [markdown]
# ## Which one should I use?
#
# Many comparisons are unfair, and in the same direction: the new method has been tuned, the old one has not. So here is one with rules. Seven methods; the same number of *gradient evaluations* for each (SAM
# pays two a step); the learning rate from the same twelve values, chosen with the same two seeds; then five fresh seeds, which alone are shown. Warm-up and a cosine for all but Schedule-Free, which has
# a warm-up only, and averages with equal weights (its authors' code gives the warm-up's places less). No weight decay, so AdamW is Adam. Muon has AdamW for whatever is no hidden matrix, SAM steps with AdamW, ADOPT is clipped as its authors do.
#
# Two problems: a bowl of 64 dimensions with $\kappa = 1000$ in random axes, its parameters read as an $8 \times 8$ matrix; and a small network that predicts the next character of *A Midsummer Night's
# Dream* from the eight before. `python -m helpers.experiments.run` makes the numbers, shows a bar, and can be stopped and resumed; those below are shipped with the course.

# %%
print(report.provenance())
plotting.show_figure(comparison.comparison())

# %%
print(report.table())

# %% [markdown]
# On the characters Muon and AdamW cannot be told apart: their means differ by less than .001, and the five runs of each spread over .02 and more. ADOPT is behind AdamW by .014, which is within the spread but
# on the same side for each of the five seeds. Beyond the spread lie SGD with momentum (.05), Schedule-Free (.07), Lion (.13) and SAM (.16, after half as many steps). The bowl has another order, and all seven
# get below a thousandth of its loss.
#
# So at this size, with this text and this budget, nothing beats a tuned AdamW. It says nothing about models ten thousand times as large. But it shows how small most of these differences are beside another one:

# %%
plotting.show_figure(comparison.tuning())

# %% [markdown]
# AdamW ends at 2.15 nats with its best rate, at 2.55 with a tenth of it and at 3.16 with ten times as much. A rate that is wrong by a factor of ten costs more than the worst of these seven methods. (The grid is coarse: two values a decade. A
# difference of .01 may be the grid's.)
#
# What does each cost? In float32, and as the code of the experiment counts it:

# %%
print(report.costs())

# %% [markdown]
# So, in three honest rows:
#
# | you | use |
# |---|---|
# | train something of a usual kind, and want it to work | AdamW with warm-up and a cosine, its learning rate tuned |
# | train large matrices, and can tune and measure | Muon for the hidden ones, AdamW for the rest |
# | are short of memory, or do not know when you will stop | Lion; Schedule-Free (both at a price here) |
#
# SAM is for when flatness is what you want, ADOPT for when you need a proof. None of the papers' gains over AdamW is visible here: to see one you would need their scale, and perhaps their tuning.

# %% [markdown]
# > **Is it true?** "SGD cannot train a language model, because of the condition number."
# >
# > Measure first: the same play by words, each predicted from the one before it, with SGD and AdamW under the same rules. The words are sorted into fifths of the text by how frequent
# > they are.

# %%
print(report.words_table())
plotting.show_figure(comparison.words())

# %% [markdown]
# > Not so. It can: with a rate a hundred times AdamW's, just below the one at which it diverges, SGD makes 90% of AdamW's progress, for rare and frequent words alike. With a tenth of that rate it makes 79% for the
# > most frequent words, and 43% for the rarest. What too small a rate leaves behind are the rare words; Kunstner et al. (2024) saw that in language models, and take the heavy tail of word frequencies for a main reason why Adam wins on text.
# > That does not clear the condition number: in the simplest of all models, in the next section, a word's curvature *is* its frequency, near enough. The two are one explanation there.

# %% [markdown]
# ## What if you divide by curvature? (stretch)
#
# Adam divides by $\sqrt v$, the size of gradients. The right divisor, for a bowl along the axes, is the Hessian's diagonal: Newton's method for each number by itself. One diagonal costs as much as all
# the rows, but an unbiased *estimate* costs one Hessian-vector product (notebook 04). Draw $u$ with random signs: then $u_i (Hu)_i = \sum_j H_{ij} u_i u_j$, where $u_i u_i = 1$ and all other products
# are 0 on average (Hutchinson, 1989, for their sum, the trace; Bekas, Kokiopoulou and Saad, 2007, for each):
#
# $$\operatorname{diag}(H) \approx u \odot (H u).$$
#
# **Sophia** (Liu et al., 2023) averages gradient and estimate, divides, and clips, for an estimate may be tiny or negative:
#
# $$m \leftarrow \beta_1 m + (1-\beta_1) g, \qquad h \leftarrow \beta_2 h + (1-\beta_2) \hat h, \qquad
# \theta \leftarrow \theta - \eta\, \operatorname{clip}\!\left(\frac{m}{\max(h, \epsilon)}, \rho\right).$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\hat h$ | `hessian_diagonal` | as `theta` | an estimate of the diagonal |
# | $m$, $h$ | `m`, `h` | as `theta` | averages |
# | $\rho$ | `rho` | float | each entry of the quotient stays in $[-\rho, \rho]$ |
# | $L$ | `loss_fn` | function | a loss of `params` alone |
#
# By hand, $\eta = .1$, $\beta_1 = .9$, $\beta_2 = .99$, $\rho = .5$: $\theta = -2$, $g = 3$, $\hat h = 1$, $m = 1$, $h = .5$ give $m = 1.2$, $h = .505$, a quotient of 2.4, clipped to .5, and $\theta = -2.05$.

# %% [markdown]
# ### Stretch 1. `sophia_step` and `hessian_diagonal_estimate`
#
# **Goal:** a step that knows the curvature, and the estimate that it needs.
#
# Difficulty ●●●●○ · Importance ●●○○○ · 20 minutes
#
# - `sophia_step` returns the new `(theta, m, h)`, and changes nothing that came in. Where $h$ is not above `eps`, divide by `eps`. Shapes,
#   dtype and the 300 steps as before.
# - `hessian_diagonal_estimate` returns one estimate, in the shape of `params`. All randomness comes from `generator`. Normal numbers for $u$ count as well as signs.
# - The Hessian is never formed.


# %% nbgrader={"grade_id": "sophia_step"}
def hessian_diagonal_estimate(
    loss_fn, params: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """u * (H u) for random signs u: the Hessian's diagonal on average."""
    ### BEGIN SOLUTION
    params = params.detach().clone().requires_grad_()
    u = torch.randint(0, 2, params.shape, generator=generator).to(params.dtype) * 2 - 1
    (grad,) = torch.autograd.grad(loss_fn(params), params, create_graph=True)
    (product,) = torch.autograd.grad((grad * u).sum(), params)
    return u * product
    ### END SOLUTION


def sophia_step(
    theta: torch.Tensor,
    grad: torch.Tensor,
    hessian_diagonal: torch.Tensor,
    m: torch.Tensor,
    h: torch.Tensor,
    lr: float,
    beta1: float,
    beta2: float,
    rho: float,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One step of Sophia: the new (theta, m, h)."""
    ### BEGIN SOLUTION
    m = beta1 * m + (1 - beta1) * grad
    h = beta2 * h + (1 - beta2) * hessian_diagonal
    return theta - lr * (m / h.clamp(min=eps)).clamp(-rho, rho), m, h
    ### END SOLUTION


# %% nbgrader={"grade_id": "sophia_step-check"}
check("sophia_step", sophia_step, hessian_diagonal_estimate)

# %% [markdown]
# One source of a language model's condition number can be seen with it. Take the simplest model, which knows how frequent each word is and nothing else: one number $b_k$ a word, probabilities
# $\operatorname{softmax}(b)$. Its curvature along $b_k$ is $\pi_k (1 - \pi_k)$, with $\pi_k$ the word's frequency:

# %%
codes, size = problems.words()
frequency = torch.bincount(codes, minlength=size).double() / len(codes)


def unigram_loss(b: torch.Tensor) -> torch.Tensor:
    """The cross-entropy of a model that knows frequencies only, in nats."""
    return b.logsumexp(0) - frequency @ b


generator = torch.Generator().manual_seed(0)
estimates = [
    beyond_adam.hessian_diagonal_estimate(unigram_loss, frequency.log(), generator)
    for _ in range(300)
]
curvature = torch.stack(estimates).mean(0)
print("word number   frequency   curvature estimated   pi (1 - pi)")
for k in (0, 9, 99, 999):
    exact = frequency[k] * (1 - frequency[k])
    print(f"{k + 1:11} {frequency[k]:11.5f} {curvature[k]:21.5f} {exact:13.5f}")

# %% [markdown]
# **In practice.** Sophia renews $h$ every ten steps or so, which keeps it nearly as cheap as Adam. Its authors report half of Adam's steps on GPT-2 models; whether that carries over is for you to measure.
#
# **Traps.** `create_graph` forgotten: there is nothing to differentiate a second time. $|h|$ in place of $\max(h, \epsilon)$. Averaging squares, which gives Adam's $v$.

# %% [markdown]
# ## And by all of the curvature? (stretch)
#
# The natural gradient of notebook 04 solves with the whole Fisher matrix $F$, which has $d^2$ entries. For one linear layer $y = W a$ it has a shape: the gradient of one example is $g a^\top$, with $g$ the
# gradient at the output, so $F$ is the mean of $(g g^\top) \otimes (a a^\top)$. **K-FAC** (Martens and Grosse, 2015) takes that mean factor by factor, as if $a$ and $g$ were independent, $F \approx G \otimes A$.
# Solving with a Kronecker product is two small solutions, one from the left and one from the right:
#
# $$A = \tfrac1n a^\top a + \sqrt\delta\, I, \qquad G = \tfrac1n g^\top g + \sqrt\delta\, I, \qquad W \leftarrow W - \eta\, G^{-1}\, \nabla W\, A^{-1} .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $W$, $\nabla W$ | `weight`, `grad` | `(outs, ins)` | weights and their gradient |
# | $a$ | `a` | `(n, ins)` | the layer's inputs, one row an example |
# | $g$ | `g` | `(n, outs)` | gradients at its outputs (for the true Fisher matrix with labels drawn from the model) |
# | $\delta$ | `damping` | float | each factor gets its root |
#
# By hand, one example with $a = 2$, $g = 1$, $\delta = 1$, $\nabla W = 10$, $\eta = 1$: $A = 5$, $G = 2$, the step is $10 / (2 \cdot 5) = 1$.

# %% [markdown]
# ### Stretch 2. `kfac_step`
#
# **Goal:** a natural gradient step for a layer.
#
# Difficulty ●●●○○ · Importance ●●○○○ · 15 minutes
#
# - Solve with the two small matrices; no inverse, no Kronecker product.
# - Return the new weight, in the dtype of `weight`; nothing that came in is changed. Layers may be wide and batches small; the damping may
#   be 0 or strong. From its own results your step then goes on for 300 steps.


# %% nbgrader={"grade_id": "kfac_step"}
def kfac_step(
    weight: torch.Tensor,
    grad: torch.Tensor,
    a: torch.Tensor,
    g: torch.Tensor,
    lr: float,
    damping: float,
) -> torch.Tensor:
    """One step of K-FAC for one linear layer: the new weight."""
    ### BEGIN SOLUTION
    ins, outs = a.shape[1], g.shape[1]
    left = g.mT @ g / len(g) + math.sqrt(damping) * torch.eye(outs, dtype=g.dtype)
    right = a.mT @ a / len(a) + math.sqrt(damping) * torch.eye(ins, dtype=a.dtype)
    step = torch.linalg.solve(left, grad)
    return weight - lr * torch.linalg.solve(right, step, left=False)
    ### END SOLUTION


# %% nbgrader={"grade_id": "kfac_step-check"}
check("kfac_step", kfac_step)

# %% [markdown]
# A layer with inputs of very different sizes, fitted to outputs with unit noise, whose output gradients under the model are standard normal:

# %%
generator = torch.Generator().manual_seed(0)
scales = torch.logspace(0, -1, 6, dtype=torch.float64)
a = torch.randn(400, 6, generator=generator, dtype=torch.float64) * scales
g = torch.randn(400, 3, generator=generator, dtype=torch.float64)
target = torch.ones(3, 6, dtype=torch.float64)
moments = a.mT @ a / 400
print(f"kappa of the inputs {landscapes.condition_number(moments):.0f}")
best = landscapes.optimal_lr(moments)[0].item()
for name in ("gradient descent", "K-FAC"):
    weight, losses = torch.zeros_like(target), []
    for _ in range(3000):
        grad = (weight - target) @ moments
        losses.append(
            ((weight - target) @ moments * (weight - target)).sum().item() / 2
        )
        if name == "K-FAC":
            weight = beyond_adam.kfac_step(weight, grad, a, g, 0.9, 1e-8)
        else:
            weight = weight - best * grad
    needed = landscapes.steps_to_reach([x / losses[0] for x in losses], 1e-6)
    print(f"{name:17} {needed} steps to a millionth of the loss")

# %% [markdown]
# Gradient descent has the best rate for this bowl, from its true moments. That K-FAC needs three steps only is no general promise: here the Fisher matrix *is* a Kronecker product, but for what 400 examples leave open.
#
# **In practice.** Shampoo and SOAP, its relatives, have a factor for each side as well. The price is two matrices a layer to keep, and to factor now and then.
#
# **Traps.** Damping on every entry instead of the diagonal. $A$ and $G$ exchanged: the shapes tell only where they differ. Sums where means are meant.

# %% [markdown]
# ## In your own words (2 points, graded by hand)
#
# A post says: "Our optimiser X reaches AdamW's final loss in half the steps." Its figure has one curve for each, X with a tuned learning rate and a cosine that ends where the figure ends, AdamW with a learning
# rate of $10^{-3}$ "as usual" and a cosine that would end much later. X computes the gradient twice a step. In at most six sentences: what four things would you ask for before you believe it, and why?

# %% [markdown] nbgrader={"grade_id": "reflection", "grade": true, "solution": true, "points": 2}
# ### BEGIN SOLUTION
# **A model answer.** First, the budget: half the steps at two gradients a step is the same price, so I would plot against gradient evaluations or time. Second, the tuning: AdamW's learning rate must come from the same grid with as many trials, for a default
# is usually not its best. Third, the schedules: AdamW's cosine has not ended, so its loss is that of a stable phase, which is well above what a finished schedule reaches; both must end at the same place. Fourth, the spread: one curve says nothing about seeds; I would ask
# for five or so, and for the difference to be larger than their range. If all that is granted, it may still be true of this model and size only.
#
# **Rubric.** ½ point each: equal cost in gradients (or time); equally tuned baseline; schedules that end at the same point, with the reason (an unfinished decay flatters X); several seeds with their spread. Scale or another data set in place of one of
# these earns ½, too. No marks are lost for style.
# ### END SOLUTION

# %% [markdown]
# ## Where you are
#
# What leads to what, over all notebooks. Each arrow is one line of the table in `helpers/figures/ideas.py`.

# %%
plotting.show_figure(ideas.map_of_ideas())

# %% [markdown]
# `progress()` shows what you have done so far, in this notebook and the others.

# %% tags=["nbval-ignore-output"]
progress()
