from __future__ import annotations

import json
import math
import resource
from types import SimpleNamespace

import pytest
import scipy.special
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import logits
from helpers.figures import gpu
from helpers.figures import kernels as figures
from helpers.plotting import alt_of

proof = settings(deadline=None, derandomize=True, max_examples=50)
INF, NAN = math.inf, math.nan
rows = st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=12)


def vector(*values, dtype=torch.float64):
    return torch.tensor(values, dtype=dtype)


@proof
@given(rows, st.integers(1, 14))
def test_sums_agree_with_scipy(values, block):
    x = vector(*values)
    want = scipy.special.logsumexp(x.numpy())
    assert logits.log_sum_exp(x).item() == pytest.approx(want, rel=1e-12)
    assert logits.online_log_sum_exp(x, block).item() == pytest.approx(want, rel=1e-12)


@proof
@given(rows, st.floats(0.01, 100))
def test_log_softmax_agrees_with_scipy_and_normalises(values, temperature):
    x = vector(*values)
    y = logits.log_softmax(x, temperature)
    assert y.numpy() == pytest.approx(scipy.special.log_softmax(x.numpy() / temperature), rel=1e-9, abs=1e-9)
    assert y.exp().sum().item() == pytest.approx(1)


@pytest.mark.parametrize("block", [1, 2, 3, 8])
def test_infinities_are_as_in_torch(block):
    x = vector(-INF, -INF, 0.5, 1.0, INF, NAN).repeat(6, 1).triu() + vector(0.0, -INF, 1, INF, 2, 3)[:, None]
    want = torch.logsumexp(x, -1)
    assert torch.equal(logits.log_sum_exp(x).nan_to_num(7), want.nan_to_num(7))
    assert torch.equal(logits.online_log_sum_exp(x, block).nan_to_num(7), want.nan_to_num(7))
    finite_or_not = vector(-INF, 0.0, 1.0), vector(-INF, -INF, -INF), vector(INF, 0.0, 1.0), vector(NAN, 0.0, 1.0)
    both = torch.stack(finite_or_not)
    assert torch.equal(logits.log_softmax(both).nan_to_num(7), both.log_softmax(-1).nan_to_num(7))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_results_keep_dtype_and_shape_and_inputs_stay(dtype):
    x = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    before, targets = x.clone(), torch.tensor([[0, 1, 2], [4, 3, 0]])
    assert logits.log_sum_exp(x).shape == logits.online_log_sum_exp(x, 2).shape == (2, 3)
    for y in (logits.log_sum_exp(x), logits.online_log_sum_exp(x, 2), logits.log_softmax(x, 0.5)):
        assert y.dtype is dtype
    loss = logits.cross_entropy_from_logits(x, targets)
    want = torch.nn.functional.cross_entropy(x.double().reshape(6, 5), targets.reshape(6))
    assert loss.dtype is dtype
    assert loss.item() == pytest.approx(want.item(), rel=2 * torch.finfo(dtype).eps)
    assert torch.equal(x, before)


def test_no_rows_give_no_results():
    x = torch.zeros(0, 5)
    assert logits.log_sum_exp(x).shape == logits.online_log_sum_exp(x, 2).shape == (0,)
    assert logits.log_softmax(x).shape == (0, 5)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: logits.log_sum_exp(torch.zeros(2, 0)), "x needs a last dimension"),
        (lambda: logits.log_sum_exp(torch.tensor(1)), "x must have a floating dtype"),
        (lambda: logits.log_softmax(vector(1, 2), 0.0), "temperature must be positive"),
        (lambda: logits.log_softmax(vector(1, 2), NAN), "temperature must be positive"),
        (lambda: logits.online_log_sum_exp(vector(1, 2), 0), "block must be a positive int"),
        (lambda: logits.online_log_sum_exp(vector(1, 2), True), "block must be a positive int"),
        (lambda: logits.cross_entropy_from_logits(vector(1, 2)[None], torch.tensor([2])), "between 0 and 1, got 2"),
        (lambda: logits.cross_entropy_from_logits(vector(1, 2)[None], torch.tensor(0)), "shape of logits"),
        (lambda: logits.cross_entropy_from_logits(vector(1, 2)[None], vector(0)), "targets must be whole numbers"),
        (lambda: logits.cross_entropy_from_logits(torch.zeros(0, 2), torch.zeros(0).long()), "at least one row"),
        (lambda: logits.arithmetic_intensity(-1, 2), "flops must not be negative"),
        (lambda: logits.arithmetic_intensity(1, 0), "bytes_moved must be positive"),
        (lambda: logits.attainable_flops(1, 0, 1), "peak must be positive"),
        (lambda: logits.attainable_flops(1, 1, -1), "bandwidth must be positive"),
        (lambda: logits.attainable_flops(-1, 1, 1), "intensity must not be negative"),
    ],
)
def test_bad_input_is_named(call, word):
    with pytest.raises(ValueError, match=word):
        call()


