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
# Nearly every large model is trained with Adam or its sibling AdamW: four lines, two averages, two small corrections. In this
# notebook you write those lines, hold them against PyTorch's own for hundreds of steps, and measure what happens when one is
# left out. At the end your own optimiser trains a net.
#
# You need a little Python, and to know that a gradient points uphill. The whole takes about 90 minutes; each exercise stands
# alone, so skip what you know. Run the cells from the top. A check tells you whether an answer is right and, where it can,
# which mistake it is. Stuck? `hint("ema")` gives a nudge, `hint("ema", 2)` a bigger one.

# %%
import math
import sys

import torch
from tqdm import tqdm

from helpers import check, hint, optimisers, plotting, progress
from helpers.figures import optimisers as figures

plotting.use_course_style()
print("ready")

# %% [markdown]
# ## What is the gradient, really?
#
# Each mini-batch gives another gradient: the true one plus noise. Averaging the last few would calm it, but keeping the last
# hundred gradients of a large model costs a hundred times its memory. An **exponential moving average** keeps one number and
# forgets slowly:
#
# $$m_t = \beta\, m_{t-1} + (1-\beta)\, x_t, \qquad m_0 = 0 .$$
#
# It starts at 0, so at first it is far too small: after $t$ steps the weights of $x_1, \dots, x_t$ add up to $1 - \beta^t$ only.
# Dividing by that sum makes it a proper average, $\hat m_t = m_t / (1 - \beta^t)$ (Kingma and Ba, 2015, section 3).
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x_t$ | `values[t - 1]` | `(...)` | what comes in at step $t = 1, 2, \dots$ |
# | $\beta$ | `beta` | float in [0, 1) | how much is remembered; the window is about $1/(1-\beta)$ steps |
# | $m_t$ | `raw[t - 1]` | `(...)` | the average, from 0 |
# | $\hat m_t$ | `corrected[t - 1]` | `(...)` | $m_t / (1-\beta^t)$ |
#
# By hand, for the values 1, 2, 3 and $\beta = .9$: $m = .1,\ .29,\ .561$. The corrections are $.1,\ .19,\ .271$, so
# $\hat m = 1,\ 1.526,\ 2.070$. The first corrected value is the first value itself, as it should be.

# %% [markdown]
# ### Exercise 1. `ema`
#
# **Goal:** a moving average, raw and corrected, at every step.
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes
#
# - `values` has shape `(steps, ...)`; average along the first dimension and keep the others.
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
plotting.show_figure(
    figures.raw_and_corrected(),
    alt="Noisy gradients around 1. The raw average climbs from 0 and needs some 60 "
    "steps to arrive; the corrected one is near 1 after about ten.",
)

# %% [markdown]
# **In practice.** The same average smooths loss curves, keeps the running statistics of batch normalisation and makes the
# averaged weights that diffusion models sample from.
#
# **Traps.** `beta ** torch.arange(1, n)` is float32 even when the values are float64. Counting $t$ from 0 divides by
# $1 - \beta^0 = 0$.

# %% [markdown]
# ## Why does a ball roll on?
#
# In a long narrow valley plain gradient descent zigzags between the walls. Give it mass: let past gradients carry it along
# (Polyak, 1964). PyTorch's form is
#
# $$v \leftarrow \beta v + g, \qquad \theta \leftarrow \theta - \eta\, v .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\theta$ | `theta` | any | parameters |
# | $g$ | `grad` | as `theta` | gradient |
# | $v$ | `velocity` | as `theta` | what has built up |
# | $\eta$ | `lr` | float | learning rate |
# | $\beta$ | `beta` | float | momentum, often .9 |
#
# By hand, $\theta = 1$, gradient 1 twice, $\eta = .1$, $\beta = .9$: $v = 1$ and $\theta = .9$; then $v = 1.9$ and $\theta = .71$.

# %% [markdown]
# ### Exercise 2. `momentum_step`
#
# **Goal:** one step of `torch.optim.SGD(momentum=...)`.
#
# Difficulty ●○○○○ · Importance ●●●○○ · 5 minutes
#
# - Return the new `(theta, velocity)`. Nothing that came in is changed.
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
# > Measure first: the gradient is 1 at every step. An average of ones is 1.

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
# > No. In PyTorch's form it is a *sum* with fading weights, which add up to $1/(1-\beta)$: ten at $\beta = .9$. It equals
# > $1/(1-\beta)$ times the moving average. So raising $\beta$ from .9 to .99 also makes the steps ten times longer, unless you
# > lower the learning rate with it.
#
# **In practice.** `torch.optim.SGD(lr=0.1, momentum=0.9)` moves like plain descent at a rate of 1 once it is rolling.
#
# **Traps.** A factor $(1-\beta)$ too many; the learning rate inside the velocity (Sutskever et al., 2013, write it so), which is
# the same only while the rate is constant.

