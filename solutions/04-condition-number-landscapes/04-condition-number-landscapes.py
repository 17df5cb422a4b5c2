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
# # 04 Condition number and landscapes
#
# Two losses have the same minimum. The same optimiser starts at the same point, each time at its best learning rate. One needs 35 steps
# to a millionth of its loss, the other 34,539. What is the difference, and what can an optimiser do about it? One number answers both: the condition number.
#
# You need gradients and the idea of an eigenvalue. The whole takes about 90 minutes; each exercise stands alone, so skip what
# you know. Run the cells from the top. A check tells you whether an answer is right and, where it can, which mistake it is.
# Stuck? `hint("condition_number")` gives a nudge, `hint("condition_number", 2)` a bigger one.

# %%
import math
from collections.abc import Callable, Sequence

import torch

from helpers import check, hint, landscapes, plotting, progress
from helpers.figures import landscapes as figures
from helpers.figures.landscape_explorer import landscape_explorer, landscape_stills
from helpers.landscapes import bowl_loss, rotated_bowl

plotting.use_course_style()
print("ready")

# %% [markdown]
# ## How narrow is the valley?
#
# Near a minimum whose second derivatives form a positive definite matrix, a smooth loss is a bowl. This notebook's bowl is
#
# $$L(\theta) = \theta_1^2 + \kappa\, \theta_2^2 = \tfrac12\, \theta^\top H \theta, \qquad H = \begin{pmatrix} 2 & 0 \\ 0 & 2\kappa \end{pmatrix}.$$
#
# The eigenvalues of the Hessian $H$ are the curvatures along the axes of the bowl. Their ratio is the **condition number**,
#
# $$\kappa = \frac{\lambda_{\max}}{\lambda_{\min}} \ge 1 .$$
#
# At $\kappa = 1$ the bowl is round. At $\kappa = 100$ its lines of equal loss are ellipses, $\sqrt{100} = 10$ times as long as wide.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $H$ | `hessian` | `(..., d, d)` | second derivatives: symmetric, here positive definite |
# | $\lambda$ | `lam` | `(..., d)` | eigenvalues of $H$, the curvatures |
# | $\kappa$ | `kappa` | `(...)` | condition number, has no unit |
#
# By hand, $H = \begin{pmatrix} 3 & 1 \\ 1 & 3 \end{pmatrix}$: the vectors $(1, 1)$ and $(1, -1)$ are multiplied by 4 and by 2, so
# $\kappa = 4/2 = 2$. The diagonal alone, 3 and 3, would say that this bowl is round.

# %% [markdown]
# ### Exercise 1. `condition_number`
#
# **Goal:** one number for how narrow a bowl is.
#
# Difficulty ●○○○○ · Importance ●●●●● · 5 minutes
#
# - `hessian` has shape `(..., d, d)`, the answer `(...)`, in the dtype of `hessian`. `hessian` itself is not changed.
# - Each matrix is symmetric and positive definite; you need not check that. Bowls may be round or narrow, steep or shallow. A batch may be
#   empty.
# - `torch.linalg.eigvalsh` and its kin are allowed, `torch.linalg.cond` is not.


# %% nbgrader={"grade_id": "condition_number"}
def condition_number(hessian: torch.Tensor) -> torch.Tensor:
    """The largest eigenvalue over the smallest, for matrices (..., d, d)."""
    ### BEGIN SOLUTION
    lam = torch.linalg.eigvalsh(hessian)
    return lam[..., -1] / lam[..., 0]
    ### END SOLUTION


# %% nbgrader={"grade_id": "condition_number-check"}
check("condition_number", condition_number)

# %%
tilted = torch.tensor([[3.0, 1.0], [1.0, 3.0]], dtype=torch.float64)
skew = torch.tensor([[1.0, 100.0], [0.0, 1.0]], dtype=torch.float64)
values, singular = torch.linalg.eigvals(skew).real, torch.linalg.svdvals(skew)
kappas = landscapes.condition_number(torch.stack([tilted, rotated_bowl(100, 0.5)]))
print(f"kappa of ((3, 1), (1, 3))            {kappas[0]:8.2f}")
print(f"kappa of our bowl at 100, turned     {kappas[1]:8.2f}")
print(f"((1, 100), (0, 1)): eigenvalues give {values.max() / values.min():8.2f}")
print(f"              its singular values    {singular.max() / singular.min():8.2f}")

# %% [markdown]
# **In practice.** A feature measured in metres beside one in millimetres gives a Hessian with $\kappa \approx 10^6$.
# Standardising the inputs undoes that.
#
# **Traps.** The diagonal holds the eigenvalues only where the bowl is not turned. For a symmetric positive definite matrix singular
# values and eigenvalues are the same; for others, such as a Cholesky factor or the last matrix above, they are not.

# %% [markdown]
# ## How large may a step be?
#
# Gradient descent is $\theta \leftarrow \theta - \eta\, H\theta$. Along an eigenvector with curvature $\lambda$ each step multiplies
# the distance to the minimum by $1 - \eta\lambda$. That shrinks it exactly when $-1 < 1 - \eta\lambda < 1$, so for all directions
# together
#
# $$0 < \eta < \frac{2}{\lambda_{\max}} .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\eta$ | `lr` | `(...)` | learning rate |
# | $1 - \eta\lambda$ | | | factor per step along one eigenvector |
#
# By hand, $\lambda_{\max} = 200$ (our bowl at $\kappa = 100$): the limit is $2/200 = 0.01$. At $\eta = 0.009$ the factor of the steep
# direction is $1 - 1.8 = -0.8$: it jumps across the valley and still comes closer.