@proof
@given(*[st.floats(0.01, 100)] * 3)
def test_the_roofline_is_the_lower_of_two_limits(intensity, peak, bandwidth):
    attained = logits.attainable_flops(intensity, peak, bandwidth)
    assert attained <= peak
    assert attained <= intensity * bandwidth
    assert attained in (peak, intensity * bandwidth)


# The figures


def test_the_machine_is_measured_and_lies_below_its_roofline():
    machine = figures.measure_here(seconds=0.0)
    for point in machine.points.values():
        attainable = logits.attainable_flops(point.intensity, machine.peak, machine.bandwidth)
        assert 0 < point.rate <= attainable * (1 + 1e-9)
    assert 0 < figures.share_of_slope(machine) <= 1
    figure = figures.roofline(machine)
    axes = figure.axes[0]
    assert "per byte" in axes.get_xlabel()
    assert len(axes.lines) == 3 + len(machine.points)
    dashed = axes.lines[-1].get_ydata()
    assert dashed[0] == pytest.approx(figures.LOG_SOFTMAX_OPERATIONS * machine.at_hand / 1e9)
    assert f"{figures.share_of_slope(machine):.0%} of the slope" in alt_of(figure)


@pytest.mark.skipif(torch.cuda.is_available(), reason="page faults are a CPU's")
def test_no_page_of_memory_is_fetched_while_the_clock_runs(monkeypatch):
    """An answer in fresh memory costs a fault for each of its 16,384 pages."""
    faults = []

    def counted(compute, seconds):
        compute()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        compute()
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
        return 1.0

    monkeypatch.setattr(figures, "_best_seconds", counted)
    figures.measure_here()
    assert max(faults) < 2000


def test_of_a_gpu_the_exponentials_are_counted_by_its_clock(monkeypatch):
    chip = SimpleNamespace(multi_processor_count=132, clock_rate=1_755_000)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: chip)
    assert figures.log_softmax_at_hand(torch.device("cuda"), 0.0) == pytest.approx(3.7e12, rel=0.01)
    del chip.clock_rate
    assert figures.log_softmax_at_hand(torch.device("cuda"), 0.0) is None


def test_the_programs_over_rows_are_drawn_as_told():
    figure = gpu.programs_over_rows(rows=4, columns=6, block=8, program=2)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert [t for t in texts if t.isdigit()][: 4 * 6] == [str(place) for place in range(24)]
    assert texts.count("-inf") == 2
    told = alt_of(figure)
    assert "lanes 0 to 5 hold places 12 to 17" in told
    assert "places 18 to 19 belong to the next row" in told


def test_the_levels_of_memory_are_drawn_as_told():
    figure = gpu.memory_levels()
    drawn = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert drawn == ["35 MB", "31 MB", "50 MB", "80 GB", "490 TB/s", "31 TB/s", "9.4 TB/s", "3.4 TB/s"]
    told = alt_of(figure)
    assert all(
        f"{name} {size} at {speed}" in told for name, size, speed in zip(gpu.LEVELS, drawn, drawn[4:], strict=False)
    )
    widths = [bar.get_width() for bar in figure.axes[1].patches]
    assert widths == sorted(widths, reverse=True)


def test_temperature_figure_ends_at_log_four():
    left, right = figures.temperature_against_entropy().axes
    assert len(left.lines) == 4
    assert right.lines[0].get_ydata()[-1] == pytest.approx(math.log(4), abs=1e-3)


def measured(columns, contender, median, date="2026-01-02"):
    row = {"ok": True, "operation": "log_softmax forward", "rows": 8, "columns": columns, "dtype": "float32"}
    row |= {"contender": contender, "median_us": median, "lower_us": median - 1, "upper_us": median + 1}
    row["bytes_per_second"] = 8 * columns * 8 / median * 1e6
    about = {"schema": 2, "date": date, "machine": {"gpu": "a GPU"}, "versions": {"torch": "2"}}
    return about | {"measurements": [row]}


def test_without_measurements_there_are_none(tmp_path):
    assert figures.measurements(tmp_path / "nowhere") is None


def test_the_newest_measurements_are_drawn(tmp_path):
    for date in ("2026-01-02", "2026-03-01"):
        (tmp_path / f"{date}.json").write_text(json.dumps(measured(1024, "infograd", 5.0, date)))
    results = figures.measurements(tmp_path)
    assert results["date"] == "2026-03-01"
    figure = figures.bytes_per_second(results)
    assert "2026-03-01" in figure.get_suptitle()
    assert figure.axes[0].get_xscale() == "log"
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match=r"other\.json is no result"):
        figures.measurements(tmp_path)
