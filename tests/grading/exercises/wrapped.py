"""Right answers that a library has wrapped, that live in a class, that come in a container of another class or raise an
error of their own: text, as a notebook's cells hold it. Each earns full marks, in check and grading alike."""

GAUSSIAN = "torch.log(sigma2 / sigma1) + (sigma1**2 + (mu1 - mu2) ** 2) / (2 * sigma2**2) - 0.5"
KERNEL = """
import triton
import triton.language as tl
{above}def kernel(x, y, s, t, n, B: tl.constexpr):
    row = tl.program_id(0)
    columns = tl.arange(0, B)
    v = tl.load(x + row * s + columns * t, mask=columns < n, other=-float("inf")).to(tl.float32)
    top = tl.max(v, 0)
    tl.store(y + row * n + columns, v - top - tl.log(tl.sum(tl.exp(v - top), 0)), mask=columns < n)
{below}
def log_softmax_triton(x):
    rows, n = x.shape
    y = torch.empty((rows, n), dtype=x.dtype, device=x.device)
    {start}(x, y, x.stride(0), x.stride(1), n{width})
    return y
"""
WIDTH = ", B=triton.next_power_of_2(n)"
BY_GRID = {"start": "kernel[(rows,)]", "width": WIDTH}
ADAM = """
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad * grad
    theta = theta - lr * (m / (1 - beta1**t)) / ((v / (1 - beta2**t)).sqrt() + eps)
"""

WRAPPED: dict[str, list[str]] = {
    "uncorrected_step_ratio": [
        """
@np.vectorize
def uncorrected_step_ratio(t, beta1, beta2):
    return (1 - beta1**t) / math.sqrt(1 - beta2**t)
""",
    ],
    "warmup_cosine": [
        """
from functools import lru_cache

@lru_cache(maxsize=None)
def warmup_cosine(step, warmup_steps, total_steps, lr_max, lr_min):
    if step < warmup_steps:
        return lr_max * step / warmup_steps
    done = min(1, (step - warmup_steps) / (total_steps - warmup_steps))
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * done)) / 2
""",
        """
def _lr(step, warmup, total, high, low):
    if step < warmup:
        return high * step / warmup
    return low + (high - low) * (1 + math.cos(math.pi * min(1, (step - warmup) / (total - warmup)))) / 2

warmup_cosine = np.vectorize(_lr)
""",
    ],
    "adam_step": [
        f"""
from typing import NamedTuple

class Step(NamedTuple):
    theta: torch.Tensor
    m: torch.Tensor
    v: torch.Tensor

def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):{ADAM}    return Step(theta, m, v)
""",
        f"""
from collections import namedtuple

Step = namedtuple("Step", "theta m v")

@torch.no_grad()
def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):{ADAM}    return Step(theta, m, v)
""",
        """
class Adam(torch.optim.Optimizer):
    def __init__(self, params, lr, betas, eps):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps))

    def step(self):
        for group in self.param_groups:
            (b1, b2), lr, eps = group["betas"], group["lr"], group["eps"]
            for p in group["params"]:
                s = self.state[p]
                s["m"] = b1 * s["m"] + (1 - b1) * p.grad
                s["v"] = b2 * s["v"] + (1 - b2) * p.grad**2
                m, v = s["m"] / (1 - b1 ** s["t"]), s["v"] / (1 - b2 ** s["t"])
                p.data = p.data - lr * m / (v.sqrt() + eps)

def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    p = torch.nn.Parameter(theta.clone())
    p.grad = grad.clone()
    optimizer = Adam([p], lr, (beta1, beta2), eps)
    optimizer.state[p].update(m=m, v=v, t=t)
    optimizer.step()
    return p.detach(), optimizer.state[p]["m"], optimizer.state[p]["v"]
""",
    ],
    "fano_error_bound": [
        """
class Impossible(ValueError):
    \"\"\"No k classes are so uncertain.\"\"\"

def fano_error_bound(h, k):
    if h > math.log(k):
        raise Impossible(f"h cannot exceed log {k}")
    low, high = 0.0, 1 - 1 / k
    for _ in range(100):
        pe = (low + high) / 2
        right = special.entr(pe) + special.entr(1 - pe) + pe * math.log(k - 1)
        low, high = (pe, high) if right < h else (low, pe)
    return high
""",
    ],
    "multivariate_gaussian_kl": [  # under a decorator with a name that a cell of ours binds further down
        """
def kl(needed):
    def refusing(*given):
        if any(one.isnan().any() for one in given):
            raise ValueError("not a number")
        return needed(*given)
    return refusing

@kl
def multivariate_gaussian_kl(mu1, cov1, mu2, cov2):
    factor1, factor2 = torch.linalg.cholesky(cov1), torch.linalg.cholesky(cov2)
    spread = torch.linalg.solve_triangular(factor2, factor1, upper=False).square().sum((-2, -1))
    away = torch.linalg.solve_triangular(factor2, (mu2 - mu1)[..., None], upper=False).square().sum((-2, -1))
    logs = (factor2.diagonal(0, -2, -1).log() - factor1.diagonal(0, -2, -1).log()).sum(-1)
    return logs + 0.5 * (spread + away - mu1.shape[-1])
""",
    ],
    "gaussian_kl": [
        f"\n@torch.jit.script\ndef gaussian_kl(mu1, sigma1, mu2, sigma2):\n    return {GAUSSIAN}\n",
        f"\n@torch.compile\ndef gaussian_kl(mu1, sigma1, mu2, sigma2):\n    return {GAUSSIAN}\n",
        f"""
class KL:
    def __call__(self, mu1, sigma1, mu2, sigma2):
        return {GAUSSIAN}

gaussian_kl = KL()
""",
        f"""
from functools import partial

def with_half(half, mu1, sigma1, mu2, sigma2):
    return {GAUSSIAN.replace("0.5", "half")}

gaussian_kl = partial(with_half, 0.5)
""",
    ],
    "log_softmax_triton": [
        KERNEL.format(above="", below="\nkernel = triton.jit(kernel)\n", **BY_GRID),
        KERNEL.format(above="", below="\nstarted = triton.jit(kernel)\n", **{**BY_GRID, "start": "started[(rows,)]"}),
        KERNEL.format(
            above="@triton.jit\n", below="", start="kernel.run", width=f"{WIDTH}, grid=(rows,), warmup=False"
        ),
        KERNEL.format(
            above="@triton.autotune([triton.Config({'B': b}) for b in (32768, 65536)], key=['n'])\n@triton.jit\n",
            below="",
            start="kernel[(rows,)]",
            width="",
        ),
    ],
}
