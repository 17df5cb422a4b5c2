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
# You see an umbrella. How much does that tell you about the rain? This notebook puts a number on it, the **mutual
# information**, and follows that number through noise, through small samples, and to its two limits: how much a channel
# can carry at most, and how little you can send if small errors are allowed. The last one is what a beta-VAE trades.
#
# You need entropy, $H(p) = -\sum_i p_i \log p_i$ in nats (notebook 01), and nothing else. The whole takes about 90
# minutes; each exercise stands alone. A check tells you whether an answer is right and, where it can, which mistake it
# is. Stuck? `hint("marginals")` gives a nudge, `hint("marginals", 2)` a bigger one.

# %%
import math

import torch

from helpers import channels, check, hint, information, plotting, progress
from helpers.figures import channels as channel_figures
from helpers.figures import joints as joint_figures

plotting.use_course_style()
print("ready")

# %% [markdown]
# ## Two things at once
#
# Write down the weather and the umbrellas of many days, and you have a **joint distribution**: how often each *pair*
# occurs. Rows are the weather (0 dry, 1 rain), columns the umbrella (0 at home, 1 with you):
#
# | $p(x, y)$ | $y = 0$ | $y = 1$ |
# |---|---|---|
# | $x = 0$ | .3 | .2 |
# | $x = 1$ | .1 | .4 |
#
# How often does it rain at all? Add up what you do not care about. The result is a **marginal**:
#
# $$p(x) = \sum_y p(x, y), \qquad p(y) = \sum_x p(x, y) .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $p(x, y)$ | `joint` | `(..., X, Y)` | not negative, sums to 1 over the last two dimensions; rows are $x$ |
# | $p(x)$ | `px` | `(..., X)` | row sums |
# | $p(y)$ | `py` | `(..., Y)` | column sums |
#
# By hand: $p(x) = (.3 + .2,\ .1 + .4) = (.5, .5)$ and $p(y) = (.3 + .1,\ .2 + .4) = (.4, .6)$.

# %% [markdown]
# ### Exercise 1. `marginals`
#
# **Goal:** both marginals of a joint, or of a batch of them.
#
# Difficulty ●○○○○ · Importance ●●●●● · 5 minutes
#
# - Return two results, $p(x)$ first. Leading dimensions are batches and stay.
# - The results have the dtype of `joint`, which is not changed.


