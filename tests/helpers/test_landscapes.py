from __future__ import annotations

import io
import itertools
import math

import matplotlib
import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from benchmarks import explorer
from helpers import plotting
from helpers.figures import landscapes as figures
from helpers.figures.landscape_explorer import (
    ANGLES,
    KAPPAS,
    MOMENTA,
    RATES,
    STILLS,
    LandscapePicture,
    drawable,
    inside,
    landscape_stills,
    verdict,
)
from helpers.landscapes import (
    bowl_loss,
    condition_number,
    gradient_descent,
    heavy_ball,
    heavy_ball_optimum,
    max_stable_lr,
    natural_gradient_step,
    nesterov,
    nesterov_bowl_optimum,
    nesterov_optimum,
    optimal_lr,
    rotated_bowl,
    rotation,
    steps_to_reach,
    top_hessian_eigenvalue,
)

proof = settings(deadline=None, derandomize=True, max_examples=40)
OF_A_HESSIAN = [condition_number, max_stable_lr, lambda h: optimal_lr(h)[0], lambda h: optimal_lr(h)[1]]


def vector(*values: float, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(values, dtype=dtype)


def turned(eigenvalues: list[float], seed: int = 0) -> Tensor:
    """A symmetric matrix with these eigenvalues in a random basis."""
    basis = torch.from_numpy(np.atleast_2d(scipy.stats.ortho_group.rvs(max(len(eigenvalues), 2), random_state=seed)))
    basis = basis if len(eigenvalues) > 1 else torch.ones(1, 1, dtype=torch.float64)
    matrix = basis @ torch.diag(vector(*eigenvalues)) @ basis.T
    return (matrix + matrix.T) / 2


spectra = st.lists(st.floats(0.1, 50), min_size=1, max_size=5)


# Bowls


@proof
@given(spectra, st.integers(0, 99))
def test_condition_number_and_learning_rates_follow_from_the_eigenvalues(eigenvalues, seed):
    hessian = turned(eigenvalues, seed)
    low, high = min(eigenvalues), max(eigenvalues)
    assert condition_number(hessian).item() == pytest.approx(high / low, rel=1e-9)
    assert condition_number(hessian).item() == pytest.approx(np.linalg.cond(hessian), rel=1e-9)
    assert max_stable_lr(hessian).item() == pytest.approx(2 / high, rel=1e-9)
    lr, rate = optimal_lr(hessian)
    factors = [abs(1 - lr.item() * lam) for lam in eigenvalues]
    assert max(factors) == pytest.approx(rate.item(), rel=1e-9, abs=1e-9)


@proof
@given(spectra, st.floats(0.1, 10), st.integers(0, 9))
def test_scaling_a_bowl_scales_its_learning_rates_only(eigenvalues, scale, seed):
    hessian = turned(eigenvalues, seed)
    assert condition_number(scale * hessian).item() == pytest.approx(condition_number(hessian).item())
    assert max_stable_lr(scale * hessian).item() == pytest.approx(max_stable_lr(hessian).item() / scale)


def test_the_best_learning_rate_is_the_best():
    lam = np.array([0.7, 2.0, 9.0])
    best = scipy.optimize.minimize_scalar(
        lambda lr: np.abs(1 - lr * lam).max(), bracket=(0, 0.1, 0.3), method="golden", tol=1e-10
    )
    lr, rate = optimal_lr(turned(lam.tolist()))
    assert (lr.item(), rate.item()) == (pytest.approx(best.x, rel=1e-6), pytest.approx(best.fun, rel=1e-6))


@pytest.mark.parametrize("function", OF_A_HESSIAN)
def test_batches_and_dtypes(function):
    batch = torch.stack([turned([1, 2, 5], seed) * (seed + 1) for seed in range(4)]).reshape(2, 2, 3, 3)
    together = function(batch)
    assert together.shape == (2, 2)
    for i, j in itertools.product(range(2), range(2)):
        torch.testing.assert_close(together[i, j], function(batch[i, j]))
    assert function(torch.zeros(0, 3, 3)).shape == (0,)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        assert function(torch.diag(vector(1, 2, dtype=dtype))).dtype == dtype


@pytest.mark.parametrize("function", OF_A_HESSIAN)
@pytest.mark.parametrize(
    ("hessian", "word"),
    [
        (torch.eye(2, dtype=torch.int64), "floating"),
        (torch.ones(2, 3), "square"),
        (torch.ones(3), "square"),
        (torch.tensor([[1.0, 100.0], [0.0, 1.0]]), "symmetric"),
        (torch.diag(vector(1, -1)), "positive definite"),
        (torch.diag(vector(1, 0)), "positive definite"),
        (torch.diag(vector(1, math.nan)), "finite"),
        ([[1.0]], "torch tensor"),
    ],
)
def test_bad_hessians_are_refused_by_name(function, hessian, word):
    with pytest.raises(ValueError, match=f"hessian .*{word}"):
        function(hessian)


def test_a_rotated_bowl_is_the_bowl_in_turned_axes():
    hessian, turn, point = rotated_bowl(30, 0.4), rotation(0.4), vector(0.3, -1.2)
    assert bowl_loss(hessian, turn @ point).item() == pytest.approx(0.3**2 + 30 * 1.2**2)
    assert condition_number(hessian).item() == pytest.approx(30)
    torch.testing.assert_close(turn @ turn.T, torch.eye(2, dtype=torch.float64))
    with pytest.raises(ValueError, match="kappa"):
        rotated_bowl(0.5)
    with pytest.raises(ValueError, match="shapes of hessian and theta"):
        bowl_loss(hessian, torch.ones(3))


# Paths


def by_torch(grad_fn, theta0, steps, **settings):
    theta = theta0.clone().requires_grad_()
    method, path = torch.optim.SGD([theta], **settings), [theta0]
    for _ in range(steps):
        theta.grad = grad_fn(theta.detach())
        method.step()
        path.append(theta.detach().clone())
    return torch.stack(path)


@proof
@given(st.floats(0.01, 0.3), st.floats(0.05, 0.95), st.integers(0, 30))
def test_paths_are_those_of_torch(lr, momentum, steps):
    def slope(theta):
        return torch.tanh(vector(1, 2, 0.5) * theta)

    start = vector(1.5, -0.7, 3)
    torch.testing.assert_close(gradient_descent(slope, start, lr, steps), by_torch(slope, start, steps, lr=lr))
    torch.testing.assert_close(
        heavy_ball(slope, start, lr, momentum, steps), by_torch(slope, start, steps, lr=lr, momentum=momentum)
    )
    path = nesterov(slope, start, lr, momentum, steps)
    velocity = torch.diff(path, dim=0, prepend=path[:1])
    ahead = by_torch(slope, start, steps, lr=lr, momentum=momentum, nesterov=True)
    torch.testing.assert_close(path + momentum * velocity, ahead)


@pytest.mark.parametrize("method", [heavy_ball, nesterov])
def test_paths_turn_with_the_axes(method):
    turn, hessian, start = rotation(0.7), rotated_bowl(20), vector(1, 1)
    turned_hessian = turn @ hessian @ turn.T
    path = method(lambda theta: hessian @ theta, start, 0.01, 0.8, 40)
    turned_path = method(lambda theta: turned_hessian @ theta, turn @ start, 0.01, 0.8, 40)
    torch.testing.assert_close(turned_path, path @ turn.T)


def test_a_path_owns_its_points_and_leaves_its_start_alone():
    start = vector(1, 2, dtype=torch.float32)
    path = gradient_descent(lambda theta: theta, start, 0.5, 2)
    assert path.tolist() == [[1, 2], [0.5, 1], [0.25, 0.5]]
    assert start.tolist() == [1, 2]
    assert path.dtype == torch.float32
    assert gradient_descent(lambda theta: theta, start, 0.5, 0).tolist() == [[1, 2]]


def test_a_run_that_diverges_is_followed_to_the_end():
    path = gradient_descent(lambda theta: 1e6 * theta, vector(1), 1.0, 80)
    assert not path[-1].isfinite().any()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"theta0": torch.ones(2, 2)}, "theta0"),
        ({"theta0": torch.ones(2, dtype=torch.int64)}, "theta0"),
        ({"lr": -0.1}, "lr"),
        ({"lr": math.nan}, "lr"),
        ({"beta": 1.5}, "beta"),
        ({"steps": -1}, "steps"),
        ({"steps": 2.0}, "steps"),
        ({"grad_fn": lambda theta: theta[:1]}, "grad_fn"),
    ],
)
def test_bad_runs_are_refused_by_name(change, word):
    good = {"grad_fn": lambda theta: theta, "theta0": torch.ones(2), "lr": 0.1, "beta": 0.5, "steps": 2}
    with pytest.raises(ValueError, match=word):
        heavy_ball(**{**good, **change})


