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
# # 01 Information identities
#
# A language model is trained by lowering one number, its cross-entropy. What does it measure, in what unit, and how low can it
# go? You will write the answer in seven small functions, and see a table of counts beat `zlib` on a page of English.
#
# You need a little Python and the idea of a logarithm. The seven exercises take about 75 minutes, the two stretch exercises 20
# more, reading apart; each stands alone. A check says whether an answer is right and, where it can, which mistake it is. Stuck?
# `hint("entropy")` gives a nudge, `hint("entropy", 2)` a bigger one. Proofs and traps are folded.

# %%
import math
import zlib

import torch

from helpers import check, hint, information, plotting, progress, texts
from helpers.figures import codes, divergences

plotting.use_course_style()
print("ready")

# %% [markdown]
# ## How much do you not know?
#
# Someone rolls a loaded four-sided die and hides it. How surprised will you be by the result, on average?
#
# A result of probability $p$ surprises you by $-\log p$: nothing if it was certain, more the rarer it is. The average surprise is
# the **entropy** (Shannon, 1948, section 6):
#
# $$H(p) = -\sum_i p_i \log p_i .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $p$ | `p` | `(..., n)` | a distribution: not negative, sums to 1 over the last dimension |
# | $H(p)$ | `H` | `(...)` | entropy in nats |
#
# The unit is the **nat**, with $\log_2$ the bit; 1 nat is $1/\log 2 \approx 1.4427$ bits. This course uses nats, as PyTorch does.
#
# By hand, $p = (\tfrac12, \tfrac14, \tfrac14)$: $\tfrac12\log 2 + \tfrac14 \cdot 2\log 2 + \tfrac14 \cdot 2\log 2 = 1.5 \log 2
# \approx 1.0397$ nats.
#
# <details><summary>Why a logarithm?</summary>
#
# Two independent results of probabilities $p$ and $q$ occur together with probability $pq$, and should surprise you by the sum:
# $s(pq) = s(p) + s(q)$. The only continuous functions that do are $s(p) = -c \log p$, and $c$ only chooses the unit. In bits,
# $-\log_2 p$ counts yes/no questions: twenty of them tell $2^{20} \approx$ a million equally likely things apart. One card of 52 is
# $\log_2 52 \approx 5.7$ bits, the order of a shuffled pack $\log_2 52! \approx 225.6$.
#
# </details>

# %% [markdown]
# ### Exercise 1. `entropy`
#
# **Goal:** entropy in nats, for one distribution or a batch.
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes
#
# - `p` has shape `(..., n)`, the answer `(...)`: sum over the last dimension only. A batch may be empty.
# - An impossible result adds exactly nothing: $0 \log 0 = 0$, the limit of $x \log x$.
# - The answer has the dtype of `p`; half types are computed in at least float32. `p` itself is not changed.
# - Autograd must give $-\log p_i - 1$ wherever $p_i > 0$.


# %% nbgrader={"grade_id": "entropy"}
def entropy(p: torch.Tensor) -> torch.Tensor:
    """Entropy in nats over the last dimension of p."""
    ### BEGIN SOLUTION
    x = p.to(torch.promote_types(p.dtype, torch.float32))
    return torch.special.entr(x).sum(-1).to(p.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "entropy-check"}
check("entropy", entropy)

# %%
p = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
uniform = torch.full((4,), 0.25, dtype=torch.float64)
nats = information.entropy(p)
print(f"H(.4, .3, .2, .1)  = {nats:.6f} nats = {nats / math.log(2):.6f} bits")
print(f"H(uniform on 4)    = {information.entropy(uniform):.6f} nats = log 4")

# %% [markdown]
# Every three-sided die: at a corner one face is certain, the centre is fair, with $\log 3 \approx 1.0986$ nats. On the line a
# coin chooses which of two dice is thrown: the result is at least as uncertain as the two are *on average*. Entropy is
# **concave**.

# %%
plotting.show_figure(divergences.entropy_surface())

# %% [markdown]
# **In practice.** $H$ of a model's next-token distribution says how many continuations it weighs: $e^H$. Reinforcement
# learning often adds $H$ to the reward, so that a policy keeps exploring.
#
# <details><summary><b>Traps</b></summary>
#
# `p * p.log()` is `nan` at 0. `(p + 1e-8).log()` hides that and bends every other number. `torch.log2` answers in
# bits. A bare `.sum()` swallows the batch. `torch.distributions.Categorical` clamps: 1.2e-7 for a sure result in float32, not 0.
#
# </details>