# %% nbgrader={"grade_id": "marginals"}
def marginals(joint: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """p(x) and p(y) of joints of shape (..., X, Y)."""
    ### BEGIN SOLUTION
    return joint.sum(-1), joint.sum(-2)
    ### END SOLUTION


# %% nbgrader={"grade_id": "marginals-check"}
check("marginals", marginals)

# %%
joint = torch.tensor([[0.3, 0.2], [0.1, 0.4]], dtype=torch.float64)
plotting.show_figure(
    joint_figures.table(joint),
    alt="The joint table .3, .2, .1, .4 with its row sums .5 and .5 in the right "
    "margin and its column sums .4 and .6 below.",
)

# %% [markdown]
# The name is meant literally: the sums stand in the margins.
#
# **In practice.** Summing out is how a model over pairs answers a question about one thing: a language model's
# probability of a word, whatever comes after it.
#
# **Traps.** `joint.sum(0)` is right for one table and wrong for a batch of them; count dimensions from the end. "Sum
# over $x$" leaves $p(y)$, not $p(x)$.

# %% [markdown]
# ## What is still open once you have looked?
#
# You see the weather, $x$. How unsure are you about the umbrella then? In row $x$ the umbrella follows
# $p(y \mid x) = p(x, y) / p(x)$; average the entropy of the rows, each as often as it occurs. That is the **conditional
# entropy** (Cover and Thomas, 2006, equation 2.10):
#
# $$H(Y \mid X) = -\sum_{x, y} p(x, y) \log p(y \mid x) = H(X, Y) - H(X) .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $p(y \mid x)$ | `joint / px` | `(..., X, Y)` | each row divided by its sum |
# | $H(Y \mid X)$ | `H` | `(...)` | what $X$ leaves open about $Y$, in nats |
#
# By hand: the rows are $(.6, .4)$ and $(.2, .8)$ with entropies 0.673012 and 0.500402, and each occurs half of the
# time. So $H(Y \mid X) = .5 \cdot 0.673012 + .5 \cdot 0.500402 = 0.586707$ nats.

# %% [markdown]
# ### Exercise 2. `conditional_entropy`
#
# **Goal:** $H(Y \mid X)$ in nats, for one joint or a batch.
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes
#
# - $X$ is the row and comes first in the table: the condition is on $X$.
# - A pair with $p(x, y) = 0$ adds 0, and so does a whole row that never occurs, $p(x) = 0$.
# - Batches, dtype and input as before.


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
# Each column of the figure is one $x$: as wide as $p(x)$, divided in the shares $p(y \mid x)$. So areas are joint
# probabilities, and $H(Y \mid X)$ is the mean of the columns' entropies by width.

# %%
plotting.show_figure(
    joint_figures.mosaic(joint),
    alt="Mosaic with two columns of width .5: the first is split .6 to .4 with "
    "entropy 0.673 nats, the second .2 to .8 with entropy 0.500 nats; their mean "
    "is 0.587.",
)

# %% [markdown]
# > **Is it true?** "Learning something never makes you less certain."
# >
# > Measure it on a rare alarm: $x = 1$ in one case out of ten.

# %%
alarm = torch.tensor([[0.85, 0.05], [0.05, 0.05]], dtype=torch.float64)
rows = alarm / alarm.sum(1, keepdim=True)
print(f"before you look:     H(Y)      = {information.entropy(alarm.sum(0)):.6f} nats")
print(f"no alarm (x = 0):    H(Y|X=0)  = {information.entropy(rows[0]):.6f}")
print(f"alarm (x = 1):       H(Y|X=1)  = {information.entropy(rows[1]):.6f}")
print(f"on average:          H(Y|X)    = {channels.conditional_entropy(alarm):.6f}")

# %% [markdown]
# > On average, yes: $H(Y \mid X) \le H(Y)$ always. For a single result, no: the alarm takes you from fairly sure to a
# > coin flip.
#
# **In practice.** $H(\text{next token} \mid \text{context})$ is the floor that no language model's loss gets below. The
# gap between its loss and that floor is what training can still remove.
#
# **Traps.** Conditioning on the wrong variable gives 0.606843 here, close enough to go unnoticed. Averaging the rows
# without their weights $p(x)$ is right only if all $x$ are equally likely, as they happen to be in the first table.
# Rows with $p(x) = 0$ are $0/0$.

# %% [markdown]
# ## How much does one tell about the other?
#
# If weather and umbrella had nothing to do with each other, the joint would be the product of its marginals,
# $p(x)\,p(y)$. How far is it from that? Notebook 01 has the measure: the KL divergence. Here it is called **mutual
# information** (Shannon, 1948; Cover and Thomas, equation 2.28):
#
# $$I(X; Y) = D\big(p(x, y) \,\|\, p(x)\,p(y)\big) = \sum_{x, y} p(x, y) \log \frac{p(x, y)}{p(x)\,p(y)} .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $p(x)\,p(y)$ | `px * py` | `(..., X, Y)` | outer product of the joint's *own* marginals |
# | $I(X; Y)$ | `I` | `(...)` | in nats; 0 exactly when $X$ and $Y$ are independent; at most $\min(H(X), H(Y))$ |
#
# By hand: the product is $(.2, .3)$ in both rows, and
#
# $$.3\log\tfrac{.3}{.2} + .2\log\tfrac{.2}{.3} + .1\log\tfrac{.1}{.2} + .4\log\tfrac{.4}{.3}
# = .121640 - .081093 - .069315 + .115073 = 0.086305 \text{ nats.}$$
#
# Single terms may be negative; the sum never is.

# %%
plotting.show_figure(
    joint_figures.against_independence(joint),
    alt="Two tables side by side: the joint .3, .2, .1, .4, and the product of its "
    "marginals .2, .3, .2, .3.",
)

# %% [markdown]
# ### Exercise 3. `mutual_information`
#
# **Goal:** $I(X; Y)$ in nats, for one joint or a batch.
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes
#
# - The marginals come from `joint` itself.
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
for name, table in tables.items():
    print(f"{name:25} I = {channels.mutual_information(table):z.6f} nats")
hx, hy = information.entropy(px), information.entropy(py)
print(f"never more than the smaller of H(X) = {hx:.6f} and H(Y) = {hy:.6f}")
gaussian = -math.log(1 - 0.9**2) / 2
print(f"Gaussians of correlation .9: I = -log(1 - .9^2) / 2 = {gaussian:.6f} nats")

# %% [markdown]
# > **Is it true?** A widely read textbook (Zhang et al., *Dive into Deep Learning*, appendix on information theory)
# > computes the mutual information of the joint $((.1, .5), (.1, .3))$ from two marginals that it writes down by hand,
# > $(.2, .8)$ and $(.75, .25)$. It prints 0.7195 bits.
# >
# > Measure first, then look at what went in.

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
# > No: the true value is 0.0074 bits, a hundredth of it. Two things went wrong, and neither raised an error.
# > $(.75, .25)$ is no marginal of this table: its rows sum to .6 and .4. With a correct outer product that alone would
# > give 0.0855 bits. And the two vectors have shapes `(2,)` and `(1, 2)`, so `*` multiplies entry by entry along the
# > columns; the "product distribution" sums to .7.
#
# Both are caught by checking what goes in. Our own routines do, and say what is wrong:

# %%
try:
    information.kl_divergence(printed.flatten(), (p_x * p_y).expand(2, 2).flatten())
except ValueError as error:
    print("ValueError:", error)
for name, p in (("the book's", p_y[0]), ("its own", rows)):
    print(f"{name} p(y) belongs to this joint: {torch.allclose(p, printed.sum(1))}")

# %% [markdown]
# **In practice.** A decision tree splits where the mutual information with the label is largest (it says "information
# gain"). Contrastive learning maximises a lower bound on it (van den Oord et al., 2018). Unlike correlation it sees every
# kind of dependence: for $X$ uniform on $-1, 0, 1$ and $Y = X^2$ the correlation is 0, and
# $I(X; Y) = H(Y) = 0.636514$ nats.
#
# **Traps.** Marginals that do not come from the joint. A product that is not an outer product. `nansum` and `abs`, which
# hide whatever goes wrong. Bits for nats: $I$ in bits is 1.4427 times as large.

# %% [markdown]
# ## Three ways to one number
#
# What $X$ tells about $Y$ is what there was to know less what is still open. It works from either side, and a third way
# needs no condition at all:
#
# $$I(X; Y) = H(X) - H(X \mid Y) = H(Y) - H(Y \mid X) = H(X) + H(Y) - H(X, Y) .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $H(X, Y)$ | `hxy` | `(...)` | entropy of the pairs: the sum runs over both dimensions |
# | $H(X \mid Y)$ | `x_given_y` | `(...)` | columns are the condition now |
#
# By hand: $0.693147 - 0.606843$, $0.673012 - 0.586707$ and $0.693147 + 0.673012 - 1.279854$ are all $0.0863$. So
# information is symmetric: the umbrella tells as much about the rain as the rain about the umbrella.

# %% [markdown]
# ### Exercise 4. `mutual_information_three_ways`
#
# **Goal:** see the identities hold, each from its own entropies.
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes
#
# - Return three results in the order of the formula, each of shape `(...)`.
# - Zeros, batches, dtype and input as before.


# %% nbgrader={"grade_id": "mutual_information_three_ways"}
def mutual_information_three_ways(joint: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """H(X) - H(X given Y), H(Y) - H(Y given X), H(X) + H(Y) - H(X, Y), in nats."""
    ### BEGIN SOLUTION
    plogp = torch.special.xlogy
    px, py = joint.sum(-1), joint.sum(-2)
    hx, hy = -plogp(px, px).sum(-1), -plogp(py, py).sum(-1)
    hxy = -plogp(joint, joint).sum((-2, -1))
    x_given_y = (plogp(joint, py[..., None, :]) - plogp(joint, joint)).sum((-2, -1))
    y_given_x = (plogp(joint, px[..., :, None]) - plogp(joint, joint)).sum((-2, -1))
    return hx - x_given_y, hy - y_given_x, hx + hy - hxy
    ### END SOLUTION


# %% nbgrader={"grade_id": "mutual_information_three_ways-check"}
check("mutual_information_three_ways", mutual_information_three_ways)

# %% [markdown]
# All of it in one picture, to scale: what lies above each other is the same information (after MacKay, 2003, figure
# 8.1).

# %%
plotting.show_figure(
    joint_figures.information_diagram(joint),
    alt=joint_figures.diagram_in_words(joint),
)

# %% [markdown]
# Now move the table. The sliders are weights; the table is the weights divided by their sum. Before you press a button,
# guess which bars vanish: when $X$ and $Y$ are independent, when $Y$ copies $X$, when one pair never occurs.

# %% tags=["interactive", "nbval-ignore-output"]
joint_figures.explore()

# %% [markdown]
# **In practice.** The third way is the one to estimate from data: it needs three entropies and no division.
#
# **Traps.** $H(X) - H(Y \mid X)$ mixes the two up, and is even negative for some tables. Two overlapping circles are a
# fair picture for two variables; for three they mislead, since the part in the middle can be negative (MacKay, 2003,
# exercise 8.8).

# %% [markdown]
# ## What is left after a noisy channel?
#
# You do not see the umbrella $Y$, but a bad photograph of it, $Z$. A **channel** is a table $W(z \mid y)$: in row $y$,
# how likely each $z$ is. How much does the photograph tell about the rain?
#
# $$p(x, z) = \sum_y p(x, y)\, W(z \mid y), \qquad I(X; Z) \le I(X; Y) .$$
#
# The second part is the **data-processing inequality** (Cover and Thomas, theorem 2.8.1): nothing done to $Y$ alone,
# clever or random, adds information about $X$.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $p(x, y)$ | `joint` | `(..., X, Y)` | what you want to know, and what goes into the channel |
# | $W(z \mid y)$ | `channel` | `(Y, Z)` | each *row* sums to 1 |
# | $p(x, z)$ | `joint_xz` | `(..., X, Z)` | sums to 1 in all; its rows sum to $p(x)$, as before |
#
# By hand, with rows $(.9, .1)$ and $(.3, .7)$ for the photograph: $p(x{=}0, z{=}0) = .3 \cdot .9 + .2 \cdot .3 = .33$,
# and the whole table is $((.33, .17), (.21, .29))$. It carries 0.029280 nats, a third of the 0.086305 before.

# %% [markdown]
# ### Exercise 5. `push_through_channel`
#
# **Goal:** the joint of what you want to know and what you get to see.
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes
#
# - `channel` is one matrix; `joint` may be a batch. $Z$ may have more or fewer values than $Y$.
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
# A fair bit whispered down a line of people, each of whom mishears it now and then. Dots are pushed through the channel
# step by step, lines are the formula: after $n$ people the bit is flipped with probability
# $(1 - (1 - 2\varepsilon)^n)/2$.

# %%
plotting.show_figure(
    channel_figures.information_along_chain(),
    alt="I(X; Z) in nats against the number of channels passed, for flip "
    "probabilities of 2, 5 and 11 per cent: all start at log 2 and only ever "
    "fall; the noisier, the faster.",
)

# %% [markdown]
# > **Is it true?** "A better feature extractor can put information about the label into the features."
# >
# > Take any channel after the photograph; here are ten thousand random ones.

# %%
generator = torch.Generator().manual_seed(2)
extractors = torch.rand(10_000, 2, 5, dtype=torch.float64, generator=generator)
extractors = extractors / extractors.sum(-1, keepdim=True)
after = channels.push_through_channel(seen, extractors)
best = channels.mutual_information(after).max()
print(f"before the extractors:  {channels.mutual_information(seen):.6f} nats")
print(f"after the best of them: {best:.6f} nats")

# %% [markdown]
# > No. It can make what is there easier to *use*, which is a great deal, but it cannot add any. What a layer has lost,
# > no later layer finds again; a skip connection is a way round.
#
# **In practice.** A diffusion model's forward process is such a chain. Privacy mechanisms are channels that are chosen
# to lose.
#
# **Traps.** Rows and columns of $W$ exchanged: for a symmetric channel nothing shows it. Normalising the result again,
# which turns $p(x, z)$ into $p(z \mid x)$. Applying $W$ to $X$.

# %% [markdown]
# ## What if you have only samples?
#
# Usually nobody gives you the table. You have $N$ pairs. The obvious thing is to count: the histogram, divided by $N$,
# is a table, and exercise 3 does the rest. This is the **plug-in estimate**:
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
# - Cells that never occur add 0. Nothing is smoothed or corrected.


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
# > Draw two *independent* variables with 8 values each, 1000 samples, 400 times over.

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
# > No. Chance alone makes every histogram look a little dependent: the estimate is biased upwards by about
# > $(|X| - 1)(|Y| - 1) / (2N)$ (Miller, 1955). Not one of the 400 came near 0.

# %%
plotting.show_figure(
    channel_figures.plugin_bias(),
    alt="Plug-in estimate of the information between independent 8-valued variables "
    "against the number of samples, on log axes: the means follow the line "
    "49/(2N), from 0.25 nats at 100 samples to 0.0025 at 10,000.",
)

# %% [markdown]
# **In practice.** Before you believe an estimate, shuffle `y` and estimate again: whatever is left is bias. With more
# cells than samples the estimate says next to nothing.
#
# **Traps.** `table[x, y] += 1` counts a repeated pair once (indexing writes each cell a single time). Dividing by the
# number of cells, or by $N - 1$. Sorting `x` and `y` apart. float32 counts.

# %% [markdown]
# ## How often must you be wrong?
#
# You guess $X$, one of $k$ classes, from $Y$. If $H(X \mid Y) = h$ nats are still open, no classifier is always right.
# How often must even the best one err? Two questions settle $X$ once a guess is made: was it wrong (at most $H_b(p_e)$
# nats), and if so, which of the other $k - 1$ was it (at most $\log(k-1)$). That is **Fano's inequality** (Fano, 1961;
# Cover and Thomas, section 2.10):
#
# $$h \le H_b(p_e) + p_e \log(k - 1), \qquad H_b(p) = -p\log p - (1-p)\log(1-p) .$$
#
# | symbol | in code | type | meaning |
# |---|---|---|---|
# | $h$ | `h` | float | $H(X \mid Y)$ in nats, at most $\log k$ |
# | $k$ | `k` | int | number of classes, at least 2 |
# | $p_e$ | `pe` | float | the smallest error probability that satisfies the inequality |
#
# By hand, $k = 3$ and $p_e = \tfrac12$: the right side is $\log 2 + \tfrac12\log 2 = 1.039721$. So with 1.039721 nats
# open among three classes, every second guess is wrong at least.

# %% [markdown]
# ### Exercise 7. `fano_error_bound`
#
# **Goal:** from remaining uncertainty to an error that cannot be avoided.
#
# Difficulty ●●●○○ · Importance ●●●○○ · 15 minutes
#
# - The right side grows from 0 at $p_e = 0$ to $\log k$ at $p_e = 1 - 1/k$, so there is one solution in between.
#   Precision $10^{-6}$.
# - Return 0 for `h = 0`; raise `ValueError` if `h` is above $\log k$.


# %% nbgrader={"grade_id": "fano_error_bound"}
def fano_error_bound(h: float, k: int) -> float:
    """The smallest error probability that Fano's inequality allows for h nats and k classes."""
    ### BEGIN SOLUTION
    if h > math.log(k):
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
plotting.show_figure(
    channel_figures.fano_curve(),
    alt="The region of error probability and remaining uncertainty that is possible "
    "for 8 classes: bounded above by a curve from (0, 0) to its top at error 7/8 "
    "and log 8 nats; at 1 nat the error is at least 0.234189.",
)

# %% [markdown]
# **In practice.** Estimate $I(\text{features}; \text{label})$, subtract it from $H(\text{label})$, and you know an
# accuracy that no classifier on these features reaches.
#
# **Traps.** Leaving out $H_b$ gives 0.513898 for 1 nat and 8 classes, more than twice the truth: a wrong proof of
# impossibility. The handy form $(h - \log 2)/\log k$ is valid but weak, 0.147565. In nats the subtracted bit is
# $\log 2$, not 1.

# %% [markdown]
# ## How much can a channel carry? (stretch)
#
# A channel is given, but you choose how often each letter is sent, $r(x)$. The most information that any choice gets
# through is the **capacity** (Shannon, 1948, sections 12 and 13), and it is also the rate at which error-free
# communication is possible:
#
# $$C = \max_r I(X; Y) .$$
#
# Blahut (1972) and Arimoto (1972) found a climb that always gets there. Call
# $D_x = D\big(W(\cdot \mid x) \,\|\, q\big)$ the gain of letter $x$, where $q = r W$ is how often each output comes.
# Then
#
# $$\sum_x r(x) D_x \ \le\ C\ \le\ \max_x D_x, \qquad r(x) \leftarrow \frac{r(x)\, e^{D_x}}{\sum_{x'} r(x')\, e^{D_{x'}}} .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $W(y \mid x)$ | `channel` | `(X, Y)` | rows sum to 1 |
# | $r$ | `r` | `(X,)` | how often each input is sent; start with all alike |
# | $D_x$ | `gains` | `(X,)` | in nats |
# | $C$ | `C` | scalar | between the two bounds |
#
# By hand: a channel that flips a fair bit with probability .11 carries $\log 2 - H_b(.11) = 0.346632$ nats, half a bit
# (0.500084). The **Z-channel** sends 0 safely and turns 1 into 0 half of the time: sending 1 in a share $a$ of cases
# gets $H_b(a/2) - a\log 2$ through; the slope is 0 at $a = .4$, and there it is $\log\tfrac54 = 0.223144$.

# %% [markdown]
# ### Stretch 1. `channel_capacity`
#
# **Goal:** capacity by Blahut and Arimoto.
#
# Difficulty ●●●●○ · Importance ●●○○○ · 20 minutes
#
# - One channel matrix. Stop when upper and lower bound are within `tol`, and return any number between them, with `r`.
# - `r` is graded to $\sqrt{\text{tol}}$ where it is unique; where several inputs reach the capacity, any of them
#   counts.
# - The channel may hold zeros.


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
plotting.show_figure(
    channel_figures.information_by_input(z_channel),
    alt="Information through the Z-channel against the share of the unreliable "
    "letter: 0 at both ends, with its peak, the capacity of 0.223144 nats, at a "
    "share of 0.4.",
)

# %% [markdown]
# **In practice.** The safe letter is sent more often, but the unreliable one is not given up: at half and half the
# channel carries 0.215762 nats, only 3% less.
#
# **Traps.** Reporting $I$ at the uniform input. Stopping when the estimate hardly changes: a slow climb looks like an
# arrival. The two bounds cannot be fooled.

# %% [markdown]
# ## How little can you send? (stretch)
#
# Now turn it round: the source $p(x)$ is given and you choose the channel $W(z \mid x)$, as lossy as you like. Small
# rate $R = I(X; Z)$, small distortion $D = \mathbb{E}\, d(X, Z)$: you cannot have both. The best trades form the
# **rate-distortion curve** (Shannon, 1959). One point on it for each price $\beta$:
#
# $$\min_W\ R + \beta D .$$
#
# In turns (Blahut, 1972), each step solving exactly for one of the two:
#
# $$W(z \mid x) \propto r(z)\, e^{-\beta d(x, z)}, \qquad r(z) = \sum_x p(x)\, W(z \mid x) .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $p(x)$ | `p` | `(X,)` | the source |
# | $d(x, z)$ | `distortion` | `(X, Z)` | cost of showing $z$ for $x$ |
# | $\beta$ | `beta` | float | nats paid for one unit of distortion; the curve's slope is $-\beta$ |
# | $R$, $D$ | `R`, `D` | scalars | the point on the curve |
#
# By hand, a fair bit with $d = 1$ for a wrong bit: by symmetry $r = (\tfrac12, \tfrac12)$, so $D = 1/(1 + e^{\beta})$
# and $R = \log 2 - H_b(D)$. With $\beta = \log 9$ that is $D = .1$ and $R = 0.368064$ nats: allow every tenth bit to be
# wrong, and you need to send about half of the file.

# %% [markdown]
# ### Stretch 2. `rate_distortion`
#
# **Goal:** one point of the curve.
#
# Difficulty ●●●●○ · Importance ●●●○○ · 20 minutes
#
# - Run to convergence: $R$ and $D$ are graded to $10^{-6}$, so go on until $r$ moves by less than $10^{-12}$, hundreds
#   of rounds if need be.
# - $p$ may hold zeros, $Z$ may have more or fewer values than $X$; for large $\beta$ entries of $W$ become 0.


# %% nbgrader={"grade_id": "rate_distortion"}
def rate_distortion(
    p: torch.Tensor, distortion: torch.Tensor, beta: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The rate in nats and the distortion that minimise R + beta D."""
    ### BEGIN SOLUTION
    source, d = p.double(), distortion.double()
    r = torch.full_like(d[0], 1 / d.shape[1])
    for _ in range(20_000):
        w = torch.softmax(r.log() - beta * d, dim=1)
        before, r = r, source @ w
        if (r - before).abs().max() < 1e-14:
            break
    sent = source[:, None] * w
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
plotting.show_figure(
    channel_figures.rate_distortion_curve(),
    alt="Rate against distortion for a fair bit: a convex curve from log 2 nats at "
    "distortion 0 to 0 at distortion one half, with four points and the line of "
    "slope minus beta through each, which touches the curve there.",
)

# %% [markdown]
# **In practice.** Read $d$ as the reconstruction error and $R$ as the KL term: this is the loss of a beta-VAE, up to
# which of the two terms carries the $\beta$ (notebook 05). Turning $\beta$ moves along a curve; it does not make a
# better model. For a unit Gaussian and squared error the curve is $R = \tfrac12\log\tfrac1D$: at $D = \tfrac14$ it is
# $\log 2$: one bit halves the typical error.
#
# **Traps.** $e^{-d/\beta}$ for $e^{-\beta d}$. A few rounds instead of convergence. Forgetting to weigh with $p$.

# %% [markdown]
# ## In your own words (2 points, graded by hand)
#
# A team bins user behaviour into 50 groups and looks at which of 20 categories each of 2000 users clicked. Their
# plug-in estimate is 0.26 nats: "behaviour predicts clicks". Then they merge the 50 groups to 10 and get 0.05 nats; "we
# lost most of the information", they say, and plan to train a network on the 10 groups to win it back. In at most six
# sentences: what do you conclude from the two numbers, how would you test it, and what do you say to the plan?

# %% [markdown] nbgrader={"grade_id": "reflection", "grade": true, "solution": true, "points": 2}
# ### BEGIN SOLUTION
# **A model answer.** For independent variables the plug-in estimate is about $(50 - 1)(20 - 1)/(2 \cdot 2000) = 0.23$
# nats with 50 groups and $(10 - 1)(20 - 1)/(2 \cdot 2000) = 0.04$ with 10 (simulated: 0.27 and 0.043), so both numbers
# are nearly or wholly bias. There is little evidence that behaviour predicts clicks at all, and none that merging lost
# anything: the bias shrank with the number of cells. Test it by shuffling the clicks and estimating again, many times:
# only what lies above the shuffled estimates counts (or take more users, or fresh ones). As for the plan: the 10 groups
# are a function of the 50, so by the data-processing inequality they hold at most as much information about clicks, and
# no network trained on them alone can win back what the merging lost.
#
# **Rubric.** 1 point: both estimates recognised as (mostly) bias, with the formula or its size for at least one of them
# (½ point for "too few samples" without a size). ½ point: a valid test (shuffling, more or held-out data, a confidence
# interval under independence). ½ point: the plan refused by the data-processing inequality, in any words. No marks are
# lost for style.
# ### END SOLUTION

# %% [markdown]
# ## Where you are
#
# `progress()` shows what you have done so far, in this notebook and the others. Next: notebook 03 takes apart the
# optimiser that trains nearly everything.

# %% tags=["nbval-ignore-output"]
progress()