@proof
@given(st.floats(0.1, 5), st.floats(1, 200))
def test_heavy_balls_best_settings_give_every_direction_the_rate_root_beta(low, kappa):
    lr, beta = heavy_ball_optimum(low, kappa * low)
    for lam in np.linspace(low, kappa * low, 7):
        roots = np.abs(np.roots([1, -(1 + beta - lr * lam), beta]))
        assert roots.max() == pytest.approx(
            math.sqrt(beta), abs=1e-4 + 1e-6
        )  # double roots are known to half the digits


def test_no_other_settings_are_faster():
    lr, beta = heavy_ball_optimum(1, 25)

    def slowest(lr, beta):
        return max(np.abs(np.roots([1, -(1 + beta - lr * lam), beta])).max() for lam in (1, 25))

    best = slowest(lr, beta)
    for a, b in itertools.product((0.9, 1, 1.1), (0.9, 1, 1.1)):
        assert slowest(a * lr, b * beta) >= best - 1e-7
    assert nesterov_optimum(1, 25) == (pytest.approx(1 / 25), pytest.approx(2 / 3))


def test_no_settings_of_nesterovs_method_are_faster_on_bowls():
    def slowest(settings):
        lr, mu = settings
        return max(
            np.abs(np.roots([1, -(1 + mu) * (1 - lr * lam), mu * (1 - lr * lam)])).max() for lam in (1, 3, 12, 25)
        )

    best = nesterov_bowl_optimum(1, 25)
    assert slowest(best) == pytest.approx(1 - 2 / math.sqrt(3 * 25 + 1), abs=1e-6)
    starts = itertools.product((0.02, 0.04, 0.06), (0.4, 0.6, 0.8))
    found = [
        scipy.optimize.minimize(slowest, start, method="Nelder-Mead", options={"xatol": 1e-9}).fun for start in starts
    ]
    assert min(found) >= slowest(best) - 1e-6
    assert slowest(nesterov_optimum(1, 25)) > slowest(best)


