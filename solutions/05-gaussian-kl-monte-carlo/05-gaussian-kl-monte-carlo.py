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
# # 05 Gaussian KL by Monte Carlo
#
# How far is one distribution from another, when all you can do is draw samples? Between two Gaussians the answer is a formula, so you
# can measure, and know how wrong you are. By the end of this notebook you will be able to say how many samples an estimate needs,
# choose between three estimators of the same divergence, and write the two terms of a variational autoencoder's loss.
#
# You need a little Python, the normal distribution and, from notebook 01, what a KL divergence is. The whole takes about 90 minutes; each
# exercise stands alone. Run the cells from the top. Stuck? `hint("gaussian_kl")` gives a nudge, `hint("gaussian_kl", 2)` a
# bigger one.

# %%
import math

import torch

from helpers import check, gaussians, hint, plotting, progress, vae
from helpers.figures import gaussians as figures

plotting.use_course_style()
print("ready")

# %% [markdown]
# ## How far apart are two Gaussians?
#
# Readings come from $p = N(1, 2^2)$: 1, give or take 2. A forecast says $q = N(0, 1)$: 0, give or take 1. What does it cost to believe the forecast?
# For densities the sum of notebook 01 becomes an integral (Kullback and Leibler, 1951), and for $p = N(\mu_1, \sigma_1^2)$ and
# $q = N(\mu_2, \sigma_2^2)$ the integral has a closed form:
#
# $$D(p \,\|\, q) = \int p \log\frac{p}{q} = \log\frac{\sigma_2}{\sigma_1} + \frac{\sigma_1^2 + (\mu_1 - \mu_2)^2}{2 \sigma_2^2} - \frac12 .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\mu_1, \mu_2$ | `mu1`, `mu2` | any, they broadcast | means |
# | $\sigma_1, \sigma_2$ | `sigma1`, `sigma2` | any, they broadcast | standard deviations, not variances |
# | $D$ | `D` | the common shape | divergence in nats |
#
# By hand, believing the forecast costs $D(p\|q) = \log\tfrac12 + \tfrac{4 + 1}{2} - \tfrac12 = 2 - \log 2 \approx 1.306853$ nats. Were the forecast
# true and the readings believed, it would be $\log 2 + \tfrac{1 + 1}{8} - \tfrac12 \approx 0.443147$: too wide is cheaper than too narrow.
#
# <details><summary>Why?</summary>
#
# Under $p$ the mean of $(x - \mu_1)^2$ is $\sigma_1^2$, and that of $(x - \mu_2)^2$ is $\sigma_1^2 + (\mu_1 - \mu_2)^2$. Put both into the mean of
# $\log p - \log q = \log\frac{\sigma_2}{\sigma_1} - \frac{(x-\mu_1)^2}{2\sigma_1^2} + \frac{(x-\mu_2)^2}{2\sigma_2^2}$.
#
# </details>

# %% [markdown]
# ### Exercise 1. `gaussian_kl`
#
# **Goal:** the closed form, for numbers or whole tables of them.
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes
#
# - Four tensors of any scale whose shapes broadcast; the answer has their common shape, which may be empty, and the dtype of `mu1`.
# - No input is changed.
# - The distribution classes of PyTorch and SciPy are no answer here.


# %% nbgrader={"grade_id": "gaussian_kl"}
def gaussian_kl(
    mu1: torch.Tensor, sigma1: torch.Tensor, mu2: torch.Tensor, sigma2: torch.Tensor
) -> torch.Tensor:
    """KL(N(mu1, sigma1^2), N(mu2, sigma2^2)) in nats."""
    ### BEGIN SOLUTION
    spread = sigma1**2 + (mu1 - mu2) ** 2
    return torch.log(sigma2 / sigma1) + spread / (2 * sigma2**2) - 0.5
    ### END SOLUTION


# %% nbgrader={"grade_id": "gaussian_kl-check"}
check("gaussian_kl", gaussian_kl)

# %%
mu1, sigma1, mu2, sigma2 = torch.tensor([1.0, 2.0, 0.0, 1.0], dtype=torch.float64)
print(f"KL(N(1, 2^2), N(0, 1)) = {gaussians.gaussian_kl(mu1, sigma1, mu2, sigma2):.6f}")
print(f"KL(N(0, 1), N(1, 2^2)) = {gaussians.gaussian_kl(mu2, sigma2, mu1, sigma1):.6f}")

# %% [markdown]
# As the mean of $(x - \mu)^2$ is $\sigma^2$, the **differential entropy** of a Gaussian is, whatever its mean,
# $h = \mathbb{E}[-\log p] = \log(\sigma\sqrt{2\pi}) + \tfrac12 = \tfrac12 \log(2\pi e \sigma^2)$. No density with the same variance has more: for any $f$ with this
# mean and variance, $\mathbb{E}_f[-\log p]$ is the same number, so $0 \le D(f\|p) = h(p) - h(f)$.

# %%
print("deviation 1, in nats: Gaussian    ", f"{gaussians.gaussian_entropy(sigma2):.6f}")
print("                      Laplace     ", f"{1 + math.log(math.sqrt(2)):.6f}")
print("                      uniform     ", f"{math.log(math.sqrt(12)):.6f}")
wider = gaussians.gaussian_entropy(sigma1) - gaussians.gaussian_entropy(sigma2)
narrow = gaussians.gaussian_entropy(sigma2 / 10)
print(f"deviation 2: {wider:.6f} more, log 2; deviation 0.1: {narrow:.6f}, below 0")

# %% [markdown]
# Where does the number come from? Below, $p \log(p/q)$ over $x$. The right tail of $p$ weighs most: $q$ hardly expects anything there.

# %%
plotting.show_figure(figures.where_it_comes_from())

