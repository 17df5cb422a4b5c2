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
# # 03 Adam and its bias correction
#
# Most large models are trained with Adam or its sibling AdamW: five lines, two averages, two small corrections. You write those
# lines, hold them against PyTorch's own for hundreds of steps, and measure what happens without the corrections. At the end your
# optimiser trains a net.
#
# You need a little Python, and to know that a gradient points uphill. The eight exercises take about 85 minutes, the two stretch
# exercises 20 more, reading apart; each stands alone. Proofs and traps are folded. Stuck? `hint("ema")` gives a nudge,
# `hint("ema", 2)` a bigger one.

# %%
import math
import sys

import torch
from tqdm import tqdm

from helpers import check, hint, optimisers, plotting, progress, xor
from helpers.figures import optimisers as figures

plotting.use_course_style()
print("ready")

# %% [markdown]
# ## What is the gradient, really?
#
# Each mini-batch gives another gradient: the true one plus noise. Averaging the last hundred would calm it, and cost a hundred
# times the memory. An **exponential moving average** keeps one number and forgets slowly:
#
# $$m_t = \beta\, m_{t-1} + (1-\beta)\, x_t, \qquad m_0 = 0 .$$
#
# It starts at 0, so at first it is too small: after $t$ steps its weights add up to $1 - \beta^t$ only. Divided by that sum it is
# a proper average, $\hat m_t = m_t / (1 - \beta^t)$ (Kingma and Ba, 2015, section 3).
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x_t$ | `values[t - 1]` | `(...)` | what comes in at step $t = 1, 2, \dots$ |
# | $\beta$ | `beta` | float in [0, 1) | how much is remembered; the window is about $1/(1-\beta)$ steps |
# | $m_t$ | `raw[t - 1]` | `(...)` | the average, from 0 |
# | $\hat m_t$ | `corrected[t - 1]` | `(...)` | $m_t / (1-\beta^t)$ |
#
# By hand, the values 1, 2, 3 and $\beta = .9$: $m = .1,\ .29,\ .561$, divided by $.1,\ .19,\ .271$: $\hat m = 1,\ 1.526,\ 2.070$.
# The first is the first value itself.
#
# <details><summary>Why does this remove the bias?</summary>
#
# Unrolled, $m_t = (1-\beta) \sum_{i=1}^t \beta^{t-i} x_i$. If all $x_i$ have the same expectation $\mathbb{E}[g]$, the geometric sum gives
# $\mathbb{E}[m_t] = (1-\beta) \frac{1-\beta^t}{1-\beta}\, \mathbb{E}[g] = (1-\beta^t)\, \mathbb{E}[g]$. Divided by $1-\beta^t$ it is unbiased.
# If the expectation drifts, a bias remains: the average lags behind.
#
# </details>

# %% [markdown]
# ### Exercise 1. `ema`
#
# **Goal:** a moving average, raw and corrected, at every step.
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes
#
# - `values` has shape `(steps, ...)`, at least one step; average along the first dimension and keep the others, empty ones too.
# - `beta` is at least 0, where nothing is remembered, and below 1.
# - Return `(raw, corrected)`, each of the shape and dtype of `values`, which is not changed.
# - The correction is for your result only: it never goes back into $m$.


