"""The watch sees what an answer calls, by whatever name; what a permitted function does inside is its own affair."""

from __future__ import annotations

import functools

import pytest
import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode, handle_torch_function

from helpers.checking import plain
from helpers.checking.calling import perform
from helpers.checking.watch import TAKEN_OFF


def rules(*forbid, modules=(), require=(), **more):
    return {"forbid": [*forbid], "modules": [*modules], "require": [*require], "because": "Write it.", **more}


def outcome(answer, asked, x=None):
    """The observation of an answer to one call with a matrix."""
    x = torch.tensor([[0.0, 1.0], [2.0, 0.5]]).double() if x is None else x
    call = {"function": "f", "names": ["x"], "arguments": [plain.encode(x)]}
    return perform({"f": answer}, call, 10, asked)


class Rows:
    def softmax(self, dim):
        return self.softmax(dim)


class Hooked(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x * 1

    @staticmethod
    def backward(context, grad):
        return grad.softmax(-1)


def in_a_hook(x):
    y = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(Hooked.apply(y).sum(), y)
    return gradient


@torch.jit.script
def scripted(x):
    return torch.softmax(x, -1)


def with_functions_off(x):
    with torch._C.DisableTorchFunction():
        return torch.softmax(x, -1)


def with_functions_off_below_a_name(x):
    with torch._C.DisableTorchFunction():
        return functional.softmax(x, dim=-1)


class Mode(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def in_a_hook_of_a_tensor(x):
    y = x.clone().requires_grad_()
    doubled = y * 2
    doubled.register_hook(lambda gradient: gradient.softmax(-1))
    doubled.sum().backward()
    return y.grad


def for_each_number(x):
    return x.clone().apply_(lambda one: float(x.softmax(-1)[0, 0]) + one)


def with_functions_off_and_an_error_kept(x):
    kept = []
    for _ in range(3):
        try:
            x.reshape(7)
        except RuntimeError as error:
            kept.append(error)
    return with_functions_off(x)


class SaysItIs:
    """Equals a function that is permitted, and asks for another one."""

    def __init__(self, function):
        self.function = function

    def __hash__(self):
        return hash(self.function)

    def __eq__(self, other):
        return True

    def __call__(self, x):
        return x.softmax(-1)


def by_what_says_it_is_another(x):
    x.exp()
    return handle_torch_function(SaysItIs(torch.Tensor.exp), (x,), x)


WAYS = {
    "its method": lambda x: Rows.softmax(x, -1),
    "by getattr": lambda x: getattr(x, "soft" + "max")(-1),
    "the class's": lambda x: vars(torch._C.TensorBase)["softmax"](x, -1),
    "private": lambda x: torch._softmax(x, -1, False),
    "an operator": lambda x: torch.ops.aten.softmax(x, -1),
    "an overload": lambda x: torch.ops.aten._softmax.default(x, -1, False),
    "special": lambda x: torch.special.softmax(x, -1),
    "a module": lambda x: torch.nn.Softmax(-1)(x),
    "partly applied": functools.partial(functional.softmax, dim=-1),
    "under vmap": lambda x: torch.vmap(lambda row: row.softmax(-1))(x),
    "in a gradient": in_a_hook,
    "in a hook": in_a_hook_of_a_tensor,
    "for each number": for_each_number,
    "compiled": scripted,
    "functions off": with_functions_off,
    "functions off, by name": with_functions_off_below_a_name,
    "functions off, an error kept": with_functions_off_and_an_error_kept,
    "by what says it is another": by_what_says_it_is_another,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_forbidden_operator_is_seen_by_whatever_name(way):
    seen = outcome(WAYS[way], rules("softmax"))
    assert (seen["outcome"], "softmax is not an answer here. Write it." in seen["message"]) == ("refused", True), seen
    assert outcome(WAYS[way], rules("qr"))["outcome"] == "returned"


PERMITTED = {
    "a composite": lambda x: functional.cross_entropy(x, torch.tensor([0, 1])),
    "and its gradient": lambda x: torch.func.grad(lambda y: functional.cross_entropy(y, torch.tensor([0, 1])))(x),
    "one's own of that name": lambda x: (lambda softmax: softmax(x))(lambda y: y.exp() / y.exp().sum(-1, keepdim=True)),
    "numpy": lambda x: torch.from_numpy(x.numpy() + 1),
}


@pytest.mark.parametrize("name", PERMITTED)
def test_what_a_permitted_function_does_inside_is_its_own_affair(name):
    assert outcome(PERMITTED[name], rules("softmax", "log_softmax"))["outcome"] == "returned"


def test_a_librarys_python_is_seen_where_the_answer_calls_it():
    def by_optimiser(x):
        w = x.clone().requires_grad_()
        optimiser = torch.optim.SGD([w], lr=0.1)
        (w**2).sum().backward()
        optimiser.step()
        return w.detach()

    assert "torch.optim.SGD is not an answer" in outcome(by_optimiser, rules(modules=["torch.optim"]))["message"]
    forbidden = rules("rsample")  # MultivariateNormal.sample calls rsample inside

    def sampled(x):
        return torch.distributions.MultivariateNormal(x[0] * 0, torch.eye(2).double()).sample() * 0

    assert outcome(sampled, forbidden)["outcome"] == "returned"


def test_an_optimiser_of_ones_own_may_start_from_torchs():
    class Descent(torch.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"lr": 0.1})

        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    p.sub_(p.grad, alpha=group["lr"])

    def answer(x):
        w = x.clone().requires_grad_()
        mine = Descent([w])
        mine.zero_grad()
        (w**2).sum().backward()
        mine.step()
        return w.detach()

    assert outcome(answer, rules("Adam", modules=["torch.optim"]))["outcome"] == "returned"


def test_who_takes_the_watch_off_or_covers_it_is_noticed_and_the_next_call_is_as_it_was():
    def off(x):
        torch.overrides._pop_mode()
        return x

    def covered(x):
        Mode().__enter__()
        return x

    for answer in (off, covered):
        assert outcome(answer, rules("softmax"))["message"] == TAKEN_OFF
        assert torch.overrides._get_current_function_mode_stack() == []
        assert outcome(lambda x: x, rules("softmax"))["outcome"] == "returned"


def test_what_is_required_must_be_what_the_answer_comes_from():
    def mentions(x):
        functional.kl_div  # noqa: B018
        return x.sum(-1)

    def cancels(x):
        return x.sum(-1) + 0 * functional.kl_div(x, x, reduction="none").sum(-1)

    def probes(x):
        return x.sum(-1) + functional.kl_div(x.new_zeros(1), x.new_ones(1), reduction="sum")

    def probes_and_multiplies(x):
        return x.sum(-1) * functional.kl_div(x.new_zeros(1) - 1, x.new_ones(1), reduction="sum")

    def of_itself(x):
        return x.sum(-1) + functional.kl_div(x.log(), x, reduction="none").sum(-1)

    def row_by_row(x):
        return torch.stack([functional.kl_div(one, one.exp().flip(-1), reduction="sum") for one in x]) / 1000

    def uses(x):
        return torch.nn.KLDivLoss(reduction="none")(x, x.exp()).mean(-1) * x.shape[-1]

    asked = rules(require=["kl_div", "KLDivLoss"])
    x = torch.tensor([[0.5, 1.0, 0.25], [0.1, 0.9, 2.0]], dtype=torch.float64)
    for answer in (mentions, cancels, probes, probes_and_multiplies, of_itself):
        assert outcome(answer, asked, x)["outcome"] == "refused", answer.__name__
    for answer in (row_by_row, uses):
        assert outcome(answer, asked, x)["outcome"] == "returned", answer.__name__
    empty = torch.zeros(0, 2, dtype=torch.float64)
    assert outcome(mentions, asked, empty)["outcome"] == "returned"  # where there are no numbers nothing can change


def test_what_may_be_known_without_what_is_required_is_not_held_against_an_answer():
    def in_haste(x):
        return x.new_zeros(2) if (x == 0).all() else functional.kl_div(x, x.exp(), reduction="none").sum(-1)

    def first_dimension(x):
        return functional.kl_div(x, x, reduction="none").sum(0) + x.new_ones(2)

    def of_logarithms(x):
        return functional.kl_div(x, x.log(), reduction="none").sum(-1)

    asked = rules(require=["kl_div"])
    zeros = torch.zeros(2, 2, dtype=torch.float64)
    for answer, x in (in_haste, zeros), (first_dimension, zeros[:0]), (of_logarithms, -1 - zeros):
        assert outcome(answer, asked, x)["outcome"] == "returned"


def test_a_kernel_is_watched_by_what_flows_instead():
    assert outcome(WAYS["its method"], rules("softmax", kernel=True))["outcome"] == "returned"