# %% [markdown]
# ### Exercise 2. `max_stable_lr`
#
# **Goal:** the learning rate below which gradient descent converges.
#
# Difficulty ●○○○○ · Importance ●●●●● · 5 minutes
#
# - Shapes, scales, dtype and input as before: `(..., d, d)` in, `(...)` out, in the dtype of `hessian`.


# %% nbgrader={"grade_id": "max_stable_lr"}
def max_stable_lr(hessian: torch.Tensor) -> torch.Tensor:
    """Gradient descent on these bowls converges exactly for 0 < lr < this."""
    ### BEGIN SOLUTION
    return 2 / torch.linalg.eigvalsh(hessian)[..., -1]
    ### END SOLUTION


# %% nbgrader={"grade_id": "max_stable_lr-check"}
check("max_stable_lr", max_stable_lr)

# %% [markdown]
# > **Is it true?** "Gradient descent needs a learning rate below $1/\lambda_{\max}$."
# >
# > Measure first: 4000 steps from $(1, 1)$ at $\kappa = 100$, where $1/\lambda_{\max} = 0.005$.

# %%
steep = rotated_bowl(100)
corner = torch.ones(2, dtype=torch.float64)
for lr in (0.005, 0.0075, 0.00999, 0.01001):
    path = landscapes.gradient_descent(lambda theta: steep @ theta, corner, lr, 4000)
    loss = bowl_loss(steep, path)[-1]
    fate = "converges" if loss < 1e-3 else "diverges"
    print(f"lr = {lr:.5f} = {lr * 200:.3f} / lambda_max   {fate}")

# %% [markdown]
# > No. It needs $2/\lambda_{\max}$. Below $1/\lambda_{\max}$ no direction ever changes sign, which is comfortable and is what
# > many proofs assume; twice as much still converges.

# %% [markdown]
# ## Which learning rate is best?
#
# The rate of a run is its slowest factor, $\max_i |1 - \eta\lambda_i|$. A small $\eta$ makes the flat direction slow, a large one the
# steep direction. The best $\eta$ makes both equally slow, $1 - \eta\lambda_{\min} = \eta\lambda_{\max} - 1$:
#
# $$\eta^* = \frac{2}{\lambda_{\min} + \lambda_{\max}}, \qquad r^* = \frac{\kappa - 1}{\kappa + 1} .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\eta^*$ | `lr` | `(...)` | constant learning rate with the best worst case |
# | $r^*$ | `rate` | `(...)` | factor by which the distance shrinks per step, at worst; the loss shrinks by its square |
#
# By hand, $\lambda = 2$ and $6$: $\eta^* = 2/8 = 0.25$, and the factors are $1 - 0.5 = 0.5$ and $1 - 1.5 = -0.5$. With $\kappa = 3$
# the formula says $2/4 = 0.5$ too.

# %% [markdown]
# ### Exercise 3. `optimal_lr`
#
# **Goal:** the best constant learning rate and what it buys.
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes
#
# - Return two results, `(lr, rate)`, each of shape `(...)` and in the dtype of `hessian`. Batches, scales and input as before.
# - In a round bowl one step is enough: the rate is 0.


