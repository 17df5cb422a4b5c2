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
# # 02 Mutual information
#
# You see an umbrella. How much does that tell you about the rain? There is a number for it, the **mutual information**; here you
# follow it through noise, small samples and limits.
#
# You need entropy, $H(p) = -\sum_i p_i \log p_i$ in nats, and the divergence $\mathrm{KL}(p, q)$ of notebook 01.
#
# The exercises take about 80 minutes, the five stretch exercises another 95: take what tempts you. Each stands alone. Proofs
# and traps are folded, and so is what only a stretch exercise needs. Stuck? `hint("marginals")` gives a nudge,
# `hint("marginals", 2)` a bigger one.

# %%
import math

import torch

from helpers import channels, check, hint, information, plotting, progress
from helpers.figures import channels as channel_figures
from helpers.figures import joints as joint_figures
from helpers.figures import trade_offs

plotting.use_course_style()
print("ready")

# %% [markdown]
# ## Two things at once
#
# Weather of many days (rows: 0 dry, 1 rain) and umbrellas (columns: 0 at home, 1 with you) make a **joint distribution**, how
# often each *pair* occurs:
#
# | $p(x, y)$ | $y = 0$ | $y = 1$ |
# |---|---|---|
# | $x = 0$ | .5 | .1 |
# | $x = 1$ | .15 | .25 |
#
# How often does it rain at all? Add up what you do not care about, to a **marginal**:
#
# $$p(x) = \sum_y p(x, y), \qquad p(y) = \sum_x p(x, y) .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $p(x, y)$ | `joint` | `(..., X, Y)` | not negative, sums to 1 over the last two dimensions; rows are $x$ |
# | $p(x)$ | `px` | `(..., X)` | row sums |
# | $p(y)$ | `py` | `(..., Y)` | column sums |
#
# By hand: $p(x) = (.5 + .1,\ .15 + .25) = (.6, .4)$ and $p(y) = (.5 + .15,\ .1 + .25) = (.65, .35)$.

# %% [markdown]
# ### Exercise 1. `marginals`
#
# **Goal:** both marginals of a joint or a batch.
#
# Difficulty ●○○○○ · Importance ●●●●● · 5 minutes
#
# - Return two results, $p(x)$ first. Leading dimensions are batches and stay; a batch may be empty.
# - The results have the dtype of `joint` (float32 or float64), which is not changed.


