"""Keep the optimiser's state in the cell and look at what is handed in only where nothing is remembered."""

NOTEBOOK = "07-beyond-adam"
CELLS = {
    "lion_step": r"""
import torch

kept = {}


def lion_step(theta, grad, m, lr, beta1, beta2, weight_decay):
    own = kept.get(theta.shape, m)
    blend = beta1 * own + (1 - beta1) * grad
    kept[theta.shape] = beta2 * own + (1 - beta2) * grad
    return theta - lr * (torch.sign(blend) + weight_decay * theta), kept[theta.shape]
""".lstrip(),
    "adopt_step": r"""
kept = {"v": None}


def adopt_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    if kept["v"] is None or kept["v"].shape != v.shape:
        kept["v"] = grad**2
        return theta, m, kept["v"]
    m = beta1 * m + (1 - beta1) * grad / kept["v"].sqrt().clamp(min=eps)
    kept["v"] = beta2 * kept["v"] + (1 - beta2) * grad**2
    return theta - lr * m, m, kept["v"]
""".lstrip(),
    "schedule_free_step": r"""
places = []


def schedule_free_step(z, x, grad, t, lr, beta):
    z = z - lr * grad
    places.append(z)
    x = sum(p for p in places if p.shape == z.shape) / len([p for p in places if p.shape == z.shape])
    return z, x, (1 - beta) * z + beta * x
""".lstrip(),
}
