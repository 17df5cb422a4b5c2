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
# Two losses have the same minimum, the same starting value and the same optimiser. One is solved in 29 steps, the other in
# 46,052. What is the difference, and what can an optimiser do about it? One number answers both: the condition number.
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
from helpers.figures.landscape_explorer import landscape_explorer
from helpers.landscapes import bowl_loss, rotated_bowl

plotting.use_course_style()
print("ready")

# %% [markdown]
# ## How narrow is the valley?
#
# Near a minimum every smooth loss is a bowl. This notebook's bowl is
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
# - Each matrix is symmetric and positive definite; you need not check that.
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
# **In practice.** A feature measured in metres beside one in millimetres gives a Hessian with $\kappa \approx 10^6$. Standardising
# the inputs, normalisation layers and careful initialisation all exist to make $\kappa$ smaller.
#
# **Traps.** The diagonal holds the eigenvalues only where the bowl is not turned. For a symmetric positive definite matrix singular
# values and eigenvalues are the same; for any other, such as a Cholesky factor or the last matrix above, they are not.

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
# - The same shapes as before: `(..., d, d)` in, `(...)` out, in the dtype of `hessian`.


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
# | $\eta^*$ | `lr` | `(...)` | best constant learning rate |
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
# - Return two results, `(lr, rate)`, each of shape `(...)` and in the dtype of `hessian`.
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
    halving = f"{math.log(0.5) / math.log(rate):7.1f}" if rate > 0 else "      1"
    print(
        f"kappa = {kappa:4}   lr = {lr:.6f}   rate = {rate:.6f}   steps to halve: {halving}"
    )

# %% [markdown]
# **In practice.** $r^* \approx 1 - 2/\kappa$: ten times the condition number costs ten times the steps. Nobody knows
# $\lambda_{\min}$ of a real network, so learning rates are searched from above: as large as training bears.
#
# **Traps.** The best rate is close to the cliff. At $\kappa = 100$ it is $0.0099$ and the limit is $0.01$.

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
# - `grad_fn` may be any gradient, not only that of a bowl. `theta0` itself is not changed.
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
plotting.show_figure(
    figures.learning_rates(),
    alt="Loss against step on a log axis for gradient descent at condition number "
    "100. Learning rates .005, .009 and .0099 fall as straight lines to .0001 "
    "after 459, 254 and 346 steps; .0101, just above the limit .01, rises without"
    " bound.",
)

# %% [markdown]
# The fastest line here is $\eta = 0.009$, not $\eta^* = 0.0099$. The best rate is best for the worst start, in the long run; at $0.009$
# the steep direction dies out at once and the flat one, at a rate of $0.982$ instead of $0.980$, is nearly as fast with much less
# to do.
#
# > **Is it true?** "The steep direction is the slow one."
# >
# > Measure first: both coordinates at $\eta = 0.009$.

# %%
path = landscapes.gradient_descent(lambda theta: steep @ theta, corner, 0.009, 100)
print("step    theta_1 (flat)    theta_2 (steep)")
for step in (0, 1, 2, 5, 20, 100):
    print(f"{step:4} {path[step, 0]:17.6f} {path[step, 1]:18.1e}")

# %% [markdown]
# > No. The flat one is: its factor is $1 - 0.009 \cdot 2 = 0.982$, the steep one's $-0.8$. The steep direction is why the step must be
# > small; the flat direction is what pays for it.
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
# - `losses` is a vector or a list. Return an int, or `None` if the threshold is never reached (or there are no losses).
# - The first time counts, even if the loss rises again. `nan` is not at or below anything.


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

# %%
print("gradient descent from (1, 1) at kappa = 100, steps to a loss of")
print("lr          0.01     0.0001")
for lr in (0.009, 0.005, 2 / 202, 0.0101):
    path = landscapes.gradient_descent(lambda theta: steep @ theta, corner, lr, 1000)
    reached = [
        landscapes.steps_to_reach(bowl_loss(steep, path), low) for low in (0.01, 1e-4)
    ]
    print(f"{lr:.6f} {reached[0]!s:>7} {reached[1]!s:>10}")

# %% [markdown]
# **Traps.** 200 steps look like plenty, and at $\kappa = 100$ no learning rate in the table gets to 0.0001 in so few. `argmax` of a
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
# - Shapes, dtype and the start as in `gradient_descent`. The gradient is taken at the current point.
# - Any way of writing the rule that gives this path is right.


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
# How far back does momentum look? The gradient of $k$ steps ago has weight $\beta^k$, so the window is about $1/(1-\beta)$ steps:

# %%
for beta in (0.5, 0.9, 0.99):
    weights = beta ** torch.arange(5000, dtype=torch.float64)
    window = round(1 / (1 - beta))
    share = weights[:window].sum() / weights.sum()
    total = f"weights sum to {weights.sum():6.2f}"
    print(
        f"beta = {beta:.2f}   {total}   the last {window:3} steps hold {share:.3f} of it"
    )

# %% [markdown]
# **In practice.** `torch.optim.SGD(momentum=0.9)` is this rule. Its effective learning rate is $\eta/(1-\beta)$, ten times what you
# typed: when you turn momentum on, turn the learning rate down.
#
# **Traps.** An *average*, $(1-\beta)g$, is what Adam uses, and is $1/(1-\beta)$ times smaller. A velocity that begins with the first
# gradient counts that gradient twice.

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
# - Shapes, dtype and the start as before. The path is of $\theta$, not of the look-ahead points.


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
# > Measure first. On the left, a smooth convex function of one number whose second derivative is 25, then 1, then 25 (Lessard, Recht and Packard, 2016),
# > with heavy ball at its best settings for that range. On the right, the hardest convex function for $T$ steps (Nesterov, 2018, section 2.1.2).

# %%
kink = torch.tensor([3.3], dtype=torch.float64)
lr, beta = landscapes.heavy_ball_optimum(1, 25)
rolling = landscapes.heavy_ball(figures.kinked_gradient, kink, lr, beta, 3000)
last = "  ".join(f"{x:.4f}" for x in rolling[-4:, 0].tolist())
print("heavy ball, the last four of 3000 steps:", last)
print("\nloss / distance^2 on the hardest function for T steps")
print("   T   gradient descent   Nesterov   Nesterov's promise")
for steps in (100, 200, 400):
    plain = figures.chain_loss("gradient descent", steps)
    fast = figures.chain_loss("Nesterov", steps)
    print(f"{steps:4} {plain:18.2e} {fast:10.2e} {8 / (steps + 1) ** 2:20.2e}")

# %%
plotting.show_figure(
    figures.promises_of_momentum(),
    alt="Left: on a convex function of one number heavy ball jumps for ever between "
    "2.12, .65 and -1.80 while Nesterov's method reaches the minimum at 0 within "
    "three steps. Right: on the hardest convex function for T steps the loss of "
    "Nesterov's method falls like 1/T squared, that of gradient descent more "
    "slowly.",
)

# %% [markdown]
# > Nesterov's method does, on convex smooth losses, with a momentum that grows like $(t-1)/(t+2)$: twice the steps, a quarter of the loss.
# > Heavy ball need not: here it never arrives at all, though its settings are the best there are for a *bowl* with the same curvatures.
#
# **Traps.** `torch.optim.SGD(nesterov=True)` keeps the look-ahead points in your parameters, not $\theta$; the two differ by $\mu v$. The gradient at the
# current point gives heavy ball under Nesterov's name.

# %% [markdown]
# ## How much does momentum win?
#
# On bowls whose curvatures lie between $\lambda_{\min}$ and $\lambda_{\max}$, heavy ball is fastest with (Polyak, 1964)
#
# $$\eta = \left(\frac{2}{\sqrt{\lambda_{\max}} + \sqrt{\lambda_{\min}}}\right)^{2}, \qquad
# \beta = \left(\frac{\sqrt\kappa - 1}{\sqrt\kappa + 1}\right)^{2} .$$
#
# The distance then shrinks like $\sqrt\beta^{\,t}$: gradient descent's rate with $\sqrt\kappa$ in place of $\kappa$. That root is what
# momentum wins.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\lambda_{\min}, \lambda_{\max}$ | `lambda_min`, `lambda_max` | floats | smallest and largest curvature |
# | $\eta, \beta$ | `lr`, `beta` | floats | the best settings |
#
# By hand, $\lambda = 1$ and $9$: $\eta = (2/4)^2 = \tfrac14$ and $\beta = (2/4)^2 = \tfrac14$, so the distance halves in each step, against
# $(9-1)/(9+1) = 0.8$ without momentum.