# %% [markdown]
# **In practice.** This formula is the regulariser of every VAE with Gaussian codes and prior, and of many policies with Gaussian actions.
#
# **Traps.** `sigma` against variance: libraries differ, and `torch.distributions.Normal` takes the standard deviation. Swapped
# arguments give a positive, plausible, wrong number.

# %% [markdown]
# ## What if there were no formula?
#
# A divergence is a mean, $D(p\|q) = \mathbb{E}_{x \sim p}[\log p(x) - \log q(x)]$, and a mean can be estimated: draw $x_1, \dots, x_n$ from
# $p$, average the log ratios $\ell_i = \log p(x_i) - \log q(x_i)$. How wrong is that? The mean of $n$ samples has a **standard
# error**, estimated from the same samples:
#
# $$\hat D = \frac1n \sum_i \ell_i, \qquad \mathrm{se} = \frac{s}{\sqrt n}, \qquad s^2 = \frac{1}{n-1} \sum_i (\ell_i - \hat D)^2 .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $n$ | `n` | int, at least 2 | number of samples |
# | | `generator` | `torch.Generator` | where all randomness comes from |
# | $\hat D$ | `estimate` | scalar | estimate in nats |
# | se | `standard_error` | scalar | how far off it typically is |
#
# By hand, $N(1, 2^2)$ from $N(0, 1)$, with two draws $z = 1$ and $z = -1$: $x = 3$ and $-1$. Without their common constant the logs are
# $\log p = -\log 2 - \tfrac{z^2}{2}$ and $\log q = -\tfrac{x^2}{2}$, so $\ell = (3.3069, -0.6931)$. The estimate is 1.3069 (lucky), $s =
# 2.8284$, and the standard error is 2: two samples say next to nothing, and know it.

# %% [markdown]
# ### Exercise 2. `kl_monte_carlo`
#
# **Goal:** an estimate that knows how wrong it is.
#
# Difficulty ●●●○○ · Importance ●●●●● · 15 minutes
#
# - Floats in, two scalars out: `(estimate, standard_error)`, where $s^2$ divides by $n - 1$.
# - Average $n$ *independent* log ratios, sampled from the *first* Gaussian. All randomness comes from `generator`, so one seed gives one answer:
#   `torch.randn(n, dtype=torch.float64, generator=generator)`.
# - The check runs it for several seeds. It accepts what chance allows, and nothing else.


# %% nbgrader={"grade_id": "kl_monte_carlo"}
def kl_monte_carlo(
    mu1: float,
    sigma1: float,
    mu2: float,
    sigma2: float,
    n: int,
    generator: torch.Generator,
) -> tuple[float, float]:
    """An estimate of KL(N1, N2) in nats from n samples, and its standard error."""
    ### BEGIN SOLUTION
    z = torch.randn(n, dtype=torch.float64, generator=generator)
    x = mu1 + sigma1 * z
    log_p = -math.log(sigma1) - (x - mu1) ** 2 / (2 * sigma1**2)
    log_q = -math.log(sigma2) - (x - mu2) ** 2 / (2 * sigma2**2)
    ratio = log_p - log_q
    return ratio.mean().item(), ratio.std().item() / math.sqrt(n)
    ### END SOLUTION


# %% nbgrader={"grade_id": "kl_monte_carlo-check"}
check("kl_monte_carlo", kl_monte_carlo)

# %%
print(f"exact    {2 - math.log(2):.6f}")
print(f"std of one log ratio  {gaussians.log_ratio_std(1, 2, 0, 1):.6f} = sqrt(8.5)")
for n in (100, 10_000, 100_000):
    generator = torch.Generator().manual_seed(0)
    estimate, error = gaussians.kl_monte_carlo(1.0, 2.0, 0.0, 1.0, n, generator)
    print(f"n = {n:7,}: {estimate:.4f} +- {error:.4f}")

# %%
plotting.show_figure(figures.error_band())

# %% [markdown]
# **In practice.** Report the standard error beside the mean. Ten times closer costs a hundred times the samples.
#
# **Traps.** Sampling from $q$ estimates $-D(q\|p)$. The standard deviation is not the error of the mean. `numpy.std` divides by $n$
# unless told `ddof=1`. Samples of a Markov chain are not independent: there the error is mostly larger than this formula says.

# %% [markdown]
# ## How many samples are enough?
#
# You want to be within $\pm\tau$ of the truth with confidence $c$. The mean of many samples is nearly normal, so what is left to find
# is the $n$ at which its interval is narrow enough:
#
# $$z\,\frac{\sigma}{\sqrt n} \le \tau \quad\Longleftrightarrow\quad n \ge \left(\frac{z \sigma}{\tau}\right)^2, \qquad z = \Phi^{-1}\!\left(\frac{1 + c}{2}\right).$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\sigma$ | `std` | float | standard deviation of one sample |
# | $\tau$ | `tolerance` | float | how close you want to be, on either side |
# | $c$ | `confidence` | float | such as 0.95; half of the rest lies on each side |
# | $n$ | `n` | int | smallest number that does |
#
# By hand, $\sigma = 1$, $\tau = 0.1$, $c = 0.95$: $z = 1.96$ and $(1.96 / 0.1)^2 = 384.16$, so 385.

# %% [markdown]
# ### Exercise 3. `samples_needed`
#
# **Goal:** know the price before you pay it.
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes
#
# - `scipy.stats.norm.ppf`, `torch.special.ndtri` and `statistics.NormalDist().inv_cdf` all give $\Phi^{-1}$.
# - Return an int.


# %% nbgrader={"grade_id": "samples_needed"}
def samples_needed(std: float, tolerance: float, confidence: float) -> int:
    """The smallest n whose two-sided interval is within +- tolerance."""
    ### BEGIN SOLUTION
    from statistics import NormalDist

    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return math.ceil((z * std / tolerance) ** 2)
    ### END SOLUTION