# %% [markdown]
# ## What if you believe the wrong distribution?
#
# The die follows $p$, but you expect $q$. Each result surprises you by $-\log q_i$, and arrives with frequency $p_i$. The average
# is the **cross-entropy**:
#
# $$H(p, q) = -\sum_i p_i \log q_i .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $p$ | `p` | `(..., n)` | what happens |
# | $q$ | `q` | `(..., n)` | what you expect; its leading dimensions broadcast with those of `p` |
# | $H(p, q)$ | `H` | `(...)` | average surprise in nats |
#
# By hand, $p = (1, 0)$, $q = (\tfrac14, \tfrac34)$: $H(p, q) = -\log\tfrac14 = 2\log 2 \approx 1.3863$. A classifier's loss is
# just that: $-\log$ of the probability given to the right class.
#
# Below, a box is as wide as its symbol is likely and as high as its code is long: $-\log_2$ of the probability that the code was
# made for. The area is the price.

# %%
plotting.show_figure(divergences.code_areas())

# %% [markdown]
# <details><summary>Why is this the loss that everybody minimises?</summary>
#
# Say symbol $i$ occurs $c_i$ times among $N$. A model $q$ gives that text the probability $\prod_i q_i^{c_i}$. Its logarithm over $N$ is
# $\sum_i \hat p_i \log q_i = -H(\hat p, q)$, with $\hat p_i = c_i/N$. So the model that makes the text likeliest (**maximum likelihood**)
# is the one with the smallest cross-entropy.
#
# </details>

# %% [markdown]
# ### Exercise 2. `cross_entropy`
#
# **Goal:** the loss of every language model.
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes
#
# - A result with $p_i = 0$ adds 0, even where $q_i = 0$.
# - A result with $p_i > 0$ and $q_i = 0$ makes the answer `inf`: what you called impossible happened.
# - However small a probability is, it counts as it is: nothing is cut off.
# - Batches, dtype and inputs as before (half types are computed in at least float32); leading dimensions broadcast.


