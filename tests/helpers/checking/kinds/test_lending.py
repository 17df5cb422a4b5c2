"""A lent step reaches a training function wherever it has the name from, and everything is put back."""

from __future__ import annotations

import functools
import random

import numpy as np
import pytest
import torch

from helpers.checking.kinds.lending import (
    down,
    for_each_seed,
    lend,
    lendable,
    lent,
    namespace,
    reseed,
    right_step,
    shorter,
    zeroed,
)

PARTS = "theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay"
STUB = f"def adamw_step({PARTS}):\n    raise NotImplementedError()\n"
OWN = f"def adamw_step({PARTS}):\n    return theta - grad, m, v\n"
WAYS = {
    "by name": "def train(seed):\n    return one(adamw_step, seed)\n",
    "in a closure": "def make():\n    step = adamw_step\n    return lambda seed: one(step, seed)\ntrain = make()\n",
    "as a default": "def train(seed, step=adamw_step):\n    return one(step, seed)\n",
    "under another name": "update = adamw_step\ndef train(seed):\n    return one(update, seed)\n",
    "in a class": (
        "class Optimiser:\n    step = staticmethod(adamw_step)\n"
        "def train(seed):\n    return one(Optimiser.step, seed)\n"
    ),
    "partly applied": (
        "import functools\nupdate = functools.partial(adamw_step, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.5)\n"
        "def train(seed):\n    return one(update, seed, 4)\n"
    ),
    "in a method": (
        "class Trainer:\n    def train(self, seed):\n        return one(adamw_step, seed)\ntrain = Trainer().train\n"
    ),
    "in a callable": "class T:\n    def __call__(self, seed):\n        return one(adamw_step, seed)\ntrain = T()\n",
}
DECORATED = f"import torch\n@torch.no_grad()\n{OWN}"


def one(step, seed, left_out=0):
    """One step from 1 with gradient 2."""
    rates = (0.9, 0.999, 1e-8, 0.5)[left_out:]
    theta, *_ = step(torch.tensor(1.0).double(), torch.tensor(2.0).double(), 0.0, 0.0, 1, 0.1, *rates)
    return round(theta.item(), 6)


def cell(text):
    space = {"one": one}
    exec(text, space)
    return space


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("own", [STUB, OWN, DECORATED])
def test_the_lent_step_is_taken_and_given_back(own, way):
    space = cell(own + WAYS[way])
    before = space["adamw_step"]
    assert lend(space["train"], 3) == (0.85, 0.85, 0.865, None, "")  # .95 - .1, and at nine tenths of the rate
    assert space["adamw_step"] is before
    if own is not STUB:
        assert space["train"](3) == -1.0


def test_a_name_that_is_not_there_is_lent_and_taken_away():
    space = cell(WAYS["by name"])
    assert lend(space["train"], 3)[0] == 0.85
    assert "adamw_step" not in space


def test_everything_is_given_back_after_an_error():
    space = cell(OWN + "def train(seed):\n    raise OverflowError\n")
    with pytest.raises(OverflowError):
        lend(space["train"], 1)
    assert one(space["adamw_step"], 0) == -1.0


def test_what_has_no_names_of_its_own_is_just_called():
    assert namespace(len) == {}
    with lent(len, right_step):
        assert len("abc") == 3
    assert namespace(functools.partial(one, 3)) is one.__globals__


def test_the_lent_step_is_adamw():
    generator = torch.Generator().manual_seed(0)
    theta = torch.randn(5, generator=generator, dtype=torch.float64)
    parameter = theta.clone().requires_grad_()
    optimiser = torch.optim.AdamW([parameter], lr=0.05, weight_decay=0.1)
    m = v = torch.zeros_like(theta)
    for t in range(1, 20):
        grad = torch.randn(5, generator=generator, dtype=torch.float64)
        parameter.grad = grad
        optimiser.step()
        theta, m, v = right_step(theta, grad, m, v, t, 0.05, 0.9, 0.999, 1e-8, 0.1)
        torch.testing.assert_close(theta, parameter.detach(), rtol=1e-12, atol=1e-14)
    slower = lendable(shorter)(theta, grad, m, v, 20, 0.05, 0.9, 0.999, 1e-8, 0.1)[0]
    torch.testing.assert_close(slower, right_step(theta, grad, m, v, 20, 0.045, 0.9, 0.999, 1e-8, 0.1)[0])
    x = np.ones(3)  # NumPy's arrays go through it, too
    assert right_step(x, x, 0 * x, 0 * x, 1, 0.1, 0.9, 0.999, 1e-8, 0.0)[0] == pytest.approx(0.9 * x)