@pytest.mark.parametrize("ends", [(0, 1), (-1, 1), (2, 1), (1, math.inf), (math.nan, 1)])
def test_bad_spectra_are_refused(ends):
    with pytest.raises(ValueError, match="lambda_min"):
        heavy_ball_optimum(*ends)
    with pytest.raises(ValueError, match="lambda_min"):
        nesterov_bowl_optimum(*ends)


@given(st.lists(st.sampled_from([0.5, 1.0, 2.0, math.nan, math.inf])), st.sampled_from([0.4, 0.5, 1.5]))
def test_steps_to_reach_finds_the_first(losses, threshold):
    want = next((i for i, loss in enumerate(losses) if loss <= threshold), None)
    assert steps_to_reach(losses, threshold) == want
    assert steps_to_reach(vector(*losses), threshold) == want


def test_steps_to_reach_refuses_what_is_no_list_of_losses():
    with pytest.raises(ValueError, match="losses"):
        steps_to_reach(torch.ones(2, 2), 0.5)
    with pytest.raises(ValueError, match="threshold"):
        steps_to_reach([1.0], math.nan)


# Curvature


@pytest.mark.parametrize("eigenvalues", [[1, 2, 9], [-9, 1, 2], [5], [0.1, 0.2, 0.3, 40]])
def test_power_iteration_finds_the_eigenvalue_of_largest_magnitude(eigenvalues):
    hessian = turned(eigenvalues)
    want = max(eigenvalues, key=abs)
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        got = top_hessian_eigenvalue(
            lambda theta: bowl_loss(hessian, theta), torch.ones(len(hessian)).double(), 80, generator
        )
        assert got == pytest.approx(want, rel=1e-9)