# %% nbgrader={"grade_id": "samples_needed-check"}
check("samples_needed", samples_needed)

# %%
std = gaussians.log_ratio_std(1, 2, 0, 1)
for confidence in (0.95, 0.99):
    n = gaussians.samples_needed(std, 0.05, confidence)
    print(f"within 0.05 in {confidence:.0%} of runs: n = {n:,}")

# %% [markdown]
# > **Is it true?** "Ten thousand samples give this KL to within 0.05."
# >
# > Measure first: thousands of runs at each of seven sizes.

# %%
sizes = (10_000, 3_000, 1_000, 300, 100, 30, 10)
repeats = (4000, 4000, 4000, 4000, 40_000, 40_000, 40_000)
measured = figures.coverage(sizes, repeats, seed=8)
print(f"n = 10,000: within 0.05 in {measured[0, 0]:.1%} of 4000 runs")
print(f"theory                    {figures.within(0.05, 10_000):.1%}")
print(f"n = 100,000, theory       {figures.within(0.05, 100_000):.7%}")
print("\nwithin 1.96 of their own standard errors")
for n, share in zip(reversed(sizes), measured[:, 1].flip(0), strict=True):
    print(f"n = {n:6,}: {share:.1%}")

# %%
plotting.show_figure(figures.coverage_curve(sizes, measured))

# %% [markdown]
# > In 91% of runs. About one run in twelve is further off, so for 99% you need 22,559, and at 100,000 it is practically always true. The
# > squares are the better promise, an interval of the run's *own* 1.96 standard errors, and they keep it only where $n$ is large: at 10
# > samples it holds the truth in about 84% of runs. Of normal samples it would in 92%, since $s$ itself is uncertain; the rest is the log
# > ratio's long tail, which has not been met yet, so that $s$ comes out too small.
#
# **In practice.** A score of 70% on 1000 questions has a standard error of 1.4 points. Is a model with 71% better? Two independent tests could not tell. But both
# answered the *same* questions, so compare question by question:

# %%
first, second = torch.zeros(2, 1000, dtype=torch.float64)
first[:700] = 1
second[10:720] = 1  # ten questions lost, twenty won
for name, score in (("first model", first), ("second model", second)):
    print(f"{name:13} {score.mean():.1%} +- {score.std() / math.sqrt(1000):.1%}")
apart = math.hypot(first.std() / math.sqrt(1000), second.std() / math.sqrt(1000))
paired = (second - first).std() / math.sqrt(1000)
print(f"difference    {(second - first).mean():.1%} +- {paired:.1%} paired")
print(f"                   +- {apart:.1%} if the tests were independent")

# %% [markdown]
# The difference is 1.8 of its paired standard errors, half of an independent one: still not beyond chance at 95%, but nearly.
#
# **Traps.** The one-sided $\Phi^{-1}(c)$ instead of the two-sided quantile; forgetting the square; rounding down.

# %% [markdown]
# ## Which estimate of a small KL is best?
#
# Fine-tuning keeps a policy $p$ near its base $q$, and watches $D(p\|q)$ token by token. When the two are nearly equal, the log ratio is
# mostly noise. Schulman (2020) compares three estimates from one sample $x \sim p$, with $r = q(x)/p(x)$:
#
# $$k_1 = -\log r, \qquad k_2 = \tfrac12 (\log r)^2, \qquad k_3 = r - 1 - \log r .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\log p(x)$ | `log_p` | any | log-density of each sample under the distribution it came from |
# | $\log q(x)$ | `log_q` | the same | and under the other |
# | $k_1, k_2, k_3$ | `k1`, `k2`, `k3` | the same | one estimate for each sample, in nats |
#
# Why $k_3$? Add to $k_1$ something whose mean is known to be 0 and that moves against it: a **control variate**. As $\mathbb{E}_p[q/p] = 1$, that is $r - 1$. With
# weight 1 the sum is the gap between $\log r$ and its tangent at 1, which is never negative:

# %%
plotting.show_figure(figures.tangent())

# %% [markdown]
# By hand, $r = \tfrac12$: $k_1 = 0.6931$, $k_2 = 0.2402$, $k_3 = \tfrac12 - 1 + 0.6931 = 0.1931$.

# %% [markdown]
# ### Exercise 4. `kl_estimators`
#
# **Goal:** three estimates of one number.
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes
#
# - One value for each sample: no means, and nothing cut off, however far apart $p$ and $q$ are.
# - The samples came from $p$, so $r = q/p$. `log_p` and `log_q` have one shape, any, perhaps empty.
# - Dtype and inputs as before: the answers have the dtype of `log_p`, and no input is changed.