# %% [markdown]
# ### Exercise 8. `heavy_ball_optimum`
#
# **Goal:** the settings that make momentum pay.
#
# Difficulty ●●○○○ · Importance ●●●○○ · 5 minutes
#
# - Two positive floats in, `lambda_min <= lambda_max`; two results out, `(lr, beta)`.


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
# Now all methods side by side, each at its best settings (Adam at learning rate 0.1), from the same corner of a bowl with $\kappa = 20$:

# %%
plotting.show_figure(
    figures.paths_on_contours(),
    alt="Four paths from (1, 1) over the contours of a bowl with condition number 20."
    " Gradient descent zigzags across the valley and takes 62 steps, heavy ball "
    "swings far beyond it and takes 22, Nesterov's method turns into the valley "
    "at once and takes 26, Adam walks straight along the diagonal, overshoots, "
    "and takes 66.",
)

# %% [markdown]
# Heavy ball first swings *out*, to a loss above the start's. Its rate is a promise about the long run: with both ends of the spectrum tuned to the
# edge, a coordinate goes like $(1 + ct)\sqrt\beta^{\,t}$, and the factor in front grows before the power wins.
#
# What does a narrower bowl cost? The lines below are theory: $(1 + \kappa)\, r^{2t}$ for gradient descent, the formula above for heavy
# ball.

# %%
plotting.show_figure(
    figures.steps_against_kappa(),
    alt="Steps to a loss of .0001 against the condition number on log axes. Gradient "
    "descent rises in proportion to kappa, from 29 steps at 10 to 46052 at 10000;"
    " heavy ball and Nesterov's method rise like its square root, to 831 and 661;"
    " Adam stays at 82. The measured points of gradient descent and heavy ball "
    "lie on the lines of theory.",
)

# %%
print("steps to 0.0001, kappa =            10      100     1000    10000")
for method in figures.METHODS:
    counts = [figures.steps_needed(method, kappa) for kappa in (10, 100, 1000, 10000)]
    print(f"{method:28}", "".join(f"{count:9}" for count in counts))

# %% [markdown]
# **In practice.** $\beta = 0.9$, the usual default, is the best one for $\kappa = 1442$: solve $\sqrt\beta = (\sqrt\kappa - 1)/(\sqrt\kappa + 1)$ for $\kappa$.
#
# **Traps.** $\sqrt{\lambda_{\max} + \lambda_{\min}}$ is not $\sqrt{\lambda_{\max}} + \sqrt{\lambda_{\min}}$; and $\beta$ is squared, the rate
# $\sqrt\beta$ is not.

# %% [markdown]
# ## Is Adam immune?
#
# > **Is it true?** "Adam does not care about the condition number." The row of 82s says so.
# >
# > Measure first: turn the same bowl by 45 degrees, start included. Nothing about the problem has changed but the names of its axes.

# %%
print("steps to 0.0001, kappa =            10      100     1000    10000")
for method in ("heavy ball", "Adam"):
    counts = [
        figures.steps_needed(method, kappa, math.pi / 4)
        for kappa in (10, 100, 1000, 10000)
    ]
    print(f"{method + ', turned by 45':28}", "".join(f"{count:9}" for count in counts))

# %%
plotting.show_figure(
    figures.steps_against_angle(),
    alt="Steps to a loss of .0001 at condition number 100 against the angle by which "
    "bowl and start are turned. Gradient descent (346), Nesterov's method (63) "
    "and heavy ball (58) are level lines; Adam rises from 82 steps at 0 degrees "
    "to 406 at 45 degrees, above gradient descent, and falls back towards 90.",
)

# %% [markdown]
# > Only when the bowl is aligned with the axes. Adam divides each coordinate by the size of its own gradients. That undoes a *diagonal*
# > Hessian, and a turned one is not diagonal. Its immunity is an accident of the axes. The other methods cannot even tell that the bowl was
# > turned: their paths turn with it.
#
# Try it. At which learning rate does each method leave the bowl? Where does turning it hurt Adam most?

# %% tags=["interactive"]
landscape_explorer()

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
# - Draw the first vector from `generator`. `params` has any shape; it is not changed. Precision $10^{-4}$, relative.


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


def network_loss(params: torch.Tensor) -> torch.Tensor:
    """The mean logistic loss of a network 2-12-12-1 with all its parameters in one vector."""
    sizes = [math.prod(shape) for shape in shapes]
    w1, b1, w2, b2, w3, b3 = (
        part.reshape(s) for part, s in zip(params.split(sizes), shapes, strict=True)
    )
    logits = torch.tanh(torch.tanh(points @ w1 + b1) @ w2 + b2) @ w3 + b3
    return torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], labels)