# %% [markdown]
# ## Why does one learning rate suit a million parameters?
#
# The gradient of an embedding may be a thousand times smaller than that of a bias. One $\eta$ cannot suit both, unless each
# parameter's step is measured against the usual size of its own gradient. **Adam** (Kingma and Ba, 2015, algorithm 1) keeps two
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
# | $\beta_1$, $\beta_2$ | `beta1`, `beta2` | float | usually .9 and .999 |
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
# - Return the new `(theta, m, v)`, with `m` and `v` *raw*. Nothing that came in is changed.
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
# Three parameters with gradients of very different size, one step each. Plain descent moves the first a million times as far as the last;
# Adam moves all three alike.

# %%
grad = torch.tensor([1e3, 1.0, 1e-3], dtype=torch.float64)
zero = torch.zeros_like(grad)
moved, m, v = optimisers.adam_step(zero, grad, zero, zero, 1, 0.1, 0.9, 0.999, 1e-8)
print("gradient     ", "  ".join(f"{x:10.3f}" for x in grad))
print("plain descent", "  ".join(f"{x:10.4f}" for x in -0.1 * grad))
print("Adam         ", "  ".join(f"{x:10.4f}" for x in moved))

# %% [markdown]
# **In practice.** Since the gradient's scale cancels, multiplying the loss by 10 changes nothing with Adam. It does with momentum.
#
# **Traps.** `(v_hat + eps).sqrt()` looks harmless and turns an $\epsilon$ of $10^{-8}$ into one of $10^{-4}$ where gradients vanish. Feeding
# $\hat m$ back into $m$. Counting $t$ from 0.

# %% [markdown]
# ## Does the correction matter?
#
# Suppose you leave it out. Under a constant gradient $g$ the averages are $m_t = (1-\beta_1^t)\, g$ and $v_t = (1-\beta_2^t)\, g^2$, so the
# uncorrected step $\eta\, m_t / \sqrt{v_t}$ is larger than the corrected one by the factor
#
# $$r_t = \frac{1-\beta_1^t}{\sqrt{1-\beta_2^t}} .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $t$ | `t` | int | step, from 1 |
# | $r_t$ | `r` | float | how many times too large |
#
# By hand, $t = 1$: $.1 / \sqrt{.001} = 3.162$.

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
    """How many times larger Adam's step t is without bias correction."""
    ### BEGIN SOLUTION
    return (1 - beta1**t) / math.sqrt(1 - beta2**t)
    ### END SOLUTION


# %% nbgrader={"grade_id": "uncorrected_step_ratio-check"}
check("uncorrected_step_ratio", uncorrected_step_ratio)

# %% [markdown]
# > **Is it true?** "Without bias correction the first step is three times too large, then it fades."
# >
# > Measure first: Adam with and without, on a constant gradient of 1.

# %%
m = v = theta = torch.zeros((), dtype=torch.float64)
for t in range(1, 3926):
    moved, m, v = optimisers.adam_step(theta, one, m, v, t, 0.1, 0.9, 0.999, 1e-8)
    with_correction = theta - moved
    without = 0.1 * m / (v.sqrt() + 1e-8)
    theta = moved
    if t in (1, 2, 5, 12, 30, 100, 1000, 3925):
        words = f"{with_correction:.6f} with, {without:.6f} without"
        print(f"step {t:4}: {words}, ratio {without / with_correction:.3f}")

# %%
plotting.show_figure(
    figures.step_ratio(),
    alt="The ratio of uncorrected to corrected step against t on a log axis: 3.162 at "
    "the first step, a peak of 6.569 at t = 12, within 1% of 1 from t = 3925.",
)

# %% [markdown]
# > No. It is 3.162 times too large at the first step, and then it gets *worse*: 6.569 times at step 12, because $m$ wakes up in ten
# > steps and $v$ needs a thousand. Only from step 3925 on is it within 1%.
#
# **In practice.** A run that blows up in its first steps and recovers with a long warm-up may just lack the correction.
#
# **Traps.** Warm-up hides a missing correction only if it is as long as the memory of $v$: thousands of steps, not ten.

