"""Right answers in the styles that people use: text, as a notebook's cells hold it. None may be refused by a source
rule (see test_styles)."""

IMPORTS = """\
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from scipy import optimize, special, stats
"""

STYLES: dict[str, list[str]] = {
    "entropy": [
        """
def entropy(p):
    x = p.float() if p.dtype in (torch.float16, torch.bfloat16) else p
    return torch.special.entr(x).sum(dim=-1).type_as(p)
""",
        """
from functools import reduce

def entropy(p):
    wide = p.to(torch.promote_types(p.dtype, torch.float32))
    columns = [wide[..., i] for i in range(wide.shape[-1])]
    terms = (torch.where(c > 0, -c * torch.where(c > 0, c, 1.0).log(), 0.0) for c in columns)
    return reduce(torch.add, terms).to(p.dtype)
""",
        """
import dataclasses

@dataclasses.dataclass(frozen=True)
class Distribution:
    p: torch.Tensor

    def surprise(self):
        return -torch.where(self.p > 0, self.p, torch.ones_like(self.p)).log()

    @property
    def average(self):
        return (self.p * self.surprise()).sum(-1)

def entropy(p):
    return Distribution(p.to(torch.promote_types(p.dtype, torch.float32))).average.to(p.dtype)
""",
        """
h = lambda x: torch.special.entr(x).sum(-1)

def entropy(p):
    if (wide := torch.promote_types(p.dtype, torch.float32)) == p.dtype:
        return h(p)
    return h(p.to(wide)).to(p.dtype)
""",
        """
from torch.special import xlogy

def entropy(p):
    def in_float(x):
        return x.double()

    x = in_float(p)
    return torch.einsum("...i,...i->...", x, -xlogy(torch.ones_like(x), torch.where(x > 0, x, 1.0))).to(p.dtype)
""",
        """
class Info:
    @staticmethod
    def entropy(p):
        return torch.special.entr(p.double()).sum(-1).to(p.dtype)

def entropy(p):
    return Info.entropy(p)
""",
        """
import functools

def in_at_least_float32(function):
    @functools.wraps(function)
    def wrapped(p):
        return function(p.to(torch.promote_types(p.dtype, torch.float32))).to(p.dtype)

    return wrapped

@in_at_least_float32
def entropy(p):
    return -torch.nansum(p * p.log(), dim=-1)
""",
    ],
    "cross_entropy": [
        """
def cross_entropy(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    p_, q_ = torch.broadcast_tensors(p.double(), q.double())
    mask = p_ > 0
    out = torch.zeros_like(p_)
    out[mask] = -p_[mask] * torch.log(q_[mask])
    return out.sum(-1).to(p.dtype)
""",
        """
def cross_entropy(p, q):
    total = -special.xlogy(p.double().numpy(), q.double().numpy()).sum(axis=-1)
    return torch.as_tensor(np.asarray(total)).to(p.dtype)
""",
        """
from operator import neg

def cross_entropy(p, q):
    terms = torch.special.xlogy(p.double(), q.double())
    return neg(terms.sum(-1)).to(p.dtype)
""",
        """
def surprisal(q):
    return torch.neg(torch.log(q))

def cross_entropy(p, q):
    a, b = p.double(), q.double()
    return torch.where(a == 0, 0.0, a * surprisal(b)).sum(-1).to(p.dtype)
""",
    ],
    "kl_divergence": [
        """
def kl_divergence(p, q):
    pd, qd = p.double(), q.double()
    h_pq = -torch.special.xlogy(pd, qd).sum(-1)
    h_p = torch.special.entr(pd).sum(-1)
    return (h_pq - h_p).to(p.dtype)
""",
        """
def kl_divergence(p, q):
    values = special.rel_entr(p.double().numpy(), q.double().numpy())
    return torch.tensor(values.sum(-1)).to(dtype=p.dtype)
""",
        """
def _term(x, y):
    if x == 0:
        return 0.0
    return x * (math.log(x) - math.log(y)) if y else math.inf

def kl_divergence(p, q):
    shape = torch.broadcast_shapes(p.shape, q.shape)
    ps, qs = p.expand(shape).reshape(-1, shape[-1]).tolist(), q.expand(shape).reshape(-1, shape[-1]).tolist()
    sums = [math.fsum(map(_term, a, b)) for a, b in zip(ps, qs)]
    return torch.tensor(sums, dtype=torch.float64).to(p.dtype).reshape(shape[:-1])
""",
        """
def kl_divergence(p, q):
    match p.dtype:
        case torch.float16 | torch.bfloat16:
            return kl_divergence(p.float(), q.float()).to(p.dtype)
    safe = torch.where(p > 0, p, torch.ones_like(p))
    return (p * torch.where(p > 0, torch.log(safe) - torch.log(torch.where(p > 0, q, 1.0)), 0.0)).sum(dim=-1)
""",
    ],
    "kl_with_torch": [
        """
def kl_with_torch(p, q):
    wide = torch.promote_types(p.dtype, torch.float32)
    target, log_input = torch.broadcast_tensors(p.to(wide), q.to(wide).log())
    return F.kl_div(log_input, target, reduction="none").sum(-1).to(p.dtype)
""",
        """
loss = torch.nn.KLDivLoss(reduction="none")

def kl_with_torch(p, q):
    return loss(*torch.broadcast_tensors(q.double().log(), p.double())).sum(-1).to(p.dtype)
""",
        """
from torch.nn.functional import kl_div

def kl_with_torch(p, q):
    a, b = p.double(), q.double()
    pointwise = kl_div(input=b.log(), target=a.log(), log_target=True, reduction="none")
    return torch.sum(pointwise, dim=-1).to(p.dtype)
""",
        """
from functools import partial

pointwise = partial(torch.nn.functional.kl_div, reduction="none")

def kl_with_torch(p, q):
    return pointwise(q.double().log(), p.double()).sum(-1).to(p.dtype)
""",
    ],
    "perplexity": [
        """
def perplexity(p, q):
    nats = -torch.special.xlogy(p.double(), q.double()).sum(-1)
    return torch.exp(nats).to(p.dtype)
""",
        """
def perplexity(p, q):
    a, b = p.double(), q.double()
    return torch.prod(torch.where(a > 0, b, 1.0) ** -a, dim=-1).to(p.dtype)
""",
        """
def perplexity(p, q):
    bits = -(special.xlogy(p.double().numpy(), q.double().numpy()) / np.log(2)).sum(-1)
    return torch.as_tensor(np.exp2(bits)).to(p.dtype)
""",
    ],
    "mutual_information": [
        """
def mutual_information(joint):
    def h(t):
        return torch.special.entr(t).sum(-1)
    return h(joint.sum(-1)) + h(joint.sum(-2)) - h(joint.flatten(-2))
""",
        """
def mutual_information(joint):
    px = torch.einsum("...xy->...x", joint)
    py = torch.einsum("...xy->...y", joint)
    outer = torch.einsum("...x,...y->...xy", px, py)
    ratio = torch.where(joint > 0, joint / torch.where(outer > 0, outer, 1), 1)
    return (joint * ratio.log()).sum(dim=(-2, -1))
""",
        """
class Joint:
    def __init__(self, table):
        self.table = table

    def __getitem__(self, axis):
        return self.table.sum(axis)

    def entropy(self, t):
        return torch.special.entr(t).sum(-1)

def mutual_information(joint):
    j = Joint(joint)
    return j.entropy(j[-1]) + j.entropy(j[-2]) - j.entropy(joint.flatten(-2))
""",
        """
def mutual_information(joint):
    a = joint.numpy()
    product = a.sum(-1, keepdims=True) * a.sum(-2, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(a > 0, a * np.log(a / product), 0)
    return torch.from_numpy(np.asarray(terms.sum((-2, -1)), dtype=a.dtype))
""",
    ],
    "conditional_entropy": [
        """
def conditional_entropy(joint):
    entr = torch.special.entr
    return entr(joint).sum((-2, -1)) - entr(joint.sum(-1)).sum(-1)
""",
        """
def conditional_entropy(joint):
    px = joint.sum(dim=-1, keepdim=True)
    cond = torch.nan_to_num(joint / px)
    return -(torch.special.xlogy(joint, cond)).sum(dim=[-2, -1])
""",
    ],
    "momentum_step": [
        """
def momentum_step(theta, grad, velocity, lr, beta):
    new_velocity = torch.add(grad, velocity, alpha=beta)
    return torch.sub(theta, new_velocity, alpha=lr), new_velocity
""",
        """
from typing import NamedTuple

def momentum_step(theta, grad, velocity, lr, beta):
    return (theta - lr * (v := beta * velocity + grad), v)
""",
    ],
    "adam_step": [
        """
def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m = torch.lerp(m, grad, 1 - beta1)
    v = beta2 * v + (1 - beta2) * grad.square()
    m_hat, v_hat = (a / (1 - b**t) for a, b in ((m, beta1), (v, beta2)))
    return theta - lr * m_hat / (torch.sqrt(v_hat) + eps), m, v
""",
        """
class Adam:
    def __init__(self, lr, beta1, beta2, eps):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps

    def step(self, theta, grad, m, v, t):
        m = self.beta1 * m + (1 - self.beta1) * grad
        v = self.beta2 * v + (1 - self.beta2) * grad**2
        correction = math.sqrt(1 - self.beta2**t)
        return theta - self.lr / (1 - self.beta1**t) * m / (v.sqrt() / correction + self.eps), m, v

def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    return Adam(lr, beta1, beta2, eps).step(theta, grad, m, v, t)
""",
        """
def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    with torch.no_grad():
        m = m.clone().mul_(beta1).add_(grad, alpha=1 - beta1)
        v = v.clone().mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        denom = (v / (1 - beta2**t)).sqrt_().add_(eps)
        return theta.addcdiv(m, denom, value=-lr / (1 - beta1**t)), m, v
""",
    ],
    "clip_by_global_norm": [
        """
def clip_by_global_norm(grads, max_norm):
    flat = torch.cat([g.flatten() for g in grads])
    norm = torch.linalg.vector_norm(flat)
    scale = torch.clamp(max_norm / (norm + 1e-6), max=1.0)
    return [g * scale.to(g.dtype) for g in grads], norm
""",
        """
def clip_by_global_norm(grads, max_norm):
    norm = math.hypot(*(float(x) for g in grads for x in g.reshape(-1)))
    factor = max_norm / norm if norm > max_norm else 1.0
    return list(map(lambda g: g * factor, grads)), torch.tensor(norm, dtype=grads[0].dtype)
""",
    ],
    "condition_number": [
        """
def condition_number(hessian):
    lo, *_, hi = torch.linalg.eigvalsh(hessian).unbind(-1) * 2
    return hi / lo
""",
        """
def condition_number(hessian):
    values = np.linalg.eigvalsh(hessian.numpy())
    return torch.as_tensor(values[..., -1] / values[..., 0], dtype=hessian.dtype)
""",
        """
def condition_number(hessian):
    s = torch.linalg.svdvals(hessian)
    return s.amax(-1) / s.amin(-1)
""",
    ],
    "gradient_descent": [
        """
from itertools import accumulate, repeat

def gradient_descent(grad_fn, theta0, lr, steps):
    return torch.stack(list(accumulate(repeat(None, steps), lambda x, _: x - lr * grad_fn(x), initial=theta0)))
""",
        """
def path(grad_fn, theta, lr):
    while True:
        yield theta
        theta = theta - lr * grad_fn(theta)

def gradient_descent(grad_fn, theta0, lr, steps):
    points = path(grad_fn, theta0, lr)
    return torch.stack([next(points) for _ in range(steps + 1)])
""",
        """
def gradient_descent(grad_fn, theta0, lr, steps):
    out = torch.empty(steps + 1, *theta0.shape, dtype=theta0.dtype)
    out[0] = theta0
    for k in range(steps):
        out[k + 1] = out[k] - lr * grad_fn(out[k])
    return out
""",
    ],
    "natural_gradient_step": [
        """
def natural_gradient_step(theta, grad, fisher, lr, damping):
    eye = torch.eye(theta.shape[-1], dtype=fisher.dtype)
    return theta - lr * torch.linalg.solve(fisher + damping * eye, grad.unsqueeze(-1)).squeeze(-1)
""",
        """
def natural_gradient_step(theta, grad, fisher, lr, damping):
    damped = fisher.clone()
    damped.diagonal(dim1=-2, dim2=-1).add_(damping)
    lower, info = torch.linalg.cholesky_ex(damped)
    if bool((info == 0).all()):
        return theta - lr * torch.cholesky_solve(grad[..., None], lower)[..., 0]
    return theta - lr * torch.linalg.solve(damped, grad[..., None])[..., 0]
""",
    ],
    "top_hessian_eigenvalue": [
        """
def top_hessian_eigenvalue(loss_fn, params, iterations, generator):
    theta = params.detach().requires_grad_(True)
    v = torch.randn(params.shape, generator=generator, dtype=params.dtype)

    def hvp(v):
        g, = torch.autograd.grad(loss_fn(theta), theta, create_graph=True)
        return torch.autograd.grad((g * v).sum(), theta)[0]

    for _ in range(iterations):
        v = v / v.norm()
        hv = hvp(v)
        lam, v = torch.sum(v * hv).item(), hv
    return lam
""",
        """
from torch.func import grad, jvp

def top_hessian_eigenvalue(loss_fn, params, iterations, generator):
    v = torch.randn(params.shape, generator=generator, dtype=params.dtype)
    for _ in range(iterations):
        v = v / torch.linalg.vector_norm(v)
        _, hv = jvp(grad(loss_fn), (params,), (v,))
        lam, v = (v * hv).sum(), hv
    return float(lam)
""",
    ],
    "gaussian_kl": [
        """
def gaussian_kl(mu1, sigma1, mu2, sigma2):
    v1, v2 = sigma1.square(), sigma2.square()
    return 0.5 * (torch.log(v2 / v1) + (v1 + (mu1 - mu2) ** 2) / v2 - 1)
""",
        """
def nll(x2, mu, sigma):
    return torch.log(sigma) + x2 / (2 * sigma**2)

def gaussian_kl(mu1, sigma1, mu2, sigma2):
    cross = nll(sigma1**2 + (mu1 - mu2) ** 2, mu2, sigma2)
    return cross - nll(sigma1**2, mu1, sigma1)
""",
    ],
    "vae_kl": [
        """
class KLD(torch.nn.Module):
    def forward(self, mu, log_var):
        return torch.mean(-0.5 * torch.sum(1 + log_var - mu**2 - log_var.exp(), dim=-1))

def vae_kl(mu, log_var):
    return KLD()(mu, log_var)
""",
    ],
    "log_sum_exp": [
        """
def log_sum_exp(x):
    z = x.to(torch.promote_types(x.dtype, torch.float32))
    m = z.max(dim=-1, keepdim=True).values
    m = torch.where(torch.isfinite(m), m, torch.zeros_like(m))
    return (torch.log(torch.sum(torch.exp(z - m), dim=-1)) + m[..., 0]).to(x.dtype)
""",
        """
from functools import reduce

def log_sum_exp(x):
    z = x.double()
    return reduce(torch.logaddexp, z.unbind(-1)).to(x.dtype)
""",
    ],
    "log_softmax": [
        """
def log_softmax(logits, temperature):
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    z = logits.to(torch.promote_types(logits.dtype, torch.float32)) / temperature
    z = z - z.amax(dim=-1, keepdim=True)
    return (z - z.exp().sum(dim=-1, keepdim=True).log()).to(logits.dtype)
""",
    ],
    "lion_step": [
        """
def lion_step(theta, grad, m, lr, beta1, beta2, weight_decay):
    update = torch.lerp(grad, m, beta1).sign()
    return theta * (1 - lr * weight_decay) - lr * update, torch.lerp(grad, m, beta2)
""",
        """
def ema(old, new, *, beta):
    return beta * old + (1 - beta) * new

def lion_step(theta, grad, m, lr, beta1, beta2, weight_decay):
    direction = torch.sign(ema(m, grad, beta=beta1))
    return theta - lr * (direction + weight_decay * theta), ema(m, grad, beta=beta2)
""",
    ],
    "muon_orthogonalize": [
        """
COEFFICIENTS = (3.4445, -4.7750, 2.0315)

def muon_orthogonalize(matrix, steps):
    a, b, c = COEFFICIENTS
    X = matrix.float()
    transpose = X.size(-2) > X.size(-1)
    if transpose:
        X = X.mT
    X = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        A = X @ X.mT
        X = a * X + (b * A + c * A @ A) @ X
    return (X.mT if transpose else X).to(matrix.dtype)
""",
    ],
    "sam_gradient": [
        """
def sam_gradient(grad_fn, theta, rho):
    g = grad_fn(theta)
    return grad_fn(theta + rho * torch.nn.functional.normalize(g.reshape(-1), dim=0).reshape(g.shape))
""",
    ],
    "schedule_free_step": [
        """
def schedule_free_step(z, x, grad, t, lr, beta):
    z = z - lr * grad
    x = torch.lerp(x, z, 1 / t)
    return z, x, torch.lerp(z, x, beta)
""",
    ],
    "samples_needed": [
        """
from scipy.stats import norm

def samples_needed(std, tolerance, confidence):
    return math.ceil((norm.ppf(0.5 + confidence / 2) * std / tolerance) ** 2)
""",
    ],
}