def network_gradient(params: torch.Tensor) -> torch.Tensor:
    """The gradient of the loss."""
    leaf = params.detach().requires_grad_()
    return torch.autograd.grad(network_loss(leaf), leaf)[0]


start = 0.4 * torch.randn(
    205, generator=torch.Generator().manual_seed(1), dtype=torch.float64
)
run = landscapes.heavy_ball(network_gradient, start, 0.2, 0.9, 300)
seeded = torch.Generator().manual_seed(2)
for step in (0, 30, 300):
    sharpness = landscapes.top_hessian_eigenvalue(network_loss, run[step], 60, seeded)
    print(
        f"step {step:3}   loss {network_loss(run[step]):.3f}   largest curvature {sharpness:.2f}"
    )

# %%
spectrum = torch.linalg.eigvalsh(
    torch.autograd.functional.hessian(network_loss, run[-1])
)
sizes = spectrum.abs()
print(f"{(sizes > 0.01 * sharpness).sum()} of {len(sizes)} exceed 1% of the largest")
print(f"{(sizes < 0.001 * sharpness).sum()} are below 0.1% of it")
plotting.show_figure(
    figures.hessian_spectrum(spectrum, sharpness),
    alt="The 205 eigenvalues of the trained network's Hessian by magnitude on a log "
    "axis: a few large ones, then a steep fall over many powers of ten; about as "
    "many small negative ones as small positive ones. Power iteration's value "
    "meets the largest.",
)

# %% [markdown]
# A few steep directions and a great many flat ones, some curving slightly *down*: no bowl at all, strictly speaking. The ratio of its largest and smallest
# curvature is not 100 but many millions (Sagun et al., 2017, saw the same in larger networks).
#
# **In practice.** The largest curvature is called sharpness. Full-batch gradient descent drives it up until it hovers at $2/\eta$, the limit of exercise 2: the
# edge of stability (Cohen et al., 2021).
#
# **Traps.** The length of $Hv$ is $|\lambda|$: a saddle's steepest direction would lose its sign. Without `create_graph=True` there is nothing to
# differentiate a second time.

# %% [markdown]
# ## Can the bowl be made round? (stretch)
#
# Multiplying the gradient by $H^{-1}$ makes every bowl round, and for a model of probabilities there is a matrix that does it without second derivatives of the loss: the
# **Fisher information** $F$, the curvature of the KL divergence between the model and itself, slightly changed. Amari's **natural
# gradient** (1998) steps along the solution of $F x = g$; a little damping keeps that solvable:
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
# - Solve; never invert. `theta` and `grad` have shape `(..., d)`, `fisher` `(..., d, d)`; `lr` and `damping` are floats.
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
# Fit a Gaussian $N(\mu, \sigma^2)$ to $N(1, 0.1^2)$ by its parameters $(\mu, \log\sigma)$. The Fisher information of a Gaussian in these
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
for kind, lr, steps in (("plain", 0.01, 500), ("natural", 0.5, 40)):
    fit = figures.fit_gaussian(1.0, 0.1, lr, steps, natural=kind == "natural")
    divergence = figures.gaussian_divergence(fit, 1.0, 0.1)
    needed = landscapes.steps_to_reach(divergence, 1e-4)
    print(f"{kind:7} gradient, lr = {lr:.2f}: {needed:3} steps to 0.0001 nats")

# %%
plotting.show_figure(
    figures.natural_gradient_paths(),
    alt="Left: paths of (mu, log sigma) from (0, 0) to (1, log .1) over the "
    "divergence; the plain gradient needs hundreds of tiny steps down the narrow "
    "valley, the natural gradient about fifteen even ones. Right: the KL "
    "divergence of the natural gradient falls below 1e-8 within 30 steps, that of"
    " the plain gradient is still above .001 after 400.",
)

# %% [markdown]
# **In practice.** $F$ has $d^2$ entries, so nobody forms it for a network. K-FAC and Shampoo approximate it layer by layer, and Adam's $\sqrt v$ is
# a distant relative of its diagonal.
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
# `progress()` shows what you have done so far, in this notebook and the others. Next: notebook 05 measures a divergence by throwing dice.

# %% tags=["nbval-ignore-output"]
progress()