# %% [markdown]
# ## When is weight decay not L2?
#
# Weight decay shrinks every parameter a little at every step. For plain descent it is the same to add $\lambda\theta$ to the gradient, the
# gradient of $\tfrac{\lambda}{2}\lVert\theta\rVert^2$. For Adam it is not: what goes through the gradient gets divided by $\sqrt{\hat v}$, so parameters
# with large gradients hardly shrink. **AdamW** (Loshchilov and Hutter, 2019) keeps the two apart:
#
# $$\theta \leftarrow \theta - \eta\,\lambda\,\theta - \eta\,\frac{\hat m}{\sqrt{\hat v} + \epsilon},
# \qquad m, v \text{ from the plain gradient.}$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\lambda$ | `weight_decay` | float | decay; the step shrinks $\theta$ by the factor $1 - \eta\lambda$ |
#
# By hand, the first step with $\theta = 2$, $g = 3$, $\eta = .1$, $\lambda = .1$: $2 - .1 \cdot .1 \cdot 2 - .1 = 1.88$.

# %% [markdown]
# ### Exercise 5. `adamw_step`
#
# **Goal:** one step of `torch.optim.AdamW`.
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes
#
# - The decay uses the $\theta$ that came in, not the one after Adam's step.
# - It never enters `m` or `v`.


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
# Below, parameters start at 1 and see nothing but noise for a thousand steps; only their gradients' sizes differ. AdamW shrinks all of them
# alike, by $(1 - \eta\lambda)^{1000}$. With L2 in the gradient Adam spares the noisy ones, which need it most, and overdoes it on the quiet ones.

# %%
plotting.show_figure(
    figures.decay_against_scale(),
    alt="What is left of parameters that started at 1, against the size of their "
    "gradients: .61 for all of them with AdamW; with L2 in the gradient it goes from "
    ".26 for small gradients to 1 for large ones.",
)

# %% [markdown]
# > **Is it true?** "The default weight decay of AdamW is 0."
# >
# > Measure first.

# %%
for optimiser in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
    default = optimiser([torch.zeros(1)]).defaults["weight_decay"]
    print(f"{optimiser.__name__:6} weight_decay = {default}")

# %% [markdown]
# > No, it is 0.01. Whoever replaces `Adam` by `AdamW` and changes nothing else has switched decay on.
#
# **In practice.** Biases and the gains of normalisation layers are usually left out of the decay: give them a parameter group with
# `weight_decay=0`.
#
# **Traps.** `torch.optim.Adam(weight_decay=...)` is the L2 version. A decay without $\eta$ ignores your schedule.

# %% [markdown]
# ## What if one gradient is a monster?
#
# One bad batch can throw away a day of training. Clipping (Pascanu et al., 2013) looks at the norm of *all* gradients together and,
# if it is too large, scales them by one factor:
#
# $$n = \sqrt{\textstyle\sum_k \lVert g_k \rVert^2}, \qquad g_k \leftarrow g_k \cdot \min\!\left(1, \frac{c}{n}\right).$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $g_k$ | `grads[k]` | any | the gradient of the $k$-th parameter tensor |
# | $c$ | `max_norm` | float | the longest you allow |
# | $n$ | `norm` | scalar | the joint norm, before clipping |
#
# By hand, one gradient $(6, 8)$ and $c = 1$: $n = 10$, and it becomes $(.6, .8)$. It points where it did.

# %% [markdown]
# ### Exercise 6. `clip_by_global_norm`
#
# **Goal:** `torch.nn.utils.clip_grad_norm_`, without the in-place part.
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes
#
# - Return `(clipped, norm)`: a list of new tensors, and the norm from *before*.
# - Gradients that are short enough come back as they are; all-zero ones, too.
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
# **In practice.** Language models are usually clipped at 1.0. Plot the norm from before clipping: its spikes often show
# trouble before the loss does.
#
# **Traps.** Clipping each tensor by its own norm, or each number by itself, turns the direction. Scaling up what is short. Clipping before the
# gradients of all micro-batches have been added up.

# %% [markdown]
# ## How large should a gradient be to survive?
#
# Gradients are stored in 16 or even 8 bits. Each format has a largest number, and a smallest one below which there is only 0:

# %%
formats = {
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
# A gradient of $10^{-8}$ is 0 in fp16, and the parameter never learns; bf16 keeps it, with fewer digits, because it has the exponents of
# float32. **Loss scaling** (Micikevicius et al., 2018, section 3.2) rescues fp16: multiply the loss by a large number, so that all
# gradients are larger by it, and divide in float32 before the step.

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
plotting.show_figure(
    figures.rounding_losses(),
    alt="Worst relative error of gradients stored in half formats, against their size. "
    "Left, as they are: fp16 loses all below 3e-8, fp8 e5m2 below 8e-6, fp8 e4m3 below "
    "1e-3, bf16 none. Right, with the loss times 4096: each limit is 4096 times lower.",
)

# %% [markdown]
# **In practice.** `torch.amp.GradScaler` finds the factor by itself: it doubles it now and then, and halves it after an overflow. Clip *after*
# dividing, or your `max_norm` means something else at every step.
#
# **Traps.** `eps = 1e-8` is itself 0 in fp16, so Adam's states are kept in float32. fp8 needs a factor for each tensor.

# %% [markdown]
# ## How fast, and when?
#
# At the start the averages know nothing yet, so the rate climbs from 0: **warm-up** (Goyal et al., 2017). At the end small steps settle the
# noise: the rate falls, most often along half a **cosine** (Loshchilov and Hutter, 2017):
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
plotting.show_figure(
    figures.schedules(),
    alt="Two schedules over 1000 steps. Both climb for 100 steps. One then falls along "
    "half a cosine to step 1000; the other stays until step 700 and falls from there.",
)

# %% [markdown]
# **In practice.** The cosine must know `total_steps` beforehand: stop early and the rate never got small. The dashed schedule, the first
# stretch exercise below, does not.
#
# **Traps.** `step / total_steps` inside the cosine forgets that warm-up took some steps. Past the end an unclamped cosine climbs
# again. A warm-up counted from 1 makes the first step too large, if only by $1/w$.

# %% [markdown]
# ## Does it train?
#
# XOR is the smallest problem that no linear model can solve: the label is 1 when exactly one of two inputs is 1. Two layers solve it,
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
# By hand, two hidden units can do it with steps in place of tanh: "at least one input is 1" minus "both are".

# %% [markdown]
# ### Exercise 8. `train_xor`
#
# **Goal:** a net, trained by your own optimiser.
#
# Difficulty ●●●●○ · Importance ●●●●○ · 20 minutes
#
# - Use your `adamw_step` from above for each parameter (every parameter has its own `m` and `v`). If it is not done, write its lines into
#   the loop: calling an unfinished one counts as not attempted. `torch.optim` is no answer here.
# - Return `losses`, one number for each step, and `predictions`, the four labels 0 or 1 for the inputs 00, 01, 10, 11.
# - The last loss is below 0.05 and the labels are right, for every seed that is tried; one seed always gives one result.
# - Width, activation, loss, rate and the number of steps are yours. 16 hidden units, a rate of .05 and 300 steps are plenty.


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
# Here is such a run, stopped now and then to look at what the net believes. The bar is the run itself; it takes about a second.

# %% tags=["nbval-ignore-output"]
x = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.float64)
y = torch.tensor([0, 1, 1, 0], dtype=torch.float64)
generator = torch.Generator().manual_seed(0)
sizes = [(2, 16), (16,), (16, 1), (1,)]
params = [torch.randn(n, generator=generator, dtype=torch.float64) for n in sizes]
params[2] /= 4
ms, vs = [[torch.zeros_like(p) for p in params] for _ in range(2)]


def logits(params, points):
    w1, b1, w2, b2 = params
    return (torch.tanh(points @ w1 + b1) @ w2 + b2).squeeze(1)


losses, snapshots = [], {}
for t in tqdm(range(1, 301), desc="training", file=sys.stdout, mininterval=0.5):
    if t in (1, 20, 60, 300):
        snapshots[t] = lambda points, now=params: logits(now, points).sigmoid()
    leaves = [p.clone().requires_grad_() for p in params]
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits(leaves, x), y)
    losses.append(loss.item())
    grads = torch.autograd.grad(loss, leaves)
    stepped = [
        optimisers.adamw_step(p, g, m, v, t, 0.05, 0.9, 0.999, 1e-8, 0.01)
        for p, g, m, v in zip(params, grads, ms, vs, strict=True)
    ]
    params, ms, vs = zip(*stepped, strict=True)

