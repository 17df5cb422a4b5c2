from __future__ import annotations

import pytest
import torch

from helpers import xor
from helpers.optimisers import adam_step


def test_nets_side_by_side_train_as_each_would_alone():
    losses = xor.train_many(0.1, nets=3, steps=40, seed=5)
    for net in range(3):
        parameters = [p[net : net + 1] for p in xor.initial(5, 3)]
        state = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
        alone = []
        for t in range(1, 41):
            leaves = [p.clone().requires_grad_() for p in parameters]
            z = xor.logits(leaves, xor.INPUTS)[0]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(z, xor.LABELS)
            alone.append(loss.item())
            grads = torch.autograd.grad(loss, leaves)
            stepped = [
                adam_step(p, g, m, v, t, 0.1, 0.9, 0.999, 1e-8)
                for p, g, (m, v) in zip(parameters, grads, state, strict=True)
            ]
            parameters, state = [s[0] for s in stepped], [s[1:] for s in stepped]
        assert losses[net].tolist() == pytest.approx(alone, rel=1e-9)


def test_the_first_uncorrected_step_is_longer_by_the_ratio():
    """At a tiny rate the loss falls in proportion to the step."""
    start, *_ = xor.train_many(1e-6, nets=1, steps=1)[0]
    falls = [(start - xor.train_many(1e-6, corrected, nets=1, steps=2)[0, 1]).item() for corrected in (True, False)]
    assert falls[1] / falls[0] == pytest.approx(0.1 / 0.001**0.5, rel=1e-3)


def test_one_seed_gives_one_result_and_threads_are_left_alone():
    before = torch.get_num_threads()
    first, again, other = (xor.train_many(0.1, nets=2, steps=5, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("lr must be positive", {"lr": 0.0}),
        ("beta2 in", {"lr": 0.1, "beta2": 1.0}),
        ("at least one net", {"lr": 0.1, "nets": 0}),
        ("at least one net and one step", {"lr": 0.1, "steps": 0}),
    ],
)
def test_bad_input_is_refused(words, arguments):
    with pytest.raises(ValueError, match=words):
        xor.train_many(**arguments)