def test_power_iteration_at_a_point_of_a_loss_of_any_shape():
    params = torch.arange(6, dtype=torch.float64).reshape(2, 3)
    before = params.clone()
    top = top_hessian_eigenvalue(lambda theta: (theta**4).sum() / 12, params, 100, torch.Generator().manual_seed(0))
    assert top == pytest.approx(25)
    assert torch.equal(params, before)
    assert not params.requires_grad


def test_flat_losses_have_no_curvature():
    assert top_hessian_eigenvalue(lambda theta: theta.sum(), torch.ones(3), 5) == 0
    assert top_hessian_eigenvalue(lambda theta: 0 * (theta**2).sum(), torch.ones(3), 5) == 0


@pytest.mark.parametrize(
    ("loss_fn", "params", "iterations", "word"),
    [
        (torch.sum, torch.ones(2, dtype=torch.int64), 5, "params"),
        (torch.sum, torch.ones(2), 0, "iterations"),
        (torch.square, torch.ones(2), 5, "loss_fn"),
    ],
)
def test_bad_power_iterations_are_refused(loss_fn, params, iterations, word):
    with pytest.raises(ValueError, match=word):
        top_hessian_eigenvalue(loss_fn, params, iterations)


@proof
@given(spectra, st.floats(0, 2), st.integers(0, 9))
def test_the_natural_gradient_solves_with_the_damped_matrix(eigenvalues, damping, seed):
    fisher, grad = turned(eigenvalues, seed), torch.linspace(-1, 1, len(eigenvalues), dtype=torch.float64)
    theta = natural_gradient_step(torch.zeros_like(grad), grad, fisher, 1.0, damping)
    torch.testing.assert_close(-(fisher @ theta + damping * theta), grad)


def test_one_natural_step_reaches_the_minimum_of_any_bowl():
    hessian, start = turned([0.01, 1, 1000]), vector(1, 2, 3)
    theta = natural_gradient_step(start, hessian @ start, hessian, 1.0, 0.0)
    assert theta.abs().max() < 1e-9


def test_natural_steps_in_batches_and_dtypes():
    fisher = torch.stack([turned([1, 3, 5], seed) for seed in range(3)])
    theta, grad = torch.ones(3, 3, dtype=torch.float64), torch.arange(9, dtype=torch.float64).reshape(3, 3)
    together = natural_gradient_step(theta, grad, fisher, 0.5, 0.1)
    for i in range(3):
        torch.testing.assert_close(together[i], natural_gradient_step(theta[i], grad[i], fisher[i], 0.5, 0.1))
    assert natural_gradient_step(*(x.float() for x in (theta, grad, fisher)), 0.5, 0.1).dtype == torch.float32
    assert natural_gradient_step(theta[:0], grad[:0], fisher[:0], 0.5, 0.1).shape == (0, 3)


def test_bad_natural_steps_are_refused():
    one = torch.ones(2)
    with pytest.raises(ValueError, match="shapes of theta, grad and fisher"):
        natural_gradient_step(one, one, torch.eye(3), 0.1, 0.1)
    with pytest.raises(ValueError, match="positive definite"):
        natural_gradient_step(one, one, torch.ones(2, 2), 0.1, 0.0)
    natural_gradient_step(one, one, torch.ones(2, 2), 0.1, 0.5)  # damping mends it


# Figures


@pytest.fixture(scope="module")
def picture():
    return LandscapePicture()