# %% nbgrader={"grade_id": "optimal_lr"}
def optimal_lr(hessian: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The best constant learning rate of gradient descent, and its rate."""
    ### BEGIN SOLUTION
    lam = torch.linalg.eigvalsh(hessian)
    low, high = lam[..., 0], lam[..., -1]
    return 2 / (low + high), (high - low) / (high + low)
    ### END SOLUTION


# %% nbgrader={"grade_id": "optimal_lr-check"}
check("optimal_lr", optimal_lr)

# %%
for kappa in (1, 10, 100, 1000):
    lr, rate = landscapes.optimal_lr(rotated_bowl(kappa))
    halving = f"{math.log(0.5) / math.log(rate):6.1f}" if rate > 0 else "     1"
    print(
        f"kappa = {kappa:4}   lr = {lr:.6f}   rate = {rate:.6f}   "
        f"steps to halve the distance: {halving}"
    )

# %% [markdown]
# **In practice.** $r^* \approx 1 - 2/\kappa$: ten times the condition number costs ten times the steps. Nobody knows
# $\lambda_{\min}$ of a real network, so learning rates are searched from above: as large as training bears.
#
# **Traps.** The best learning rate is close to the cliff. At $\kappa = 100$ it is $0.0099$ and the limit is $0.01$.

# %% [markdown]
# ## What does the path look like?
#
# A step is a point; a run is a path. Keeping the whole path lets you look at it and count.
#
# $$\theta_{t+1} = \theta_t - \eta\, g(\theta_t), \qquad g = \nabla L .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $g$ | `grad_fn` | `(d,)` to `(d,)` | the gradient, a function of a point |
# | $\theta_0$ | `theta0` | `(d,)` | the start |
# | $\theta_0, \dots, \theta_T$ | `path` | `(steps + 1, d)` | the start and one point for each step |
#
# By hand, $L = \theta^2$, $g = 2\theta$, $\eta = 0.25$ from $\theta_0 = 1$: each step halves, so two steps give the path $1, \tfrac12,
# \tfrac14$. Three points.

# %% [markdown]
# ### Exercise 4. `gradient_descent`
#
# **Goal:** the path of plain gradient descent.
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes
#
# - Return a tensor of shape `(steps + 1, d)` in the dtype of `theta0`; its first row is `theta0`. `steps` may be 0.
# - There are always `steps` steps, at the minimum too, where they stand still, and in a run that diverges.
# - `grad_fn` may be any gradient, not only that of a bowl. `theta0` itself is not changed. `torch.optim` is no answer.
# - In a check's card, `bowl_gradient(100)` is the gradient $(2\theta_1, 200\,\theta_2)$ of this notebook's bowl at $\kappa = 100$.


# %% nbgrader={"grade_id": "gradient_descent"}
def gradient_descent(
    grad_fn: Callable[[torch.Tensor], torch.Tensor],
    theta0: torch.Tensor,
    lr: float,
    steps: int,
) -> torch.Tensor:
    """The path of gradient descent, shape (steps + 1, d), the start included."""
    ### BEGIN SOLUTION
    path = [theta0]
    for _ in range(steps):
        path.append(path[-1] - lr * grad_fn(path[-1]))
    return torch.stack(path)
    ### END SOLUTION


# %% nbgrader={"grade_id": "gradient_descent-check"}
check("gradient_descent", gradient_descent)

# %% [markdown]
# Four learning rates at $\kappa = 100$, from $(1, 1)$. On a log axis a steady rate is a straight line.

# %%
plotting.show_figure(figures.learning_rates())

# %% [markdown]
# The fastest line here is $\eta = 0.009$, not $\eta^* = 0.0099$. The best learning rate is best for the worst start, in the long run; at
# $0.009$ the steep direction dies out in a dozen steps, and what is left for the flat one, at a rate of $0.982$ instead of $0.980$, is a hundredth of the
# starting loss. Split the loss by direction to see it:

# %%
plotting.show_figure(figures.loss_by_direction())

# %% [markdown]
# > **Is it true?** "The steep direction is the slow one."
# >
# > Measured: at $0.009$ it is the *flat* direction (left). Its factor is $1 - 0.009 \cdot 2 = 0.982$, the steep one's $-0.8$. The steep direction is why
# > the step must be small; the flat direction is what pays for it. At $\eta^*$ (right) both are equally slow: that is what makes it best.
#
# **In practice.** A loss that falls fast and then creeps has finished with its steep directions. Creeping is not converged.
#
# **Traps.** `path.append(theta)` followed by `theta -= lr * grad` stores one tensor many times: every row becomes the last point.

# %% [markdown]
# ## When is it there?
#
# To compare methods, count: the first step at which the loss is at or below a threshold.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $L(\theta_0), L(\theta_1), \dots$ | `losses` | `(n,)` or a list | losses along the path, from the start |
# | | `threshold` | float | how low is low enough |
# | | `step` | int or `None` | the first index with loss $\le$ threshold |
#
# By hand, losses $4, 2, 1, 0.5$ and threshold $1$: step 2, since the start is step 0 and "at" counts.

# %% [markdown]
# ### Exercise 5. `steps_to_reach`
#
# **Goal:** the measure of everything that follows.
#
# Difficulty ●○○○○ · Importance ●●●○○ · 5 minutes
#
# - `losses` is a vector of any dtype or a list, which is not changed. Return an int, or `None` if the threshold is never reached (or there are no losses).
# - The first time counts, even if the loss rises again. `nan` is not at or below anything, nor is `inf`.


# %% nbgrader={"grade_id": "steps_to_reach"}
def steps_to_reach(
    losses: torch.Tensor | Sequence[float], threshold: float
) -> int | None:
    """The first index whose loss is at or below the threshold, or None."""
    ### BEGIN SOLUTION
    for step, loss in enumerate(losses):
        if loss <= threshold:
            return step
    return None
    ### END SOLUTION


# %% nbgrader={"grade_id": "steps_to_reach-check"}
check("steps_to_reach", steps_to_reach)

# %% [markdown]
# To compare bowls fairly, ask for a share of the *starting* loss: that is $1 + \kappa$ at $(1, 1)$, so an absolute threshold would ask more of the narrow ones.

# %%
print("gradient descent from (1, 1) at kappa = 100, steps to a share of the loss")
print("lr          1/10,000  1/1,000,000")
for lr in (0.009, 0.005, 2 / 202, 0.0101):
    path = landscapes.gradient_descent(lambda theta: steep @ theta, corner, lr, 1000)
    losses = figures.shares(bowl_loss(steep, path))
    reached = [landscapes.steps_to_reach(losses, low) for low in (1e-4, 1e-6)]
    print(f"{lr:.6f} {reached[0]!s:>11} {reached[1]!s:>12}")

# %% [markdown]
# **Traps.** 200 steps look like plenty, and at $\kappa = 100$ no learning rate in the table gets to a millionth in so few. `argmax` of a
# mask that is nowhere true is 0, as if the start had been good enough.

# %% [markdown]
# ## What if the ball had mass?
#
# Gradient descent forgets. A heavy ball keeps its velocity: along the flat direction, where gradients agree, it speeds up; across the
# valley, where they alternate, they cancel. That is **Polyak's momentum** (Polyak, 1964):
#
# $$v_{t+1} = \beta v_t + g(\theta_t), \qquad \theta_{t+1} = \theta_t - \eta\, v_{t+1}, \qquad v_0 = 0 .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\beta$ | `beta` | float | how much velocity survives a step; 0 is gradient descent |
# | $v$ | | `(d,)` | velocity: a *sum* of past gradients, each forgotten by $\beta$ per step |
#
# By hand, $g = 1$ everywhere, $\eta = 1$, $\beta = \tfrac12$, from 0: the velocities are $1, 1.5, 1.75$, so the path is $0, -1, -2.5,
# -4.25$. In the long run $v = 1 + \beta + \beta^2 + \dots = 1/(1-\beta) = 2$.

# %% [markdown]
# ### Exercise 6. `heavy_ball`
#
# **Goal:** the path with Polyak's momentum.
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes
#
# - Shapes, dtype, the start and the number of steps as in `gradient_descent`. The gradient is taken at the current point.
# - `beta` may be 0: then it is gradient descent.
# - Any way of writing the rule that gives this path is right; `torch.optim` is no answer.


# %% nbgrader={"grade_id": "heavy_ball"}
def heavy_ball(
    grad_fn: Callable[[torch.Tensor], torch.Tensor],
    theta0: torch.Tensor,
    lr: float,
    beta: float,
    steps: int,
) -> torch.Tensor:
    """The path of Polyak's heavy ball, shape (steps + 1, d), the start included."""
    ### BEGIN SOLUTION
    path, velocity = [theta0], torch.zeros_like(theta0)
    for _ in range(steps):
        velocity = beta * velocity + grad_fn(path[-1])
        path.append(path[-1] - lr * velocity)
    return torch.stack(path)
    ### END SOLUTION


# %% nbgrader={"grade_id": "heavy_ball-check"}
check("heavy_ball", heavy_ball)

# %% [markdown]
# > **Is it true?** "When you turn momentum on, turn the learning rate down by $1-\beta$."
# >
# > Measure first. Which learning rates does it bear, one hundredth below and above $2(1+\beta)/\lambda$? And how low does it get when the gradients are noisy?
# > Below, noise of deviation 1 on a bowl of curvature 2; theory says $\frac{\eta}{2} \frac{1+\beta}{(1-\beta)(2(1+\beta) - 2\eta)}$.

# %%
one = torch.ones(1, dtype=torch.float64)
for beta in (0.0, 0.5, 0.9, 0.99):
    fates = []
    for lr in (1.98 * (1 + beta), 2.02 * (1 + beta)):
        end = landscapes.heavy_ball(lambda theta: theta, one, lr, beta, 5000)[-1]
        fates.append(f"{lr:.2f} {'converges' if end.abs() < 1 else 'diverges'}")
    print(f"beta = {beta:.2f}, lr lambda = " + ", ".join(fates))

noise = torch.Generator().manual_seed(0)


def noisy(theta: torch.Tensor) -> torch.Tensor:
    """The gradient of theta^2, as a small batch would tell it."""
    return 2 * theta + torch.randn(1, dtype=torch.float64, generator=noise)


for lr, beta in ((0.05, 0.0), (0.05, 0.9), (0.005, 0.9)):
    floor = landscapes.heavy_ball(noisy, one, lr, beta, 20_000)[1000:].square().mean()
    theory = lr / 2 * (1 + beta) / (1 - beta) / (2 * (1 + beta) - 2 * lr)
    print(
        f"lr = {lr:.3f}, beta = {beta:.1f}: mean loss {floor:.4f}, theory {theory:.4f}"
    )

# %% [markdown]
# > For stability, no: the limit *grows*, to $2(1+\beta)/\lambda_{\max}$. For noise, yes: momentum does not lower the floor, it raises it by about
# > $1/(1-\beta)$, and $\eta(1-\beta)$ brings it back. A constant slope then moves it $\eta$ times the slope a step, like gradient descent at $\eta$.
#
# **In practice.** `torch.optim.SGD(momentum=0.9)` is this rule. Its velocity looks about $1/(1-\beta) = 10$ steps back.
#
# **Traps.** An *average*, $(1-\beta)g$, is what Adam uses, and is $1/(1-\beta)$ times smaller. A $v_0$ that is the first gradient counts
# it twice.

# %% [markdown]
# ## What if the ball looked ahead?
#
# Heavy ball takes the gradient where it stands and then moves on by the velocity it already had. **Nesterov** (1983) turns that round: first
# see where the velocity will carry you, take the gradient *there* (in the form of Sutskever et al., 2013, equations 3 and 4):
#
# $$v_{t+1} = \mu v_t - \eta\, g(\theta_t + \mu v_t), \qquad \theta_{t+1} = \theta_t + v_{t+1}, \qquad v_0 = 0 .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\mu$ | `mu` | float | how much velocity survives a step |
# | $\theta + \mu v$ | | `(d,)` | the look-ahead point |
#
# By hand, $g = \theta$, $\eta = \mu = \tfrac12$ from 1: $v = -\tfrac12$, $\theta = \tfrac12$. Look ahead to $\tfrac12 - \tfrac14 =
# \tfrac14$: $v = -\tfrac14 - \tfrac18 = -\tfrac38$, $\theta = \tfrac18$. Heavy ball takes the gradient at $\tfrac12$ instead: $v = -\tfrac14 - \tfrac14$, $\theta = 0$.

# %% [markdown]
# ### Exercise 7. `nesterov`
#
# **Goal:** the path with the gradient at the look-ahead point.
#
# Difficulty ●●●○○ · Importance ●●●●○ · 10 minutes
#
# - Shapes, dtype, the start and the number of steps as before. The path is of $\theta$, not of the look-ahead points.
# - `mu` may be 0: then it is gradient descent. `torch.optim` is no answer.


# %% nbgrader={"grade_id": "nesterov"}
def nesterov(
    grad_fn: Callable[[torch.Tensor], torch.Tensor],
    theta0: torch.Tensor,
    lr: float,
    mu: float,
    steps: int,
) -> torch.Tensor:
    """The path of Nesterov's method, shape (steps + 1, d), the start included."""
    ### BEGIN SOLUTION
    path, velocity = [theta0], torch.zeros_like(theta0)
    for _ in range(steps):
        velocity = mu * velocity - lr * grad_fn(path[-1] + mu * velocity)
        path.append(path[-1] + velocity)
    return torch.stack(path)
    ### END SOLUTION


# %% nbgrader={"grade_id": "nesterov-check"}
check("nesterov", nesterov)

# %% [markdown]
# > **Is it true?** "Momentum gives $1/T^2$."
# >
# > Measure first. On the left, a convex function of one number whose slope is continuous and whose second derivative is 25, then 1, then 25 (Lessard, Recht
# > and Packard, 2016), with heavy ball at its best settings for bowls of that range. On the right, a convex function on which, after $T$ steps, no
# > gradient method is below $3L/(32(T+1)^2)$ (Nesterov, 2018, section 2.1.2; here $L = 4$).

# %%
kink = torch.tensor([3.3], dtype=torch.float64)
lr, beta = landscapes.heavy_ball_optimum(1, 25)
rolling = landscapes.heavy_ball(figures.kinked_gradient, kink, lr, beta, 3000)
last = "  ".join(f"{x:.4f}" for x in rolling[-4:, 0].tolist())
print("heavy ball, the last four of 3000 steps:", last)
print("\nloss / distance^2 after T steps")
print("   T  gradient descent  Nesterov   no method below   Nesterov's promise")
for steps in (100, 200, 400):
    plain = figures.chain_loss("gradient descent", steps)
    fast = figures.chain_loss("Nesterov", steps)
    low, high = 3 / 8 / (steps + 1) ** 2, 8 / (steps + 1) ** 2
    print(f"{steps:4} {plain:17.2e} {fast:9.2e} {low:17.2e} {high:20.2e}")

# %%
plotting.show_figure(figures.promises_of_momentum())

# %% [markdown]
# > Nesterov's method does, with a momentum that grows like $(t-1)/(t+2)$ (your `mu` is constant): twice the steps, a quarter of the loss.
# > Heavy ball need not: on the left it never arrives at all, though its settings are the best there are for a *bowl* with the same curvatures.
#
# **Traps.** `torch.optim.SGD(nesterov=True)` keeps the look-ahead points in your parameters, not $\theta$; the two differ by $\mu v$. The gradient at the
# current point gives heavy ball under Nesterov's name.

# %% [markdown]
# ## Why does momentum win a square root?
#
# Look at one eigenvector. Heavy ball's step, $\theta_{t+1} = (1 + \beta - \eta\lambda)\,\theta_t - \beta\,\theta_{t-1}$, is one matrix, again and again:
#
# $$\begin{pmatrix} \theta_{t+1} \\ \theta_t \end{pmatrix} = \begin{pmatrix} 1 + \beta - \eta\lambda & -\beta \\ 1 & 0 \end{pmatrix} \begin{pmatrix} \theta_t \\ \theta_{t-1} \end{pmatrix}.$$
#
# The product of its two eigenvalues is its determinant, $\beta$. Where they are complex they have one modulus, so it is $\sqrt\beta$ *whatever $\lambda$ is*:

# %%
plotting.show_figure(figures.root_moduli())

# %% [markdown]
# Without momentum, a V: only one curvature is fast. With momentum, a floor from $(1-\sqrt\beta)^2$ to $(1+\sqrt\beta)^2$. The fastest settings put both
# ends of the spectrum on its ends, $\eta\lambda_{\min} = (1-\sqrt\beta)^2$ and $\eta\lambda_{\max} = (1+\sqrt\beta)^2$. Add and divide the roots (Polyak, 1964):
#
# $$\eta = \left(\frac{2}{\sqrt{\lambda_{\max}} + \sqrt{\lambda_{\min}}}\right)^{2}, \qquad
# \beta = \left(\frac{\sqrt\kappa - 1}{\sqrt\kappa + 1}\right)^{2} .$$
#
# The rate is $\sqrt\beta$: gradient descent's with $\sqrt\kappa$ in place of $\kappa$.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\lambda_{\min}, \lambda_{\max}$ | `lambda_min`, `lambda_max` | floats | smallest and largest curvature |
# | $\eta, \beta$ | `lr`, `beta` | floats | the best settings |
#
# By hand, $\lambda = 1$ and $9$: $\eta = (2/4)^2 = \tfrac14$ and $\beta = (2/4)^2 = \tfrac14$, so in the long run the distance halves in each step, against
# $(9-1)/(9+1) = 0.8$ without momentum.

# %% [markdown]
# ### Exercise 8. `heavy_ball_optimum`
#
# **Goal:** the settings that make momentum pay.
#
# Difficulty ●●○○○ · Importance ●●●○○ · 5 minutes
#
# - Two positive floats in, `lambda_min <= lambda_max`, of any size and ratio; two results out, `(lr, beta)`.


# %% nbgrader={"grade_id": "heavy_ball_optimum"}
def heavy_ball_optimum(lambda_min: float, lambda_max: float) -> tuple[float, float]:
    """The fastest learning rate and momentum on bowls with these extreme curvatures."""
    ### BEGIN SOLUTION
    low, high = lambda_min**0.5, lambda_max**0.5
    return (2 / (high + low)) ** 2, ((high - low) / (high + low)) ** 2
    ### END SOLUTION


# %% nbgrader={"grade_id": "heavy_ball_optimum-check"}
check("heavy_ball_optimum", heavy_ball_optimum)

# %% [markdown]
# Now all methods side by side, from the corner $(1, 1)$ of a bowl with $\kappa = 20$: gradient descent and heavy ball at the settings with the
# best worst-case rate, Nesterov's method at his own constants $1/\lambda_{\max}$ and $(\sqrt\kappa-1)/(\sqrt\kappa+1)$. Adam (notebook 03), which divides an average of
# gradients by the root of an average of their squares, has no such formula: its learning rate is tuned, for the slowest of twelve starting directions.

# %%
plotting.show_figure(figures.paths_on_contours())

# %% [markdown]
# Heavy ball first swings *out*, to a loss above the start's. Its rate is a promise about the long run: at an end of the floor the two eigenvalues coincide, a
# coordinate goes like $(1 + ct)\sqrt\beta^{\,t}$, and the factor in front grows before the power wins. Nesterov's path turns at once because $\eta = 1/\lambda_{\max}$
# ends the steep direction in exactly one step.
#
# What does a narrower bowl cost? Steps to a millionth of the starting loss, from the slowest of twelve directions. The lines are theory: $r^{2t}$ for
# gradient descent, $(1 + ct)^2 \beta^t$ for heavy ball.

# %%
plotting.show_figure(figures.steps_against_kappa())

# %%
kappas = (10, 100, 1000, 10000)
print("steps to a millionth, kappa =", "".join(f"{kappa:9}" for kappa in kappas))
for method in (*figures.METHODS[:3], figures.BOWL_NESTEROV, figures.METHODS[3]):
    counts = [figures.steps_needed(method, kappa) for kappa in kappas]
    print(f"{method:28}", "".join(f"{count:9}" for count in counts))

# %% [markdown]
# Ten times the condition number costs gradient descent ten times the steps, those with momentum between three and four times. On bowls Nesterov's method does
# better with $\eta = 4/(3\lambda_{\max} + \lambda_{\min})$ and $\mu = (\sqrt{3\kappa+1} - 2)/(\sqrt{3\kappa+1} + 2)$ (Lessard, Recht and Packard, 2016), the row "for bowls".
#
# **In practice.** $\beta = 0.9$, the usual choice, has a floor wide enough for $\kappa = 1442$: solve $\sqrt\beta = (\sqrt\kappa - 1)/(\sqrt\kappa + 1)$ for $\kappa$.
#
# **Traps.** $\sqrt{\lambda_{\max} + \lambda_{\min}}$ is not $\sqrt{\lambda_{\max}} + \sqrt{\lambda_{\min}}$; and $\beta$ is squared, the rate
# $\sqrt\beta$ is not.

# %% [markdown]
# ## Is Adam immune?
#
# > **Is it true?** "Adam does not care about the condition number." Its row in the table says so.
# >
# > Measure first: turn the same bowl by 45 degrees, starts included, and tune again. Nothing about the problem has changed but the names of its axes.

# %%
print("steps to a millionth, kappa =", "".join(f"{kappa:9}" for kappa in kappas[:3]))
for method in ("heavy ball", "Adam"):
    counts = [figures.steps_needed(method, kappa, math.pi / 4) for kappa in kappas[:3]]
    print(f"{method + ', turned by 45':28}", "".join(f"{count:9}" for count in counts))

# %%
plotting.show_figure(figures.steps_against_angle())

# %% [markdown]
# > Only when the bowl is aligned with the axes. Adam divides each coordinate by the size of its own gradients. That undoes a *diagonal*
# > Hessian, and a turned one is not diagonal: what is left is momentum with $\beta_1 = 0.9$. The other methods cannot even tell that the bowl was
# > turned: their paths turn with it.
#
# Try it. At which learning rate does each method leave the bowl, with and without momentum? Where does turning it hurt Adam most?

# %% tags=["interactive"]
landscape_explorer()

# %%
plotting.show_figure(landscape_stills())

# %% [markdown]
# **In practice.** The axes of a network are its single weights, and curvature is partly aligned with them: some layers and some rows are far steeper
# than others. That part Adam undoes. Methods such as Shampoo and Muon go after the rest, the rotation.

# %% [markdown]
# ## How steep is a real network? (stretch)
#
# A network with $d$ parameters has a Hessian of $d^2$ entries: for a million parameters, four terabytes in float32. But $H v$, the Hessian
# times one vector, costs about two gradients (Pearlmutter, 1994):
#
# $$H v = \nabla_\theta \big( g(\theta)^\top v \big), \qquad v \text{ held fixed} .$$
#
# Multiply a random vector by $H$ again and again, scaling it to length 1, and the direction of the eigenvalue of largest *magnitude* takes
# over. At the end $v^\top H v$ is that eigenvalue, sign included.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $L$ | `loss_fn` | | `loss_fn(params)` is one number |
# | $\theta$ | `params` | any | one tensor |
# | $\lambda$ | `lam` | | the eigenvalue of largest magnitude at `params` |
#
# By hand, $H = \mathrm{diag}(4, 1)$ from $v = (1, 1)$: $Hv = (4, 1)$, $H^2 v = (16, 1)$. After two products the direction is
# $(1, 0.06)$, and $v^\top H v / v^\top v = (256 \cdot 4 + 1)/257 \approx 3.988$.

# %% [markdown]
# ### Stretch 1. `top_hessian_eigenvalue`
#
# **Goal:** the sharpness of a loss without its Hessian.
#
# Difficulty ●●●●○ · Importance ●●●○○ · 15 minutes
#
# - Power iteration with `iterations` Hessian-vector products by autograd; never form the Hessian or call an eigenvalue routine.
# - Draw the first vector from `generator`: a fixed one may be orthogonal to the eigenvector. Precision $10^{-4}$, relative.
# - The eigenvalue may be negative: keep its sign. `loss_fn` may be any smooth loss.
# - `params` has any shape; it is not changed. The answer is a float, or a number in its dtype.


# %% nbgrader={"grade_id": "top_hessian_eigenvalue"}
def top_hessian_eigenvalue(
    loss_fn: Callable[[torch.Tensor], torch.Tensor],
    params: torch.Tensor,
    iterations: int,
    generator: torch.Generator,
) -> float:
    """The eigenvalue of largest magnitude of the Hessian of loss_fn at params."""
    ### BEGIN SOLUTION
    theta = params.detach().clone().requires_grad_()
    (grad,) = torch.autograd.grad(loss_fn(theta), theta, create_graph=True)
    v = torch.randn(theta.shape, generator=generator, dtype=theta.dtype)
    for _ in range(iterations):
        v = v / v.norm()
        (image,) = torch.autograd.grad(grad, theta, grad_outputs=v, retain_graph=True)
        lam, v = (v * image).sum().item(), image
    return lam
    ### END SOLUTION


# %% nbgrader={"grade_id": "top_hessian_eigenvalue-check"}
check("top_hessian_eigenvalue", top_hessian_eigenvalue)

# %% [markdown]
# A real network, small enough that its whole Hessian can be had for comparison: two inputs, two hidden layers of 12, all 205 parameters
# in one vector, learning which side of a curved line a point is on.

# %%
points = torch.randn(
    200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64
)
labels = (points[:, 1] > torch.sin(2 * points[:, 0])).double()
shapes = [(2, 12), (12,), (12, 12), (12,), (12, 1), (1,)]


def network(params: torch.Tensor) -> torch.Tensor:
    """The logits of a network 2-12-12-1 with all its parameters in one vector."""
    sizes = [math.prod(shape) for shape in shapes]
    w1, b1, w2, b2, w3, b3 = (
        part.reshape(s) for part, s in zip(params.split(sizes), shapes, strict=True)
    )
    return (torch.tanh(torch.tanh(points @ w1 + b1) @ w2 + b2) @ w3 + b3)[:, 0]


def logistic(params: torch.Tensor) -> torch.Tensor:
    """The mean logistic loss."""
    return torch.nn.functional.binary_cross_entropy_with_logits(network(params), labels)


def squared(params: torch.Tensor) -> torch.Tensor:
    """The mean squared error against labels -1 and 1."""
    return (network(params) - (2 * labels - 1)).square().mean()


def gradient_of(
    loss: Callable[[torch.Tensor], torch.Tensor],
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The gradient of a loss, as a function of the parameters."""

    def gradient(params: torch.Tensor) -> torch.Tensor:
        leaf = params.detach().requires_grad_()
        return torch.autograd.grad(loss(leaf), leaf)[0]

    return gradient


start = 0.4 * torch.randn(
    205, generator=torch.Generator().manual_seed(1), dtype=torch.float64
)
run = landscapes.heavy_ball(gradient_of(logistic), start, 0.2, 0.9, 300)
seeded = torch.Generator().manual_seed(2)
for step in (0, 30, 300):
    sharpness = landscapes.top_hessian_eigenvalue(logistic, run[step], 60, seeded)
    print(
        f"step {step:3}   loss {logistic(run[step]):.3f}   largest curvature {sharpness:.2f}"
    )

# %%
spectrum = torch.linalg.eigvalsh(torch.autograd.functional.hessian(logistic, run[-1]))
sizes = spectrum.abs()
print(f"{(sizes > 0.01 * sharpness).sum()} of {len(sizes)} exceed 1% of the largest")
print(f"{(sizes < 0.001 * sharpness).sum()} are below 0.1% of it")
print(f"{(spectrum < 0).sum()} are negative, the least is {spectrum.min():.1e}")
print(f"the largest is {sizes.max() / sizes.min():.1e} times the smallest in magnitude")
plotting.show_figure(figures.hessian_spectrum(spectrum, sharpness))

# %% [markdown]
# A few steep directions and a great many flat ones, some curving slightly *down*: no bowl at all, strictly speaking, and no condition number. The ratio of its largest and
# smallest curvature is not 100 but more than ten billion (Sagun et al., 2017, saw such spectra in larger networks).
#
# What does training do to the largest curvature, the **sharpness**? Train by full-batch gradient descent on the squared error, at three learning rates, and watch:

# %%
watched = range(0, 601, 15)
curves = {}
for lr in (0.05, 0.1, 0.2):
    run = landscapes.gradient_descent(gradient_of(squared), start, lr, 600)
    curves[lr] = [
        landscapes.top_hessian_eigenvalue(squared, run[step], 40, seeded)
        for step in watched
    ]
plotting.show_figure(figures.edge_of_stability(watched, curves))

# %% [markdown]
# It climbs. Beyond $2/\eta$, the limit of exercise 2, the steep direction grows, and after a while the run is thrown to where the loss is less steep: at
# $0.2$ again and again, until it hovers at 10. At $0.05$ it never gets to 40. This is the **edge of stability** (Cohen et al., 2021).
#
# **In practice.** The learning rate does not only have to suit the landscape; it chooses which part of it you train in.
#
# **Traps.** The length of $Hv$ is $|\lambda|$: a saddle's steepest direction would lose its sign. Without `create_graph=True` there is nothing to
# differentiate a second time.

# %% [markdown]
# ## Can the bowl be made round? (stretch)
#
# Multiply the gradient by $H^{-1}$ and every bowl is round: one step of length 1 goes to its minimum, whatever $\kappa$ is. That is **Newton's method**:

# %%
narrow = rotated_bowl(10_000, 0.5)
newton = corner - torch.linalg.solve(narrow, narrow @ corner)
print(
    f"loss {bowl_loss(narrow, corner):.0f}, after one step {bowl_loss(narrow, newton):.6f}"
)

# %% [markdown]
# Where $H$ curves down, Newton climbs. For a model of probabilities there is a matrix without that fault: the **Fisher information** $F$, the curvature of the KL
# divergence between the model and itself, slightly changed. Where the model fits the data it is the Hessian of the expected loss; elsewhere the
# two differ, and $F$ still has no negative eigenvalue. Amari's **natural gradient** (1998) steps along the solution of $F x = g$; a little damping keeps that solvable:
#
# $$\theta \leftarrow \theta - \eta\, x, \qquad (F + \delta I)\, x = g .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $g$ | `grad` | `(..., d)` | gradient at `theta`, which has the same shape |
# | $F$ | `fisher` | `(..., d, d)` | Fisher information, symmetric, no negative eigenvalue |
# | $\delta$ | `damping` | float | added to the *diagonal* |
#
# By hand, $F = \mathrm{diag}(3, 1)$, $\delta = 1$, $g = (8, 8)$, $\eta = 1$ from 0: $x = (8/4, 8/2) = (2, 4)$, so $\theta = (-2, -4)$.

# %% [markdown]
# ### Stretch 2. `natural_gradient_step`
#
# **Goal:** one step that does not feel the condition number.
#
# Difficulty ●●○○○ · Importance ●●●○○ · 10 minutes
#
# - Solve to the end; never invert. `theta` and `grad` have shape `(..., d)`, `fisher` `(..., d, d)`; a batch may be empty.
# - `lr` and `damping` are floats. `damping` may be 0, and the condition number $10^4$ or more, in any number of dimensions.
# - The answer has the dtype of `theta`, and no input is changed.


# %% nbgrader={"grade_id": "natural_gradient_step"}
def natural_gradient_step(
    theta: torch.Tensor,
    grad: torch.Tensor,
    fisher: torch.Tensor,
    lr: float,
    damping: float,
) -> torch.Tensor:
    """theta - lr x, where (fisher + damping I) x = grad."""
    ### BEGIN SOLUTION
    damped = fisher + damping * torch.eye(theta.shape[-1], dtype=theta.dtype)
    return theta - lr * torch.linalg.solve(damped, grad[..., None])[..., 0]
    ### END SOLUTION


# %% nbgrader={"grade_id": "natural_gradient_step-check"}
check("natural_gradient_step", natural_gradient_step)

# %% [markdown]
# Fit a Gaussian $q = N(\mu, \sigma^2)$ to $p = N(1, 0.1^2)$, for the least $D(p\|q)$, by its parameters $(\mu, \log\sigma)$, from $(0, 0)$. The Fisher information of a Gaussian in these
# parameters is $\mathrm{diag}(1/\sigma^2, 2)$: a narrow Gaussian cares a lot about its mean.

# %%
best = torch.tensor([1.0, math.log(0.1)], dtype=torch.float64)
hessian = torch.autograd.functional.hessian(
    lambda theta: figures.gaussian_divergence(theta, 1.0, 0.1), best
)
fisher = torch.diag(torch.tensor([1 / 0.1**2, 2.0], dtype=torch.float64))
seen = torch.linalg.solve(fisher, hessian)
print(
    f"kappa of the divergence at its minimum {landscapes.condition_number(hessian):6.1f}"
)
print(
    f"and as the natural gradient sees it    {landscapes.condition_number(seen):6.1f}"
)
for kind, lr, steps in (("plain", 2 / 102, 400), ("natural", 1.0, 40)):
    fit = figures.fit_gaussian(1.0, 0.1, lr, steps, natural=kind == "natural")
    divergence = figures.gaussian_divergence(fit, 1.0, 0.1)
    needed = landscapes.steps_to_reach(divergence, 1e-4)
    print(f"{kind:7} gradient, lr = {lr:.4f}: {needed:3} steps to 0.0001 nats")

# %% [markdown]
# Each at its best learning rate for the bowl at the minimum, $2/(2 + 100)$ and $1$:

# %%
plotting.show_figure(figures.natural_gradient_paths())

# %% [markdown]
# **In practice.** $F$ has $d^2$ entries and solving costs $d^3$, so nobody does it for a network. K-FAC approximates $F$ layer by layer; Shampoo is a cousin, built from roots of sums of
# gradient products. Adam's $v$, an average of squared gradients, resembles $F$'s diagonal, but Adam divides by its *root*.
#
# **Traps.** `fisher + damping` adds to *every* entry. `torch.linalg.inv` costs three times a solve and loses digits where $F$ is nearly singular, which is
# where you need them.

# %% [markdown]
# ## In your own words (2 points, graded by hand)
#
# A colleague trains with Adam on data whose features have very different scales, and it works well. They then rotate the features with a random
# orthogonal matrix, as a harmless change of basis, and training becomes several times slower. Gradient descent with momentum, tuned, does not change at all. In at most six
# sentences: why does Adam notice and momentum not, has the condition number changed, and what would you do?

# %% [markdown] nbgrader={"grade_id": "reflection", "grade": true, "solution": true, "points": 2}
# ### BEGIN SOLUTION
# **A model answer.** A rotation $R$ turns the Hessian into $R H R^\top$, which has the same eigenvalues, so $\kappa$ is unchanged. Gradient descent and
# heavy ball are built from sums of gradients only, and those turn with the axes: the new path is the old one turned, with the same losses.
# Adam divides each coordinate by the size of that coordinate's gradients. Before the rotation each coordinate was one curvature, so this undid the scales;
# after it every coordinate mixes steep and flat directions, all get about the same divisor, and the narrow valley is back. I would undo it in the data
# (standardise or whiten the features before training) or use a method that sees more than the diagonal, such as Shampoo or the natural gradient.
#
# **Rubric.** ½ point: $\kappa$ has not changed (the eigenvalues of $RHR^\top$ are those of $H$). ½ point: momentum's path turns with the axes, since it only adds
# gradients. ½ point: Adam scales coordinate by coordinate, which helps only where the axes are (nearly) the Hessian's own. ½ point: a remedy that acts
# on the rotation (whitening, undoing it, a full-matrix method); "tune the learning rate" alone earns none. No marks are lost for style.
# ### END SOLUTION

# %% [markdown]
# ## Where you are
#
# | what makes it slow | what helps |
# |---|---|
# | curvatures that differ along the axes | Adam |
# | curvatures that differ along any directions | momentum, by a root; whitening the data |
# | noise | a smaller $\eta$ or a larger batch, not momentum |
#
# `progress()` shows what you have done so far, in this notebook and the others. Next: notebook 05 measures a divergence by throwing dice.

# %% tags=["nbval-ignore-output"]
progress()