# %%
print(
    "loss at steps 1, 20, 60, 300:",
    "  ".join(f"{losses[t - 1]:.3f}" for t in snapshots),
)
print("labels:", (logits(params, x) > 0).int().tolist())
plotting.show_figure(
    figures.decision_surfaces(snapshots, losses),
    alt="Four pictures of the square around XOR's inputs: flat at step 1, a diagonal "
    "band by step 20, sharp by step 60 and sharper at 300. Below, the loss falls from "
    "0.9 to under 0.001 nats.",
)

# %% [markdown]
# **In practice.** A net that cannot learn four points has a bug. Overfitting one small batch is the first test of any training loop.
#
# **Traps.** Equal initial weights: the hidden units stay equal for ever, and the loss stays near 0.477. No nonlinearity: it stays at 0.693. No
# biases: the input 00 always gives $\tfrac12$, and it stays above 0.173.

# %% [markdown]
# ## A schedule that need not know its end (stretch)
#
# Warm-up, stable, decay (Hu et al., 2024): climb, stay, and fall only when you decide to stop. From one long stable run you can branch off
# a finished model at any time, with a short decay.
#
# By hand, warm-up to 10, decay from 80 to 120, rates .1 and .01: at step 50 it is .1, and half-way down, at step 100, it is .055.

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
# Reddi, Kale and Kumar (2018) built a tiny problem on $[-1, 1]$: the gradient is 1010 once in 101 steps and $-10$ in the other 100. The sum over a
# round is $1010 - 1000 = 10 > 0$, so the best place is $-1$. But Adam divides the rare large gradient by its own large $\sqrt{\hat v}$, and has forgotten
# it when the small ones come. **AMSGrad** divides by the largest $v$ so far:
#
# $$v^{\max} \leftarrow \max(v^{\max}, v), \qquad
# \theta \leftarrow \theta - \eta\, \frac{\hat m}{\sqrt{v^{\max} / (1-\beta_2^t)} + \epsilon} .$$
#
# By hand, $v^{\max} = 2$ and a new $v = 1.5$: the step divides by $\sqrt 2$ (before correction), not by $\sqrt{1.5}$. Now run it:

# %%
for name, amsgrad in (("Adam", False), ("AMSGrad", True)):
    path = optimisers.online_problem(100_000, amsgrad)
    places = "  ".join(f"{path[t - 1]:+.3f}" for t in (100, 1_000, 10_000, 100_000))
    print(f"{name:8} after 100, 1,000, 10,000 and 100,000 steps: {places}")

# %%
plotting.show_figure(
    figures.wrong_end(),
    alt="Position against step on a log axis. Both reach -1 at once. Adam leaves it after "
    "some thirty steps and is at +1, the worst point, from step 10,000 on; AMSGrad "
    "leaves it a little and comes back.",
)

# %% [markdown]
# ### Stretch 2. `amsgrad_step`
#
# **Goal:** the fix, as in `torch.optim.Adam(amsgrad=True)`.
#
# Difficulty ●●●○○ · Importance ●●○○○ · 10 minutes
#
# - Return the new `(theta, m, v, v_max)`. `m` and `v` are Adam's.
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
# **A model answer.** It is not right. Both averages start at 0, but $m$ fills up in about 10 steps and $v$ in about 1000, so the step is too large by
# $(1-\beta_1^t)/\sqrt{1-\beta_2^t}$: 3.16 times at first, 6.57 times at step 12, still 1.26 times at step 1000. Ten steps of warm-up end
# when the error is near its largest, so the run takes steps six times too long at full rate, and a rate that was tuned with correction may diverge.
# It works with a warm-up as long as the memory of $v$ (thousands of steps), or with a smaller $\beta_2$, such as .95, whose memory is 20 steps; starting $v$ at the
# first squared gradient instead of 0 would do, too.
#
# **Rubric.** ½ point: the error is not limited to the first step (it grows, or lasts for about $1/(1-\beta_2)$ steps). ½ point: why, that is $v$ fills up more
# slowly than $m$. ½ point: the warm-up is too short, with the consequence (too large steps, possibly divergence). ½ point: two workable
# ways (¼ each). No marks are lost for style.
# ### END SOLUTION

# %% [markdown]
# ## Where you are
#
# `progress()` shows what you have done so far, in this notebook and the others. Next: notebook 04 asks why some landscapes are hard, and which of
# these methods cares.

# %% tags=["nbval-ignore-output"]
progress()
