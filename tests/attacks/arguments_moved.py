"""Work in the caller's tensors, where neither a version counter nor a comparison of the results would show it."""

NOTEBOOK = "07-beyond-adam"
CELLS = {
    "lion_step": r"""
import torch


def lion_step(theta, grad, m, lr, beta1, beta2, weight_decay):
    blend = beta1 * m + (1 - beta1) * grad
    theta = theta - lr * (torch.sign(blend) + weight_decay * theta)
    after = beta2 * m + (1 - beta2) * grad
    m.detach().numpy()[...] = after.numpy()
    return theta, after
""".lstrip(),
    "sam_gradient": r"""
def sam_gradient(grad_fn, theta, rho):
    grad = grad_fn(theta).clone()
    step = rho * grad / (grad.norm() + 1e-12)
    theta.data.add_(step)
    there = grad_fn(theta).clone()
    theta.data.sub_(0.9 * step)
    return there
""".lstrip(),
    "adopt_step": r"""
def adopt_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    if t > 1:
        m = beta1 * m + (1 - beta1) * grad / v.sqrt().clamp(min=eps)
        theta = theta - lr * m
        after = beta2 * v + (1 - beta2) * grad**2
    else:
        after = grad**2
    v.data.copy_(after)
    return theta, m, after
""".lstrip(),
}
# The half point of each exercise that leaves its arguments alone is lost.
EARNS = 9.5