# %% nbgrader={"grade_id": "kl_estimators"}
def kl_estimators(
    log_p: torch.Tensor, log_q: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """k1, k2 and k3 of KL(p, q) in nats, for samples from p."""
    ### BEGIN SOLUTION
    log_r = log_q - log_p
    return -log_r, log_r**2 / 2, torch.expm1(log_r) - log_r
    ### END SOLUTION


# %% nbgrader={"grade_id": "kl_estimators-check"}
check("kl_estimators", kl_estimators)

# %%
print("100,000 samples            KL     estimate +- error     std of one")
for pair in (figures.NEAR, figures.FAR, figures.WIDE):
    truth = figures.exact_kl(*pair)
    for name, k in zip("123", figures.estimator_samples(pair), strict=True):
        error = k.std() / math.sqrt(len(k))
        label = "N({:g}, {:g}^2), N({:g}, {:g}^2)".format(*pair)
        print(
            f"{label:23} {truth:.4f}  k{name} {k.mean():.5f} +- {error:.5f} {k.std():9.4f}"
        )

# %%
plotting.show_figure(figures.estimator_histograms())

# %% [markdown]
# At a divergence of 0.005, $k_1$ is unbiased and noisy: one sample is off by twenty times the answer. $k_2$ and $k_3$ are quiet and look alike. At 0.5 they differ:
# $k_2$ is biased by a quarter, $k_3$ is not, and is only a little quieter than $k_1$. Two Gaussians of one width at distance $d$ have $D = d^2/2$, $k_1$ the variance $d^2$
# and $k_3$ the variance $e^{d^2} - 1 - d^2$ (a deviation of 0.85 at 0.5; a few large samples make it 0.92 in the table): from $D = 0.63$ on $k_1$ is the quieter one. Where $q$ is wider it wins sooner, in the table at $D = 0.043$. And for
# $\sigma_q \ge \sqrt2\,\sigma_p$ the variance of $k_3$ is infinite: $\mathbb{E}_p[r^2] = \int q^2/p$, whose exponent is $-x^2(1/\sigma_q^2 - 1/(2\sigma_p^2))$.
#
# **In practice.** Libraries for reinforcement learning from human feedback log $k_3$ token by token. The tokens of one text are not independent, so the standard error above may be
# too small for them; and a sequence's divergence is the *sum* over its tokens, not their mean.
#
# **Traps.** $r$ upside down in $k_3$: still never negative, still small, but then its mean is another number.

# %% [markdown]
# ## And in a loss? (stretch)
#
# > **Is it true?** "$k_3$ is the best estimate of the divergence, so put it into the loss." GRPO does (Shao et al., 2024, equation 4).
#
# A good *value* need not be a good *gradient*. In a loss autograd holds the samples fixed, and differentiates $k_i$ by the policy's $\log p(x)$ alone:
#
# $$\nabla k_i(x) = g_i(x)\, \nabla \log p(x), \qquad g_i = \frac{\partial k_i}{\partial \log p} .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $g_1, g_2, g_3$ | `g1`, `g2`, `g3` | as `log_p` | how strongly each sample pushes along $\nabla\log p$ |
#
# By hand, $r = q/p = \tfrac12$: $k_1 = \log p - \log q$ gives $g_1 = 1$, whatever $r$ is, and $k_2$ gives $g_2 = \log 2 \approx 0.6931$.

# %% [markdown]
# ### Stretch 1. `kl_gradients`
#
# **Goal:** what each estimate does to a policy when it is trained on.
#
# Difficulty ●●●○○ · Importance ●●●●○ · 10 minutes
#
# - Return three tensors, `(g1, g2, g3)`, one weight for each sample, however far apart $p$ and $q$ are; the samples came from $p$.
# - Shapes, dtype and inputs as in `kl_estimators`.
# - The check also takes the mean of $g_i \nabla\log p$ over many samples of Gaussians, as far as chance lets it tell.


# %% nbgrader={"grade_id": "kl_gradients"}
def kl_gradients(
    log_p: torch.Tensor, log_q: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The derivatives of k1, k2 and k3 by log_p, at samples from p."""
    ### BEGIN SOLUTION
    log_r = log_q - log_p
    return torch.ones_like(log_r), -log_r, -torch.expm1(log_r)
    ### END SOLUTION


# %% nbgrader={"grade_id": "kl_gradients-check"}
check("kl_gradients", kl_gradients)

# %% [markdown]
# Which of the three pulls $p = N(1, 1)$ towards $q = N(0, 0.8^2)$ the right way? The gradients in $(\mu_1, \log\sigma_1)$, from 100,000 samples:

# %%
z = torch.randn(
    100_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
)
log_p, log_q = -(z**2) / 2, -math.log(0.8) - ((1 + z) / 0.8) ** 2 / 2
scores = torch.stack([z, z**2 - 1])
for name, g in zip(
    ("k1", "k2", "k3"), gaussians.kl_gradients(log_p, log_q), strict=True
):
    mean, error = (g * scores).mean(-1), (g * scores).std(-1) / math.sqrt(len(z))
    print(
        f"{name} in the loss      {mean[0]:7.3f} +- {error[0]:.3f} {mean[1]:7.3f} +- {error[1]:.3f}"
    )
theta = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
fixed = torch.tensor([0.0, 0.8], dtype=torch.float64)
mu, sigma = theta[0], theta[1].exp()
for name, divergence in (
    ("KL(p, q)", gaussians.gaussian_kl(mu, sigma, *fixed)),
    ("KL(q, p)", gaussians.gaussian_kl(*fixed, mu, sigma)),
):
    (slope,) = torch.autograd.grad(divergence, theta, retain_graph=True)
    print(f"gradient of {name} {slope[0]:7.3f}           {slope[1]:7.3f}")

# %% [markdown]
# > As a value, often. As a loss, $k_1$ does nothing on average, $k_2$ has the gradient of $D(p\|q)$, and $k_3$ that of the *other* divergence, $D(q\|p)$. Close to $q$ the two
# > agree; here they do not even agree in sign: $D(p\|q)$ wants $p$ narrower, $D(q\|p)$ wants it wider. What is right besides $k_2$ in the loss is $k_1$ in the *reward*, where it multiplies
# > $\nabla\log p$ itself, as PPO for RLHF does (Liu et al., 2025, arXiv 2510.01555). All this is for samples of the current $p$.

# %% [markdown]
# ## Which Gaussian stands best for a mixture?
#
# Half of the readings cluster at -3, half at 3. You may keep one Gaussian. Which? Minimise $D(p\|q)$, the *forward* divergence, over
# $q = N(\mu, \sigma^2)$: the answer is to match the mixture's mean and variance (Bishop, 2006, section 10.7),
#
# $$\mu = \sum_i w_i \mu_i, \qquad \sigma^2 = \sum_i w_i \left( \sigma_i^2 + (\mu_i - \mu)^2 \right).$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $w_i$ | `weights` | `(..., k)` | weights of the components; sum to 1 |
# | $\mu_i, \sigma_i$ | `means`, `sigmas` | `(..., k)` | their means and standard deviations |
# | $\mu, \sigma$ | `mu`, `sigma` | `(...)` | the Gaussian |
#
# By hand, weights $\tfrac12, \tfrac12$, means $-3, 3$, deviations 1: $\mu = 0$ and $\sigma^2 = 1 + 9 = 10$, so $\sigma \approx 3.162278$.

# %% [markdown]
# ### Exercise 5. `moment_match`
#
# **Goal:** the Gaussian that covers a mixture.
#
# Difficulty ●●○○○ · Importance ●●●○○ · 10 minutes
#
# - Leading dimensions are batches, perhaps empty. Return `(mu, sigma)`, sigma a standard deviation.
# - Dtype and inputs as before: the answers have the dtype of `means`, and no input is changed.


# %% nbgrader={"grade_id": "moment_match"}
def moment_match(
    weights: torch.Tensor, means: torch.Tensor, sigmas: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """(mu, sigma) of the Gaussian q that minimises KL(mixture, q)."""
    ### BEGIN SOLUTION
    mu = (weights * means).sum(-1)
    spread = sigmas**2 + (means - mu.unsqueeze(-1)) ** 2
    return mu, (weights * spread).sum(-1).sqrt()
    ### END SOLUTION


# %% nbgrader={"grade_id": "moment_match-check"}
check("moment_match", moment_match)

# %%
weights = torch.tensor([0.5, 0.5], dtype=torch.float64)
means = torch.tensor([-3.0, 3.0], dtype=torch.float64)
sigmas = torch.ones(2, dtype=torch.float64)
mu, sigma = gaussians.moment_match(weights, means, sigmas)
mode, width = gaussians.reverse_fit(weights, means, sigmas)
print(f"forward KL: mu = {mu:.2f}, sigma = {sigma:.6f}")
print(f"reverse KL: mu = +-{abs(mode):.2f}, sigma = {width:.2f}")
cost = gaussians.reverse_kl(mode, width, weights, means, sigmas)
print(f"what the reverse fit costs: {cost:.4f} nats; log 2 = {math.log(2):.4f}")

# %%
plotting.show_figure(figures.fits())

# %% [markdown]
# Forward KL is infinite where $q$ misses what happens, so it covers. Reverse KL, $D(q\|p)$, pays only where $q$ itself is, so it seeks one
# mode, and pays nearly $\log 2$ for ignoring the other.
#
# **In practice.** Maximum likelihood is forward KL: the model must cover its data. Variational inference is reverse.
#
# **Traps.** The average of the variances alone leaves out the spread of the means, and so does the average of the standard deviations.

# %% [markdown]
# ## What does a latent code cost?
#
# A variational autoencoder (Kingma and Welling, 2014) writes each input $x$ as a Gaussian code $q(z|x) = N(\mu, \sigma^2)$ in a few
# dimensions, and pays for saying more than the prior $N(0, 1)$ does. The bill is a KL divergence, in closed form (their appendix B):
#
# $$D = \frac12 \sum_{j} \left( \mu_j^2 + \sigma_j^2 - 1 - \log \sigma_j^2 \right), \qquad \log\sigma_j^2 = \texttt{log\_var}_j .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\mu$ | `mu` | `(..., latent)` | means of the codes |
# | $\log \sigma^2$ | `log_var` | `(..., latent)` | log of the *variance*; any real number will do |
# | $D$ | `D` | scalar | summed over the latent dimension, averaged over all others |
#
# That is exercise 1 with $\mu_2 = 0$ and $\sigma_2 = 1$. Why the sum? The dimensions of one code are independent, so their costs add up. Why the mean? It is the cost of the average input. Being exact, it adds no noise of its
# own to a training step.
#
# By hand, one dimension with $\mu = 1$, $\sigma = 1$: $\tfrac12(1 + 1 - 1 - 0) = \tfrac12$ nat.

# %% [markdown]
# ### Exercise 6. `vae_kl`
#
# **Goal:** the regulariser of a VAE.
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes
#
# - Sum over the last dimension, then mean over whatever is left.
# - Finite for `log_var` from -30 to 20, and not clamped; gradients reach both arguments.
# - Dtype and inputs as before.
# - The distribution classes of PyTorch and SciPy are no answer here either.


# %% nbgrader={"grade_id": "vae_kl"}
def vae_kl(mu: torch.Tensor, log_var: torch.Tensor) -> torch.Tensor:
    """KL of N(mu, exp(log_var)) from N(0, 1) in nats."""
    ### BEGIN SOLUTION
    each = (mu**2 + log_var.exp() - 1 - log_var) / 2
    return each.sum(-1).mean()
    ### END SOLUTION


# %% nbgrader={"grade_id": "vae_kl-check"}
check("vae_kl", vae_kl)

# %%
mu = torch.zeros(64, 2, dtype=torch.float64)
for sigma in (1.0, 0.5, 0.1, 0.01):
    log_var = torch.full_like(mu, 2 * math.log(sigma))
    cost = gaussians.vae_kl(mu, log_var)
    print(f"sigma = {sigma:4}: two dimensions cost {cost:.3f} nats")

# %% [markdown]
# Every $\sigma$ ten times smaller costs $\log 10 \approx 2.303$ nats for each dimension, less a saving on $\sigma^2$ that soon runs out.
#
# **In practice.** Log this number for each latent dimension. Dimensions that stay at 0 carry nothing: the code has collapsed onto the
# prior there.
#
# **Traps.** `log_var` is not $\log\sigma$. At -30 it is cheap, 14.5 nats; the danger is the other side, where `exp` overflows in float32 at 89. A mean over
# the latent dimension weakens the term by its size, and a sum over the batch makes the balance depend on the batch size.

# %% [markdown]
# ## How does a gradient get through a random draw?
#
# The decoder sees a random $z \sim N(\mu, \sigma^2)$. How can the loss tell $\mu$ and $\sigma$ which way to move, when drawing has no
# derivative? Draw the noise first, and make $z$ from it (Kingma and Welling, 2014, section 2.4):
#
# $$z = \mu + \sigma \epsilon, \qquad \epsilon \sim N(0, 1), \qquad \frac{\partial z}{\partial \mu} = 1, \quad \frac{\partial z}{\partial \log\sigma^2} = \frac{\sigma\epsilon}{2} .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\epsilon$ | `eps` | broadcasts with `mu` | standard normal noise, drawn outside |
# | $\sigma$ | `exp(log_var / 2)` | `(..., latent)` | standard deviation |
# | $z$ | `z` | `(..., latent)` | the sample |
#
# By hand, $\mu = 1$, $\log\sigma^2 = \log 4$, $\epsilon = \tfrac12$: $\sigma = 2$ and $z = 2$; the gradient in `log_var` is
# $\tfrac12$.

# %% [markdown]
# ### Exercise 7. `reparameterize`
#
# **Goal:** a sample that autograd can see through.
#
# Difficulty ●○○○○ · Importance ●●●●● · 5 minutes
#
# - The noise is `eps`, and no other: one call has one answer. `log_var` may be anything, -40 as well as 12.
# - Gradients reach all three arguments, whose shapes broadcast.
# - Dtype and inputs as before.


# %% nbgrader={"grade_id": "reparameterize"}
def reparameterize(
    mu: torch.Tensor, log_var: torch.Tensor, eps: torch.Tensor
) -> torch.Tensor:
    """A sample of N(mu, exp(log_var)) made from standard normal noise."""
    ### BEGIN SOLUTION
    return mu + torch.exp(log_var / 2) * eps
    ### END SOLUTION


# %% nbgrader={"grade_id": "reparameterize-check"}
check("reparameterize", reparameterize)

# %% [markdown]
# What it buys: the gradient of $\mathbb{E}[z^2]$ in $\mu$ at $\mu = 1$, $\sigma = 1$ is $2\mu = 2$. Through $z$ each sample gives
# $2z$. The other way, which works without a derivative of the function (the score function, Williams, 1992), each sample gives
# $z^2 (z - \mu)$:

# %%
eps = torch.randn(
    100_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
)
mu = torch.ones_like(eps).requires_grad_()
z = gaussians.reparameterize(mu, torch.zeros_like(eps), eps)
(through,) = torch.autograd.grad((z**2).sum(), mu)
score = z.detach() ** 2 * eps
for name, g in (("reparameterized", through), ("score function", score)):
    print(f"{name:16} mean {g.mean():.2f}, std of one sample {g.std():.2f}")

# %% [markdown]
# Both are right on average. The score function's samples spread almost three times as much here. But it needs no derivative of the function, and no continuous
# noise: through the toss of a coin, or the choice of a token, $z = \mu + \sigma\epsilon$ cannot go.
#
# **Traps.** `exp(log_var)` is the variance. `Normal.sample()` cuts the gradient, `rsample()` keeps it. `torch.normal(mu, sigma)` is worse: its answer says
# `requires_grad=True`, and the gradients that come back are all 0.

# %% [markdown]
# > **Is it true?** "A VAE minimises forward KL."
# >
# > Measure first. Take the smallest model with a known posterior: $z \sim N(0, 1)$, $x \sim N(z, 1)$, and we saw $x = 1$. Then $p(z|x) =
# > N(\tfrac12, \tfrac12)$ and $p(x) = N(0, 2)$. Take any $q(z)$, here $N(0, 1.2^2)$. How far below $\log p(x)$ is the ELBO?

# %%
x, m, s = 1.0, 0.0, 1.2
log_evidence = -(math.log(2 * math.pi * 2) + x**2 / 2) / 2
likelihood = -(math.log(2 * math.pi) + (x - m) ** 2 + s**2) / 2
code = torch.tensor([m, s, 0.0, 1.0], dtype=torch.float64)
bound = likelihood - gaussians.gaussian_kl(*code)
posterior = torch.tensor([0.5, math.sqrt(0.5)], dtype=torch.float64)
print(f"log p(x) - ELBO  {log_evidence - bound:.6f}")
print(f"KL(q, posterior) {gaussians.gaussian_kl(*code[:2], *posterior):.6f}")
print(f"KL(posterior, q) {gaussians.gaussian_kl(*posterior, *code[:2]):.6f}")

# %% [markdown]
# > Its inference term is the *reverse* one: the gap is $D(q\,\|\,p(z|x))$, so where the posterior has two modes far apart $q$ takes one. Three lines say why:
# >
# > $$\log p(x) = \mathbb{E}_q\!\left[\log\frac{p(x|z)\,p(z)}{p(z|x)}\right] = \mathbb{E}_q\!\left[\log p(x|z) - \log\frac{q(z)}{p(z)} + \log\frac{q(z)}{p(z|x)}\right]$$
# > $$= \underbrace{\mathbb{E}_q[\log p(x|z)] - D(q\,\|\,p(z))}_{\text{ELBO}} + D(q\,\|\,p(z|x)).$$
# >
# > Averaged over the data, raising the ELBO lowers an upper bound on the *forward* divergence of the model from the data: both directions live in one loss. (Physicists
# > know $-$ELBO as a free energy.)

# %% [markdown]
# ## Many dimensions at once (stretch)
#
# For $N(\mu_1, \Sigma_1)$ and $N(\mu_2, \Sigma_2)$ in $k$ dimensions,
#
# $$D = \frac12 \left( \operatorname{tr}(\Sigma_2^{-1} \Sigma_1) + d^\top \Sigma_2^{-1} d - k + \log\frac{\det\Sigma_2}{\det\Sigma_1} \right), \qquad d = \mu_2 - \mu_1 .$$
#
# Nobody should compute that inverse, nor the determinants, which overflow or vanish long before $k$ is large. With Cholesky factors $\Sigma = L L^\top$
# everything is a triangular solve or a sum of logarithms:
#
# | term | with Cholesky factors |
# |---|---|
# | $\operatorname{tr}(\Sigma_2^{-1} \Sigma_1)$ | sum of the squares of $L_2^{-1} L_1$ |
# | $d^\top \Sigma_2^{-1} d$ | sum of the squares of $L_2^{-1} d$ |
# | $\log\det\Sigma$ | $2 \sum_i \log L_{ii}$ |
#
# By hand, equal means, $\Sigma_1 = I$ and $\Sigma_2 = \operatorname{diag}(4, 1)$: $\tfrac12(\tfrac14 + 1 - 2 + \log 4) \approx 0.3181$.

# %% [markdown]
# ### Stretch 2. `multivariate_gaussian_kl`
#
# **Goal:** the divergence, without an inverse or a determinant.
#
# Difficulty ●●●●○ · Importance ●●●○○ · 15 minutes
#
# - `mu1`, `mu2` are `(..., k)`, `cov1`, `cov2` are `(..., k, k)`; leading dimensions broadcast.
# - Covariances of any scale, in many dimensions: a determinant may underflow where its logarithm does not.
# - Dtype and inputs as before.
# - `torch.linalg.cholesky` and `torch.linalg.solve_triangular` do the work.


# %% nbgrader={"grade_id": "multivariate_gaussian_kl"}
def multivariate_gaussian_kl(
    mu1: torch.Tensor, cov1: torch.Tensor, mu2: torch.Tensor, cov2: torch.Tensor
) -> torch.Tensor:
    """KL(N(mu1, cov1), N(mu2, cov2)) in nats, over the last dimension."""
    ### BEGIN SOLUTION
    l1, l2 = torch.linalg.cholesky(cov1), torch.linalg.cholesky(cov2)
    d = (mu2 - mu1).unsqueeze(-1)
    trace = torch.linalg.solve_triangular(l2, l1, upper=False).square().sum((-1, -2))
    distance = torch.linalg.solve_triangular(l2, d, upper=False).square().sum((-1, -2))

    def half_log_det(factor: torch.Tensor) -> torch.Tensor:
        return factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    logs = half_log_det(l2) - half_log_det(l1)
    return (trace + distance - mu1.shape[-1]) / 2 + logs
    ### END SOLUTION


# %% nbgrader={"grade_id": "multivariate_gaussian_kl-check"}
check("multivariate_gaussian_kl", multivariate_gaussian_kl)

# %%
zero = torch.zeros(2, dtype=torch.float64)
cov1 = torch.eye(2, dtype=torch.float64)
cov2 = torch.diag(torch.tensor([4.0, 1.0], dtype=torch.float64))
kl = gaussians.multivariate_gaussian_kl(zero, cov1, zero, cov2)
print(f"the worked example: {kl:.4f}")
big = 1e-3 * torch.eye(200, dtype=torch.float64)
print(f"det of a 200 x 200 covariance 0.001 I: {torch.linalg.det(big):g}")
print(
    f"its log by Cholesky: {2 * torch.linalg.cholesky(big).diagonal().log().sum():.1f}"
)

# %% [markdown]
# ## The whole loss of a VAE (stretch)
#
# Put the pieces together. The decoder gives the mean of $x$, with unit variance, and one sample stands for the expectation over $z$
# (Kingma and Welling, 2014, equation 10). $\beta$ sets the price of the code (Higgins et al., 2017):
#
# $$L = \log N(x;\, \mathrm{decode}(z), I) - \beta\, D(q(z|x) \,\|\, N(0, I)), \qquad z = \mu + \sigma\epsilon .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x$ | `x` | `(batch, features)` | data |
# | $\mu$, $\log\sigma^2$, $\epsilon$ | `mu`, `log_var`, `eps` | `(batch, latent)` | the code and its noise |
# | | `decode` | function | from `(batch, latent)` to `(batch, features)` |
# | $\beta$ | `beta` | float | price of a nat |
# | $L$ | `L` | scalar | to be *maximised*; averaged over the batch |
#
# By hand, one feature, one latent dimension and a decoder that returns $z$; $x = 1$, $\mu = 0$, $\sigma = 1$, $\epsilon = 1$: $z = 1$ hits $x$, the
# divergence is 0, and $L = -\tfrac12\log 2\pi \approx -0.918939$.

# %% [markdown]
# ### Stretch 3. `elbo`
#
# **Goal:** the objective, with its constant.
#
# Difficulty ●●●○○ · Importance ●●●●○ · 15 minutes
#
# - `beta` is any number of at least 0, `log_var` as in `vae_kl`. Dtype and inputs as before.
# - The log-density sums over the features, with $-\tfrac12\log 2\pi$ for each of them; the mean is over the batch.
# - `log_prob` of a distribution class is allowed, `kl_divergence` is not.


# %% nbgrader={"grade_id": "elbo"}
def elbo(
    x: torch.Tensor,
    mu: torch.Tensor,
    log_var: torch.Tensor,
    eps: torch.Tensor,
    decode,
    beta: float,
) -> torch.Tensor:
    """The one-sample beta-ELBO in nats, averaged over the batch."""
    ### BEGIN SOLUTION
    z = mu + torch.exp(log_var / 2) * eps
    squares = ((x - decode(z)) ** 2).sum(-1)
    log_likelihood = -(squares + x.shape[-1] * math.log(2 * math.pi)) / 2
    cost = (mu**2 + log_var.exp() - 1 - log_var).sum(-1) / 2
    return (log_likelihood - beta * cost).mean()
    ### END SOLUTION


# %% nbgrader={"grade_id": "elbo-check"}
check("elbo", elbo)

# %% [markdown]
# Now train: 128 points near a bent sheet in eight dimensions, a code of two. The whole loop:

# %%
x = vae.bent_sheet(128, torch.Generator().manual_seed(0))
torch.manual_seed(0)
model, noise = vae.TinyVAE(), torch.Generator().manual_seed(0)
optimiser = torch.optim.Adam(model.parameters(), lr=0.03, foreach=False)
for _ in range(200):
    mu, log_var = model.encode(x)
    eps = torch.randn(mu.shape, dtype=x.dtype, generator=noise)
    loss = -gaussians.elbo(x, mu, log_var, eps, model.decoder, beta=0.3)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
rate, distortion = vae.rate_and_distortion(model, x)
print(f"beta 0.3: rate {rate:.2f} nats, distortion {distortion:.2f} nats")

# %%
plotting.show_figure(figures.codes_and_reconstructions(model, x))

# %% [markdown]
# The same once for each $\beta$ (a few seconds):

# %% tags=["nbval-ignore-output"]
betas = (0.1, 0.3, 1, 3, 10, 30)
points = vae.beta_sweep(betas, steps=200, seed=0)

# %%
for beta, (rate, distortion) in zip(betas, points, strict=True):
    print(f"beta {beta:4}: rate {rate:.2f} nats, distortion {distortion:.2f} nats")

# %%
plotting.show_figure(figures.rate_distortion(betas, points))

# %% [markdown]
# This is a rate-distortion curve (Alemi et al., 2018): $-L$ is, up to a constant, distortion plus $\beta$ times rate, so $-\beta$ is the slope
# at which each VAE sits on it. At $\beta = 30$ the code is worth nothing to the decoder: rate 0, the posterior has collapsed onto the
# prior. At $\beta = 0$ nothing is paid for the code, and squared error (a Gaussian decoder's likelihood) is all that is left: an autoencoder.
#
# > **Is it true?** "The KL term is the information that the code carries about its input."
# >
# > Measure first. Two inputs, with codes $N(-3, 1)$ and $N(3, 1)$: no code can carry more than $\log 2$.

# %%
z = torch.linspace(-14, 14, 5601, dtype=torch.float64)
log_code = (
    torch.stack([-((z - m) ** 2) / 2 for m in (-3.0, 3.0)]) - gaussians.LOG_TWO_PI / 2
)
marginal = log_code.exp().mean(0)
step = z[1] - z[0]
information = (log_code.exp() * (log_code - marginal.log())).mean(0).sum() * step
prior = -(z**2) / 2 - gaussians.LOG_TWO_PI / 2
mismatch = (marginal * (marginal.log() - prior)).sum() * step
codes = torch.tensor([[-3.0], [3.0]], dtype=torch.float64)
print(f"rate, the KL term            {gaussians.vae_kl(codes, 0 * codes):.4f} nats")
print(f"information I(X; Z)          {information:.4f}")
print(f"KL of all codes from prior   {mismatch:.4f}")

# %% [markdown]
# > No. The rate is $I(X; Z) + D(q(z)\,\|\,p(z))$, with $q(z)$ the mixture of all codes: an upper bound on the information, tight only where the codes together
# > fill the prior. The curve above shows the price, not the information; notebook 02's `rate_distortion` draws the true one for a discrete source.

# %% [markdown]
# ## In your own words (2 points, graded by hand)
#
# A colleague fine-tunes a model $p$ and watches its divergence from the base model $q$. The truth is about 0.005 nats a token, with a log ratio
# of standard deviation 0.1. From 1000 sampled tokens she averages $-\log r$ and reads -0.001. In at most six sentences: is something broken, what would
# you log instead and how precise is it, and what would she have estimated had the tokens come from the base model?

# %% [markdown] nbgrader={"grade_id": "reflection", "grade": true, "solution": true, "points": 2}
# ### BEGIN SOLUTION
# **A model answer.** Nothing need be broken: the standard error of her mean is $0.1/\sqrt{1000} \approx 0.0032$, so $-0.001$ lies less than two standard
# errors below 0.005, and $k_1$ may be negative although the divergence is not. I would log $k_3 = r - 1 - \log r$ with $r = q/p$: unbiased, never negative,
# with a standard deviation of about 0.007 and so an error of 0.0002 from the same tokens. With $k_1$ the error falls only with
# $\sqrt n$: for the same precision she would need about 200 times the tokens. Had the tokens come from the base model, the mean of $-\log r$ would
# estimate $-D(q\|p)$, which is negative and a divergence in the other direction.
#
# **Rubric.** ½ point: standard error near 0.003, so the reading is within chance (a negative $k_1$ is possible). 1 point: $k_3$ (or $k_2$, if its small bias
# is named) with its smaller error, 0.0002, or about 200 times more samples for $k_1$ (½ point for the right estimator without a number). ½ point:
# samples from $q$ give $-D(q\|p)$, the other direction. No marks are lost for style.
# ### END SOLUTION

# %% [markdown]
# ## Where you are
#
# `progress()` shows what you have done so far, in this notebook and the others. Next: notebook 06 computes a softmax that does not overflow, on the
# GPU if you have one.

# %% tags=["nbval-ignore-output"]
progress()