# %% nbgrader={"grade_id": "cross_entropy"}
def cross_entropy(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Cross-entropy -sum p log q in nats over the last dimension."""
    ### BEGIN SOLUTION
    wide = torch.promote_types(p.dtype, torch.float32)
    return -torch.special.xlogy(p.to(wide), q.to(wide)).sum(-1).to(p.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "cross_entropy-check"}
check("cross_entropy", cross_entropy)

# %%
print(
    f"H(p, uniform) = {information.cross_entropy(p, uniform):.6f} nats = log 4, whatever p is"
)
print(f"H(p, p)       = {information.cross_entropy(p, p):.6f} nats = H(p)")

# %% [markdown]
# **In practice.** A model that knows nothing about $k$ classes starts at a loss of $\log k$: 2.303 for ten digits, 10.825 for
# GPT-2's 50,257 tokens. A first loss far above points to the initialisation.
#
# <details><summary><b>Traps</b></summary>
#
# `-(p * q.log()).sum(-1)` turns $0 \cdot \log 0$ into `nan`. The order matters: $H(p,q)$ is not $H(q,p)$. PyTorch's own
# `cross_entropy` takes *logits* $z$, not probabilities; its gradient is $\mathrm{softmax}(z) - p$ (notebook 06).
#
# </details>

# %% [markdown]
# ## What does the wrong belief cost?
#
# Even with $q = p$ you pay $H(p)$. What you pay on top is the **Kullback-Leibler divergence** (Kullback and Leibler, 1951):
#
# $$\mathrm{KL}(p, q) = H(p, q) - H(p) = \sum_i p_i \log\frac{p_i}{q_i} \ge 0 .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\mathrm{KL}(p, q)$ | `D` | `(...)` | extra surprise in nats; 0 exactly when $p = q$ |
#
# By hand, $p = (\tfrac12, \tfrac12)$, $q = (\tfrac14, \tfrac34)$: $\tfrac12\log 2 + \tfrac12\log\tfrac23 \approx 0.1438$. The
# other way round: $\tfrac14\log\tfrac12 + \tfrac34\log\tfrac32 \approx 0.1308$. It is no distance.
#
# <details><summary>Why is it never negative?</summary>
#
# $\log t \le t - 1$, with equality only at $t = 1$: the logarithm lies below its tangent. With $t = q_i / p_i$,
# $$-\mathrm{KL}(p, q) = \sum_{p_i > 0} p_i \log\frac{q_i}{p_i} \le \sum_{p_i > 0} p_i \left(\frac{q_i}{p_i} - 1\right) \le 1 - 1 = 0 .$$
# That is **Gibbs' inequality** (a case of Jensen's), $H(p) \le H(p, q)$. With $q$ uniform on $n$ results it says $H(p) \le \log n$: nothing
# is less certain than a fair die.
#
# </details>

# %% [markdown]
# ### Exercise 3. `kl_divergence`
#
# **Goal:** the price of a wrong belief.
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes
#
# - The conventions of `cross_entropy` hold: $p_i = 0$ adds 0; $p_i > 0$ with $q_i = 0$ gives `inf`.
# - 0 when `p` equals `q`, and never negative beyond rounding.
# - Batches, dtype and inputs as before: leading dimensions broadcast, half types are computed in at least float32.


# %% nbgrader={"grade_id": "kl_divergence"}
def kl_divergence(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """KL(p, q) = sum p log(p / q) in nats over the last dimension."""
    ### BEGIN SOLUTION
    wide = torch.promote_types(p.dtype, torch.float32)
    a, b = p.to(wide), q.to(wide)
    return (torch.special.xlogy(a, a) - torch.special.xlogy(a, b)).sum(-1).to(p.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "kl_divergence-check"}
check("kl_divergence", kl_divergence)

# %%
print(f"KL(p, uniform) = {information.kl_divergence(p, uniform):.6f}")
print(f"KL(uniform, p) = {information.kl_divergence(uniform, p):.6f}")
difference = information.cross_entropy(p, uniform) - information.entropy(p)
print(f"H(p, uniform) - H(p) = {difference:.6f}")

# %% [markdown]
# Below, $p = (.3, .7)$ stays and $q$ moves. At the edges $\mathrm{KL}(p, q)$ explodes, as $q$ calls impossible what happens;
# $\mathrm{KL}(q, p)$ stays finite.

# %%
plotting.show_figure(divergences.kl_curves())

# %% [markdown]
# Move $p$ yourself. For which $p$ is each curve its own mirror image?

# %% tags=["interactive"]
plotting.explore(divergences.kl_curves, p=(0.02, 0.98, 0.02, 0.3))

# %%
plotting.show_figure(divergences.kl_strip((0.1, 0.5, 0.9)))

# %% [markdown]
# Only for $p = \tfrac12$.
#
# **In practice.** Minimising the loss over $q$ minimises $\mathrm{KL}(p, q)$, since $H(p)$ does not depend on $q$. Fine-tuning by
# reinforcement learning holds a model near its base by a KL penalty; a VAE pays one for its latents.
#
# <details><summary><b>Traps</b></summary>
#
# Swapped arguments: same sign, plausible size, wrong number. `p / q` before the logarithm is `nan` at $0/0$.
#
# </details>

# %% [markdown]
# ## Which argument is which?
#
# PyTorch's `torch.nn.functional.kl_div(input, target)` is easily misread. Before any reduction it computes
#
# $$\text{target} \cdot (\log \text{target} - \text{input}) .$$
#
# | symbol | in `kl_div` | what it expects |
# |---|---|---|
# | $\log q$ | `input`, first | log-probabilities |
# | $p$ | `target`, second | probabilities (or $\log p$ with `log_target=True`) |
#
# By hand, one entry, $p = \tfrac12$, $q = \tfrac14$: $\tfrac12(\log\tfrac12 - \log\tfrac14) = \tfrac12\log 2 \approx 0.3466$.

# %% [markdown]
# ### Exercise 4. `kl_with_torch`
#
# **Goal:** the number of exercise 3, from PyTorch's own `kl_div`.
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes
#
# - Use `torch.nn.functional.kl_div` or `torch.nn.KLDivLoss`; writing the sum yourself is no answer here.
# - Sum over the last dimension only; `p` and `q` have no zeros, but perhaps 1e-30: nothing is cut off. Leading dimensions broadcast, and may be empty.
# - The answer has the dtype of `p`, and half types are computed in at least float32 (not so by `kl_div`). `p` and `q` are not changed.


# %% nbgrader={"grade_id": "kl_with_torch"}
def kl_with_torch(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """KL(p, q) in nats over the last dimension, by torch's kl_div; p, q > 0."""
    ### BEGIN SOLUTION
    wide = torch.promote_types(p.dtype, torch.float32)
    terms = torch.nn.functional.kl_div(q.to(wide).log(), p.to(wide), reduction="none")
    return terms.sum(-1).to(p.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "kl_with_torch-check"}
check("kl_with_torch", kl_with_torch)

# %% [markdown]
# Five calls, one of them right. None raises an error:

# %%
import warnings

calls = {
    "right: (q.log(), p), reduction='sum'": (uniform.log(), p, "sum"),
    "arguments swapped: (p.log(), q)": (p.log(), uniform, "sum"),
    "reduction='mean' divides by n": (uniform.log(), p, "mean"),
    "'batchmean' on one vector does, too": (uniform.log(), p, "batchmean"),
    "logarithm forgotten: (q, p)": (uniform, p, "sum"),
}
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch does warn about 'mean'
    for words, (given, target, reduction) in calls.items():
        value = torch.nn.functional.kl_div(given, target, reduction=reduction)
        print(f"{words:38}{value:10.6f}")

# %% [markdown]
# **In practice.** A negative *exact* KL, over a whole distribution, has a mistake in it, such as that forgotten logarithm. A
# *sampled* one, the mean of $\log p/q$ over the tokens drawn, may be negative by chance (notebook 05).

# %% [markdown]
# ## How many words is the model choosing from?
#
# A loss of 1.386 is hard to picture. $e^{1.386} \approx 4$ is not: the model is as unsure as if it guessed among 4 equally likely
# words. That is the **perplexity**:
#
# $$\mathrm{PPL}(p, q) = e^{H(p, q)} = 2^{H(p, q)\ \text{in bits}} .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | PPL | `PPL` | `(...)` | effective number of choices; at least $e^{H(p)}$ |
#
# By hand: a fair coin judged as fair has $H = \log 2$ and PPL $= 2$.

# %% [markdown]
# ### Exercise 5. `perplexity`
#
# **Goal:** turn a loss into a number of choices.
#
# Difficulty ●○○○○ · Importance ●●●●○ · 5 minutes
#
# Base and exponent must match: nats go with $e$, bits go with 2. The conventions of `cross_entropy` hold, for
# zeros, batches (leading dimensions broadcast), dtype (half types included) and inputs.


# %% nbgrader={"grade_id": "perplexity"}
def perplexity(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """The exponential of the cross-entropy in nats, over the last dimension."""
    ### BEGIN SOLUTION
    wide = torch.promote_types(p.dtype, torch.float32)
    return (-torch.special.xlogy(p.to(wide), q.to(wide)).sum(-1)).exp().to(p.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "perplexity-check"}
check("perplexity", perplexity)

# %% [markdown]
# Now a real text: most of chapter 1 of *Alice's Adventures in Wonderland* (Carroll, 1865), as letters and spaces. The model
# counts in the first 5,000 how often each followed the last 0 to 3, and adds a tenth everywhere, lest anything new cost `inf`.
# What does the rest cost?

# %%
x = texts.letters(texts.alice())
seen, fresh = x[:5000], x[5000:]


def counts(x: torch.Tensor, order: int) -> torch.Tensor:
    """How often each letter follows each context of `order` letters: (27 ** order, 27)."""
    windows = x.unfold(0, order + 1, 1) @ 27 ** torch.arange(order, -1, -1)
    return windows.bincount(minlength=27 ** (order + 1)).double().view(-1, 27)


print(
    f"{len(seen)} letters seen, {len(fresh)} fresh; {math.log2(27):.2f} bits if all alike"
)
print("letters before  bits, seen  bits, fresh  perplexity, fresh")
for order in range(4):
    table = counts(seen, order)
    joint = table / table.sum()  # of context and letter
    known = information.entropy(joint.flatten()) - information.entropy(joint.sum(-1))
    model = (table + 0.1) / (table + 0.1).sum(-1, keepdim=True)
    loss = -(counts(fresh, order) * model.log()).sum() / (len(fresh) - order)
    bits_seen, bits_fresh = known / math.log(2), loss / math.log(2)
    print(f"{order:14}{bits_seen:12.2f}{bits_fresh:13.2f}{loss.exp():19.2f}")

# %% tags=["nbval-ignore-output"]
packer = zlib.compressobj(
    9, zdict=bytes(seen.tolist())
)  # it may look back at what was seen
packed = packer.compress(bytes(fresh.tolist())) + packer.flush()
print(f"zlib needs {8 * len(packed) / len(fresh):.2f} bits a letter for the fresh part")

# %% [markdown]
# With two letters of context fresh text costs 2.80 bits a letter (a byte each), less than `zlib` needs. A third makes the
# table better on what it has *seen* and worse on the rest: so a loss is measured on fresh text.
#
# **In practice.** Perplexities compare only over the same tokens: longer tokens raise the perplexity of each. On one text,
# bits per byte always compare.
#
# <details><summary><b>Traps</b></summary>
#
# $2^{H}$ with $H$ in nats. Averaging perplexities instead of the losses inside the exponential. Taking these bits for those of
# English: Shannon (1951) gives 4.03, 3.32 and 3.1 for 0, 1 and 2 letters before.
#
# </details>

# %% [markdown]
# ## What should you believe when you know only the mean?
#
# A die shows 4.5 on average. What are its six probabilities? Infinitely many dice fit. Jaynes (1957) takes the one of largest
# entropy: any other claims to know more than that. It is always of the form
#
# $$p_i = \frac{e^{\lambda v_i}}{\sum_j e^{\lambda v_j}}, \qquad \text{with } \lambda \text{ such that } \sum_i p_i v_i = m .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $v$ | `values` | `(n,)` | the values that can come up |
# | $m$ | `mean` | float | the mean you know |
# | $\lambda$ | `lam` | float | found numerically: the mean rises with it |
# | $p$ | `p` | `(n,)` | the answer |
#
# By hand: values $(0, 1)$ leave no choice, $p = (1-m, m)$ and $\lambda = \log\frac{m}{1-m}$. If $m$ is the plain average of the
# values, $\lambda = 0$ and $p$ is uniform.
#
# <details><summary>Why an exponential?</summary>
#
# Lagrange: at the maximum of $H(p) + \lambda (\sum_i p_i v_i - m) + \mu (\sum_i p_i - 1)$ every derivative is 0, $-\log p_i - 1 + \lambda v_i + \mu = 0$,
# so $p_i \propto e^{\lambda v_i}$: an **exponential family**. (Without the mean, $p_i$ is the same for all $i$.) Is it a maximum? For any other
# $r$ with mean $m$, Gibbs gives $H(r) \le H(r, p) = \log Z - \lambda m$, with $Z = \sum_j e^{\lambda v_j}$. The right side is the same for all
# such $r$, $p$ included, and for $p$ it is $H(p)$. (So of all $p$ with the same mean logit $\sum_i p_i z_i$, $\mathrm{softmax}(z)$ is the most
# uncertain.)
#
# </details>

# %% [markdown]
# ### Exercise 6. `max_entropy_with_mean`
#
# **Goal:** the distribution of largest entropy with a given mean.
#
# Difficulty ●●●○○ · Importance ●●●○○ · 15 minutes
#
# - Find $\lambda$ with a root finder; `scipy.optimize.brentq` is a good one. Precision $10^{-8}$ in every $p_i$.
# - Raise `ValueError` unless `min(values) < mean < max(values)`.
# - Subtract the largest exponent before `exp`, or a steep $\lambda$ overflows.
# - The answer has the dtype of `values`; half types are computed in at least float32.
# - `values`, of any size, may come in any order and repeat. They are not changed.


# %% nbgrader={"grade_id": "max_entropy_with_mean"}
def max_entropy_with_mean(values: torch.Tensor, mean: float) -> torch.Tensor:
    """The distribution of largest entropy on `values` with this mean, shape (n,)."""
    ### BEGIN SOLUTION
    from scipy.optimize import brentq

    v = values.double()
    low, high = float(v.min()), float(v.max())
    if not low < mean < high:
        raise ValueError(f"mean must lie strictly between {low} and {high}, not {mean}")
    scaled = (v - mean) / (high - low)

    def excess(lam: float) -> float:
        return float((torch.softmax(lam * scaled, -1) * scaled).sum())

    reach = 1.0
    while excess(-reach) > 0 or excess(reach) < 0:
        reach *= 2
    lam = brentq(excess, -reach, reach, xtol=1e-14, rtol=1e-14)
    return torch.softmax(lam * scaled, -1).to(values.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "max_entropy_with_mean-check"}
check("max_entropy_with_mean", max_entropy_with_mean)

# %%
faces = torch.arange(1, 7, dtype=torch.float64)
die = information.max_entropy_with_mean(faces, 4.5)
print("mean 4.5:", "  ".join(f"{x:.4f}" for x in die.tolist()))
print(f"entropy  {information.entropy(die):.6f} nats; a fair die has {math.log(6):.6f}")

# %% [markdown]
# **In practice.** With energies $E_i$ for values this is **Boltzmann's distribution**, $p_i \propto e^{-E_i/T}$, with temperature
# $T = -1/\lambda$. A softmax of logits $z = -E$ is the same, at the temperature you sample with.
#
# <details><summary><b>Traps</b></summary>
#
# `exp` before subtracting the maximum. A root bracket that is too narrow. Tilting $p$ until the mean fits without asking for the
# largest entropy: many dice have mean 4.5.
#
# </details>

# %% [markdown]
# ## How short can a code be?
#
# You send die rolls over a wire, as bits. How few, on average? A code that can be decoded never needs less than $H_2(p)$, the
# entropy in bits, and the best is within 1 bit of it (Shannon). Huffman (1952) found the best prefix code, in which no word
# begins another: join the two least likely symbols, again and again; every join adds a bit to its symbols.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $p$ | `p` | `(n,)` | one distribution |
# | $\ell_i$ | `lengths` | `(n,)` | length of symbol $i$'s code, in bits, an int |
# | $\sum_i p_i \ell_i$ | | | mean length; at least $H_2(p)$ |
#
# By hand, $p = (.4, .3, .2, .1)$, joined as below: lengths $(1, 2, 3, 3)$, where $-\log_2 p_i$ would be $1.32, 1.74, 2.32, 3.32$;
# mean $.4 + .6 + .6 + .3 = 1.9$ bits, entropy 1.846439.

# %%
plotting.show_figure(codes.huffman_tree())

# %% [markdown]
# <details><summary>Why within one bit?</summary>
#
# The words of a prefix code are leaves of a tree, so $K = \sum_i 2^{-\ell_i} \le 1$ (Kraft). With $q_i = 2^{-\ell_i}/K$ the mean length is
# $\sum_i p_i \ell_i = H_2(p, q) - \log_2 K \ge H_2(p, q) \ge H_2(p)$, by Gibbs. And the lengths $\lceil -\log_2 p_i \rceil$ satisfy Kraft, so there
# is a code with them; it wastes less than 1 bit on each symbol, and Huffman's is no worse. (McMillan: Kraft holds for every code that can be
# decoded, not only for prefix codes.)
#
# </details>

# %% [markdown]
# ### Exercise 7. `huffman_code_lengths`
#
# **Goal:** the lengths of a best binary prefix code.
#
# Difficulty ●●●○○ · Importance ●●●○○ · 15 minutes
#
# - `p` is one vector; return ints, as a list or a tensor. Any optimal code counts, however it breaks ties.
# - A symbol of probability 0 gets length 0. If only one symbol occurs, it gets length 1.
# - `p` may have hundreds of symbols and any floating dtype; it is not changed.


# %% nbgrader={"grade_id": "huffman_code_lengths"}
def huffman_code_lengths(p: torch.Tensor) -> list[int]:
    """Code lengths in bits of an optimal binary prefix code for p."""
    ### BEGIN SOLUTION
    import heapq

    lengths = [0] * len(p)
    heap = [(weight, [i]) for i, weight in enumerate(p.tolist()) if weight > 0]
    if len(heap) == 1:
        lengths[heap[0][1][0]] = 1
    heapq.heapify(heap)
    while len(heap) > 1:
        (a, left), (b, right) = heapq.heappop(heap), heapq.heappop(heap)
        for i in left + right:
            lengths[i] += 1
        heapq.heappush(heap, (a + b, left + right))
    return lengths
    ### END SOLUTION


# %% nbgrader={"grade_id": "huffman_code_lengths-check"}
check("huffman_code_lengths", huffman_code_lengths)

# %%
for q in (p, torch.tensor([0.9, 0.1], dtype=torch.float64)):
    lengths = information.huffman_code_lengths(q)
    mean, bits = (q * lengths).sum(), information.entropy(q) / math.log(2)
    print(
        f"lengths {lengths.tolist()!s:13} mean {mean:.4f} bits, entropy {bits:.6f} bits"
    )

# %%
plotting.show_figure(codes.code_length_against_entropy())

# %% [markdown]
# The second code wastes half a bit a symbol, as none gets less than a whole one. Blocks of $k$ symbols waste less than $1/k$ bit
# each (longer is not always better: 0.470 bits for blocks of 6, 0.476 for 8):

# %%
plotting.show_figure(codes.block_costs())

# %% [markdown]
# **In practice.** Arithmetic coding makes the whole text one block. With it a language model *is* a compressor, to as many nats a
# token as its loss; the table above is one to 2.80 bits a letter.
#
# <details><summary><b>Traps</b></summary>
#
# Rounding $-\log_2 p_i$ up gives a valid code (Shannon's) but not the best. Giving a symbol that never occurs a code
# makes others longer.
#
# </details>

# %% [markdown]
# ## One family for all of them (stretch)
#
# For a convex $f$ with $f(1) = 0$ and every $q_i > 0$, the **f-divergence** (Csiszár, 1967; Ali and Silvey, 1966) is
#
# $$D_f(p \,\|\, q) = \sum_i q_i \, f\!\left(\frac{p_i}{q_i}\right).$$
#
# <details><summary>And where q is 0?</summary>
#
# There the full definition adds $p_i$ times the slope of $f$ at infinity: the total variation of $(1, 0)$ and $(0, 1)$ is
# $\tfrac12 + \tfrac12 = 1$.
#
# </details>
#
# | $f(t)$ | divergence |
# |---|---|
# | $t \log t$, and 0 at 0 | $\mathrm{KL}(p, q)$ |
# | $-\log t$, infinite at 0 | $\mathrm{KL}(q, p)$ |
# | $(t-1)^2$ | chi-squared |
# | $\tfrac12 \lvert t-1 \rvert$ | total variation |
# | $\tfrac12 (\sqrt t - 1)^2$ | squared Hellinger |
# | $\tfrac12\left(t\log t - (1+t)\log\tfrac{1+t}{2}\right)$ | Jensen-Shannon |
#
# <details><summary>By hand</summary>
#
# Total variation of $(\tfrac12, \tfrac12)$ and $(\tfrac14, \tfrac34)$: $\tfrac14\cdot\tfrac12\cdot 1 +
# \tfrac34\cdot\tfrac12\cdot\tfrac13 = \tfrac14$, half the sum of $|p_i - q_i|$.
#
# </details>

# %% [markdown]
# ### Stretch 1. `f_divergence`
#
# **Goal:** one function, six divergences.
#
# Difficulty ●●●○○ · Importance ●●○○○ · 10 minutes
#
# - Every $q_i > 0$, however small; $p$ may have zeros, and then `f` is finite at 0. `f` works elementwise on tensors.
# - Batches, dtype and inputs as before: leading dimensions broadcast, half types are computed in at least float32.


# %% nbgrader={"grade_id": "f_divergence"}
def f_divergence(p: torch.Tensor, q: torch.Tensor, f) -> torch.Tensor:
    """sum q f(p / q) over the last dimension; q > 0."""
    ### BEGIN SOLUTION
    wide = torch.promote_types(p.dtype, torch.float32)
    a, b = p.to(wide), q.to(wide)
    return (b * f(a / b)).sum(-1).to(p.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "f_divergence-check"}
check("f_divergence", f_divergence)

# %% [markdown]
# > **Is it true?** "KL is no distance, but Jensen-Shannon is."
# >
# > Measure first. In a distance, a detour is never *shorter* than the direct way: the triangle inequality.


# %%
def jensen_shannon(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """The mean KL of p and q from their half-way mixture, in nats."""
    middle = (p + q) / 2
    kl = information.kl_divergence
    return (kl(p, middle) + kl(q, middle)) / 2


left, between, right = torch.tensor([[1, 0], [0.5, 0.5], [0, 1]], dtype=torch.float64)
direct = jensen_shannon(left, right)
legs = torch.stack([jensen_shannon(left, between), jensen_shannon(between, right)])
print(f"JS:          {direct:.4f} direct, {legs.sum():.4f} by way of the fair coin")
print(f"square root: {direct.sqrt():.4f} direct, {legs.sqrt().sum():.4f} by way of it")

# %% [markdown]
# > No: the detour is shorter. The *square root* of JS is a distance (Endres and Schindelin, 2003).

# %% [markdown]
# ## From one KL to the other (stretch)
#
# Amari's **alpha-divergence** (Amari, 1985; in the form of Minka, 2005) slides from $\mathrm{KL}(q, p)$ at $\alpha = 0$ to $\mathrm{KL}(p, q)$ at
# $\alpha = 1$:
#
# $$D_\alpha(p \,\|\, q) = \frac{\sum_i p_i^{\alpha} q_i^{1-\alpha} - 1}{\alpha(\alpha - 1)} .$$
#
# <details><summary>Other books' alpha</summary>
#
# Elsewhere $\alpha$ runs from $-1$ to 1: as $2\alpha - 1$ of ours (Bishop, 2006, equation 10.19), or with Amari's own sign as
# $1 - 2\alpha$, so that *his* 1 is $\mathrm{KL}(q, p)$. Look which one a paper means.
#
# </details>
#
# <details><summary>By hand, and what it is for</summary>
#
# $p = (\tfrac12, \tfrac12)$, $q = (\tfrac14, \tfrac34)$, $\alpha = 2$: $(\tfrac14/\tfrac14 + \tfrac14/\tfrac34 - 1)/2 =
# \tfrac16$, half the chi-squared divergence.
#
# Fitted with small $\alpha$, $q$ seeks one mode of $p$; with large $\alpha$ it covers all. Notebook 05 draws both ends.
#
# </details>

# %% [markdown]
# ### Stretch 2. `alpha_divergence`
#
# **Goal:** the family with both KLs as its limits.
#
# Difficulty ●●●○○ · Importance ●●○○○ · 10 minutes
#
# - `alpha` is a float: exactly 0 or 1 (where the formula is 0/0 and the limit counts), or at least .05 away from both, of either sign.
# - `p` and `q` have no zeros, though their entries may be small. Batches, dtype and inputs as before: leading dimensions broadcast, half types are computed in at least float32.


# %% nbgrader={"grade_id": "alpha_divergence"}
def alpha_divergence(p: torch.Tensor, q: torch.Tensor, alpha: float) -> torch.Tensor:
    """The alpha-divergence of p from q over the last dimension, in nats at alpha = 0 and 1."""
    ### BEGIN SOLUTION
    wide = torch.promote_types(p.dtype, torch.float32)
    a, b = p.to(wide), q.to(wide)
    if alpha == 1:
        total = (a * (a / b).log()).sum(-1)
    elif alpha == 0:
        total = (b * (b / a).log()).sum(-1)
    else:
        total = ((a**alpha * b ** (1 - alpha)).sum(-1) - 1) / (alpha * (alpha - 1))
    return total.to(p.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "alpha_divergence-check"}
check("alpha_divergence", alpha_divergence)

# %% [markdown]
# > **Is it true?** "At $\alpha = \tfrac12$ the alpha-divergence is the Hellinger distance."

# %%
half = information.alpha_divergence(p, uniform, 0.5)
squares = ((p.sqrt() - uniform.sqrt()) ** 2).sum()
distance = (squares / 2).sqrt()
print(f"D_1/2                          {half:.6f}")
print(f"Hellinger distance             {distance:.6f}")
print(f"4 (1 - sum sqrt(p q))          {4 * (1 - (p * uniform).sqrt().sum()):.6f}")
print(f"4 times the distance, squared  {4 * distance**2:.6f}")

# %% [markdown]
# > No: it is four times the *square* of the Hellinger distance. As with Jensen-Shannon the root is a distance; the root of KL is
# > none.

# %% [markdown]
# ## In your own words (2 points, graded by hand)
#
# Two models are trained on the same tokens of the same text. A ends at a loss of 2.0 nats a token, B at 1.9. In at most six
# sentences: what does the difference mean as perplexity and as file size when the models compress the text, and why can neither
# loss reach 0?

# %% [markdown] nbgrader={"grade_id": "reflection", "grade": true, "solution": true, "points": 2}
# ### BEGIN SOLUTION
# **A model answer.** Perplexity is $e^{2.0} \approx 7.39$ against $e^{1.9} \approx 6.69$: model B hesitates between about 0.7 fewer
# equally likely tokens. As a compressor A needs $2.0/\log 2 \approx 2.89$ bits a token and B 2.74, so B's file is 5% smaller. The loss is
# $H(p) + \mathrm{KL}(p, q)$: B's KL is 0.1 nats smaller, while $H(p)$, the uncertainty in the text itself, is the same for both and is not 0,
# because text is not determined by what came before.
#
# **Rubric.** ½ point: perplexities compared correctly (7.39 and 6.69, or "by a factor $e^{0.1}$"). ½ point: bits or file size (5% smaller,
# or 0.144 bits a token). 1 point: loss $= H(p) + \mathrm{KL}(p, q)$, with $H(p) > 0$ as the floor (½ point for "text is random" without the
# decomposition). No marks are lost for style.
# ### END SOLUTION

# %% [markdown]
# ## Where you are
#
# `progress()` shows what you have done. Next: how much does one thing tell you about another?

# %% tags=["nbval-ignore-output"]
progress()