# %% nbgrader={"grade_id": "ema"}
def ema(values: torch.Tensor, beta: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The moving average of values along dim 0 from 0, and the corrected one."""
    ### BEGIN SOLUTION
    m, raw, corrected = torch.zeros_like(values[0]), [], []
    for t, x in enumerate(values, start=1):
        m = beta * m + (1 - beta) * x
        raw.append(m)
        corrected.append(m / (1 - beta**t))
    return torch.stack(raw), torch.stack(corrected)
    ### END SOLUTION


# %% nbgrader={"grade_id": "ema-check"}
check("ema", ema)

# %%
raw, corrected = optimisers.ema(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64), 0.9)
print("raw      ", "  ".join(f"{x:.6f}" for x in raw))
print("corrected", "  ".join(f"{x:.6f}" for x in corrected))

# %%
plotting.show_figure(figures.raw_and_corrected())

# %% [markdown]
# **In practice.** The same average smooths loss curves, keeps batch normalisation's statistics, and makes the weights that
# diffusion models sample from.
#
# <details><summary><b>Traps</b></summary>
#
# `beta ** torch.arange(1, n)` is float32 even when the values are float64. Counting $t$ from 0 divides by
# $1 - \beta^0 = 0$.
#
# </details>

# %% [markdown]
# ## Why does a ball roll on?
#
# In a narrow valley gradient descent zigzags between the walls. Give it mass: let past gradients carry it along (Polyak, 1964).
# PyTorch's form is
#
# $$u \leftarrow \beta u + g, \qquad \theta \leftarrow \theta - \eta\, u .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\theta$ | `theta` | any | parameters |
# | $g$ | `grad` | as `theta` | gradient |
# | $u$ | `velocity` | as `theta` | what has built up |
# | $\eta$ | `lr` | float | learning rate |
# | $\beta$ | `beta` | float | momentum, often .9 |
#
# By hand, $\theta = 1$, gradient 1 twice, $\eta = .1$, $\beta = .9$: $u = 1$ and $\theta = .9$; then $u = 1.9$ and $\theta = .71$.

# %% [markdown]
# ### Exercise 2. `momentum_step`
#
# **Goal:** one step of `torch.optim.SGD(momentum=...)`.
#
# Difficulty ●○○○○ · Importance ●●●○○ · 5 minutes
#
# - Return the new `(theta, velocity)`, in the dtype of `theta`. Nothing that came in is changed.
# - Tensors have any shape, empty ones too; gradients may be 0, tiny or huge; `beta` may be 0. From its own results your step then goes
#   on for 300 steps.
# - The step uses the *new* velocity.


# %% nbgrader={"grade_id": "momentum_step"}
def momentum_step(
    theta: torch.Tensor,
    grad: torch.Tensor,
    velocity: torch.Tensor,
    lr: float,
    beta: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step of momentum in PyTorch's form: the new (theta, velocity)."""
    ### BEGIN SOLUTION
    velocity = beta * velocity + grad
    return theta - lr * velocity, velocity
    ### END SOLUTION


# %% nbgrader={"grade_id": "momentum_step-check"}
check("momentum_step", momentum_step)

# %% [markdown]
# > **Is it true?** "Momentum is an average of gradients."
# >
# > Measure first: the gradient is 1 at every step.

# %%
theta = velocity = torch.zeros((), dtype=torch.float64)
one = torch.ones((), dtype=torch.float64)
for t in range(1, 201):
    theta, velocity = optimisers.momentum_step(theta, one, velocity, 0.1, 0.9)
    if t in (1, 2, 10, 50, 200):
        print(f"step {t:3}: velocity {velocity:.6f}")
average = optimisers.ema(torch.ones(200, dtype=torch.float64), 0.9)[0][-1]
print(f"moving average of the same ones: {average:.6f}")

# %% [markdown]
# > No. In PyTorch's form it is a *sum*, $1/(1-\beta)$ times the moving average: ten times at $\beta = .9$. So raising $\beta$
# > from .9 to .99 also makes the steps ten times longer, unless you lower the learning rate with it.
#
# **In practice.** `torch.optim.SGD(lr=0.1, momentum=0.9)` moves like plain descent at a rate of 1 once it is rolling.
#
# <details><summary><b>Traps</b></summary>
#
# A factor $(1-\beta)$ too many; the learning rate inside the velocity (Sutskever et al., 2013, write it so), which is
# the same only while the rate is constant.
#
# </details>

# %% [markdown]
# ## Why does one learning rate suit a million parameters?
#
# In the valley below the slope grows a hundred times faster across than along. What is safe for the steep direction is a crawl in
# the flat one, unless each parameter's step is measured against the usual size of its own gradient.

# %%
plotting.show_figure(figures.valley())

# %% [markdown]
# (The valley lies along the axes, which is luck for Adam: notebook 04 turns it.) **Adam** (Kingma and Ba, 2015, algorithm 1) keeps two
# moving averages, of the gradient and of its square, and corrects both:
#
# $$m \leftarrow \beta_1 m + (1-\beta_1) g, \qquad v \leftarrow \beta_2 v + (1-\beta_2) g^2,$$
#
# $$\hat m = \frac{m}{1-\beta_1^t}, \qquad \hat v = \frac{v}{1-\beta_2^t}, \qquad
# \theta \leftarrow \theta - \eta\, \frac{\hat m}{\sqrt{\hat v} + \epsilon} .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $g$ | `grad` | as `theta` | gradient; $g^2$ is elementwise |
# | $m$, $v$ | `m`, `v` | as `theta` | raw averages, kept from step to step |
# | $t$ | `t` | int | the number of this step, *from 1* |
# | $\beta_1$, $\beta_2$ | `beta1`, `beta2` | float | by default .9 and .999; language models mostly take .9 and .95 |
# | $\epsilon$ | `eps` | float | usually $10^{-8}$; guards against $0/0$ |
#
# By hand, the first step with $g = 3$ and $\eta = .1$: $m = .3$, $v = .009$; $\hat m = 3$, $\hat v = 9$; the step is
# $.1 \cdot 3 / 3 = .1$. With $g = 3000$ it is $.1$ as well: the first step has length $\eta$, whatever the gradient's size.

# %% [markdown]
# ### Exercise 3. `adam_step`
#
# **Goal:** one step of `torch.optim.Adam`, and then three hundred.
#
# Difficulty ●●●○○ · Importance ●●●●● · 15 minutes
#
# - Return the new `(theta, m, v)`, with `m` and `v` *raw*. Shapes, gradients, dtype and inputs as before.
# - $\epsilon$ is added to the root, outside of it.
# - The check runs your step side by side with PyTorch's; after 300 steps they may differ by $10^{-10}$.


# %% nbgrader={"grade_id": "adam_step"}
def adam_step(
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
    """One step of Adam, t counted from 1: the new (theta, m, v)."""
    ### BEGIN SOLUTION
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return theta - lr * m_hat / (v_hat.sqrt() + eps), m, v
    ### END SOLUTION


# %% nbgrader={"grade_id": "adam_step-check"}
check("adam_step", adam_step)

# %% [markdown]
# **In practice.** The gradient's scale cancels: multiplying the loss by 10 changes nothing, as long as $\sqrt{\hat v}$ is well
# above $\epsilon$.
#
# <details><summary><b>Traps</b></summary>
#
# `(v_hat + eps).sqrt()` looks harmless and turns an $\epsilon$ of $10^{-8}$ into one of $10^{-4}$ where gradients vanish. Feeding
# $\hat m$ back into $m$. Counting $t$ from 0.
#
# </details>

# %% [markdown]
# ## Does the correction matter?
#
# Suppose you leave it out. By definition $m_t = (1-\beta_1^t)\, \hat m_t$ and $v_t = (1-\beta_2^t)\, \hat v_t$, so for *every* sequence of
# gradients, and up to $\epsilon$,
#
# $$\frac{m_t}{\sqrt{v_t}} = r_t\, \frac{\hat m_t}{\sqrt{\hat v_t}}, \qquad r_t = \frac{1-\beta_1^t}{\sqrt{1-\beta_2^t}} .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $t$ | `t` | int | step, from 1 |
# | $r_t$ | `r` | float | length of the uncorrected step over the corrected one |
#
# By hand, $t = 1$: $.1 / \sqrt{.001} = 3.162$. With $\beta_2 = .95$ it is $.1 / \sqrt{.05} = 0.447$: too *short*.

# %% [markdown]
# ### Exercise 4. `uncorrected_step_ratio`
#
# **Goal:** how wrong is Adam without its correction?
#
# Difficulty ●○○○○ · Importance ●●●○○ · 5 minutes
#
# `t` is a positive int, the answer a number. Every beta, not only .9 and .999.


# %% nbgrader={"grade_id": "uncorrected_step_ratio"}
def uncorrected_step_ratio(t: int, beta1: float, beta2: float) -> float:
    """Adam's step t without bias correction, over the one with it."""
    ### BEGIN SOLUTION
    return (1 - beta1**t) / math.sqrt(1 - beta2**t)
    ### END SOLUTION


# %% nbgrader={"grade_id": "uncorrected_step_ratio-check"}
check("uncorrected_step_ratio", uncorrected_step_ratio)

# %% [markdown]
# > **Is it true?** "Without bias correction the first step is three times too large, then it fades."
# >
# > Measure first, with gradients of pure noise.

# %%
noise = torch.randn(
    3925, generator=torch.Generator().manual_seed(0), dtype=torch.float64
)
m = v = theta = torch.zeros((), dtype=torch.float64)
for t, g in enumerate(noise, start=1):
    moved, m, v = optimisers.adam_step(theta, g, m, v, t, 0.1, 0.9, 0.999, 1e-8)
    with_correction = moved - theta
    without = -0.1 * m / (v.sqrt() + 1e-8)
    theta = moved
    if t in (1, 2, 5, 12, 30, 100, 1000, 3925):
        words = f"{with_correction:+.6f} with, {without:+.6f} without"
        print(f"step {t:4}: {words}, ratio {without / with_correction:.3f}")

# %%
plotting.show_figure(figures.step_ratio())

# %% [markdown]
# > No: it is 3.162 times too long at first, and gets *worse*, 6.569 times at step 12, because $m$ wakes up in ten steps and $v$
# > needs a thousand. Only from step 3925 on is it within 1%.
#
# Move $\beta_2$. At which value is the first step right by itself?

# %% tags=["interactive"]
plotting.explore(figures.step_ratio, beta2=(0.9, 0.999, 0.001, 0.999))

# %%
plotting.show_figure(figures.step_ratio_strip((0.95, 0.99, 0.999)))

# %% [markdown]
# Where $1 - \beta_2 = (1 - \beta_1)^2$, at .99, and there it goes wrong at the second. At .95 it is never more than 1.097 times too long.
#
# So does a run go wrong without the correction? Two hundred nets learn XOR (exercise 8) at three rates:

# %% tags=["nbval-ignore-output"]
runs = {
    (lr, corrected): xor.train_many(lr, corrected)
    for lr in (0.05, 0.3, 1.0)
    for corrected in (True, False)
}
print("rate  correction  loss at step 20  at the end  nets that learn")
for (lr, corrected), loss in runs.items():
    early, late = loss[:, 19].median(), loss[:, -1].median()
    share = (loss[:, -1] < 0.05).double().mean()
    words = "with" if corrected else "without"
    print(f"{lr:4}  {words:10}{early:17.3f}{late:12.5f}{share:17.1%}")

# %% tags=["nbval-ignore-output"]
plotting.show_figure(figures.with_and_without(runs))

# %% [markdown]
# At a modest rate the run without it is *faster*: its longer steps act as a larger rate. At six times that rate one net in five
# is lost, and none with the correction; at 1.0 more than half are, against one in nine.
#
# **In practice.** Without the correction you tune a rate for the first steps and train the rest with it.
#
# <details><summary><b>Traps</b></summary>
#
# A warm-up that ends before $v$ has filled up, in some $1/(1-\beta_2)$ steps, ends while $r_t$ is still large.
#
# </details>

# %% [markdown]
# ## When is weight decay not L2?
#
# Weight decay shrinks every parameter a little at every step. For plain descent it is the same to add $\lambda\theta$, the
# gradient of $\tfrac{\lambda}{2}\lVert\theta\rVert^2$, to the gradient. Adam would divide that by $\sqrt{\hat v}$, so parameters
# with large gradients would hardly shrink. **AdamW** (Loshchilov and Hutter, 2019) keeps the two apart:
#
# $$\theta \leftarrow \theta - \eta\,\lambda\,\theta - \eta\,\frac{\hat m}{\sqrt{\hat v} + \epsilon},
# \qquad m, v \text{ from the plain gradient.}$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\lambda$ | `weight_decay` | float | decay; the step shrinks $\theta$ by the factor $1 - \eta\lambda$ |
#
# By hand, the first step with $\theta = 2$, $g = 3$, $\eta = .1$, $\lambda = .1$: $2 - .1 \cdot .1 \cdot 2 - .1 = 1.88$.
#
# <details><summary>Is this the paper's form?</summary>
#
# It is PyTorch's. In the paper (algorithm 2) the decay is multiplied by the schedule but not by the base rate, so its $\lambda$ is PyTorch's
# $\eta\lambda$. In PyTorch a parameter without gradient is halved in $\log 2 / (\eta\lambda)$ steps, 69 here, and whoever tunes $\eta$
# tunes the decay with it.
#
# </details>

# %% [markdown]
# ### Exercise 5. `adamw_step`
#
# **Goal:** one step of `torch.optim.AdamW`.
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes
#
# - The decay uses the $\theta$ that came in, not the one after Adam's step.
# - It never enters `m` or `v`. `weight_decay` may be 0.
# - Shapes, gradients, dtype, inputs and the 300 steps as before.


# %% nbgrader={"grade_id": "adamw_step"}
def adamw_step(
    theta: torch.Tensor,
    grad: torch.Tensor,
    m: torch.Tensor,
    v: torch.Tensor,
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One step of AdamW, t counted from 1: the new (theta, m, v)."""
    ### BEGIN SOLUTION
    theta = theta * (1 - lr * weight_decay)
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return theta - lr * m_hat / (v_hat.sqrt() + eps), m, v
    ### END SOLUTION


# %% nbgrader={"grade_id": "adamw_step-check"}
check("adamw_step", adamw_step)

# %% [markdown]
# Below, parameters start at 1, and for a thousand steps their gradients are one noise of mean 0, in different sizes. AdamW
# shrinks all alike, by $(1 - \eta\lambda)^{1000}$. With L2 Adam spares those with large gradients and overdoes it on the others.

# %%
plotting.show_figure(figures.decay_against_scale())

# %%
print("what 1000 steps of decay leave of a parameter without gradient")
print("rate    in PyTorch, decay .5    in the paper's form, decay .0005")
for lr in (0.0005, 0.001, 0.002):
    print(f"{lr:<6}{(1 - lr * 0.5) ** 1000:14.3f}{(1 - 0.0005) ** 1000:22.3f}")

# %% [markdown]
# > **Is it true?** "The default weight decay of AdamW is 0."

# %%
for optimiser in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
    default = optimiser([torch.zeros(1)]).defaults["weight_decay"]
    print(f"{optimiser.__name__:6} weight_decay = {default}")

# %% [markdown]
# > No, in PyTorch it is 0.01: whoever replaces `Adam` by `AdamW` has switched decay on.
#
# **In practice.** Biases and normalisation gains are usually left out of the decay, in a parameter group with `weight_decay=0`.
#
# <details><summary><b>Traps</b></summary>
#
# `torch.optim.Adam(weight_decay=...)` is the L2 version. A decay without $\eta$ ignores your schedule.
#
# </details>

# %% [markdown]
# ## What if one gradient is a monster?
#
# One bad batch can undo many good steps. Clipping (Pascanu et al., 2013) scales *all* gradients by one factor where their joint
# norm is too large:
#
# $$n = \sqrt{\textstyle\sum_k \lVert g_k \rVert^2}, \qquad g_k \leftarrow g_k \cdot \min\!\left(1, \frac{c}{n}\right).$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $g_k$ | `grads[k]` | any | the gradient of the $k$-th parameter tensor |
# | $c$ | `max_norm` | float | the longest you allow |
# | $n$ | `norm` | scalar | the joint norm, before clipping |
#
# By hand, one gradient $(6, 8)$ and $c = 1$: $n = 10$, and it becomes $(.6, .8)$.

# %% [markdown]
# ### Exercise 6. `clip_by_global_norm`
#
# **Goal:** `torch.nn.utils.clip_grad_norm_`, without the in-place part.
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes
#
# - Return `(clipped, norm)`: a list of new tensors, and the norm from *before*.
# - Gradients that are short enough come back as they are; all-zero ones, too. Some may be single numbers, or empty.
# - Each keeps its dtype, and nothing that came in is changed.
# - PyTorch adds $10^{-6}$ to the norm it divides by. With or without it, both count.


# %% nbgrader={"grade_id": "clip_by_global_norm"}
def clip_by_global_norm(
    grads: list[torch.Tensor], max_norm: float
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """All gradients scaled by one factor to a joint norm of at most max_norm."""
    ### BEGIN SOLUTION
    norm = torch.sqrt(sum((g**2).sum() for g in grads))
    scale = max_norm / norm if norm > max_norm else 1.0
    return [g * scale for g in grads], norm
    ### END SOLUTION


# %% nbgrader={"grade_id": "clip_by_global_norm-check"}
check("clip_by_global_norm", clip_by_global_norm)

# %%
gradient = torch.tensor([6.0, 8.0])
(clipped,), norm = optimisers.clip_by_global_norm([gradient], 1.0)
by_value = gradient.clamp(-1, 1)
print(f"norm {norm:.1f}, clipped to ({clipped[0]:.1f}, {clipped[1]:.1f})")
print(f"clamped instead: ({by_value[0]:.1f}, {by_value[1]:.1f}), another direction")

# %% [markdown]
# **In practice.** After `backward`, before `step`; language models usually at 1.0. Plot the norm from before clipping, and set
# $c$ from what you see.
#
# <details><summary><b>Traps</b></summary>
#
# Clipping each tensor by its own norm, or each number by itself, turns the direction. Scaling up what is short. Clipping before the
# gradients of all micro-batches have been added up.
#
# </details>

# %% [markdown]
# ## How large should a gradient be to survive?
#
# Gradients are often stored in 16 or even 8 bits. Each format has a largest number, and a smallest above 0:

# %%
formats = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "fp8 e5m2": torch.float8_e5m2,
    "fp8 e4m3": torch.float8_e4m3fn,
}
print(f"{'':10}{'largest':>10}{'smallest':>10}{'1e-3':>10}{'1e-5':>10}{'1e-8':>10}")
for name, dtype in formats.items():
    info = torch.finfo(dtype)
    small = info.smallest_normal * info.eps
    stored = [torch.tensor(g).to(dtype).item() for g in (1e-3, 1e-5, 1e-8)]
    row = "".join(f"{x:10.2e}" if x else f"{'0':>10}" for x in stored)
    print(f"{name:10}{info.max:10.5g}{small:10.1e}{row}")

# %% [markdown]
# A gradient of $10^{-8}$ is 0 in fp16, as is Adam's $g^2$ for one of $10^{-4}$; bf16 keeps both, with fewer digits and the
# exponents of float32. **Loss scaling** (Micikevicius et al., 2018, section 3.2) rescues fp16: multiply the loss by a large
# number, and with it all gradients, and divide in float32 before the step. The parameters have a float32 **master copy**: in a
# half type a step a few thousand times smaller than the parameter changes nothing.

# %%
w = torch.ones((), dtype=torch.float16, requires_grad=True)


def tiny_loss(w):
    return 1e-5 * (1e-3 * w)  # its gradient is 1e-8


(lost,) = torch.autograd.grad(tiny_loss(w), w)
(scaled,) = torch.autograd.grad(4096 * tiny_loss(w), w)
print(f"fp16 gradient                     {lost:.2e}")
print(f"fp16 gradient of 4096 times it    {scaled:.2e}")
print(f"divided by 4096 again, in float32 {scaled.float() / 4096:.2e}")

# %%
plotting.show_figure(figures.rounding_losses())

# %% [markdown]
# Both ends move: with the factor 4096 an e4m3 gradient above 0.109 is too large.
#
# **In practice.** `torch.amp.GradScaler` finds the factor: it doubles it now and then; after an overflow it *skips* the step and
# halves it.
#
# <details><summary><b>Traps</b></summary>
#
# Adam's states in fp16: $g^2$ vanishes, and so does `eps = 1e-8`. Keep them in float32, or in bf16 if you must. Clip after
# dividing, or your `max_norm` means something else at every step. `torch.autocast` goes around the forward pass only. fp8 needs a
# factor for each tensor.
#
# </details>

# %% [markdown]
# ## How fast, and when?
#
# Most runs begin with a **warm-up**, in which the rate climbs from 0. Then it falls, to settle the noise, often along half a
# **cosine** (Loshchilov and Hutter, 2017):
#
# $$\eta_s = \begin{cases} \eta_{\max}\, s / w & s < w \\[2pt]
# \eta_{\min} + \tfrac12 (\eta_{\max} - \eta_{\min}) \left(1 + \cos \pi \dfrac{s - w}{T - w}\right) & w \le s \le T \\[2pt]
# \eta_{\min} & s > T \end{cases}$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $s$ | `step` | int | from 0 |
# | $w$ | `warmup_steps` | int | length of the warm-up, perhaps 0 |
# | $T$ | `total_steps` | int | where the cosine ends; larger than $w$ |
# | $\eta_{\max}$, $\eta_{\min}$ | `lr_max`, `lr_min` | float | highest and last rate |
#
# By hand, $w = 10$, $T = 110$, $\eta_{\max} = .1$, $\eta_{\min} = 0$: $\eta_5 = .05$, $\eta_{10} = .1$, and half-way, at $s = 60$, the cosine
# is 0 and $\eta = .05$ again.

# %% [markdown]
# ### Exercise 7. `warmup_cosine`
#
# **Goal:** the learning rate at any step.
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes
#
# - At `warmup_steps` the rate is exactly `lr_max`, at `total_steps` and after it is `lr_min`.
# - With no warm-up it starts at `lr_max`.


# %% nbgrader={"grade_id": "warmup_cosine"}
def warmup_cosine(
    step: int, warmup_steps: int, total_steps: int, lr_max: float, lr_min: float
) -> float:
    """The learning rate at step: linear warm-up, half a cosine, then lr_min."""
    ### BEGIN SOLUTION
    if step < warmup_steps:
        return lr_max * step / warmup_steps
    if step >= total_steps:
        return lr_min
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2
    ### END SOLUTION


# %% nbgrader={"grade_id": "warmup_cosine-check"}
check("warmup_cosine", warmup_cosine)

# %%
plotting.show_figure(figures.schedules())

# %% [markdown]
# > **Is it true?** "Adam needs a warm-up because its first steps are too long: its averages know nothing yet."
# >
# > Measure first: 10,000 parameters, gradients of pure noise, corrected steps at rate 1.

# %%
noise = torch.randn(
    100, 10_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64
)
m = v = theta = torch.zeros(10_000, dtype=torch.float64)
for t, g in enumerate(noise, start=1):
    moved, m, v = optimisers.adam_step(theta, g, m, v, t, 1.0, 0.9, 0.999, 1e-8)
    step, theta = (moved - theta).abs(), moved
    if t in (1, 2, 5, 10, 30, 100):
        low, high = (
            (v / (1 - 0.999**t)).rsqrt().quantile(torch.tensor([0.1, 0.9]).double())
        )
        print(
            f"step {t:3}: rms {step.square().mean().sqrt():.2f}, longest {step.max():.2f}",
            end="",
        )
        print(f"; middle 80% of 1 / sqrt(v_hat): {low:.2f} to {high:.2f}")

# %% [markdown]
# > Not too long: corrected, none is longer than about $\eta$. But at first *all* are that long, along one noisy batch; later
# > noise averages out to a quarter of that. There Ma and Yarats (2021) see the reason for warm-up, Liu et al. (2020) in the
# > spread of $1/\sqrt{\hat v}$.
#
# **In practice.** Often one to five per cent of the steps; Ma and Yarats suggest $2/(1-\beta_2)$ steps. The cosine must know
# `total_steps` beforehand; the dashed schedule, the first stretch exercise, need not.
#
# <details><summary><b>Traps</b></summary>
#
# `step / total_steps` inside the cosine forgets that warm-up took some steps. Past the end an unclamped cosine climbs again. A
# rate of 0 at step 0 wastes the first batch, so many training scripts ask for step $s + 1$; here step 0 is 0. Goyal et al.
# (2017), often cited for warm-up, use it for plain SGD with large batches.
#
# </details>

# %% [markdown]
# ## Does it train?
#
# No linear model can solve XOR: the label is 1 when exactly one of two inputs is 1. Two layers can,
#
# $$z = \tanh(x W_1 + b_1)\, W_2 + b_2, \qquad \text{probability of 1} = \frac{1}{1 + e^{-z}},$$
#
# with the cross-entropy of notebook 01 as the loss. A model that always says $\tfrac12$ pays $\log 2 \approx 0.693$ nats.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x$ | `x` | `(4, 2)` | the inputs 00, 01, 10, 11 |
# | $W_1, b_1$ | `w1`, `b1` | `(2, hidden)`, `(hidden,)` | first layer |
# | $W_2, b_2$ | `w2`, `b2` | `(hidden, 1)`, `(1,)` | second layer |
#
# By hand, with steps in place of tanh: "at least one input is 1" minus "both are". To learn it reliably takes more units.

# %% [markdown]
# ### Exercise 8. `train_xor`
#
# **Goal:** a net, trained by your own optimiser.
#
# Difficulty ●●●●○ · Importance ●●●●○ · 20 minutes
#
# - Every parameter moves by a call of `adamw_step` and has its own `m` and `v`; `t` counts from 1. Your own step need not be done: the check lends
#   this function a right one, then one that takes shorter steps, and looks whether your losses follow. So neither `torch.optim` nor an
#   update written into the loop is an answer here.
# - Return `losses`, one number for each step, and `predictions`, the four labels 0 or 1 for the inputs 00, 01, 10, 11.
# - The last loss is below 0.05 and the labels are right, for every seed that is tried; one seed always gives one result.
# - Width, activation, loss, rate and the number of steps (at least 20) are yours. 16 hidden units, a rate of .05 and 300 steps are plenty.


# %% nbgrader={"grade_id": "train_xor"}
def train_xor(seed: int) -> tuple[list[float], list[int]]:
    """Train a two-layer net on XOR: (losses, predictions)."""
    ### BEGIN SOLUTION
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = torch.tensor([0.0, 1.0, 1.0, 0.0])
    generator = torch.Generator().manual_seed(seed)
    params = [
        torch.randn(2, 16, generator=generator),
        torch.zeros(16),
        torch.randn(16, 1, generator=generator) / 4,
        torch.zeros(1),
    ]
    state = [(torch.zeros_like(p), torch.zeros_like(p)) for p in params]
    losses = []
    for t in range(1, 301):
        w1, b1, w2, b2 = params = [p.detach().requires_grad_() for p in params]
        z = (torch.tanh(x @ w1 + b1) @ w2 + b2).squeeze(1)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y)
        losses.append(loss.item())
        grads = torch.autograd.grad(loss, params)
        with torch.no_grad():
            for i, (p, g) in enumerate(zip(params, grads, strict=True)):
                m, v = state[i]
                stepped = adamw_step(p, g, m, v, t, 0.05, 0.9, 0.999, 1e-8, 0.01)
                params[i], state[i] = stepped[0], stepped[1:]
    return losses, (z > 0).int().tolist()
    ### END SOLUTION


# %% nbgrader={"grade_id": "train_xor-check"}
check("train_xor", train_xor)

# %% [markdown]
# Such a run, stopped now and then to look at what the net believes:

# %% tags=["nbval-ignore-output"]
params = xor.initial(seed=0)
ms, vs = ([torch.zeros_like(p) for p in params] for _ in range(2))
losses, snapshots = [], {}
for t in tqdm(range(1, 301), desc="training", file=sys.stdout, mininterval=0.5):
    if t in (1, 20, 60, 300):
        snapshots[t] = lambda x, now=params: xor.logits(now, x).sigmoid()[0]
    leaves = [p.clone().requires_grad_() for p in params]
    z = xor.logits(leaves, xor.INPUTS)[0]
    loss = torch.nn.functional.binary_cross_entropy_with_logits(z, xor.LABELS)
    losses.append(loss.item())
    grads = torch.autograd.grad(loss, leaves)
    stepped = [
        optimisers.adamw_step(p, g, m, v, t, 0.05, 0.9, 0.999, 1e-8, 0.01)
        for p, g, m, v in zip(params, grads, ms, vs, strict=True)
    ]
    params, ms, vs = zip(*stepped, strict=True)

# %%
words = "  ".join(f"{losses[t - 1]:.3f}" for t in snapshots)
print("loss at steps 1, 20, 60, 300:", words)
print("labels:", (xor.logits(params, xor.INPUTS)[0] > 0).int().tolist())
plotting.show_figure(figures.decision_surfaces(snapshots, losses))

# %% [markdown]
# And as people write it, with present practice: $\beta_2 = .95$, decay .1, clipping at 1, warm-up, a cosine down to a tenth (all
# as in LLaMA: Touvron et al., 2023), and no decay of biases. Beside it runs what you have written.

# %%
net = torch.nn.Sequential(
    torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1)
).double()
x, y, steps = xor.INPUTS, xor.LABELS, 300
w1, b1, w2, b2 = ours = [p[0] for p in xor.initial(seed=1)]
for p, start in zip(net.parameters(), (w1.T, b1[0], w2.T, b2[0]), strict=True):
    p.data.copy_(start)

weights = [p for p in net.parameters() if p.ndim > 1]
biases = [p for p in net.parameters() if p.ndim == 1]
groups = [{"params": weights}, {"params": biases, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=0.05, betas=(0.9, 0.95), weight_decay=0.1)
scheduler = torch.optim.lr_scheduler.LambdaLR(
    optimizer, lambda step: optimisers.warmup_cosine(step + 1, 10, steps, 1.0, 0.1)
)
theirs = []
for _ in range(steps):
    optimizer.zero_grad()
    with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=x.is_cuda):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(x)[:, 0], y)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
    theirs.append(loss.item())

state, mine = [(torch.zeros_like(p), torch.zeros_like(p)) for p in ours], []
for t in range(1, steps + 1):
    leaves = [p[None].requires_grad_() for p in ours]
    z = xor.logits(leaves, x)[0]
    loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y)
    grads, _ = optimisers.clip_by_global_norm(torch.autograd.grad(loss, leaves), 1.0)
    lr = optimisers.warmup_cosine(t, 10, steps, 0.05, 0.005)
    for i, (p, g, (m, v)) in enumerate(zip(leaves, grads, state, strict=True)):
        decay = 0.1 if i in (0, 2) else 0.0
        stepped = optimisers.adamw_step(
            p.detach()[0], g[0], m, v, t, lr, 0.9, 0.95, 1e-8, decay
        )
        ours[i], state[i] = stepped[0], stepped[1:]
    mine.append(loss.item())

apart = max(abs(a - b) for a, b in zip(theirs, mine, strict=True))
print(
    f"last loss {theirs[-1]:.5f} and {mine[-1]:.5f}; never 1e-6 apart: {apart < 1e-6}"
)

# %% [markdown]
# **In practice.** A net that is wide enough and cannot learn four points has a bug: overfit one small batch before you train.
#
# <details><summary><b>Traps</b></summary>
#
# Equal initial weights: the hidden units stay equal for ever, and the loss stays near 0.477. No nonlinearity: it stays at 0.693. No
# biases: the input 00 always gives $\tfrac12$, and it stays above 0.173. Two hidden units: many runs end at 0.347, with two inputs undecided.
#
# </details>

# %% [markdown]
# ## A schedule that need not know its end (stretch)
#
# Warm-up, stable, decay (Hu et al., 2024): climb, stay, and fall only when you decide to stop. From one long run you can branch
# off a finished model at any time.
#
# <details><summary>By hand</summary>
#
# Warm-up to 10, decay from 80 to 120, rates .1 and .01: at step 50 it is .1, and half-way down, at step 100, it is .055.
#
# </details>

# %% [markdown]
# ### Stretch 1. `warmup_stable_decay`
#
# **Goal:** the dashed line in the figure above.
#
# Difficulty ●●○○○ · Importance ●●○○○ · 10 minutes
#
# - Linear to `warmup_steps`, `lr_max` to `decay_start`, half a cosine to `lr_min` at `total_steps`, `lr_min` after.
# - `warmup_steps` may be 0, and `decay_start` may equal `warmup_steps`.


# %% nbgrader={"grade_id": "warmup_stable_decay"}
def warmup_stable_decay(
    step: int,
    warmup_steps: int,
    decay_start: int,
    total_steps: int,
    lr_max: float,
    lr_min: float,
) -> float:
    """The learning rate at step: warm-up, plateau, half a cosine, then lr_min."""
    ### BEGIN SOLUTION
    if step < warmup_steps:
        return lr_max * step / warmup_steps
    if step < decay_start:
        return lr_max
    progress = min(1.0, (step - decay_start) / (total_steps - decay_start))
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2
    ### END SOLUTION


# %% nbgrader={"grade_id": "warmup_stable_decay-check"}
check("warmup_stable_decay", warmup_stable_decay)

# %% [markdown]
# ## Can Adam walk the wrong way? (stretch)
#
# Reddi, Kale and Kumar (2018) built a tiny problem on $[-1, 1]$: the gradient is 1010 once in 101 steps and $-10$ in the other
# 100. Their sum is $10 > 0$, so the best place is $-1$. But Adam divides the rare large gradient by its own large
# $\sqrt{\hat v}$, and forgets it while the small ones come. **AMSGrad** divides by the largest $v$ so far:
#
# $$v^{\max} \leftarrow \max(v^{\max}, v), \qquad
# \theta \leftarrow \theta - \eta\, \frac{\hat m}{\sqrt{v^{\max} / (1-\beta_2^t)} + \epsilon} .$$
#
# <details><summary>By hand</summary>
#
# $v^{\max} = 2$ and a new $v = 1.5$: the step divides by $\sqrt 2$ (before correction), not by $\sqrt{1.5}$.
#
# </details>
#
# Now run it from 0, with $\beta_2 = .99$, whose memory is about one round, and a rate of $.5/\sqrt t$:

# %%
for name, amsgrad in (("Adam", False), ("AMSGrad", True)):
    path = optimisers.online_problem(100_000, amsgrad)
    places = "  ".join(f"{path[t - 1]:+.3f}" for t in (100, 1_000, 10_000, 100_000))
    print(f"{name:8} after 100, 1,000, 10,000 and 100,000 steps: {places}")

# %%
plotting.show_figure(figures.wrong_end())

# %% [markdown]
# With $\beta_2 = .999$ Adam is at $-0.414$ after 100,000 steps. The problem is built for the purpose; it shows that the published
# proof of Adam's convergence could not be right.

# %% [markdown]
# ### Stretch 2. `amsgrad_step`
#
# **Goal:** the fix, as in `torch.optim.Adam(amsgrad=True)`.
#
# Difficulty ●●●○○ · Importance ●●○○○ · 10 minutes
#
# - Return the new `(theta, m, v, v_max)`. `m` and `v` are Adam's. Shapes, dtype, inputs and the 300 steps as before.
# - `v_max` is the largest *raw* `v`, elementwise; the correction comes after it, as in PyTorch.


# %% nbgrader={"grade_id": "amsgrad_step"}
def amsgrad_step(
    theta: torch.Tensor,
    grad: torch.Tensor,
    m: torch.Tensor,
    v: torch.Tensor,
    v_max: torch.Tensor,
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """One step of AMSGrad, t counted from 1: the new (theta, m, v, v_max)."""
    ### BEGIN SOLUTION
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
    v_max = torch.maximum(v_max, v)
    m_hat = m / (1 - beta1**t)
    root = (v_max / (1 - beta2**t)).sqrt()
    return theta - lr * m_hat / (root + eps), m, v, v_max
    ### END SOLUTION


# %% nbgrader={"grade_id": "amsgrad_step-check"}
check("amsgrad_step", amsgrad_step)

# %% [markdown]
# ## In your own words (2 points, graded by hand)
#
# A colleague deletes the bias correction from Adam ($\beta_1 = .9$, $\beta_2 = .999$): "It only matters in the first step, and I have ten steps of
# warm-up anyway." In at most six sentences: is that right, what will the run look like, and what are two ways to make it work without
# the correction?

# %% [markdown] nbgrader={"grade_id": "reflection", "grade": true, "solution": true, "points": 2}
# ### BEGIN SOLUTION
# **A model answer.** It is not right. Both averages start at 0, but $m$ fills up in about 10 steps and $v$ in about 1000, so the step is longer by
# $(1-\beta_1^t)/\sqrt{1-\beta_2^t}$: 3.16 times at first, 6.57 times at step 12, still 1.26 times at step 1000. Ten steps of warm-up end
# when the ratio is near its largest, and it stays above 2 up to step 287. Whether the run suffers depends on the rate: at a modest one it may
# even learn faster, at one near the limit it fails (as most of the nets above did at 1.0). It works with a warm-up as long as
# the memory of $v$ (thousands of steps), or with a smaller $\beta_2$ such as .95, whose memory is 20 steps.
#
# **Rubric.** ½ point: the error is not limited to the first step (it grows, or lasts for about $1/(1-\beta_2)$ steps). ½ point: why, that is $v$ fills up more
# slowly than $m$. ½ point: the warm-up is too short, with the consequence (steps longer than the rate says; possibly divergence, or a
# run that is faster at a small rate). ½ point: two workable ways (¼ each). No marks are lost for style.
# ### END SOLUTION

# %% [markdown]
# ## Where you are
#
# `progress()` shows what you have done. Next: notebook 04 asks why some landscapes are hard, and which of these methods cares.

# %% tags=["nbval-ignore-output"]
progress()