def test_the_explorer_draws_every_slider_position(picture):
    kappas, angles, rates = (KAPPAS[0], 17.0, KAPPAS[1]), (ANGLES[0], 40, ANGLES[1]), (RATES[0], 0.05, RATES[1])
    seen = set()
    for i, (kappa, angle, lr, method) in enumerate(itertools.product(kappas, angles, rates, figures.METHODS)):
        view = picture.draw(kappa, angle, lr, (MOMENTA[0], 0.9, MOMENTA[1])[i % 3], method)
        image = np.asarray(Image.open(io.BytesIO(view.png)))
        ink = (image != 255).any(-1)[:, : image.shape[1] // 2].mean()
        assert 0.01 < ink < 0.9, view.words
        seen.add(view.words.split(": ")[1].split(" ")[0])
    assert {"diverges", "reaches"} < seen


def test_divergence_is_shown_as_divergence(picture):
    for lr, diverges in ((0.0099, False), (0.0101, True)):
        view = picture.draw(100, 30, lr, 0.0, "gradient descent")
        assert ("diverges" in view.words) == diverges
        vermilion = (np.asarray(Image.open(io.BytesIO(view.png))) == (0xD5, 0x5E, 0x00)).all(-1)
        assert vermilion.any() == diverges


def test_a_redraw_leaves_nothing_of_the_last_one_behind(picture):
    first = picture.draw(20, 0, 0.04, 0.9, "gradient descent").png
    assert picture.draw(500, 60, 0.9, 0.5, "heavy ball").png != first
    assert picture.draw(20, 0, 0.04, 0.3, "gradient descent").png == first  # gradient descent has no momentum


def test_the_momentum_slider_moves_the_limit(picture):
    for method in ("heavy ball", "Nesterov"):
        words = [picture.draw(100, 0, 0.0125, beta, method).words for beta in (0.0, 0.5)]
        assert "diverges" in words[0]
        assert f"{method}, momentum 0.50" in words[1]
        assert ("diverges" in words[1]) == (method == "Nesterov")  # whose limit falls where heavy ball's rises


def test_the_stills_show_what_became_of_each_run():
    figure = landscape_stills()
    assert len(figure.axes) == len(STILLS)
    for axes, (kappa, angle, lr, _, method) in zip(figure.axes, STILLS, strict=True):
        assert axes.get_title("left").startswith(method)
        path = np.asarray(axes.get_lines()[0].get_xydata())
        hessian, start = rotated_bowl(kappa, math.radians(angle)), rotation(math.radians(angle)) @ vector(1, 1)
        assert path[0] == pytest.approx(start.numpy())
        if method != "Adam":
            assert path[1] == pytest.approx((start - lr * hessian @ start).numpy())
    alt = plotting.alt_of(figure)
    assert "momentum 0.50, learning rate 0.0125: reaches" in alt
    assert "momentum 0.50, learning rate 0.0155: diverges" in alt


def test_runs_that_overflow_can_be_drawn_and_named():
    path = gradient_descent(lambda theta: 1e6 * theta, vector(1, 1), 1.0, 80)
    assert inside(path).isfinite().all()
    losses = figures.shares(bowl_loss(rotated_bowl(100), path))
    assert drawable(losses).isfinite().all()
    assert verdict(losses).startswith("diverges")


def test_the_explorers_benchmark_measures_every_method():
    result = explorer.measure(positions=4, repeats=1)
    assert sorted(result["median_ms"]) == sorted(figures.METHODS)
    assert 0 < min(result["median_ms"].values()) <= result["slowest_ms"]
    assert any(result["slowest_at"].startswith(method) for method in figures.METHODS)


def test_titles_are_drawn_in_the_courses_style_too():
    def ink_above_the_axes(picture):
        image = np.asarray(Image.open(io.BytesIO(picture.draw(20, 0, 0.04, 0.9, "Adam").png)))
        return (image[: image.shape[0] // 14] != 255).any(-1).sum()

    with matplotlib.rc_context():
        plotting.use_course_style()
        assert ink_above_the_axes(LandscapePicture()) > 100


def test_the_sliders_redraw_the_picture():
    pytest.importorskip("ipywidgets")
    from helpers.figures.landscape_explorer import landscape_explorer

    *controls, screen = landscape_explorer().children
    before = screen.value
    assert 'alt="gradient descent at condition number 20' in before
    controls[0].value = "Adam"
    assert 'alt="Adam at condition number 20' in screen.value


@pytest.mark.parametrize("angle", [0.0, 0.5])
def test_paths_on_contours_say_how_many_steps_each_method_takes(angle):
    figure = figures.paths_on_contours(10, angle)
    titles = [axes.get_title("left") for axes in figure.axes]
    settings = {m: figures.best_settings(m, 10, angle) for m in figures.METHODS}
    steps = [figures.steps_from_corner(m, 10, angle, *settings[m], 400) for m in figures.METHODS]
    assert titles == [f"{m}: {count} steps" for m, count in zip(figures.METHODS, steps, strict=True)]
    swing = np.abs(np.asarray(figure.axes[1].get_lines()[0].get_xydata())).max()
    assert f"heavy ball takes {steps[1]} steps and strays to {swing:.2f}" in plotting.alt_of(figure)
    assert swing < figure.axes[1].get_xlim()[1]  # the whole path is in the picture


def test_the_split_of_the_loss_says_where_the_steep_part_falls_below_the_flat_one():
    figure = figures.loss_by_direction()
    flat, steep = (np.asarray(line.get_ydata(), dtype=float) for line in figure.axes[0].get_lines())
    assert flat[0] + steep[0] == pytest.approx(101)
    step = int(np.argmax(steep <= flat))
    assert f"at 0.0090 the steep part falls below the flat one at step {step};" in plotting.alt_of(figure)
    flat, steep = (np.asarray(line.get_ydata(), dtype=float) for line in figure.axes[1].get_lines())
    assert steep / flat == pytest.approx(100)  # equally slow, at the learning rate with the best worst case


def test_the_edge_of_stability_is_described_from_its_data():
    figure = figures.edge_of_stability([0, 5, 10], {0.1: [9.0, 22.0, 19.4], 0.2: [9.0, 8.0, 10.1]})
    alt = plotting.alt_of(figure)
    assert "at 0.1, limit 20, it ends at 19 after a peak of 22; at 0.2, limit 10, it ends at 10" in alt
    assert [line.get_ydata()[0] for line in figure.axes[0].get_lines()[1::2]] == [20, 10]


def test_the_promise_is_told_of_nesterovs_method_and_broken_by_gradient_descent():
    alt = plotting.alt_of(figures.promises_of_momentum((5, 190, 210)))  # it crosses between 190 and 195
    assert "that of Nesterov's method stays between its promise and the bound" in alt
    assert alt.endswith("gradient descent's is above the promise from T = 210 on.")


def test_figures_draw_and_label_their_axes():
    spectrum = vector(-0.5, 1e-9, 0.1, 3)
    drawn = [
        figures.learning_rates(),
        figures.loss_by_direction(),
        figures.root_moduli(),
        figures.edge_of_stability([0, 1], {0.1: [3.0, 4.0]}),
        figures.steps_against_kappa((10, 20)),
        figures.steps_against_angle(10, (0, 45)),
        figures.promises_of_momentum(),
        figures.hessian_spectrum(spectrum, 3.0),
        figures.natural_gradient_paths(),
    ]
    for figure in drawn:
        figure.canvas.draw()
        assert all(axes.get_xlabel() for axes in figure.axes)
        assert figure.axes[0].get_ylabel()
        assert len(plotting.Picture(figure, plotting.alt_of(figure)).png) < 60_000


def test_the_divergence_of_gaussians_is_torchs():
    theta = vector(0.3, -0.8)
    normal = torch.distributions.Normal
    want = torch.distributions.kl_divergence(normal(vector(1.0), vector(0.1)), normal(theta[:1], theta[1:].exp()))
    assert figures.gaussian_divergence(theta, 1.0, 0.1).item() == pytest.approx(want.item())


def test_the_fisher_descent_follows_the_gradient_of_the_divergence():
    path = figures.fit_gaussian(1.0, 0.5, 0.01, 3, natural=False)
    theta = path[1].clone().requires_grad_()
    (grad,) = torch.autograd.grad(figures.gaussian_divergence(theta, 1.0, 0.5), theta)
    torch.testing.assert_close(path[2], path[1] - 0.01 * grad)
