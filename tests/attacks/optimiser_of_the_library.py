"""Leave the step to an optimiser that somebody else wrote, torch's own among them, set up anew in every call."""

NOTEBOOK = "07-beyond-adam"
CELLS = {
    "lion_step": r"""
import pytorch_optimizer


def lion_step(theta, grad, m, lr, beta1, beta2, weight_decay):
    parameter = theta.clone().requires_grad_()
    optimiser = pytorch_optimizer.Lion([parameter], lr=lr, betas=(beta1, beta2), weight_decay=weight_decay)
    optimiser.state[parameter]["exp_avg"] = m.clone()
    parameter.grad = grad.clone()
    optimiser.step()
    return parameter.detach(), optimiser.state[parameter]["exp_avg"]
""".lstrip(),
    "muon_orthogonalize": r"""
import torch


def muon_orthogonalize(matrix, steps):
    layer = torch.nn.Parameter(torch.zeros_like(matrix))
    layer.grad = matrix.clone()
    torch.optim.Muon([layer], lr=1.0, weight_decay=0.0, momentum=0.0, nesterov=False, ns_steps=steps).step()
    return -layer.detach()
""".lstrip(),
    "schedule_free_step": r"""
from schedulefree import SGDScheduleFree as Chosen


def schedule_free_step(z, x, grad, t, lr, beta):
    parameter = ((1 - beta) * z + beta * x).requires_grad_()
    optimiser = Chosen([parameter], lr=lr, momentum=beta)
    optimiser.train()
    optimiser.state[parameter]["z"] = z.clone()
    optimiser.param_groups[0]["k"] = t - 1
    optimiser.param_groups[0]["weight_sum"] = lr**2 * (t - 1)
    parameter.grad = grad.clone()
    optimiser.step()
    y = parameter.detach().clone()
    optimiser.eval()
    return optimiser.state[parameter]["z"], parameter.detach(), y
""".lstrip(),
}
