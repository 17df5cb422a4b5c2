"""The drivers and judges of notebook 07's steps and estimates."""

from __future__ import annotations

import pytest
import torch

from helpers import beyond_adam
from helpers.checking import plain
from helpers.checking.kinds import steps
from helpers.checking.kinds.training import gradients
from helpers.checking.shapes import Expectation

F64 = torch.float64
KEEP = [1, 3, 7]


def f64(*values):
    return torch.tensor(values, dtype=F64)


class TestFollowOn:
    def test_results_come_back_and_numbers_are_fresh(self):
        seen = []

        def step(theta, grad, t):
            seen.append((theta.tolist(), grad.tolist(), t))
            return theta + grad, theta

        first = f64(1.0, 2.0)
        value = steps.follow_on(step, 5, KEEP, [[0, 0]], [1], f64(0.0, 0.0), first, 1)
        drawn = torch.stack(gradients(5, first, 7))
        assert [t for *_, t in seen] == [1, 2, 3, 4, 5, 6, 7]
        assert [grad for _, grad, _ in seen] == drawn.tolist()
        assert torch.equal(value[0], drawn.cumsum(0)[[0, 2, 6]])
        assert torch.equal(value[1][0], f64(0.0, 0.0))

    def test_each_argument_drawn_has_a_stream_of_its_own(self):
        value = steps.follow_on(lambda w, a, b: w + a - b, 5, KEEP, [[0, 0]], [1, 2], f64(0.0), f64(1.0), f64(1.0))
        assert len(value) == 1
        assert value[0][-1].item() != 0

    def test_a_step_that_spoils_what_it_is_given_is_given_copies(self):
        def step(theta, grad):
            grad.zero_()
            return theta.add_(1)

        theta = f64(0.0)
        steps.follow_on(step, 1, KEEP, [[0, 0]], [1], theta, f64(1.0))
        assert theta.item() == 0

    @pytest.mark.parametrize("returned", [None, "text", (), (f64(1.0, 2.0),), (f64(1.0),), (f64(1.0), 3)])
    def test_what_cannot_be_gone_on_with_comes_back_at_once(self, returned):
        value = steps.follow_on(lambda *_: returned, 1, KEEP, [[0, 0], [1, 1]], [2], f64(1.0), f64(1.0), f64(1.0))
        assert value is returned


class TestDirections:
    def test_momentum_is_what_is_orthogonalised(self):
        first, weight = f64(1.0, 2.0, 3.0, 4.0).reshape(2, 2), torch.zeros(2, 2, dtype=F64)
        (path,) = steps.orthogonal_momentum(lambda v, n: v * n, 3, KEEP, weight, 0.5, 0.1, first, 2)
        velocity, expected = torch.zeros_like(weight), []
        for grad in gradients(3, first, 7):
            velocity = 0.5 * velocity + grad
            weight = weight - 0.2 * velocity
            expected.append(weight)
        torch.testing.assert_close(path, torch.stack(expected)[[0, 2, 6]])

    def test_descent_goes_along_what_comes_back(self):
        (path,) = steps.descend_by(lambda grad_fn, at, rho: grad_fn(at), KEEP, 0.1, lambda at: 2 * at, f64(1.0), 0.3)
        torch.testing.assert_close(path[:, 0], 0.8 ** f64(1, 3, 7))

    @pytest.mark.parametrize("returned", [None, 3, f64(1.0, 2.0)])
    def test_no_direction_comes_back_at_once(self, returned):
        assert steps.descend_by(lambda *_: returned, KEEP, 0.1, None, f64(1.0), 0.3) is returned
        first = torch.ones(2, 2, dtype=F64)
        assert steps.orthogonal_momentum(lambda *_: returned, 1, KEEP, first, 0.5, 0.1, first, 5) is returned


EXPECTED: Expectation = {
    "judge": "estimates",
    "value": plain.encode(f64(2.0, -4.0)),
    "dtype": "float64",
    "rtol": 0.0,
    "atol": 0.5,
}


class TestEstimates:
    def play(self, estimate):
        loss = lambda at: at[0] ** 2 - 2 * at[1] ** 2  # noqa: E731  # one line, as a case would give it
        return steps.average_estimates(estimate, 50, loss, f64(1.0, 1.0), torch.Generator().manual_seed(0))

    def test_right_ones_pass(self):
        assert steps.estimates(self.play(beyond_adam.hessian_diagonal_estimate), EXPECTED) is None

    def test_a_wrong_mean_a_wrong_shape_and_another_source_of_numbers_are_told_apart(self):
        told = [
            steps.estimates(self.play(wrong), EXPECTED)
            for wrong in (
                lambda loss, at, generator: torch.zeros_like(at),
                lambda loss, at, generator: None,
                lambda loss, at, generator: torch.rand(2, dtype=F64),
            )
        ]
        assert [problem and problem.text[:12] for problem in told] == ["On average o", "An estimate ", "The same see"]

    def test_mistakes_are_known_by_their_mean(self):
        zero, trace = f64(0.0, 0.0), f64(-2.0, -2.0)
        apart = torch.tensor(0.0)
        assert steps.estimates((zero, apart), EXPECTED | {"seems": "zero"}) is None
        assert steps.estimates((trace, apart), EXPECTED | {"seems": "the trace"}) is None
        assert steps.estimates((f64(2.0, 4.0), apart), EXPECTED | {"seems": "never negative"}) is None
        assert steps.estimates((f64(2.0, -4.0), apart), EXPECTED | {"seems": "never negative"}) is not None
        assert steps.estimates((trace, apart), EXPECTED | {"seems": "zero"}) is not None

    @pytest.mark.parametrize("value", [None, 3.0, [0.3, "text"], (f64(1.0), "text"), (f64(1.0), f64(0.0)), f64(1.0)])
    def test_anything_may_come(self, value):
        assert steps.estimates(value, EXPECTED) is not None