# %% nbgrader={"grade_id": "marginals"}
def marginals(joint: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """p(x) and p(y) of joints of shape (..., X, Y)."""
    ### BEGIN SOLUTION
    return joint.sum(-1), joint.sum(-2)
    ### END SOLUTION


# %% nbgrader={"grade_id": "marginals-check"}
check("marginals", marginals)

# %%
joint = torch.tensor([[0.5, 0.1], [0.15, 0.25]], dtype=torch.float64)
plotting.show_figure(joint_figures.table(joint))

# %% [markdown]
# **In practice.** A language model's probability of the next token is a marginal: whatever comes after it.
#
# <details><summary><b>Traps</b></summary>
#
# `joint.sum(0)` is right for one table and wrong for a batch of them; count dimensions from the end. "Sum
# over $x$" leaves $p(y)$, not $p(x)$.
#
# </details>

# %% [markdown]
# ## What is still open once you have looked?
#
# You see the weather, $x$. How unsure are you about the umbrella then? In row $x$ it follows $p(y \mid x) = p(x, y) / p(x)$.
# Average the entropy of the rows, each as often as it occurs: the **conditional entropy** (Cover and Thomas, 2006, equation 2.10)
#
# $$H(Y \mid X) = -\sum_{x, y} p(x, y) \log p(y \mid x) = H(X, Y) - H(X) .$$
#
# The second form is the **chain rule**: the pair is as uncertain as $X$, and then $Y$ once $X$ is known. $H(X, Y)$ is the **joint
# entropy**, of the pairs; the cross-entropy $H(p, q)$ of notebook 01 is another thing.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $H(X, Y)$ | `hxy` | `(...)` | entropy of the pairs, in nats: the sum runs over both dimensions |
# | $H(Y \mid X)$ | `H` | `(...)` | what $X$ leaves open about $Y$, in nats |
#
# By hand: the rows $(\tfrac56, \tfrac16)$ and $(\tfrac38, \tfrac58)$ have entropies 0.450561 and 0.661563, so
# $H(Y \mid X) = .6 \cdot 0.450561 + .4 \cdot 0.661563 = 0.534962$ nats.

# %% [markdown]
# ### Exercise 2. `conditional_entropy`
#
# **Goal:** $H(Y \mid X)$ in nats, for one joint or a batch.
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes
#
# - $X$ is the row and comes first in the table: the condition is on $X$.
# - A pair with $p(x, y) = 0$ adds 0, and so does a whole row that never occurs, $p(x) = 0$.
# - Batches, dtype (float32 and float64) and input as before.


# %% nbgrader={"grade_id": "conditional_entropy"}
def conditional_entropy(joint: torch.Tensor) -> torch.Tensor:
    """H(Y given X) in nats over the last two dimensions; X is the row."""
    ### BEGIN SOLUTION
    px = joint.sum(-1, keepdim=True)
    terms = torch.special.xlogy(joint, px) - torch.special.xlogy(joint, joint)
    return terms.sum((-2, -1))
    ### END SOLUTION


# %% nbgrader={"grade_id": "conditional_entropy-check"}
check("conditional_entropy", conditional_entropy)

# %%
print(f"H(Y)   = {information.entropy(joint.sum(0)):.6f} nats")
print(f"H(Y|X) = {channels.conditional_entropy(joint):.6f} nats")
print(f"H(X|Y) = {channels.conditional_entropy(joint.T):.6f} nats: another question")

# %% [markdown]
# Below, each row of the table is a band as high as $p(x)$, divided in the shares $p(y \mid x)$: areas are joint probabilities.

# %%
plotting.show_figure(joint_figures.mosaic(joint))

# %% [markdown]
# > **Is it true?** "Learning something never makes you less certain."
# >
# > Measure it on a rare alarm, $x = 1$.

# %%
alarm = torch.tensor([[0.85, 0.05], [0.05, 0.05]], dtype=torch.float64)
rows = alarm / alarm.sum(1, keepdim=True)
print(f"before you look:     H(Y)      = {information.entropy(alarm.sum(0)):.6f} nats")
print(f"no alarm (x = 0):    H(Y|X=0)  = {information.entropy(rows[0]):.6f}")
print(f"alarm (x = 1):       H(Y|X=1)  = {information.entropy(rows[1]):.6f}")
print(f"on average:          H(Y|X)    = {channels.conditional_entropy(alarm):.6f}")

# %% [markdown]
# > On average, yes: $H(Y \mid X) \le H(Y)$ always. For a single result, no: the alarm leaves you with a coin flip.
#
# **In practice.** $H(\text{next token} \mid \text{context})$ is the floor of a language model's loss on fresh text (on its
# training text it may go below, by heart).
#
# <details><summary><b>Traps</b></summary>
#
# Conditioning on the wrong variable gives 0.560527 here, and the plain mean of the rows' entropies, without the weights
# $p(x)$, 0.556062: both close enough to go unnoticed. Rows with $p(x) = 0$ are $0/0$; `joint / joint.sum(-1)`
# without `keepdim=True` divides the columns.
#
# </details>

# %% [markdown]
# ## How much does one tell about the other?
#
# If weather and umbrella had nothing to do with each other, the joint would be the product of its marginals. How far is it from
# that? The KL between the two is the **mutual information** (Shannon, 1948; Cover and Thomas, equation 2.28):
#
# $$I(X; Y) = \mathrm{KL}\big(p(x, y),\ p(x)\,p(y)\big) = \sum_{x, y} p(x, y) \log \frac{p(x, y)}{p(x)\,p(y)} .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $p(x)\,p(y)$ | `px * py` | `(..., X, Y)` | outer product of the joint's *own* marginals |
# | $I(X; Y)$ | `I` | `(...)` | in nats; 0 exactly when $X$ and $Y$ are independent; at most $\min(H(X), H(Y))$ |
#
# By hand: the product is $(.39, .21)$ above $(.26, .14)$, and
#
# $$.5\log\tfrac{.5}{.39} + .1\log\tfrac{.1}{.21} + .15\log\tfrac{.15}{.26} + .25\log\tfrac{.25}{.14}
# = .124231 - .074194 - .082507 + .144955 = 0.112485 \text{ nats.}$$
#
# <details><summary>Why is I at least 0, and at most either entropy?</summary>
#
# It is a KL, and no KL is negative (Gibbs' inequality, notebook 01). Split its logarithm and $I = H(Y) - H(Y \mid X)$:
# so knowing $X$ leaves $Y$ at most as uncertain as it was, on average. And as $H(Y \mid X) \ge 0$, $I \le H(Y)$. The same
# holds with $X$ and $Y$ exchanged.
# </details>

# %%
plotting.show_figure(joint_figures.against_independence(joint))

# %% [markdown]
# ### Exercise 3. `mutual_information`
#
# **Goal:** $I(X; Y)$ in nats, for one joint or a batch.
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes
#
# - The marginals come from `joint` itself. Independent variables give 0, to rounding; where each tells the other, it is all of $H(X)$.
# - Pairs, rows and columns that never occur add 0; nothing becomes `nan`.
# - Batches, dtype and input as before.


# %% nbgrader={"grade_id": "mutual_information"}
def mutual_information(joint: torch.Tensor) -> torch.Tensor:
    """I(X; Y) in nats over the last two dimensions."""
    ### BEGIN SOLUTION
    product = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    terms = torch.special.xlogy(joint, joint) - torch.special.xlogy(joint, product)
    return terms.sum((-2, -1))
    ### END SOLUTION


# %% nbgrader={"grade_id": "mutual_information-check"}
check("mutual_information", mutual_information)

# %%
px, py = channels.marginals(joint)
tables = {
    "weather and umbrella": joint,
    "if they were independent": torch.outer(px, py),
    "if Y copied X": torch.diag(px),
}
print(f"{'in nats':25}{'I':>8}{'H(X)':>10}{'H(Y)':>10}")
for name, table in tables.items():
    hx, hy = map(information.entropy, channels.marginals(table))
    print(f"{name:25}{channels.mutual_information(table):z.6f}{hx:10.6f}{hy:10.6f}")

# %% [markdown]
# For continuous $X$ and $Y$ the sum is an integral over densities: $-\tfrac12\log(1 - \rho^2)$ for Gaussians of correlation
# $\rho$. A fine grid says the same:

# %%
grid, rho = torch.linspace(-7, 7, 561, dtype=torch.float64), 0.9
squares = grid[:, None] ** 2 - 2 * rho * grid[:, None] * grid + grid**2
density = torch.exp(-squares / (2 * (1 - rho**2)))
print(f"on the grid: {channels.mutual_information(density / density.sum()):.6f} nats")
print(f"the formula: {-math.log(1 - rho**2) / 2:.6f}")

# %% [markdown]
# > **Is it true?** A widely read textbook (Zhang et al., *Dive into Deep Learning*, appendix on information theory) gives the
# > joint $((.1, .5), (.1, .3))$, the marginals $(.2, .8)$ and $(.75, .25)$, and a mutual information of 0.7195 bits.

# %%
printed = torch.tensor([[0.1, 0.5], [0.1, 0.3]], dtype=torch.float64)
p_x = torch.tensor([0.2, 0.8], dtype=torch.float64)  # the two as in the book
p_y = torch.tensor([[0.75, 0.25]], dtype=torch.float64)
rows, columns = channels.marginals(printed)


def bits(product):
    return (printed * (printed / product).log2()).sum().item()


print(f"as in the book, p_x * p_y:       {bits(p_x * p_y):.4f} bits")
print(f"with the joint's own marginals:  {bits(torch.outer(rows, columns)):.4f} bits")
print(f"p_x * p_y with an outer product: {bits(torch.outer(p_y[0], p_x)):.4f} bits")
print("the rows sum to   ", rows)
print("the columns sum to", columns)
print("p_x * p_y is      ", p_x * p_y)

# %% [markdown]
# > No: it is 0.0074 bits. $(.75, .25)$ is no marginal of this table, whose rows sum to .6 and .4; that alone would give 0.0855
# > bits. And `*` multiplies shapes `(2,)` and `(1, 2)` entry by entry: the "product", one row
# > taken twice, sums to .7.
#
# Our own routines check what goes in:

# %%
try:
    information.kl_divergence(printed.flatten(), (p_x * p_y).expand(2, 2).flatten())
except ValueError as error:
    print("ValueError:", error)
for name, p in (("the book's", p_y[0]), ("its own", rows)):
    print(f"{name} p(y) belongs to this joint: {torch.allclose(p, printed.sum(1))}")

# %% [markdown]
# **In practice.** ID3's decision trees split where $I$ with the label, the "information gain", is largest. Unlike correlation,
# $I$ sees every kind of dependence: for $X$ uniform on $-1, 0, 1$ and $Y = X^2$ the correlation is 0, and $I(X; Y) = 0.636514$
# nats.
#
# <details><summary><b>Traps</b></summary>
#
# Marginals that do not come from the joint. A product that is not an outer product. `nansum` and `abs`, which hide whatever goes
# wrong. Bits for nats: $I$ in bits is 1.4427 times as large. A small number inside the logarithm. A bound for the thing:
# contrastive learning maximises a lower bound, never above $\log K$ for $K$ candidates, on the information between two *views*
# of one thing (van den Oord et al., 2018).
#
# </details>

# %% [markdown]
# ## Three ways to one number
#
# What one tells about the other is what there was to know less what is still open; a third way needs no condition:
#
# $$I(X; Y) = H(X) - H(X \mid Y) = H(Y) - H(Y \mid X) = H(X) + H(Y) - H(X, Y) .$$
#
# By hand: $0.673012 - 0.560527$, $0.647447 - 0.534962$ and $0.673012 + 0.647447 - 1.207974$ are all $0.112485$. The umbrella
# tells as much about the rain as the rain about the umbrella.
#
# Would any measure of uncertainty do? A family of them (Tsallis, 1988) holds Shannon's entropy, $q = 1$, and the Gini impurity of
# decision trees, $q = 2$: how often two draws differ.


# %%
def tsallis(q):
    """An entropy of distributions (..., n) for each q: Shannon's for q = 1, Gini's impurity for q = 2."""
    if q == 1:
        return lambda p: -torch.special.xlogy(p, p).sum(-1)
    return lambda p: (1 - (p**q).sum(-1)) / (q - 1)


shannon, gini = tsallis(1), tsallis(2)


# %% [markdown]
# ### Exercise 4. `mutual_information_three_ways`
#
# **Goal:** each way from its own entropies, whatever measure of uncertainty is handed in.
#
# Difficulty ●●●○○ · Importance ●●●●○ · 15 minutes
#
# - Every entropy comes from `entropy`, a function from `(..., n)` to `(...)`; the check hands in several. (A function of
#   `joint` alone counts, too, if it computes each way from Shannon's entropies of its own: the check disturbs the marginals,
#   and the three must differ.)
# - $H(X \mid Y)$ is the *average* entropy of the columns $p(x \mid y)$, each with its weight $p(y)$; $H(Y \mid X)$ that of
#   the rows.
# - Return three results in the order of the formula, each of shape `(...)`.
# - Zeros, batches, dtype and input as before; a column that never occurs has weight 0.


# %% nbgrader={"grade_id": "mutual_information_three_ways"}
def mutual_information_three_ways(
    joint: torch.Tensor, entropy=shannon
) -> tuple[torch.Tensor, ...]:
    """H(X) - H(X given Y), H(Y) - H(Y given X), H(X) + H(Y) - H(X, Y), as `entropy` measures."""
    ### BEGIN SOLUTION
    px, py = joint.sum(-1), joint.sum(-2)
    columns = joint / torch.where(py > 0, py, 1)[..., None, :]
    rows = joint / torch.where(px > 0, px, 1)[..., :, None]
    x_given_y = (py * entropy(columns.mT)).sum(-1)
    y_given_x = (px * entropy(rows)).sum(-1)
    hx, hy, hxy = entropy(px), entropy(py), entropy(joint.flatten(-2))
    return hx - x_given_y, hy - y_given_x, hx + hy - hxy
    ### END SOLUTION


# %% nbgrader={"grade_id": "mutual_information_three_ways-check"}
check("mutual_information_three_ways", mutual_information_three_ways)

# %% [markdown]
# > **Is it true?** "Information gain is symmetric, so it does not matter which measure of impurity a tree uses."

# %%
for name, entropy in (("Shannon", shannon), ("Gini", gini)):
    ways = channels.three_informations(joint, entropy)
    print(f"{name:8}", *(f"{way:.6f}" for way in ways))

# %% [markdown]
# > No. By Gini's measure $Y$ tells more about $X$ than $X$ about $Y$. The chain rule makes the three one: it is among
# > Shannon's three axioms, which single out his entropy (1948, theorem 2).

# %% [markdown]
# To scale, what lies above each other is the same information (after MacKay, 2003, figure 8.1):

# %%
plotting.show_figure(joint_figures.information_diagram(joint))

# %% [markdown]
# Now move the table: the sliders are weights. Guess which bars vanish before you press a button: when $X$ and $Y$ are
# independent, when $Y$ copies $X$, when one pair never occurs.

# %% tags=["interactive", "nbval-ignore-output"]
joint_figures.explore()

# %% [markdown]
# Independent: no $I$. A copy: nothing is left open either way. One zero: every bar stays.

# %%
plotting.show_figure(joint_figures.stills())

# %% [markdown]
# **In practice.** Take the way whose entropies you can get. A classifier's loss on fresh data is $H(Y \mid X)$ or more: by the
# second way it bounds $I$ from below.
#
# <details><summary><b>Traps</b></summary>
#
# $H(X) - H(Y \mid X)$ mixes the two up: 0.138050 here. $H(X \mid Y)$ taken as $H(X, Y) - H(Y)$: all three ways are then one and
# the same sum. Two overlapping circles are a fair picture for two variables; for three they mislead (stretch 1).
#
# </details>

# %% [markdown]
# ## What is left after a noisy channel?
#
# You see not the umbrella $Y$, but a bad photograph of it, $Z$: row $y$ of a **channel** $W(z \mid y)$ says how likely each
# $z$ is. What does the photograph tell about the rain?
#
# $$p(x, z) = \sum_y p(x, y)\, W(z \mid y), \qquad I(X; Z) \le I(X; Y) .$$
#
# The second part is the **data-processing inequality** (Cover and Thomas, theorem 2.8.1): nothing done to $Y$ alone adds
# information about $X$.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $W(z \mid y)$ | `channel` | `(Y, Z)` | each *row* sums to 1 |
# | $p(x, z)$ | `joint_xz` | `(..., X, Z)` | sums to 1 in all; its rows sum to $p(x)$, as before |
#
# By hand, with rows $(.9, .1)$ and $(.3, .7)$ for the photograph: $p(x{=}0, z{=}0) = .5 \cdot .9 + .1 \cdot .3 = .48$,
# and the whole table is $((.48, .12), (.21, .19))$. It carries 0.042101 nats, 37% of the 0.112485 before.
#
# <details><summary>Why can nothing be added?</summary>
#
# Write what $Y$ and $Z$ together tell about $X$ in two ways, by the chain rule (stretch 1 computes the terms with a bar):
#
# $$I(X; Y, Z) = I(X; Y) + I(X; Z \mid Y) = I(X; Z) + I(X; Y \mid Z) .$$
#
# $Z$ is made from $Y$ alone, so once $Y$ is known it tells nothing more: $I(X; Z \mid Y) = 0$. The last term is an average
# of informations and not negative. So $I(X; Z) \le I(X; Y)$.
# </details>

# %% [markdown]
# ### Exercise 5. `push_through_channel`
#
# **Goal:** the joint of what you want to know and what you get to see.
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes
#
# - `channel` is one matrix, noiseless, useless or between; `joint` may be a batch, as before. $Z$ may have more or fewer values than $Y$.
# - Dtype and inputs as before.


# %% nbgrader={"grade_id": "push_through_channel"}
def push_through_channel(joint: torch.Tensor, channel: torch.Tensor) -> torch.Tensor:
    """p(x, z), the sum over y of p(x, y) W(z given y)."""
    ### BEGIN SOLUTION
    return joint @ channel
    ### END SOLUTION


# %% nbgrader={"grade_id": "push_through_channel-check"}
check("push_through_channel", push_through_channel)

# %%
photograph = torch.tensor([[0.9, 0.1], [0.3, 0.7]], dtype=torch.float64)
seen = channels.push_through_channel(joint, photograph)
print(f"I(X; Y) = {channels.mutual_information(joint):.6f} nats")
print(f"I(X; Z) = {channels.mutual_information(seen):.6f} nats")

# %% [markdown]
# A fair bit is whispered down a line of people who each mishear it with probability $\varepsilon$. Dots are pushed through
# channels; lines: after $n$ people it is flipped with probability $(1 - (1 - 2\varepsilon)^n)/2$.

# %%
plotting.show_figure(channel_figures.information_along_chain())

# %% [markdown]
# > **Is it true?** "A better feature extractor can put information about the label into the features."
# >
# > Take ten thousand random channels after the photograph:

# %%
generator = torch.Generator().manual_seed(2)
extractors = torch.rand(10_000, 2, 5, dtype=torch.float64, generator=generator)
extractors = extractors / extractors.sum(-1, keepdim=True)
after = channels.push_through_channel(seen, extractors)
best = channels.mutual_information(after).max()
print(f"before the extractors:  {channels.mutual_information(seen):.6f} nats")
print(f"after the best of them: {best:.6f} nats")

# %% [markdown]
# > No: it can only make what is there easier to *use*. What a layer has lost, no later layer finds again.
#
# **In practice.** A diffusion model's forward process is such a chain. A skip connection is a way round it.
#
# <details><summary><b>Traps</b></summary>
#
# Rows and columns of $W$ exchanged: for a symmetric channel nothing shows it. Normalising the result again,
# which turns $p(x, z)$ into $p(z \mid x)$. Applying $W$ to $X$.
#
# </details>

# %% [markdown]
# ## What is left once a third thing is known? (stretch)
#
# Ice cream and sunburn go together; on days of equal sunshine they may not. What $X$ and $Y$ tell about each other *once $Z$ is
# known* is the **conditional mutual information** (Cover and Thomas, section 2.5):
#
# $$I(X; Y \mid Z) = \sum_z p(z)\, I(X; Y \mid Z = z)
# = \sum_{x, y, z} p(x, y, z) \log\frac{p(x, y, z)\, p(z)}{p(x, z)\, p(y, z)} .$$
#
# <details><summary>Symbols, and one by hand</summary>
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $p(x, y, z)$ | `joint` | `(..., X, Y, Z)` | sums to 1 over the last three dimensions |
# | $p(z)$ | `pz` | `(..., Z)` | summed over $x$ and $y$ |
# | $I(X; Y \mid Z)$ | `I` | `(...)` | in nats, never negative |
#
# Two fair coins $X$, $Y$, and $Z = 1$ where they differ. $I(X; Y) = 0$. But know $Z$, and either coin gives the
# other away: $I(X; Y \mid Z) = \log 2$.
#
# </details>

# %% [markdown]
# ### Stretch 1. `conditional_mutual_information`
#
# **Goal:** $I(X; Y \mid Z)$ in nats, for one joint of three variables or a batch.
#
# Difficulty ●●●○○ · Importance ●●●○○ · 15 minutes
#
# - $Z$, the last dimension, is the condition.
# - Zeros add 0, also a $z$ that never occurs; what is merely rare counts. Batches, dtype (float32 and float64) and input as before.


# %% nbgrader={"grade_id": "conditional_mutual_information"}
def conditional_mutual_information(joint: torch.Tensor) -> torch.Tensor:
    """I(X; Y given Z) in nats over the last three dimensions."""

    ### BEGIN SOLUTION
    def h(*dims: int) -> torch.Tensor:  # the entropy once dims are summed out
        p = joint.sum(dims, keepdim=True) if dims else joint
        return -torch.special.xlogy(p, p).sum((-3, -2, -1))

    return h(-2) + h(-3) - h() - h(-3, -2)
    ### END SOLUTION


# %% nbgrader={"grade_id": "conditional_mutual_information-check"}
check("conditional_mutual_information", conditional_mutual_information)

# %% [markdown]
# > **Is it true?** "The more you already know, the less anything can still tell you."

# %%
differ = torch.zeros(2, 2, 2, dtype=torch.float64)
copied = torch.zeros(2, 2, 2, dtype=torch.float64)
for a in range(2):
    for b in range(2):
        differ[a, b, int(a != b)] = 1 / 4  # two coins, and whether they differ
    copied[a, a, a] = 1 / 2  # one coin, three times
for name, three in (("whether they differ", differ), ("three copies", copied)):
    apart = channels.mutual_information(three.sum(-1))
    known = channels.conditional_mutual_information(three)
    print(
        f"{name:20} I(X; Y) = {apart:.6f}   I(X; Y | Z) = {known:.6f}   middle {apart - known:+.6f}"
    )

# %% [markdown]
# > It goes either way. $I(X; Y) - I(X; Y \mid Z)$ is the part in the middle of three circles, and for the coins it is negative:
# > no area is (MacKay, 2003, exercise 8.8).
#
# <details><summary><b>In practice, and traps</b></summary>
#
# "Independent given $Z$" is what a graphical model asserts with a missing edge. Choosing a feature by its
# information *given those you have* avoids buying the same news twice.
#
# **Traps.** Conditioning on a common effect makes independent things dependent. From samples the bias of the next section
# is paid once for every value of $Z$.
#
# </details>

# %% [markdown]
# ## What if you have only samples?
#
# Usually you have $N$ pairs instead of the table. Count: the histogram, divided by $N$, is a table, and exercise 3 does the rest.
# This is the **plug-in estimate**:
#
# $$\hat I = I(\hat p), \qquad \hat p(x, y) = \frac{\#\{i : x_i = x,\ y_i = y\}}{N} .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x_i, y_i$ | `x`, `y` | `(N,)`, int64 | samples in $0, \dots, \text{bins} - 1$; $x_i$ belongs to $y_i$ |
# | $\hat p$ | `table` | `(bins, bins)` | counts over $N$ |
# | $\hat I$ | `I` | a float64 scalar | in nats |
#
# By hand, $x = (0, 0, 1, 1)$ and $y = (0, 0, 1, 0)$: the table is $((\tfrac12, 0), (\tfrac14, \tfrac14))$ and
# $\hat I = \tfrac12\log\tfrac{1/2}{3/8} + \tfrac14\log\tfrac{1/4}{3/8} + \tfrac14\log\tfrac{1/4}{1/8} = 0.215762$ nats.

# %% [markdown]
# ### Exercise 6. `plugin_mutual_information`
#
# **Goal:** the histogram estimate, as it is.
#
# Difficulty ●●●○○ · Importance ●●●●○ · 15 minutes
#
# - `x` and `y` are vectors of int64, `bins` an int. Return one number in float64, as a tensor, an array or a float.
# - Cells that never occur add 0. Nothing is smoothed or corrected, and nothing that comes in is changed.


# %% nbgrader={"grade_id": "plugin_mutual_information"}
def plugin_mutual_information(
    x: torch.Tensor, y: torch.Tensor, bins: int
) -> torch.Tensor:
    """I(X; Y) in nats of the histogram of the pairs (x[i], y[i])."""
    ### BEGIN SOLUTION
    counts = torch.bincount(x * bins + y, minlength=bins * bins)
    table = counts.double().reshape(bins, bins) / len(x)
    product = table.sum(1, keepdim=True) * table.sum(0, keepdim=True)
    terms = torch.special.xlogy(table, table) - torch.special.xlogy(table, product)
    return terms.sum()
    ### END SOLUTION


# %% nbgrader={"grade_id": "plugin_mutual_information-check"}
check("plugin_mutual_information", plugin_mutual_information)

# %% [markdown]
# > **Is it true?** "The estimate is clearly above 0, so the variables depend on each other."
# >
# > Draw 1000 samples of two *independent* variables with 8 values each, 400 times.

# %%
generator = torch.Generator().manual_seed(1)
x, y = torch.randint(0, 8, (2, 400, 1000), generator=generator)
pairs = zip(x, y, strict=True)
estimates = torch.stack([channels.plugin_mutual_information(a, b, 8) for a, b in pairs])
print(f"the smallest of 400 estimates  {estimates.min():.4f} nats")
print(f"their mean                     {estimates.mean():.4f}")
print(f"the largest                    {estimates.max():.4f}")
print(f"theory, 7^2 / (2 * 1000)       {49 / 2000:.4f}")
print("the truth                      0")

# %% [markdown]
# > No. By chance alone every histogram looks a little dependent: the bias is about $(|X| - 1)(|Y| - 1) / (2N)$ (Miller, 1955).
#
# <details><summary>Why this size?</summary>
#
# $2N\hat I$ is the likelihood-ratio statistic for independence (its G). If the variables are independent and $N$ is large,
# it is distributed as chi-squared with $(|X| - 1)(|Y| - 1)$ degrees of freedom (Wilks, 1938), whose mean is that number.
# For $N$ near the number of cells this is too small: the figure's first mean lies above the line.
# </details>

# %%
plotting.show_figure(channel_figures.plugin_bias())

# %% [markdown]
# So how do you tell dependence from chance? Make chance yourself: shuffle `y` and estimate again, many times. In this
# **permutation test** the $p$-value is the share of estimates, the real one included, at least as large as the real one (Phipson
# and Smyth, 2010).

# %%
generator = torch.Generator().manual_seed(4)
x, unrelated = torch.randint(0, 8, (2, 1000), generator=generator)
copying = torch.rand(1000, generator=generator) < 0.12  # one y in eight or so copies x
for name, y in (
    ("unrelated", unrelated),
    ("partly copied", torch.where(copying, x, unrelated)),
):
    real = channels.plugin_mutual_information(x, y, 8)
    orders = (torch.randperm(1000, generator=generator) for _ in range(999))
    chance = torch.stack(
        [channels.plugin_mutual_information(x, y[order], 8) for order in orders]
    )
    p_value = (1 + int((chance >= real).sum())) / 1000
    print(
        f"{name:14} estimate {real:.4f}, shuffled {chance.mean():.4f} on average, p = {p_value:.3f}"
    )

# %% [markdown]
# **In practice.** The $p$-value says whether there is dependence. How much? What the estimate exceeds the shuffled mean by is a
# fairer answer than the estimate.
#
# <details><summary><b>Traps</b></summary>
#
# `table[x, y] += 1` counts a repeated pair once (indexing writes each cell a single time). Dividing by the
# number of cells, or by $N - 1$. Sorting `x` and `y` apart. Frequencies in float32: seven digits.
#
# </details>

# %% [markdown]
# ## How often must you be wrong?
#
# You guess $X$, one of $k$ classes, from $Y$, and $H(X \mid Y) = h$ nats are open. How often must even the best guess err? After
# it two questions settle $X$: was it wrong (at most $H_b(p_e)$ nats), and if so, which of the other $k - 1$ (at most $\log(k-1)$).
# So **Fano's inequality** (Fano, 1961; Cover and Thomas, section 2.10):
#
# $$h \le H_b(p_e) + p_e \log(k - 1), \qquad H_b(p) = -p\log p - (1-p)\log(1-p) .$$
#
# | symbol | in code | type | meaning |
# |---|---|---|---|
# | $h$ | `h` | float | $H(X \mid Y)$ in nats, at most $\log k$ |
# | $k$ | `k` | int | number of classes, at least 2 |
# | $p_e$ | `pe` | float | the smallest error probability that satisfies the inequality |
#
# By hand, $k = 3$ and $p_e = \tfrac12$: the right side is $\log 2 + \tfrac12\log 2 = 1.039721$. Then at least every
# second guess is wrong.
#
# <details><summary>Why those two questions?</summary>
#
# Let $E$ say whether the guess is wrong. The guess is made from $Y$, so $X$ and $Y$ settle $E$, and the chain rule gives
# $H(X \mid Y) = H(E \mid Y) + H(X \mid E, Y)$. The first is at most $H(E) = H_b(p_e)$. The second is 0 where the guess is
# right and at most $\log(k - 1)$ where it is wrong: at most $p_e \log(k - 1)$ together.
# </details>

# %% [markdown]
# ### Exercise 7. `fano_error_bound`
#
# **Goal:** from remaining uncertainty to an error that cannot be avoided.
#
# Difficulty ●●●○○ · Importance ●●●○○ · 15 minutes
#
# - The right side grows from 0 at $p_e = 0$ to $\log k$ at $p_e = 1 - 1/k$, so there is one solution in between.
#   Precision $10^{-6}$.
# - Return 0 for `h = 0`; raise `ValueError` if `h` is above $\log k$ (but for rounding: five equal probabilities give 2e-16
#   more).


# %% nbgrader={"grade_id": "fano_error_bound"}
def fano_error_bound(h: float, k: int) -> float:
    """The smallest error probability that Fano's inequality allows for h nats and k classes."""
    ### BEGIN SOLUTION
    if h > math.log(k) + 1e-12:
        raise ValueError(f"h is at most log k = {math.log(k):.6f} nats, not {h}")
    if h == 0:
        return 0.0
    low, high = 0.0, 1 - 1 / k
    for _ in range(100):
        pe = (low + high) / 2
        right = -pe * math.log(pe) - (1 - pe) * math.log(1 - pe) + pe * math.log(k - 1)
        low, high = (pe, high) if right < h else (low, pe)
    return high
    ### END SOLUTION


# %% nbgrader={"grade_id": "fano_error_bound-check"}
check("fano_error_bound", fano_error_bound)

# %%
pe = channels.fano_error_bound(1.0, 8)
print(f"1 nat open among 8 classes: at least {pe:.6f} of the guesses are wrong")

# %%
plotting.show_figure(channel_figures.fano_curve())

# %% [markdown]
# The dashed curve bounds the best guess from the other side: the likeliest class is right with probability $e^{-h}$ or more.
#
# **In practice.** Subtract $I(\text{features}; \text{label})$ from $H(\text{label})$, and the bound tells an accuracy that no
# classifier on these features exceeds. Mind the direction of an estimate's error: if $I$ is too large (the plug-in's bias), the
# bound is merely weak; if it is too small (a lower bound such as the contrastive one), the "impossibility" may be false.
#
# <details><summary><b>Traps</b></summary>
#
# Leaving out $H_b$ gives 0.513898 for 1 nat and 8 classes, more than twice the truth: a wrong proof of impossibility. The handy
# form $(h - \log 2)/\log k$ is valid but weak, 0.147565. In nats the subtracted bit is $\log 2$, not 1. Taking the bound for what
# can be had: it is reached only where, whatever the features, the best guess errs equally often and the wrong classes are equally
# likely.
#
# </details>

# %% [markdown]
# ## How much can a channel carry? (stretch)
#
# Choose how often each letter is sent, $r(x)$: the most information that a channel lets through is its **capacity** (Shannon,
# 1948, sections 12 and 13). At every rate below it long messages arrive with as few errors as you like, at none above it.
#
# $$C = \max_r I(X; Y) .$$
#
# Blahut (1972) and Arimoto (1972) found a climb that gets there. With the gain $g_x = \mathrm{KL}\big(W(\cdot \mid x),\ q\big)$
# of letter $x$, where $q = r W$ is how often each output comes,
#
# $$\sum_x r(x)\, g_x \ \le\ C\ \le\ \max_x g_x, \qquad r(x) \leftarrow \frac{r(x)\, e^{g_x}}{\sum_{x'} r(x')\, e^{g_{x'}}} .$$
#
# <details><summary>Symbols, and one by hand</summary>
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $W(y \mid x)$ | `channel` | `(X, Y)` | rows sum to 1 |
# | $r$ | `r` | `(X,)` | how often each input is sent; start with all alike |
# | $g_x$ | `gains` | `(X,)` | in nats |
# | $C$ | `C` | scalar | between the two bounds |
#
# A channel that flips a fair bit with probability .11 carries $\log 2 - H_b(.11) = 0.346632$ nats, half a bit
# (0.500084). The **Z-channel** sends 0 safely and turns 1 into 0 half of the time: sending 1 in a share $a$ of cases
# gets $H_b(a/2) - a\log 2$ through; the slope is 0 at $a = .4$, and there it is $\log\tfrac54 = 0.223144$.
#
# </details>
#
# <details><summary>Why these bounds?</summary>
#
# The left side is $I(X; Y)$ at $r$, and $C$ is the largest of these. For any other input $r'$ with output $q'$,
# $\sum_x r'(x)\, \mathrm{KL}(W_x, q) = I' + \mathrm{KL}(q', q) \ge I'$: no input carries more than the average of the gains
# under it, hence none more than the largest gain.
# </details>

# %% [markdown]
# ### Stretch 2. `channel_capacity`
#
# **Goal:** capacity by Blahut and Arimoto.
#
# Difficulty ●●●●○ · Importance ●●○○○ · 20 minutes
#
# - One channel matrix. Stop when upper and lower bound are within `tol`, thousands of rounds if
#   need be, and return any number between them, with `r`.
# - `r` is graded to $\sqrt{\text{tol}}$ where it is unique; where several inputs reach the capacity, any of them
#   counts.
# - The channel may hold zeros, and outputs that never come. Two results in the dtype of `channel` (a float will do for the
#   capacity); `channel` is not changed.


# %% nbgrader={"grade_id": "channel_capacity"}
def channel_capacity(
    channel: torch.Tensor, tol: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The capacity in nats, to within tol, and the input distribution (X,) that reaches it."""
    ### BEGIN SOLUTION
    w = channel.double()
    r = torch.full_like(w[:, 0], 1 / len(w))
    while True:
        terms = torch.special.xlogy(w, w) - torch.special.xlogy(w, r @ w)
        gains = terms.sum(1)
        lower, upper = r @ gains, gains.max()
        if upper - lower <= tol:
            return lower.to(channel.dtype), r.to(channel.dtype)
        r = torch.softmax(r.log() + gains, 0)
    ### END SOLUTION


# %% nbgrader={"grade_id": "channel_capacity-check"}
check("channel_capacity", channel_capacity)

# %%
flipping = torch.tensor([[0.89, 0.11], [0.11, 0.89]], dtype=torch.float64)
z_channel = torch.tensor([[1.0, 0.0], [0.5, 0.5]], dtype=torch.float64)
for name, channel in (("flips 11%", flipping), ("Z-channel", z_channel)):
    capacity, r = channels.channel_capacity(channel, 1e-9)
    print(f"{name}: {capacity:.6f} nats = {capacity / math.log(2):.6f} bits", end=", ")
    print(f"reached by sending ({r[0]:.3f}, {r[1]:.3f})")

# %%
plotting.show_figure(channel_figures.information_by_input(z_channel))

# %% [markdown]
# <details><summary><b>In practice, and traps</b></summary>
#
# The safe letter is sent more often, but the unreliable one is not given up: at half and half the
# channel carries 0.215762 nats, only 3% less.
#
# **Traps.** Reporting $I$ at the uniform input. Stopping when the estimate hardly changes: a slow climb looks like an
# arrival. The two bounds cannot be fooled.
#
# </details>

# %% [markdown]
# ## Where should the power go? (stretch)
#
# Several channels each add Gaussian noise of variance $n_i$ to a real number, and share a power $P$. With the share $s$ one
# carries $\tfrac12\log(1 + s/n)$ nats (Shannon, 1948):
#
# $$\max_s\ \sum_i \tfrac12 \log\Big(1 + \frac{s_i}{n_i}\Big), \qquad \sum_i s_i = P, \quad s_i \ge 0 .$$
#
# The power is water on a ground of noise: it finds one level $\nu$, and what is above stays dry (Cover and Thomas, section 9.4):
#
# $$s_i = \max(0,\ \nu - n_i) .$$
#
# <details><summary>Symbols, and one by hand</summary>
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $n_i$ | `noise` | `(n,)` | variances, positive |
# | $P$ | `power` | float | not negative |
# | $s_i$ | `allocation` | `(n,)` | adds up to $P$ |
#
# $n = (1, 4, 2)$ and $P = 3$: at level 3 the water is $(2, 0, 1)$ deep, which uses up the power. The capacity is
# $\tfrac12(\log 3 + \log 1.5) = 0.752039$ nats.
#
# </details>
#
# <details><summary>Why a level? (Karush, Kuhn and Tucker)</summary>
#
# The gain of a little more power in channel $i$ is $\frac{1}{2(n_i + s_i)}$. At the best shares no shift of power from one
# channel to another helps: all channels that get some have the same gain $\frac{1}{2\nu}$, and a channel that gets none has
# no larger one, as $n_i \ge \nu$. In formulas, with a multiplier $\lambda = \frac{1}{2\nu}$ for the sum and $\mu_i \ge 0$ for
# each $s_i \ge 0$: $\ \frac{1}{2(n_i + s_i)} = \lambda - \mu_i$ and $\mu_i s_i = 0$. That last line, **complementary
# slackness**, says wet or dry: where the share is positive its multiplier is 0, and where the multiplier is positive the
# channel is dry. The problem is concave, so what meets these conditions is the best.
# </details>

# %% [markdown]
# ### Stretch 3. `water_filling`
#
# **Goal:** the best shares and what they carry.
#
# Difficulty ●●●○○ · Importance ●●○○○ · 15 minutes
#
# - Return two results: the shares, in the order of `noise`, and the capacity in nats; both to $10^{-6}$.
# - `power` may be 0, noises may be equal. dtype and input as before.


# %% nbgrader={"grade_id": "water_filling"}
def water_filling(
    noise: torch.Tensor, power: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The shares (n,) of the power among parallel Gaussian channels, and the capacity in nats."""
    ### BEGIN SOLUTION
    n = noise.double()
    low, high = n.min(), n.max() + power
    for _ in range(100):
        level = (low + high) / 2
        enough = (level - n).clamp_min(0).sum() >= power
        low, high = (low, level) if enough else (level, high)
    allocation = (high - n).clamp_min(0)
    capacity = torch.log1p(allocation / n).sum() / 2
    return allocation.to(noise.dtype), capacity.to(noise.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "water_filling-check"}
check("water_filling", water_filling)

# %%
noise = torch.tensor([1.0, 4.0, 2.0, 0.5, 3.0], dtype=torch.float64)
shares, capacity = channels.water_filling(noise, 5.0)
for name, s in (("water-filling", shares), ("even", torch.full_like(noise, 1.0))):
    print(f"{name:14} carries {torch.log1p(s / noise).sum() / 2:.6f} nats")
plotting.show_figure(channel_figures.water(noise, 5.0))

# %% [markdown]
# <details><summary><b>In practice, and traps</b></summary>
#
# DSL and wireless links share their power among hundreds of frequencies in this way.
#
# **Traps.** Setting negative shares to 0 and leaving it there: the rest then uses more than $P$. Scaling it down again:
# the levels differ. Helping the noisy channels most, which is what fairness suggests and capacity punishes.
#
# </details>

# %% [markdown]
# ## How little can you send? (stretch)
#
# Now the source $p(x)$ is given and you choose the channel $W(z \mid x)$. A small rate $R = I(X; Z)$ and a small distortion
# $D = \mathbb{E}\, d(X, Z)$ do not go together: the best trades form the **rate-distortion curve** (Shannon, 1959). A price
# $\beta$ picks a point (on a straight part, a segment):
#
# $$\min_W\ R + \beta D .$$
#
# In turns (Blahut, 1972):
#
# $$W(z \mid x) \propto r(z)\, e^{-\beta d(x, z)}, \qquad r(z) = \sum_x p(x)\, W(z \mid x) .$$
#
# <details><summary>Symbols, and one by hand</summary>
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $p(x)$ | `p` | `(X,)` | the source |
# | $d(x, z)$ | `distortion` | `(X, Z)` | cost of showing $z$ for $x$ |
# | $\beta$ | `beta` | float | nats paid for one unit of distortion; the curve's slope is $-\beta$ |
# | $R$, $D$ | `R`, `D` | scalars | the point on the curve |
#
# A fair bit with $d = 1$ for a wrong bit: by symmetry $r = (\tfrac12, \tfrac12)$, so $D = 1/(1 + e^{\beta})$
# and $R = \log 2 - H_b(D)$. With $\beta = \log 9$ that is $D = .1$ and $R = 0.368064$ nats: allow every tenth bit to be
# wrong, and you need to send about half of the file.
#
# </details>
#
# <details><summary>Why in turns, and when to stop?</summary>
#
# For any $r$, $\ \sum_x p(x)\, \mathrm{KL}(W_x, r) = R + \mathrm{KL}(q, r)$, where $q = p W$ is how often each $z$ is
# shown. So the left side is at least $R$, and equal to it at $r = q$: the second step. The first minimises the left side
# plus $\beta D$ for fixed $r$. One round multiplies $r(z)$ by $c(z) = \sum_x p(x)\, e^{-\beta d(x, z)} / Z_x$ with
# $Z_x = \sum_z r(z)\, e^{-\beta d(x, z)}$, and $R + \beta D$ is within $\log \max_z c(z)$ of its minimum (Blahut, 1972).
# </details>

# %% [markdown]
# ### Stretch 4. `rate_distortion`
#
# **Goal:** one point of the curve.
#
# Difficulty ●●●●○ · Importance ●●●○○ · 20 minutes
#
# - $R$ and $D$ are graded to $10^{-6}$: go on until $\max_z c(z) \le 1 + 10^{-12}$ ("when to stop"), thousands of rounds if need
#   be.
# - $p$ may hold zeros, $Z$ may have more or fewer values than $X$; for large $\beta$ entries of $W$ become 0.
# - Two results in the dtype of `p`; nothing that comes in is changed.


# %% nbgrader={"grade_id": "rate_distortion"}
def rate_distortion(
    p: torch.Tensor, distortion: torch.Tensor, beta: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The rate in nats and the distortion that minimise R + beta D."""
    ### BEGIN SOLUTION
    source, d = p.double(), distortion.double()
    kernel = torch.exp(-beta * (d - d.amin(1, keepdim=True)))
    r = torch.full_like(d[0], 1 / d.shape[1])
    growth = torch.full_like(r, 2.0)
    while growth.max() > 1 + 1e-12:
        growth = (source / (kernel @ r)) @ kernel
        r = r * growth
    w = r * kernel / (kernel @ r)[:, None]
    r, sent = source @ w, source[:, None] * w
    terms = torch.special.xlogy(sent, w) - torch.special.xlogy(sent, r)
    return terms.sum().to(p.dtype), (sent * d).sum().to(p.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "rate_distortion-check"}
check("rate_distortion", rate_distortion)

# %%
fair = torch.tensor([0.5, 0.5], dtype=torch.float64)
hamming = 1 - torch.eye(2, dtype=torch.float64)
for beta in (1.0, math.log(9), 6.0):
    rate, distance = channels.rate_distortion(fair, hamming, beta)
    print(f"beta = {beta:.4f}: R = {rate:.6f} nats, D = {distance:.6f}")

# %%
plotting.show_figure(trade_offs.rate_distortion_curve())

# %% [markdown]
# <details><summary><b>In practice, and traps</b></summary>
#
# Read $d$ as the reconstruction error and $R$ as the KL term: this is the loss of a beta-VAE, up to which
# of the two terms carries the $\beta$ (notebook 05). To be exact, the KL term is the left side of "Why in turns": an upper
# bound on $R$, equal to it where the prior is what the encoder sends on average. Turning $\beta$ moves along a curve; it
# does not make a better model. For a unit Gaussian and squared error the curve is $R = \tfrac12\log\tfrac1D$: at
# $D = \tfrac14$ it is $\log 2$: one bit halves the typical error.
#
# **Traps.** $e^{-d/\beta}$ for $e^{-\beta d}$. A hundred rounds, or until $r$ hardly moves, instead of the bound. Forgetting
# to weigh with $p$.
#
# </details>

# %% [markdown]
# ## What is worth keeping? (stretch)
#
# Keep of $X$ what tells about $Y$, and forget the rest: the **information bottleneck** (Tishby, Pereira and Bialek, 1999) looks
# for an encoder $p(t \mid x)$ with
#
# $$\min\ I(X; T) - \beta\, I(T; Y) .$$
#
# You solve in turns as before, with $\mathrm{KL}\big(p(y \mid x),\ p(y \mid t)\big)$ as the distortion:
#
# $$p(t \mid x) \propto p(t)\, e^{-\beta\, \mathrm{KL}(p(y \mid x),\ p(y \mid t))}, \qquad
# p(t) = \sum_x p(x)\, p(t \mid x), \qquad p(y \mid t) = \frac{1}{p(t)} \sum_x p(x, y)\, p(t \mid x) .$$
#
# <details><summary>Symbols, and one by hand</summary>
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $p(x, y)$ | `joint` | `(X, Y)` | every $x$ occurs |
# | $p(t \mid x)$ | `encoder` | `(X, clusters)` | rows sum to 1 |
# | $I(X; T)$, $I(T; Y)$ | `i_xt`, `i_ty` | scalars | what is kept of $X$, and about $Y$, in nats |
#
# $X$ is a fair die with four sides, $Y$ whether it shows an even number. $T = Y$ keeps $\log 2$ of $\log 4$ nats,
# and all there is to know about $Y$: it costs $(1 - \beta)\log 2$, where $T = X$ costs $\log 4 - \beta \log 2$.
#
# </details>
#
# <details><summary>Why these equations?</summary>
#
# Differentiate $I(X; T) - \beta I(T; Y)$ by $p(t \mid x)$ and divide by $p(x)$; the changes of $p(t)$ and $p(y \mid t)$ cancel,
# as in "Why in turns". What remains is $\log\frac{p(t \mid x)}{p(t)} - \beta \sum_y p(y \mid x) \log\frac{p(y \mid t)}{p(y)}$, and it
# must be the same for all $t$. Add $\beta\, \mathrm{KL}(p(y \mid x), p(y))$, which does not depend on $t$, and solve for
# $p(t \mid x)$.
# </details>

# %% [markdown]
# ### Stretch 5. `information_bottleneck`
#
# **Goal:** an encoder at rest, and what it keeps.
#
# Difficulty ●●●●○ · Importance ●●○○○ · 25 minutes
#
# - Start from random rows, drawn from `generator` alone, without zeros. Go on until the encoder rests.
# - `beta` may be too small for any information to pay, `clusters` 1, or more than are needed.
# - Any encoder counts whose $I(X; T) - \beta I(T; Y)$ is no more than $10^{-3}$ above the best that we found in many starts.
# - Three results in the dtype of `joint`, which is not changed; the two informations (floats will do) are those of your
#   encoder, to $10^{-6}$.


# %% nbgrader={"grade_id": "information_bottleneck"}
def information_bottleneck(
    joint: torch.Tensor, beta: float, clusters: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The encoder p(t given x), and I(X; T) and I(T; Y) in nats."""
    ### BEGIN SOLUTION
    p = joint.double()
    px, py = p.sum(1), p.sum(0)
    given_x = p / px[:, None]
    start = torch.rand(len(p), clusters, generator=generator, dtype=p.dtype) + 0.01
    encoder, moved = start / start.sum(1, keepdim=True), 1.0
    while moved > 1e-10:
        pt = px @ encoder
        given_t = (encoder.T @ p) / pt[:, None]
        likeness = (
            given_x @ given_t.clamp_min(1e-300).log().T
        )  # the KL, but for what all t share
        before, encoder = encoder, torch.softmax(pt.log() + beta * likeness, 1)
        moved = (encoder - before).abs().max()
    pt, pty = px @ encoder, encoder.T @ p
    i_xt = (px[:, None] * torch.special.xlogy(encoder, encoder / pt)).sum()
    i_ty = torch.special.xlogy(pty, pty / (pt[:, None] * py)).sum()
    return encoder.to(joint.dtype), i_xt.to(joint.dtype), i_ty.to(joint.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "information_bottleneck-check"}
check("information_bottleneck", information_bottleneck)

# %% [markdown]
# Four kinds of weather, and how often an umbrella goes along in each. Two clusters at $\beta = 4$:

# %%
kinds = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
takes_it = torch.tensor([0.05, 0.2, 0.7, 0.95], dtype=torch.float64)
skies = torch.stack([kinds * (1 - takes_it), kinds * takes_it], 1)
generator = torch.Generator().manual_seed(0)
encoder, kept, told = channels.information_bottleneck(skies, 4.0, 2, generator)
for name, row in zip(("dry", "cloudy", "drizzle", "storm"), encoder, strict=True):
    print(f"{name:8} mostly goes to cluster {row.argmax()} (with {row.max():.3f})")
print(f"kept of the weather:     {kept:.3f} of {information.entropy(kinds):.3f} nats")
print(
    f"told about the umbrella: {told:.3f} of {channels.mutual_information(skies):.3f} nats"
)

# %%
plotting.show_figure(trade_offs.bottleneck_curve(skies))

# %% [markdown]
# > **Is it true?** "A network compresses its input as it trains: $I(X; T)$ of a layer falls."
# >
# > Take 4096 inputs and a layer $t = \tanh(w x)$ whose weight grows, with 30 bins for $t$, as is usual.

# %%
inputs = torch.linspace(-1, 1, 4096, dtype=torch.float64)
for weight in (0.1, 1.0, 3.0, 10.0):
    t = torch.tanh(weight * inputs)
    shares = torch.bincount(((t + 1) * 15).long().clamp(0, 29), minlength=30) / 4096
    binned, truly = information.entropy(shares.double()), math.log(len(t.unique()))
    print(f"w = {weight:4}: I(X; T) = {binned:.3f} nats in bins, {truly:.3f} in truth")

# %% [markdown]
# > Not of itself: a layer that maps different inputs to different values keeps all $\log 4096$ nats (for a continuous input
# > $I(X; T)$ is infinite). What rises and falls is how evenly they fill the bins. Saxe et al. (2018) found "compression" with
# > tanh, which saturates, and none with ReLU.
#
# <details><summary><b>In practice, and traps</b></summary>
#
# With a neural encoder and a bound for each term this is the deep variational bottleneck (Alemi et al.,
# 2017); its KL term is the VAE's.
#
# **Traps.** A start with equal rows, and $\beta \le 1$: then $T$ knows nothing (by the data-processing inequality nothing
# is gained by knowing more). An answer from one start may be a local minimum: try several.
#
# </details>

# %% [markdown]
# ## In your own words (2 points, graded by hand)
#
# A team bins 2000 users into 50 groups and looks at which of 20 categories each clicked. Their plug-in estimate is 0.26 nats:
# "behaviour predicts clicks". Merged to 10 groups it is 0.05 nats: "we lost most of the information", and they plan to train a
# network on the 10 groups to win it back. In at most six sentences: what do you conclude from the two numbers, how would you test
# it, and what do you say to the plan?

# %% [markdown] nbgrader={"grade_id": "reflection", "grade": true, "solution": true, "points": 2}
# ### BEGIN SOLUTION
# **A model answer.** For independent variables the plug-in estimate is about $(50 - 1)(20 - 1)/(2 \cdot 2000) = 0.23$ nats with
# 50 groups and $(10 - 1)(20 - 1)/(2 \cdot 2000) = 0.04$ with 10 (simulated: 0.27 and 0.044), so both numbers are nearly or wholly
# bias. There is little evidence that behaviour predicts clicks at all, and none that merging lost anything. Test it by shuffling
# the clicks and estimating again, many times: only what lies above the shuffled estimates counts. As for the plan: the 10 groups
# are a function of the 50, so by the data-processing inequality no network trained on them alone can win back what the merging
# lost.
#
# **Rubric.** 1 point: both estimates recognised as (mostly) bias, with the formula or its size for at least one of them (½ point
# for "too few samples" without a size). ½ point: a valid test (shuffling, more or held-out data, an interval under independence).
# ½ point: the plan refused by the data-processing inequality, in any words. No marks are lost for style.
# ### END SOLUTION

# %% [markdown]
# ## Where you are
#
# `progress()` shows what you have done. Next: notebook 03 takes apart the optimiser that trains nearly everything.

# %% tags=["nbval-ignore-output"]
progress()
