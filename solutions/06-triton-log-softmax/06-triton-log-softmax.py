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
# # 06 Log-softmax in Triton
#
# The last layer of a language model turns 50,257 numbers into log-probabilities, for every token. It does five cheap operations on
# each number, and yet it is slow. Why, and what is the best that any program could do? By the end you will have written it three times,
# the last time as a GPU kernel, and you will know when to stop optimising.
#
# You need torch and the idea of a probability; no GPU and no CUDA. The whole takes about 90 minutes; each exercise stands alone, so
# skip what you know. Run the cells from the top. A check tells you whether an answer is right and, where it can, which mistake it
# is. Stuck? `hint("log_sum_exp")` gives a nudge, `hint("log_sum_exp", 2)` a bigger one.

# %% tags=["nbval-ignore-output"]
import math
import time
import timeit

import torch

from helpers import check, hint, interpreter, plotting, progress
from helpers import logits as verified
from helpers.figures import gpu
from helpers.figures import kernels as figures
from helpers.information import entropy
from helpers.kernel_reports import report_compiled

print(interpreter.prepare())  # before triton is imported: it decides where kernels run
try:
    import triton
    import triton.language as tl
except ImportError:  # kernels can then be defined, but not run

    class triton:  # noqa: N801 - it stands in for the module
        jit = staticmethod(lambda kernel: kernel)

    class tl:  # noqa: N801 - as above
        constexpr = int


plotting.use_course_style()

# %% [markdown]
# Without a GPU, Triton's **interpreter** runs your kernels in Python and NumPy, one program after the other: the same source, the
# same answers, no speed. Two differences help. A read or write outside of the tensors that a kernel was given is an error here, which
# says where and how far; a GPU raises one much later, or silently spoils something else. And `print` works in a kernel.

# %% [markdown]
# ## How do you add numbers that do not fit?
#
# A model's score for a class is a **logit**, any real number. Everything in this notebook needs the logarithm of the sum of their
# exponentials:
#
# $$\mathrm{LSE}(x) = \log \sum_j e^{x_j} = m + \log\sum_j e^{x_j - m} \quad\text{for any } m .$$
#
# In float32 $e^{89}$ is already `inf`. With $m = \max_j x_j$ every exponent is at most 0, and one term is exactly 1: nothing overflows, and
# the sum is at least 1 (Blanchard, Higham and Higham, 2021).
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x$ | `x` | `(..., n)` | logits, in nats |
# | $m$ | `m` | `(..., 1)` | the largest logit of each row |
# | $\mathrm{LSE}(x)$ | `y` | `(...)` | a smooth maximum: between $m$ and $m + \log n$ |
#
# By hand: $\mathrm{LSE}(1000, 1000) = 1000 + \log(1 + 1) \approx 1000.6931$.

# %% [markdown]
# ### Exercise 1. `log_sum_exp`
#
# **Goal:** the sum that never overflows.
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes
#
# - Sum over the last dimension; any leading dimensions, none of them lost. A batch may be empty.
# - Finite numbers of any size give a finite answer.
# - A row of `-inf` gives `-inf`, not `nan`; a row with `+inf` gives `+inf`; a row with `nan` gives `nan`.
# - The answer has the dtype of `x`; half types are computed in at least float32. `x` itself is not changed.
# - `torch.logsumexp` and its relatives are no answer; `exp`, `log`, `amax` and `logaddexp` are fine.


# %% nbgrader={"grade_id": "log_sum_exp"}
def log_sum_exp(x: torch.Tensor) -> torch.Tensor:
    """log(sum(exp(x))) over the last dimension."""
    ### BEGIN SOLUTION
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    m = wide.amax(-1, keepdim=True) if wide.numel() else wide[..., :1]
    shift = m.masked_fill(m.isinf(), 0.0)
    return ((wide - shift).exp().sum(-1).log() + shift.squeeze(-1)).to(x.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "log_sum_exp-check"}
check("log_sum_exp", log_sum_exp)

# %%
four = torch.tensor([2.0, 1.0, 0.5, 0.1], dtype=torch.float64)
for shift in (0, 100, 1000):
    naive = (four + shift).exp().sum().log()
    print(
        f"shift {shift:4}: naive {naive:12.6f}   ours {verified.log_sum_exp(four + shift):12.6f}"
    )

# %% [markdown]
# **In practice.** Mixtures, hidden Markov models, attention and every classifier's loss are made of this sum.
#
# **Traps.** For a row of `-inf` the maximum is `-inf`, and `-inf - (-inf)` is `nan`. Such rows exist: a fully masked row of attention.

# %% [markdown]
# ## From scores to log-probabilities
#
# The **softmax** makes logits positive and lets them sum to 1. Its logarithm is simpler than itself. With a **temperature** $T > 0$,
#
# $$\log p_i = z_i - \mathrm{LSE}(z), \qquad z = x / T .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x$ | `logits` | `(..., n)` | scores |
# | $T$ | `temperature` | float | below 1 sharpens, above 1 flattens |
# | $\log p$ | `y` | `(..., n)` | log-probabilities in nats, at most 0 |
#
# By hand, $x = (\log 3, 0)$ and $T = 1$: $p = (\tfrac34, \tfrac14)$. With $T = \tfrac12$ the odds are squared: $p = (\tfrac{9}{10}, \tfrac{1}{10})$.

# %% [markdown]
# ### Exercise 2. `log_softmax`
#
# **Goal:** log-probabilities that are exact for any logits.
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes
#
# - Accurate for rows near $\pm 10^4$ in float32: subtract the maximum *before* you add anything.
# - Accurate far down: a logit 1000 below the others has log-probability about $-1000$, not `-inf`.
# - Infinities as in torch: a `-inf` among finite logits gives `-inf`; a row with `+inf` or `nan`, or of nothing but `-inf`, is `nan`.
# - Raise `ValueError` unless `temperature > 0`; any other counts as it is, 0.01 as well as 100.
# - Batches, dtype (half types included) and input as before. `torch.log_softmax` and its relatives are no answer.