def test_reseeding_moves_the_global_generators_and_puts_them_back():
    draws = []

    def train(seed):
        draws.append((torch.rand(()).item(), float(np.random.rand()), random.random()))
        return seed

    before = (torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate())
    assert reseed(train, 8, 7) == (7, 7, 8)
    assert len(set(draws)) == 3
    assert for_each_seed(train, [2, 3], 1) == (1, 2, 3)
    draws.clear()
    lend(train, 1)
    assert len(set(draws)) == 1  # so that a run from the global generator repeats
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (np.random.get_state()[1].tolist(), random.getstate())


@pytest.mark.parametrize("each", [1, 3])
def test_late_in_a_further_run_weights_come_back_as_zeros_and_moved_and_then_as_they_were(each):
    seen = []

    def train(seed):
        parameters, losses = [(1.0 + i, 0.0, 0.0) for i in range(each)], []
        for t in range(1, 21):
            losses.append(sum(theta for theta, _, _ in parameters))
            stepped = [space["adamw_step"](x, 0.1, m, v, t, 0.01, 0.9, 0.999, 1e-8, 0.0) for x, m, v in parameters]
            parameters = stepped
        seen.append(losses)
        return losses, [0, 1, 1, 0]

    space = cell(OWN)
    one_like_it = cell(OWN + "def train(seed):\n    return inner(seed)\n")
    one_like_it["inner"], space = train, one_like_it
    right, _, _, with_zeros, fault = lend(space["train"], 1)
    begin = zeroed(20)
    assert with_zeros[0][: begin.start + 1] == right[0][: begin.start + 1]
    assert with_zeros[0][begin.start + 1 : begin.stop + 1] == [0.0] * len(begin)
    assert with_zeros[0][begin.stop + 1 : begin.stop + 5] == [-20.0 * each] * 2 + [-1.0 * each] * 2
    assert with_zeros[0][begin.stop + 5] == right[0][begin.start + 1]
    assert fault == ""


def test_weights_move_against_their_gradient_the_farthest_by_as_much_as_is_said():
    slope = torch.tensor([[0.5, -2.0], [0.0, 1.0]])
    assert torch.equal(down(slope, 4.0), torch.tensor([[-1.0, 4.0], [0.0, -2.0]]))
    for nothing in (torch.zeros(2), torch.zeros(0)):
        assert torch.equal(down(nothing, 4.0), nothing)
    assert down(0.5, 4.0) == -4.0
    assert np.array_equal(down(np.array([1.0, -1.0]), 2.0), [-2.0, 2.0])


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("m, v, t", ""),
        ("m * 1.0, v * (1 + 1e-7), torch.tensor(t)", ""),
        ("m, v, 1", "count"),
        ("m, v, t + 1", "count"),
        ("m, v, t - 1 if t > 5 else t", "count"),
        ("0 * m, 0 * v, t", "state"),
        ("m, v + 1e-3, t", "state"),
        ("v, m, t", "state"),
        ("m.neg_() if t == 7 else m, v, t", "state"),
    ],
)
def test_what_the_step_is_given_is_held_against_what_came_back(given, fault):
    loop = f"""
import torch

def train(seed):
    parameters = [(torch.ones(2, 2), torch.zeros(2, 2), torch.zeros(2, 2)) for _ in range(3)]
    for t in range(1, 12):
        grads = [torch.full((2, 2), 0.1 * t + i) for i in range(3)]
        parameters = [
            adamw_step(x, g, *({given}, 0.01, 0.9, 0.999, 1e-8, 0.0)) for (x, m, v), g in zip(parameters, grads)
        ]
    return [0.5] * 4, [0, 1, 1, 0]
"""
    assert lend(cell(OWN + loop)["train"], 1)[-1] == fault


def test_steps_may_be_taken_anew_and_in_another_order():
    loop = """
def train(seed):
    for _ in range(2):
        state = {name: (1.0, 0.0, 0.0) for name in "abc"}
        for t in range(1, 9):
            for name in ("abc", "cab", "bca")[t % 3]:
                theta, m, v = state[name]
                state[name] = adamw_step(theta, ord(name) - 96.0, m, v, t, 0.01, 0.9, 0.999, 1e-8, 0.0)
    return [0.5] * 4, [0, 1, 1, 0]
"""
    assert lend(cell(OWN + loop)["train"], 1)[-1] == ""