# %% nbgrader={"grade_id": "log_softmax"}
def log_softmax(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Log-probabilities of softmax(logits / temperature) over the last dimension."""
    ### BEGIN SOLUTION
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, not {temperature}")
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if not wide.numel():
        return logits.clone()
    shifted = (wide - wide.amax(-1, keepdim=True)) / temperature
    return (shifted - shifted.exp().sum(-1, keepdim=True).log()).to(logits.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "log_softmax-check"}
check("log_softmax", log_softmax)

# %%
probabilities = verified.log_softmax(four).exp()
print("p =", ", ".join(f"{p:.6f}" for p in probabilities.tolist()))
for t in (0.1, 1.0, 10.0):
    nats = entropy(verified.log_softmax(four, t).exp())
    print(f"T = {t:4}: entropy {nats:.6f} nats (log 4 = {math.log(4):.6f})")

# %%
plotting.show_figure(
    figures.temperature_against_entropy(),
    alt="Probabilities of the logits 2, 1, 0.5, 0.1 and their entropy against temperature: "
    "one certain choice and entropy 0 when cold, a quarter each and log 4 when hot.",
)

# %% [markdown]
# **In practice.** Temperature is the dial of most chat models: near 0 it always says the likeliest word, and says the same thing twice.
# Distillation trains a small model on a large one's hot probabilities, which
# say what the large one held for *nearly* right.
#
# **Traps.** $x - (m + \log s)$ is the same formula and loses digits of $\log s$: near $m = 10^4$ float32 goes in steps of $2^{-10}$, so
# $\log 4 = 1.38629$ comes back as $1.38672$, and near $10^8$ nothing is left of it. Dividing $\log p$ by $T$ afterwards does not give
# log-probabilities.

# %% [markdown]
# ## The loss, without a single probability
#
# A classifier's loss is the mean surprise at the right classes (notebook 01):
#
# $$L = -\frac1B \sum_{b=1}^{B} \log p_{b,\,t_b} = \frac1B \sum_b \big(\mathrm{LSE}(x_b) - x_{b,\,t_b}\big) .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x$ | `logits` | `(..., n)` | scores of $B$ rows |
# | $t$ | `targets` | `(...)`, int64 | the right classes, counted from 0 |
# | $L$ | `loss` | `()` | mean loss in nats |
#
# By hand, one row $x = (\log 3, 0)$ with target 1: $\mathrm{LSE} = \log 4$, so $L = \log 4 - 0 \approx 1.3863$.

# %% [markdown]
# ### Exercise 3. `cross_entropy_from_logits`
#
# **Goal:** the loss of every classifier, stable.
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes
#
# - The mean over all rows, whatever their leading dimensions; the logits may also be one row with one target.
# - A loss of 1000 is a loss of 1000, not `inf`: never form the probabilities. A target whose logit is `-inf` costs `inf`.
# - Dtype (half types included) and inputs as before. PyTorch's `cross_entropy` and its relatives are no answer.


# %% nbgrader={"grade_id": "cross_entropy_from_logits"}
def cross_entropy_from_logits(
    logits: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    """Mean of -log p[target] over all rows, in nats."""
    ### BEGIN SOLUTION
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    shifted = wide - wide.amax(-1, keepdim=True)
    picked = shifted.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return (shifted.exp().sum(-1).log() - picked).mean().to(logits.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "cross_entropy_from_logits-check"}
check("cross_entropy_from_logits", cross_entropy_from_logits)

# %%
batch, right = torch.stack([four, four.flip(0)]), torch.tensor([0, 3])
print(f"loss = {verified.cross_entropy_from_logits(batch, right):.6f} nats")
print(f"     = -log {probabilities[0]:.6f}: both rows give the largest logit its due")

# %% [markdown]
# **In practice.** `torch.nn.functional.cross_entropy` wants logits. Giving it probabilities raises no error; from $\log n$ the
# loss can then fall by less than 1 nat.
#
# **Traps.** Dividing by the number of logits rather than rows. `logits[:, targets]` picks every target in every row.

# %% [markdown]
# > **Is it true?** "`log_softmax` and then `nll_loss` loses digits that `cross_entropy` keeps."
# >
# > Measure first, on 200 batches, bit by bit; and beside it a loss of 200 by way of the probabilities.

# %%
functional = torch.nn.functional
generator = torch.Generator().manual_seed(0)
different = 0
for _ in range(200):
    some = 5 * torch.randn(16, 50, generator=generator)
    classes = torch.randint(50, (16,), generator=generator)
    whole = functional.cross_entropy(some, classes)
    parts = functional.nll_loss(functional.log_softmax(some, -1), classes)
    different += not torch.equal(whole, parts)
print(f"{different} of 200 batches differ in a bit")

far = torch.tensor([[0.0, 200.0]])
print(
    "a loss of 200: through log_softmax", -functional.log_softmax(far, -1)[0, 0].item()
)
print("               through softmax().log()", -far.softmax(-1).log()[0, 0].item())

# %% [markdown]
# > No: `cross_entropy` *is* the two of them. What loses is `softmax().log()`: $e^{-200}$ is 0 in float32.
#
# Why not the squared error of the probability? Ask a classifier that is quite wrong: its logit is $-10$, and the label says 1.

# %%
for name, loss in {
    "cross-entropy": lambda z: -functional.logsigmoid(z),
    "squared error": lambda z: (z.sigmoid() - 1) ** 2,
}.items():
    z = torch.tensor(-10.0, requires_grad=True)
    loss(z).backward()
    print(f"{name}: slope {z.grad:.5f} at z = -10")

# %% [markdown]
# The squared error is flat where the answer is most wrong, and learns nothing there. Cross-entropy pulls with all its strength.

# %% [markdown]
# ## What if a row does not fit?
#
# The maximum is known only at the end of the row; the sum needs it at the start. That asks for two passes, unless you carry both. After
# some blocks of the row keep $(m, s)$: the maximum so far, and $s = \sum e^{x - m}$ so far. A new block with maximum $m_b$ changes them to
#
# $$M = \max(m, m_b), \qquad s \leftarrow s\, e^{m - M} + \sum_{j \in \text{block}} e^{x_j - M}, \qquad m \leftarrow M .$$
#
# At the end $\mathrm{LSE}(x) = m + \log s$ (Milakov and Gimelshein, 2018).
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | block | `block` | int | columns at a time; the last block may be shorter |
# | $m$ | `m` | `(..., 1)` | maximum so far; starts at $-\infty$ |
# | $s$ | `s` | `(..., 1)` | sum of $e^{x-m}$ so far; starts at 0 |
#
# By hand, $x = (0, 0, \log 2)$ in blocks of 2: after the first $(m, s) = (0, 2)$. Then $M = \log 2$ and $s = 2 \cdot \tfrac12 + 1 = 2$, so
# $\mathrm{LSE} = \log 2 + \log 2 = \log 4$; and indeed $1 + 1 + 2 = 4$.

# %% [markdown]
# ### Exercise 4. `online_log_sum_exp`
#
# **Goal:** one pass, any width.
#
# Difficulty ●●●○○ · Importance ●●●●● · 15 minutes
#
# - `block` is at least 1 and need not divide the row. No operation takes more than a block of it at once: the check counts.
# - Infinities as in `log_sum_exp`. The hard one: a first block of nothing but `-inf`.
# - Numbers of any size, batches, dtype (half types included) and input as before. `torch.logsumexp` and its relatives are no answer.


# %% nbgrader={"grade_id": "online_log_sum_exp"}
def online_log_sum_exp(x: torch.Tensor, block: int) -> torch.Tensor:
    """log(sum(exp(x))) over the last dimension, carrying (m, s) from block to block."""
    ### BEGIN SOLUTION
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    m = wide.new_full((*x.shape[:-1], 1), -math.inf)
    s = torch.zeros_like(m)
    for part in wide.split(block, dim=-1):
        larger = torch.maximum(m, part.amax(-1, keepdim=True))
        shift = larger.masked_fill(larger.isinf(), 0.0)
        s = s * (m - shift).exp() + (part - shift).exp().sum(-1, keepdim=True)
        m = larger
    return (m.masked_fill(m.isinf(), 0.0) + s.log()).squeeze(-1).to(x.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "online_log_sum_exp-check"}
check("online_log_sum_exp", online_log_sum_exp)

# %%
scores = four + torch.arange(4)  # the row 2, 2, 2.5, 3.1, in two blocks
values = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
m, s, o = -math.inf, 0.0, 0.0
for part, v in zip(scores.split(2), values.split(2), strict=True):
    larger = max(m, part.max().item())
    weights = (part - larger).exp()
    s = s * math.exp(m - larger) + weights.sum().item()
    o = o * math.exp(m - larger) + (weights @ v).item()
    m = larger
    print(f"m = {m:.4f}   s = {s:.6f}   m + log s = {m + math.log(s):.6f}")
print(f"o / s = {o / s:.6f}, softmax @ values = {scores.softmax(-1) @ values:.6f}")

# %% [markdown]
# **In practice.** The pairs $(m, s)$ can be merged in any order, so each thread of a GPU may carry its own and join them at the end. Carry
# a third, $o = \sum e^{x - m} v$, and $o / s$ is the output of attention, whose matrix of weights never exists: that is FlashAttention
# (Dao, Fu, Ermon, Rudra and Ré, 2022).
#
# **Traps.** Forgetting to shrink the old sum when the maximum grows. `-inf - (-inf)` before the first finite number, which is `nan` and
# stays `nan`: a masked prefix of a row does that.

# %% [markdown]
# ## A kernel: one program for each row
#
# PyTorch runs one kernel after the other, and each reads its input from memory and writes its output back. Exercise 2 moves every logit
# ten times: read for the maximum, read and written for the difference, for the division by $T$ and for `exp`, read for the sum, read
# and written for the last difference. A **kernel** of your own moves it twice: once in, once out.
#
# In Triton you write what one **program** does, for a whole block of numbers at a time. The launch `kernel[(rows,)](...)` starts one
# program for each row, all at once as far as you know.
#
# | in code | what it is |
# |---|---|
# | `tl.program_id(0)` | which program this is: here, the row |
# | `tl.arange(0, BLOCK)` | the columns 0 to BLOCK - 1; BLOCK is a power of two |
# | `x + row * row_stride + column * column_stride` | where the row's numbers are in memory: a block of addresses |
# | `tl.load(at, mask=inside, other=...)` | numbers there; `other` in lanes whose mask is false |
# | `tl.store(at, values, mask=inside)` | write, where the mask is true; converts to the tensor's dtype |
# | `BLOCK: tl.constexpr` | a number the compiler knows |

# %%
plotting.show_figure(gpu.programs_over_rows())

# %% [markdown]
# A tensor of 4 rows and 6 columns, each number labelled with its place in memory. A block is a power of two wide, so two lanes of program 2
# stand where row 3 begins: the **mask** keeps them from reading there. Here is a whole kernel, which doubles its input:


# %%
@triton.jit
def double_kernel(x, y, columns, row_stride, column_stride, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    inside = column < columns
    values = tl.load(x + row * row_stride + column * column_stride, mask=inside)
    tl.store(y + row * columns + column, 2 * values, mask=inside)


def double_triton(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty(x.shape, dtype=x.dtype, device=x.device)  # packed, not filled
    rows, columns = x.shape
    block = triton.next_power_of_2(columns)
    double_kernel[(rows,)](x, y, columns, x.stride(0), x.stride(1), BLOCK=block)
    return y


# %% [markdown]
# What should a masked lane hold? It must not count. No maximum minds $-\infty$, and $e^{-\infty} = 0$: so the right filling is `-inf`.

# %% [markdown]
# ### Exercise 5. `row_max_triton`
#
# **Goal:** a masked load and a reduction, your first kernel.
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes
#
# - `x` is packed, `(rows, columns)` with at least one column, float32; the answer has shape `(rows,)`. One program takes one row.
# - Rows of any width that a block can hold: the check goes to some 20,000 columns. Numbers of any size, `-inf` among them. `x` is not changed.
# - `tl.max(values, 0)` is the maximum of a block, one number; `tl.store(m + row, ...)` writes one.
# - The memory that the check gives you is full of `nan`: what you do not write shows.


# %% nbgrader={"grade_id": "row_max_triton"}
@triton.jit
def row_max_kernel(x, m, columns, BLOCK: tl.constexpr):
    """One row: m = max(x)."""
    ### BEGIN SOLUTION
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    at = x + row * columns + column
    values = tl.load(at, mask=column < columns, other=-float("inf"))
    tl.store(m + row, tl.max(values, 0))
    ### END SOLUTION


def row_max_triton(x: torch.Tensor) -> torch.Tensor:
    """The largest number of each row of x, shape (rows, columns), by one kernel."""
    ### BEGIN SOLUTION
    rows, columns = x.shape
    m = torch.empty(rows, dtype=x.dtype, device=x.device)
    row_max_kernel[(rows,)](x, m, columns, BLOCK=triton.next_power_of_2(columns))
    return m
    ### END SOLUTION


# %% nbgrader={"grade_id": "row_max_triton-check"}
check("row_max_triton", row_max_triton)

# %% [markdown]
# Your kernel takes a packed tensor only. A tensor's **strides** say how far apart its neighbours are in memory. A packed `(3, 5)` has strides
# `(5, 1)`; its transpose has `(1, 5)` and shares its memory. By hand: element `[2, 3]` of the packed one lies $2 \cdot 5 + 3 \cdot 1 = 13$
# places from the start. `double_kernel` above takes any: it multiplies row and column with a stride each.

# %% [markdown]
# ### Exercise 6. `log_softmax_triton`
#
# **Goal:** log-softmax in one kernel.
#
# Difficulty ●●●●○ · Importance ●●●●● · 20 minutes
#
# - `x` is `(rows, columns)` with at least one column, perhaps no row; any strides; float16, bfloat16, float32 or float64. The answer has its
#   dtype. Rows of any width that a block can hold: the check goes to some 20,000 columns.
# - One row per program; load, go to float32, subtract the maximum, then the log of the sum. Exact near $\pm 10^4$; infinities and `nan` as in torch.
# - All arithmetic happens in the kernel (source rule). `x` is not changed.
# - The check accepts any kernel of yours; keep this one's parameters and the report further down can compile it.


# %% nbgrader={"grade_id": "log_softmax_triton"}
@triton.jit
def log_softmax_kernel(x, y, columns, row_stride, column_stride, BLOCK: tl.constexpr):
    """One row: y = x - log(sum(exp(x))). y is packed."""
    ### BEGIN SOLUTION
    row = tl.program_id(0).to(tl.int64)  # row * stride may exceed 2^31
    column = tl.arange(0, BLOCK)
    inside = column < columns
    at = x + row * row_stride + column * column_stride
    values = tl.load(at, mask=inside, other=-float("inf")).to(tl.float32)
    shifted = values - tl.max(values, 0)
    result = shifted - tl.log(tl.sum(tl.exp(shifted), 0))
    tl.store(y + row * columns + column, result, mask=inside)
    ### END SOLUTION


def log_softmax_triton(x: torch.Tensor) -> torch.Tensor:
    """Log-softmax over the columns of x, shape (rows, columns), by one kernel."""
    ### BEGIN SOLUTION
    y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    rows, columns = x.shape
    block = triton.next_power_of_2(columns)
    log_softmax_kernel[(rows,)](x, y, columns, *x.stride(), BLOCK=block)
    return y
    ### END SOLUTION


# %% nbgrader={"grade_id": "log_softmax_triton-check"}
check("log_softmax_triton", log_softmax_triton)

# %% [markdown]
# **In practice.** Only the masked load, two reductions and the store: PyTorch's own kernel does the same for rows that fit.
#
# **Traps.** `other=0.0`. A block narrower than the row. `row * columns` where the input is transposed. `row * stride` in 32 bits: beyond
# $2^{31}$ elements it wraps around, so make the row `tl.int64`. Sums in the input's half type.

# %% [markdown]
# > **Is it true?** "`other=0.0` only hurts when logits are negative."
# >
# > Measure first: three logits in a block of four, so one padded lane, which counts $e^0$. What do the "probabilities" sum to?

# %%
for row in ((-5.0, -6.0, -7.0), (0.0, 0.0, 0.0), (5.0, 6.0, 7.0), (15.0, 16.0, 17.0)):
    x = torch.tensor(row, dtype=torch.float64)
    padded = torch.cat([x, torch.zeros(1, dtype=torch.float64)])
    total = (x - verified.log_sum_exp(padded)).exp().sum()
    print(f"{row!s:19} sum to {total:.9f}, short by {1 - total:.1e}")

# %% [markdown]
# > No. It always corrupts the sum, by $1/(1 + \sum_j e^{x_j})$ for one lane. Large logits only hide it, below the digits that a test looks at.

# %% [markdown]
# > **Is it true?** "A Triton block cannot exceed 65,536 elements."
# >
# > Measure first: add up a block of ones.


# %%
@triton.jit
def sum_kernel(x, y, BLOCK: tl.constexpr):
    tl.store(y, tl.sum(tl.load(x + tl.arange(0, BLOCK)), 0))


device = "cuda" if torch.cuda.is_available() else "cpu"
lines = []
for block in (2**16, 2**17, 2**20, 2**21):
    ones, total = torch.ones(block, device=device), torch.zeros(1, device=device)
    try:
        sum_kernel[(1,)](ones, total, BLOCK=block)
        lines.append(f"a block of {block:9,}: sum {total.item():11,.0f}")
    except Exception as error:  # Triton's own, or there is no Triton
        limit = "maximum tensor numel" in str(error)
        answer = "refused" if limit else "no Triton here"
        lines.append(f"a block of {block:9,}: {answer}")
print("\n".join(lines))

# %% [markdown]
# > No. The limit is $2^{20} = 1{,}048{,}576$. The number comes from a guard that is copied from kernel to kernel, `MAX_FUSED_SIZE = 65536`.
# > Nor does a block have to fit the 65,536 registers of a multiprocessor. Below, the compiler adds up a block of $2^{17}$ as it loads, and
# > needs few of them. Only what is needed *again* must stay, as in log-softmax $x$ is after its own sum; what then does not fit is
# > *spilled* to memory: slow, but not forbidden.

# %%
report_compiled(
    {
        "sum_kernel, a block of 131,072": (
            sum_kernel,
            {"x": None, "y": None, "BLOCK": 2**17},
        )
    }
)

# %% [markdown]
# ## Rows wider than a block
#
# Llama 3 has 128,256 tokens; that many float32 do not fit the registers of one program. The online sum does it in a loop: a first pass over
# the blocks carries $(m, s)$, a second reads them again and writes.
#
# | in code | what it is |
# |---|---|
# | `for start in range(0, columns, BLOCK)` | a loop in a kernel, over the blocks |
# | `start + tl.arange(0, BLOCK)` | the columns of this block |
# | `tl.where(condition, a, b)` | as in torch |
#
# By hand: 128,256 columns in blocks of 4,096 make $31.3$, so 32 turns, the last with 1,280 columns inside.

# %% [markdown]
# ### Exercise 7. `log_softmax_wide_triton`
#
# **Goal:** any width with a block of any size.
#
# Difficulty ●●●●○ · Importance ●●●●○ · 20 minutes
#
# - Contract as in exercise 6; `block` is a power of two, at least 1, smaller or larger than the row. One load takes `block` columns: the
#   check counts its columns.
# - A leading block of `-inf` must not turn the row into `nan`; a row of nothing but `-inf`, or with `+inf` or `nan`, is `nan`, as in torch.


# %% nbgrader={"grade_id": "log_softmax_wide_triton"}
@triton.jit
def log_softmax_wide_kernel(
    x, y, columns, row_stride, column_stride, BLOCK: tl.constexpr
):
    """One row in two passes over its blocks. y is packed."""
    ### BEGIN SOLUTION
    row = tl.program_id(0).to(tl.int64)
    m = -float("inf")
    s = 0.0
    for start in range(0, columns, BLOCK):
        column = start + tl.arange(0, BLOCK)
        at = x + row * row_stride + column * column_stride
        values = tl.load(at, mask=column < columns, other=-float("inf"))
        values = values.to(tl.float32)
        larger = tl.maximum(m, tl.max(values, 0))
        shift = tl.where(larger == -float("inf"), 0.0, larger)
        s = s * tl.exp(m - shift) + tl.sum(tl.exp(values - shift), 0)
        m = larger
    for start in range(0, columns, BLOCK):
        column = start + tl.arange(0, BLOCK)
        at = x + row * row_stride + column * column_stride
        values = tl.load(at, mask=column < columns, other=0.0).to(tl.float32)
        result = (values - m) - tl.log(s)
        tl.store(y + row * columns + column, result, mask=column < columns)
    ### END SOLUTION


def log_softmax_wide_triton(x: torch.Tensor, block: int) -> torch.Tensor:
    """Log-softmax over the columns of x, shape (rows, columns), block by block."""
    ### BEGIN SOLUTION
    y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    rows, columns = x.shape
    log_softmax_wide_kernel[(rows,)](x, y, columns, *x.stride(), BLOCK=block)
    return y
    ### END SOLUTION


# %% nbgrader={"grade_id": "log_softmax_wide_triton-check"}
check("log_softmax_wide_triton", log_softmax_wide_triton)

# %% [markdown]
# **In practice.** The second pass reads the row again. If all rows under way fit the L2 cache, that read does not reach memory; if not, the
# kernel moves three times the bytes of the row instead of two. So `helpers.kernels` starts one program for each multiprocessor, or as few
# as half of them where rows are wide: 66 rows of 128,256 float32 are 34 MB of an H100's 50.
#
# **Traps.** Those of the online sum, and the last block's mask.

# %% [markdown]
# ## And back
#
# In training the gradient must come back through the layer. With $g = \partial L / \partial y$ coming in, and $y_i = x_i - \mathrm{LSE}(x)$,
#
# $$\frac{\partial L}{\partial x_i} = g_i - e^{y_i} \sum_j g_j .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $g$ | `grad` | `(rows, columns)` | gradient with respect to the output |
# | $y$ | `y` | `(rows, columns)` | the output: log-probabilities |
# | $\partial L/\partial x$ | `dx` | `(rows, columns)` | gradient with respect to the input; its rows sum to 0 |
#
# By hand, two classes with $p = (\tfrac34, \tfrac14)$ and $g = (1, 0)$: the sum is 1, so $dx = (1 - \tfrac34, 0 - \tfrac14) = (\tfrac14, -\tfrac14)$.
# For a loss of $-\log p_t$ this is the famous "probabilities minus one-hot".

# %% [markdown]
# ### Exercise 8. `log_softmax_backward_triton`
#
# **Goal:** the gradient, in one kernel.
#
# Difficulty ●●●○○ · Importance ●●●●○ · 10 minutes
#
# - `grad` and `y` share shape and dtype, and each has strides of its own: a gradient that comes from `.sum()` has stride 0.
# - Widths, dtypes, inputs and no rows at all as in exercise 6; `y` may hold `-inf`.


# %% nbgrader={"grade_id": "log_softmax_backward_triton"}
@triton.jit
def log_softmax_backward_kernel(
    grad, y, dx, columns, g_row, g_column, y_row, y_column, BLOCK: tl.constexpr
):
    """One row: dx = grad - exp(y) sum(grad). dx is packed."""
    ### BEGIN SOLUTION
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < columns
    g = tl.load(grad + row * g_row + column * g_column, mask=inside, other=0.0)
    logs = tl.load(y + row * y_row + column * y_column, mask=inside, other=0.0)
    g, logs = g.to(tl.float32), logs.to(tl.float32)
    result = g - tl.exp(logs) * tl.sum(g, 0)
    tl.store(dx + row * columns + column, result, mask=inside)
    ### END SOLUTION


def log_softmax_backward_triton(grad: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The gradient of log-softmax for outputs y and incoming grad, (rows, columns)."""
    ### BEGIN SOLUTION
    dx = torch.empty(y.shape, dtype=y.dtype, device=y.device)
    rows, columns = y.shape
    strides = (*grad.stride(), *y.stride())
    block = triton.next_power_of_2(columns)
    log_softmax_backward_kernel[(rows,)](grad, y, dx, columns, *strides, BLOCK=block)
    return dx
    ### END SOLUTION


# %% nbgrader={"grade_id": "log_softmax_backward_triton-check"}
check("log_softmax_backward_triton", log_softmax_backward_triton)

# %% [markdown]
# **In practice.** Only `y` is kept for the backward pass, not `x`: the output holds all that the gradient needs.
#
# **Traps.** $p_i (g_i - \sum_j g_j p_j)$ is the gradient of softmax, not of its logarithm. Forgetting the sum is right only if the gradients
# of a row happen to sum to 1.

# %% [markdown]
# ## Read what the compiler did
#
# Why all this care about where numbers are?

# %%
plotting.show_figure(gpu.memory_levels())

# %% [markdown]
# You need no GPU to see what a GPU would run. Triton compiles your kernel to the machine code of an H100 here, and four numbers in it tell
# most of the story:
#
# - **registers** per thread: at most 255, and 65,536 in all for the threads of a multiprocessor;
# - **spills**: instructions that save a register to memory and bring it back, since there were too few;
# - **in flight**: the loads that a thread asks for before it needs the first of them, in each loop;
# - **loads** by width: 16 bytes at a time is the best a thread can do; 4 bytes need four times the instructions for the same bytes.
#
# First your kernel on rows of 32,768 float32, by 4 and by 32 warps (a warp is 32 threads). By hand: 4 warps are 128 threads, so each
# holds $32768/128 = 256$ numbers, more than a thread has registers; with 32 warps it is 32 numbers.

# %%
row = {"x": None, "y": None, "row_stride": 2**15, "column_stride": 1}
row |= {"columns": 2**15, "BLOCK": 2**15}
report_compiled(
    {
        f"log_softmax_kernel, {warps} warps": (
            log_softmax_kernel,
            row | {"num_warps": warps},
        )
        for warps in (4, 32)
    }
)

# %% [markdown]
# Now what the compiler *knows*. It may read 16 bytes at a time only if every address is sure to be a multiple of 16. Triton tells it whether 16
# divides a number that you hand in; of a `constexpr` it knows all. Three widths for one kernel that doubles part of a row:


# %%
@triton.jit
def part_kernel(x, y, columns, BLOCK: tl.constexpr):
    row, part = tl.program_id(0), tl.program_id(1)
    column = part * BLOCK + tl.arange(0, BLOCK)
    values = tl.load(x + row * columns + column, mask=column < columns)
    tl.store(y + row * columns + column, 2 * values, mask=column < columns)


@triton.jit
def known_part_kernel(x, y, columns: tl.constexpr, BLOCK: tl.constexpr):
    row, part = tl.program_id(0), tl.program_id(1)
    column = part * BLOCK + tl.arange(0, BLOCK)
    values = tl.load(x + row * columns + column, mask=column < columns)
    tl.store(y + row * columns + column, 2 * values, mask=column < columns)


def launched(columns: int) -> dict:
    return {"x": None, "y": None, "columns": columns, "BLOCK": 1024, "num_warps": 4}


report_compiled(
    {
        "50,257 columns (GPT-2)": (part_kernel, launched(50257)),
        "50,304 columns (padded)": (part_kernel, launched(50304)),
        "1,000 columns": (part_kernel, launched(1000)),
        "1,000 columns, a constexpr": (known_part_kernel, launched(1000)),
    }
)

# %% [markdown]
# GPT-2's 50,257 is odd, so each row begins somewhere else, and every number takes an instruction of its own. (The 32 threads of a warp still
# fetch neighbours in one trip of 128 bytes: it costs instructions, not traffic.) With the vocabulary padded to 50,304 $= 16 \cdot 3144$
# they come four at a time. And 1000 is a multiple of 8 but not of 16: handed in as a number nothing is known about it, as a `constexpr`
# everything.
#
# The third number decides whether memory is kept busy. Say that a load takes 0.8 µs: at 3.35 TB/s $3.35 \cdot 10^{12} \cdot 0.8 \cdot
# 10^{-6}$ bytes, 2.7 MB, must be under way at any time (Little's law), 20 KB on each of 132 multiprocessors. A program of 16 warps with 8
# loads of 16 bytes in each thread has $512 \cdot 8 \cdot 16$ bytes under way, 64 KB. Here is the course's own backward kernel for wide
# rows of bfloat16, left to the compiler and granted 128 registers, all that a multiprocessor has for 512 threads:

# %%
half = torch.empty(0, dtype=torch.bfloat16)
walk = {"grad": half, "y": half, "dx": half, "rows": 4096, "columns": 50257}
walk |= {"grad_stride": 50257, "y_stride": 50257}
walk |= {"DEPTH": 8, "LANES": 4096, "VECTOR": 8, "num_warps": 16}
try:
    from helpers.kernels.softmax import backward_walk

    report_compiled(
        {
            "backward_walk, left to itself": (backward_walk, walk),
            "backward_walk, maxnreg=128": (backward_walk, walk | {"maxnreg": 128}),
        }
    )
except ImportError:
    print("The course's kernels need Triton, which exists for Linux only.")

# %% [markdown]
# One option of the launch: no spill, and more loads under way in both of its loops. The price is **occupancy**, the share of a multiprocessor's 2,048
# threads that can be there: at 64 registers two such programs fit, $65{,}536 / (512 \cdot 64) = 2$, half of the threads; at 96 one. More programs are the
# other way to the same end: two with 6 loads a thread have as many bytes under way as one with 12.
#
# A third way: programs that *stay*. As many as there are multiprocessors each take row after row, and `num_stages=2` has the next row fetched
# into shared memory, 131 KB of it here, while this one is worked on.


# %%
@triton.jit
def pipelined_kernel(x, y, rows, columns, BLOCK: tl.constexpr):
    column = tl.arange(0, BLOCK)
    inside = column < columns
    for row in tl.range(tl.program_id(0), rows, tl.num_programs(0), num_stages=2):
        start = tl.cast(row, tl.int64) * columns
        values = tl.load(x + start + column, mask=inside, other=-float("inf"))
        shifted = values - tl.max(values, 0)
        result = shifted - tl.log(tl.sum(tl.exp(shifted), 0))
        tl.store(y + start + column, result, mask=inside)


rows = {"x": None, "y": None, "rows": 8192, "columns": 2**15, "BLOCK": 2**15}
report_compiled({"pipelined_kernel": (pipelined_kernel, rows | {"num_warps": 32})})
try:
    x = torch.randn(5, 300, generator=generator).to(device)
    y = torch.empty_like(x)
    pipelined_kernel[(2,)](x, y, 5, 300, BLOCK=512)  # two programs, five rows
    print("right:", torch.allclose(y, verified.log_softmax(x, 1.0), atol=1e-6))
except TypeError:  # what stands in for Triton where there is none
    print("not run: no Triton here")

# %% [markdown]
# **In practice.** Spills, narrow loads and too few in flight: look for these when a memory-bound kernel is slower than a copy. Which block,
# how many warps and stages are best is measured, not guessed: `@triton.autotune` tries a list (under the interpreter it takes the first),
# `triton.testing.do_bench` times one launch, and NVIDIA's profiler `ncu` says what it waits for.
#
# **Traps.** A `constexpr` makes a new kernel for every value; compiling takes seconds. Good for a model's width, bad for a batch size.

# %% [markdown]
# ## How big, how fast?
#
# Three numbers to carry about. Trained with Adam, a **parameter** takes 16 bytes: 4 each for itself, its gradient and the two averages (in
# mixed precision 2 + 2 + 12: the weight and gradient halve, and a full copy is added). A **step** takes some 6 operations for each parameter
# and token: a multiplication and an addition forwards, twice that backwards (Kaplan et al., 2020). And a loop in **Python** is slow:

# %% tags=["nbval-ignore-output"]
words, width, layers, context = 50257, 768, 12, 1024  # GPT-2 small
parameters = (words + context) * width + layers * (12 * width**2 + 13 * width)
parameters += 2 * width  # the last normalisation
print(f"{parameters:,} parameters, {16 * parameters / 1e9:.1f} GB to train with Adam")
print(f"a step of 500,000 tokens: {6 * parameters * 5e5:.1e} operations")

numbers = torch.randn(10_000)
as_list, started = numbers.tolist(), time.perf_counter()
total = 0.0
for number in as_list:
    total += number * number
loop = time.perf_counter() - started
vector = min(timeit.repeat(lambda: numbers.dot(numbers), number=10, repeat=20)) / 10
print(f"10,000 squares added up: a loop takes {loop / vector:.0f} times as long")

# %% [markdown]
# ## When is it as fast as it can be?
#
# A machine computes at most `peak` operations and moves at most `bandwidth` bytes a second. What limits you is decided by the **arithmetic
# intensity** $I$ of your computation:
#
# $$I = \frac{\text{operations}}{\text{bytes moved}}, \qquad \text{attainable} = \min(\text{peak},\; I \cdot \text{bandwidth}) .$$
#
# Drawn against $I$ that is a **roofline** (Williams, Waterman and Patterson, 2009): a slope, then a flat roof.
#
# | symbol | in code | unit | meaning |
# |---|---|---|---|
# | operations | `flops` | 1 | additions, multiplications, exponentials, ... |
# | bytes | `bytes_moved` | byte | what must cross between memory and chip |
# | $I$ | `intensity` | 1/byte | operations per byte |
#
# By hand: log-softmax does about 5 operations on an element (compare, subtract, exponentiate, add, subtract) and must move it once in and once
# out, 8 bytes in float32. So $I = \tfrac58$, whatever the width. A GPU with $60 \cdot 10^{12}$ operations and $4 \cdot 10^{12}$ bytes a second
# has its corner at $I = 15$: log-softmax is far on the slope, at $\tfrac58 \cdot 4 \cdot 10^{12}$, some 4% of the peak.
#
# Would a faster `exp` help? It has a roof of its own: a multiprocessor starts 16 exponentials a clock, an H100 $132 \cdot 16 \cdot 1.83
# \cdot 10^9 = 3.9 \cdot 10^{12}$ a second. At 3.35 TB/s and 8 bytes an element log-softmax asks for $0.42 \cdot 10^{12}$: a ninth. In
# attention it is another matter. A pair of tokens needs one exponential and, with 128 numbers a head, 512 operations of the tensor cores,
# which do $990 \cdot 10^{12}$ a second: the exponential takes half as long as all of these. FlashAttention-3 (Shah et al., 2024) works on both at once.

# %% [markdown]
# ### Exercise 9. `arithmetic_intensity` and `attainable_flops`
#
# **Goal:** know the limit before you optimise.
#
# Difficulty ●○○○○ · Importance ●●●●● · 5 minutes


# %% nbgrader={"grade_id": "arithmetic_intensity"}
def arithmetic_intensity(flops: float, bytes_moved: float) -> float:
    """Operations per byte."""
    ### BEGIN SOLUTION
    return flops / bytes_moved
    ### END SOLUTION


def attainable_flops(intensity: float, peak: float, bandwidth: float) -> float:
    """Operations per second that a machine can reach at this intensity."""
    ### BEGIN SOLUTION
    return min(peak, intensity * bandwidth)
    ### END SOLUTION


# %% nbgrader={"grade_id": "arithmetic_intensity-check"}
check("arithmetic_intensity", arithmetic_intensity, attainable_flops)

# %% [markdown]
# The next cell measures four computations on the machine that this notebook runs on, just now, each into memory that is there already:
# fresh pages would cost more than the arithmetic. The most bytes and the most operations a second that any of them reached are taken for
# the two limits. The dashed line is log-softmax without memory: on a CPU of numbers that its cache holds, on a GPU as fast as its exponentials.

# %% tags=["nbval-ignore-output"]
machine = figures.measure_here()
plotting.show_figure(figures.roofline(machine))
print(f"log_softmax reaches {figures.share_of_slope(machine):.0%} of the slope here")

# %% [markdown]
# Left of the corner memory is the limit, right of it arithmetic. A kernel that lies on the slope is done, and the fraction of a copy's
# bandwidth is the number to report. One that lies below it, as log-softmax on a CPU, does more than we counted (there an `exp` is a
# polynomial, not one operation) or could still be written better. On a GPU, how close do PyTorch's kernel, a compiled one and the course's own (`helpers.kernels`) come, and does it depend on the width of a row?

# %%
results = figures.measurements()
if results is None:
    print("Not measured yet: this needs a GPU, and no result is part of this course.")
    print("On a machine with one: python -m helpers.kernels.bench")
else:
    plotting.show_figure(
        figures.bytes_per_second(results),
        alt="Bytes per second of log-softmax against row width on a GPU, measured: a plain "
        "copy and read, the course's kernel, PyTorch's, compiled ones and the notebook's.",
    )

# %% [markdown]
# **In practice.** Below the corner: move fewer bytes (fuse, use a smaller dtype, keep it in cache). Above it: do fewer operations, or use the tensor cores.
#
# **Traps.** Counting operations to predict the time of a memory-bound kernel. Timing without waiting for the GPU, or with data still in cache.

# %% [markdown]
# ## Never write it down (stretch)
#
# Training needs the loss, not the log-probabilities. If one kernel reads the logits and writes one number per row, it moves half the bytes of
# log-softmax, and the matrix of log-probabilities, often the largest tensor of a training step, never exists.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x$ | `logits` | `(rows, columns)` | any strides |
# | $t$ | `targets` | `(rows,)` | int64, any stride |
# | $\mathrm{LSE}(x_b) - x_{b, t_b}$ | `losses` | `(rows,)` | one loss per row, in the logits' dtype |
#
# By hand: $8192 \times 128256$ logits in bfloat16 are 2.1 GB. Log-softmax and a pick move 4.2 GB, the fused kernel 2.1 GB. What a whole
# step moves:

# %%
logits_gb = 8192 * 128256 * 2 / 1e9
for step, passes in {
    "log_softmax, nll_loss, and both backwards": 2 + 0 + 1 + 3,
    "fused forward; fused backward": 1 + 2,
    "fused, the gradient written over the logits at once": 2,
    "fused with the matrix product before: no logits at all": 0,
}.items():
    print(f"{step:55} {passes} passes {passes * logits_gb:5.1f} GB")

# %% [markdown]
# The first line writes a gradient of zeros with one entry a row, then reads it beside $y$ and writes $dx$. The second is `helpers.kernels`. In the
# last the logits are made block by block from the hidden states, used and forgotten: for Gemma 2 (2B) the loss then takes 1 MB instead of
# 24 GB (Wijmans et al., 2025, *Cut Your Losses*).

# %% [markdown]
# ### Stretch. `cross_entropy_triton`
#
# **Goal:** the loss in one pass.
#
# Difficulty ●●●●○ · Importance ●●●●○ · 15 minutes
#
# - One program per row; the row fits a block. The contract of `log_softmax_triton` holds for strides, dtypes, widths and large logits.
# - A loss of 1000 is a loss of 1000, as in exercise 3.


# %% nbgrader={"grade_id": "cross_entropy_triton"}
@triton.jit
def cross_entropy_kernel(
    x, targets, losses, columns, row_stride, column_stride, target_stride,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """One row: its loss, and nothing else."""
    ### BEGIN SOLUTION
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    start = x + row * row_stride
    at = start + column * column_stride
    values = tl.load(at, mask=column < columns, other=-float("inf")).to(tl.float32)
    target = tl.load(targets + row * target_stride)
    at_target = tl.load(start + target * column_stride).to(tl.float32)
    m = tl.max(values, 0)
    loss = (m - at_target) + tl.log(tl.sum(tl.exp(values - m), 0))
    tl.store(losses + row, loss)
    ### END SOLUTION


def cross_entropy_triton(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The loss of each row of logits, shape (rows, columns), by one kernel."""
    ### BEGIN SOLUTION
    rows, columns = logits.shape
    losses = torch.empty(rows, dtype=logits.dtype, device=logits.device)
    strides = (*logits.stride(), targets.stride(0))
    block = triton.next_power_of_2(columns)
    cross_entropy_kernel[(rows,)](
        logits, targets, losses, columns, *strides, BLOCK=block
    )
    return losses
    ### END SOLUTION


# %% nbgrader={"grade_id": "cross_entropy_triton-check"}
check("cross_entropy_triton", cross_entropy_triton)

# %% [markdown]
# ## In your own words (2 points, graded by hand)
#
# Your log-softmax kernel reaches 90% of the bandwidth of a plain copy. A colleague offers an exponential that is twice as fast. In at most six
# sentences: what would the layer gain and why, and what change would make the training step faster instead?

# %% [markdown] nbgrader={"grade_id": "reflection", "grade": true, "solution": true, "points": 2}
# ### BEGIN SOLUTION
# **A model answer.** Next to nothing. Log-softmax does about 5 operations for 8 bytes, an intensity of $\tfrac58$, far left of the corner of any
# GPU's roofline: it waits for memory, and the arithmetic is done while it waits. At 90% of a copy at most 10% is left to gain, by any means, as long as
# each element goes once in and once out. To be faster, move fewer bytes: fuse the loss into the kernel, so that log-probabilities are
# never written (half the traffic), or keep the logits in bfloat16 (half again).
#
# **Rubric.** ½ point: little or nothing is gained. ½ point: because it is memory-bound, with the intensity or the roofline as the
# reason. 1 point: a change that reduces bytes (fusion, smaller dtype, not storing what can be computed again); ½ point for "use more warps" or the
# like with a reason. No marks are lost for style.
# ### END SOLUTION

# %% [markdown]
# ## Where you are
#
# You can use the course's kernels in a model of your own: `from helpers.kernels import log_softmax, cross_entropy`. They handle any shape and
# width, autograd and `torch.compile`. `progress()` shows what you have done so far, in this notebook and the others.

# %% tags=["nbval-ignore-output"]
progress()
