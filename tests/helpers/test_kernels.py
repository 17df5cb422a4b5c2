from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

GPU = torch.cuda.is_available()
if not GPU:
    # Triton reads this when it is first imported, so it stands above that import.
    os.environ.setdefault("TRITON_INTERPRET", "1")

pytest.importorskip("triton", reason="Triton exists for Linux only")

from helpers import kernels  # noqa: E402 (the interpreter is chosen first)
from helpers.compiling import compile_kernel  # noqa: E402 (as above)
from helpers.kernels import layout, losses, softmax  # noqa: E402 (as above)

DEVICE = "cuda" if GPU else "cpu"
WIDTHS = [1, 2, 127, 128, 129, 1000, 1023, 1024, 1025]
# Below and above the width at which aligned and unaligned rows stop fitting the registers.
WIDE = [2049, 4104, 33003, 32776]
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
# float64 is computed in float32. Rounding to the nearest errs by half a digit of the dtype at most, and a little.
RELATIVE = {torch.float16: 2**-10.9, torch.bfloat16: 2**-7.9, torch.float32: 1e-5, torch.float64: 1e-5}
INF, NAN = float("inf"), float("nan")


@pytest.fixture(autouse=True)
def poisoned_memory():
    """Fill whatever torch.empty returns with nan, so that a value that was never written is seen."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


def logits(rows, columns, dtype=torch.float32, shift=0.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    values = 3 * torch.randn(rows, columns, generator=generator) + shift
    return values.to(DEVICE, dtype)


def close(actual, expected, dtype, scale=1.0):
    """Compare with float64; differences of large terms are judged by the size of the terms (scale)."""
    __tracebackhide__ = True
    torch.testing.assert_close(
        actual.detach().double().cpu(), expected.cpu(), rtol=RELATIVE[dtype], atol=1e-6 * scale, equal_nan=True
    )


def judged(x):
    """What float32 arithmetic sees of x, in float64 on the CPU."""
    return x.detach().float().double().cpu()


@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
@pytest.mark.parametrize("columns", WIDTHS)
def test_log_softmax_is_accurate_far_from_zero(columns, shift):
    x = logits(5, columns, shift=shift)
    close(kernels.log_softmax(x), judged(x).log_softmax(-1), torch.float32, scale=5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 129, 1000, *WIDE])
def test_log_softmax_and_its_gradient_match_float64_in_every_dtype(columns, dtype):
    x = logits(2, columns, dtype).requires_grad_()
    y = kernels.log_softmax(x)
    assert y.dtype == dtype
    assert y.is_contiguous()
    close(y, judged(x).log_softmax(-1), dtype, scale=5)

    upstream = logits(2, columns, dtype, seed=1)
    y.backward(upstream)
    # From the y that was kept, whose rounding in a half type is not the backward pass's fault.
    total = judged(upstream).sum(-1, keepdim=True)
    close(x.grad, judged(upstream) - judged(y).exp() * total, dtype, scale=10)


@pytest.mark.parametrize("columns", [3, 129, 2051, 33000])
def test_infinities_and_nan_are_torchs(columns):
    x = logits(6, columns)
    x[0] = -INF
    x[1, 0] = INF
    x[2, -1] = NAN
    x[3, : columns // 2 + 1] = -INF
    x[4, 1:] = -INF
    close(kernels.log_softmax(x), judged(x).log_softmax(-1), torch.float32, scale=5)


def test_a_wide_row_may_begin_with_whole_steps_of_minus_infinity():
    x = logits(1, 40000)
    x[0, :33000] = -INF
    close(kernels.log_softmax(x), judged(x).log_softmax(-1), torch.float32, scale=5)


STRIDED = {
    "transposed": lambda x: x.t(),
    "every other column": lambda x: x[:, ::2],
    "starting at the second column": lambda x: x[:, 1:],
    "some columns of each row": lambda x: x[:, 8:-8],
    "every other row": lambda x: x[::2],
    "one row repeated": lambda x: x[:1].expand(4, -1),
    "one column repeated": lambda x: x[:, :1].expand(-1, 5),
    "three dimensions, two exchanged": lambda x: x.view(2, 2, -1).movedim(0, 1),
    "one dimension": lambda x: x[0],
    "no dimension": lambda x: x[0, 0],
    "no rows": lambda x: x[:0],
    "no columns": lambda x: x[:, :0],
    "an empty dimension amid others": lambda x: x.view(2, 2, -1)[:, :0],
}


@pytest.mark.parametrize("columns", [112, 2053])
@pytest.mark.parametrize("view", STRIDED.values(), ids=STRIDED.keys())
def test_any_strides_give_the_same_and_leave_the_input_alone(view, columns):
    x = view(logits(4, columns))
    before = x.clone()
    x.requires_grad_()
    y = kernels.log_softmax(x)
    assert y.shape == x.shape
    assert y.is_contiguous()
    close(y, judged(x).log_softmax(-1), torch.float32, scale=5)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    close(gradient, 1 - judged(y).exp() * (x.shape[-1] if x.ndim else 1), torch.float32, scale=10)
    assert torch.equal(x, before)


def test_a_gradient_of_other_strides_than_the_output():
    x = logits(3, 2056).requires_grad_()
    upstream = logits(2056, 3, seed=1).t()
    y = kernels.log_softmax(x)
    y.backward(upstream)
    total = judged(upstream).sum(-1, keepdim=True)
    close(x.grad, judged(upstream) - judged(y).exp() * total, torch.float32, scale=100)


def test_more_rows_than_programs_at_once():
    programs = layout.programs_for_two_reads(19, 2049, 4, *layout.machine(torch.device(DEVICE)))
    assert GPU or programs < 19
    x = logits(19, 2049)
    close(kernels.log_softmax(x), judged(x).log_softmax(-1), torch.float32, scale=5)


# 32776 is too wide for the registers, yet 16 bytes divide it: rows so far apart are not copied together first.
@pytest.mark.parametrize("columns", [5, 32776])
def test_offsets_beyond_two_to_the_31_elements(columns):
    stride = 2**30 + 8
    try:
        # A storage, not a tensor: those are filled with nan here, and this one should stay a promise of memory.
        storage = torch.UntypedStorage(2 * (2 * stride + columns), device=DEVICE)
    except RuntimeError:
        pytest.skip("4.3 GB cannot be allocated here")
    x = torch.tensor([], dtype=torch.float16, device=DEVICE).set_(storage, 0, (3, columns), (stride, 1))
    x.copy_(logits(3, columns))
    close(kernels.log_softmax(x), judged(x).log_softmax(-1), torch.float16, scale=5)
    targets = torch.tensor([0, 1, columns - 1], device=DEVICE)
    loss = kernels.cross_entropy(x, targets, reduction="none")
    close(loss, functional.cross_entropy(judged(x), targets.cpu(), reduction="none"), torch.float16)


def test_log_softmax_can_be_differentiated_twice():
    def curvature(function, dtype):
        x = logits(3, 7).to(dtype).requires_grad_()
        (slope,) = torch.autograd.grad(function(x).pow(2).sum(), x, create_graph=True)
        return torch.autograd.grad(slope.pow(2).sum(), x)[0]

    expected = curvature(lambda x: x.log_softmax(-1), torch.float64)
    close(curvature(kernels.log_softmax, torch.float32), expected.cpu(), torch.float32, scale=1e3)


@pytest.mark.parametrize("dtype", [torch.int64, torch.complex64, torch.bool])
def test_log_softmax_refuses_a_dtype_as_torch_does(dtype):
    x = torch.zeros(2, 3, device=DEVICE, dtype=dtype)
    with pytest.raises((RuntimeError, NotImplementedError)) as ours:
        kernels.log_softmax(x)
    with pytest.raises(type(ours.value)) as theirs:
        functional.log_softmax(x, -1)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("columns", [1, 129, 2056])
def test_cross_entropy_and_its_gradient_match_float64(columns, reduction, smoothing):
    x = logits(4, columns, shift=1e4).requires_grad_()
    targets = torch.tensor([0, columns - 1, -100, columns // 2], device=DEVICE)
    compare_losses(x, targets, label_smoothing=smoothing, reduction=reduction)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1000, 1023, 4099])
def test_cross_entropy_in_every_dtype(columns, dtype):
    x = logits(2, columns, dtype).requires_grad_()
    compare_losses(x, torch.tensor([0, columns - 1], device=DEVICE), label_smoothing=0.1)


def test_cross_entropy_of_a_row_of_many_steps():
    x = logits(1, 33003, torch.bfloat16).requires_grad_()
    compare_losses(x, torch.tensor([32999], device=DEVICE))


def compare_losses(x, targets, **options):
    __tracebackhide__ = True
    loss = kernels.cross_entropy(x, targets, **options)
    exact = judged(x).requires_grad_()
    expected = functional.cross_entropy(exact, targets.cpu(), **options)
    assert loss.dtype == x.dtype
    assert loss.shape == expected.shape
    close(loss, expected.detach(), x.dtype, scale=5)
    upstream = logits(1, max(1, loss.numel()), seed=2)[0, : loss.numel()].view(loss.shape).to(x.dtype)
    (gradient,) = torch.autograd.grad(loss, x, upstream)
    (expected_gradient,) = torch.autograd.grad(expected, exact, judged(upstream))
    close(gradient, expected_gradient, x.dtype)


@pytest.mark.parametrize(
    ("shape", "target_shape"),
    [((7,), ()), ((3, 7), (3,)), ((2, 7, 3), (2, 3)), ((2, 5, 3, 2), (2, 3, 2)), ((0, 7), (0,)), ((2, 5, 0), (2, 0))],
)
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_cross_entropy_takes_the_shapes_that_torch_takes(shape, target_shape, reduction):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator).to(DEVICE).requires_grad_()
    targets = torch.randint(5, target_shape, generator=generator).to(DEVICE)
    compare_losses(x, targets, reduction=reduction)


def test_cross_entropy_of_strided_logits_and_targets():
    x = logits(2053, 6).t().requires_grad_()
    compare_losses(x, torch.arange(12, device=DEVICE)[::2])
    compare_losses(logits(6, 2053)[::2, 1:].requires_grad_(), torch.tensor([3], device=DEVICE).expand(3))
    compare_losses(logits(2, 40)[:, ::2].requires_grad_(), torch.tensor([3, 4], device=DEVICE, dtype=torch.uint8))


@pytest.mark.parametrize("columns", [3, 2052])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy_of_infinities_and_nan_is_torchs(columns, smoothing):
    x = logits(6, columns)
    x[0] = -INF
    x[1, 0] = INF
    x[2, -1] = NAN
    x[3, 1] = -INF
    x[4, 2:] = -INF
    compare_losses(x.requires_grad_(), torch.tensor([1, 1, 1, 1, 1, 1], device=DEVICE), label_smoothing=smoothing)


def test_ignored_rows_count_for_nothing_even_when_they_are_nan():
    x = logits(3, 5)
    x[1] = NAN
    x.requires_grad_()
    targets = torch.tensor([2, 4, 0], device=DEVICE)
    loss = kernels.cross_entropy(x, targets, ignore_index=4)
    close(loss, functional.cross_entropy(judged(x)[::2], targets.cpu()[::2]), torch.float32)
    loss.backward()
    assert x.grad[1].tolist() == [0.0] * 5
    assert kernels.cross_entropy(x, torch.full_like(targets, 4), ignore_index=4).isnan()


REFUSED = {
    "too few targets": ((3, 5), torch.zeros(2, dtype=torch.int64), {}),
    "targets of another shape": ((2, 5, 3), torch.zeros(2, 4, dtype=torch.int64), {}),
    "float targets": ((3, 5), torch.zeros(3), {}),
    "int32 targets": ((3, 5), torch.zeros(3, dtype=torch.int32), {}),
    "too much smoothing": ((3, 5), torch.zeros(3, dtype=torch.int64), {"label_smoothing": 1.5}),
    "an unknown reduction": ((3, 5), torch.zeros(3, dtype=torch.int64), {"reduction": "average"}),
    "a scalar": ((), torch.zeros((), dtype=torch.int64), {}),
}


@pytest.mark.parametrize(("shape", "targets", "options"), REFUSED.values(), ids=REFUSED.keys())
def test_cross_entropy_refuses_what_torch_refuses_in_its_words(shape, targets, options):
    x = torch.zeros(shape, device=DEVICE)
    with pytest.raises((RuntimeError, ValueError, IndexError)) as theirs:
        functional.cross_entropy(x, targets.to(DEVICE), **options)
    with pytest.raises(type(theirs.value)) as ours:
        kernels.cross_entropy(x, targets.to(DEVICE), **options)
    assert str(ours.value) == str(theirs.value)


def test_the_mean_of_more_programs_than_one_step_adds_up(monkeypatch):
    monkeypatch.setattr(losses, "FINISH_BLOCK", 4)
    x = logits(9, 2049).requires_grad_()
    targets = torch.tensor([0, -100, 5, 2048, 3, -100, 1, 2, 7], device=DEVICE)
    for reduction in ("mean", "sum"):
        compare_losses(x, targets, reduction=reduction)


def test_a_loss_per_row_and_the_gradient_of_its_sum_need_no_copy_of_a_gradient_of_stride_0():
    x = logits(3, 2049).requires_grad_()
    targets = torch.tensor([0, 1, 2], device=DEVICE)
    (gradient,) = torch.autograd.grad(kernels.cross_entropy(x, targets, reduction="none").sum(), x)
    (total,) = torch.autograd.grad(kernels.cross_entropy(x, targets, reduction="sum"), x)
    assert torch.equal(gradient, total)


@pytest.mark.skipif(GPU, reason="on a GPU this is a device-side assertion, which ends the process")
@pytest.mark.parametrize("columns", [5, 2049])
@pytest.mark.parametrize("target", [-1, "columns", 2**40])
def test_a_target_out_of_range_is_torchs_index_error(columns, target):
    targets = torch.tensor([0, columns if target == "columns" else target])
    with pytest.raises(IndexError) as theirs:
        functional.cross_entropy(torch.zeros(2, columns), targets)
    with pytest.raises(IndexError) as ours:
        kernels.cross_entropy(torch.zeros(2, columns), targets)
    assert str(ours.value) == str(theirs.value)


def test_class_probabilities_are_refused_with_the_way_out():
    with pytest.raises(NotImplementedError, match=r"torch\.nn\.functional\.cross_entropy"):
        kernels.cross_entropy(logits(2, 3), torch.full((2, 3), 1 / 3, device=DEVICE))


@pytest.mark.parametrize("columns", [6, 2051])
def test_the_operators_keep_the_promises_of_torch_library(columns):
    x = logits(2, columns).requires_grad_()
    y = kernels.log_softmax(x).detach().requires_grad_()
    targets = torch.tensor([1, -100], device=DEVICE)
    torch.library.opcheck(softmax._log_softmax, (x,))
    torch.library.opcheck(softmax._log_softmax_backward, (logits(2, columns, seed=1), y))
    for reduction in ("mean", "none"):
        loss, stats, divisor = losses._cross_entropy(x, targets, -100, 0.1, reduction)
        torch.library.opcheck(losses._cross_entropy, (x, targets, -100, 0.1, reduction))
        args = (loss.detach(), x.detach(), targets, stats, divisor, -100, 0.1)
        torch.library.opcheck(losses._cross_entropy_backward, args)


@pytest.mark.parametrize("dynamic", [False, True])
def test_torch_compile_sees_one_graph_and_the_same_numbers(dynamic):
    def loss_of(x, targets):
        return kernels.cross_entropy(kernels.log_softmax(2 * x), targets, label_smoothing=0.1) + x.sum()

    # The default backend needs a C++ compiler on a CPU; what is traced is the same.
    backend = "inductor" if GPU else "aot_eager"
    compiled = torch.compile(loss_of, fullgraph=True, dynamic=dynamic, backend=backend)
    for rows in (3, 4):
        x = logits(rows, 10).requires_grad_()
        targets = torch.arange(rows, device=DEVICE)
        plain, fast = loss_of(x, targets), compiled(x, targets)
        torch.testing.assert_close(fast, plain)
        torch.testing.assert_close(*(torch.autograd.grad(value, x)[0] for value in (fast, plain)))


def test_without_gpu_or_interpreter_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr(layout, "INTERPRETED", False)
    with pytest.raises(RuntimeError, match="TRITON_INTERPRET=1"):
        kernels.log_softmax(torch.zeros(2, 3))


def test_without_triton_the_remedy_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("helpers.kernels")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "triton", None)
    with pytest.raises(ImportError, match=r"Linux.*pip install triton"):
        importlib.import_module("helpers.kernels")


def test_importing_helpers_does_not_import_triton():
    code = "import sys; sys.modules['triton'] = None; import helpers"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_setting_the_interpreter_too_late_is_explained(monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "0" if layout.INTERPRETED else "1")
    # A test that has set the knob itself has cut it off from the variable.
    monkeypatch.setattr(layout.triton.knobs.runtime, "interpret", not layout.INTERPRETED)
    spec = importlib.util.spec_from_file_location("layout_again", layout.__file__)
    with pytest.raises(ImportError, match="before the first import of triton"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


@given(st.integers(1, 32768))
def test_a_tile_holds_whole_rows_and_fills_its_threads(columns):
    t = layout.tile(columns)
    assert columns <= t.block < 2 * columns
    assert t.rows * t.block == 32 * t.warps * layout.PER_THREAD
    assert 1 <= t.warps <= 32


@given(
    rows=st.integers(1, 10**6),
    columns=st.integers(2049, 300_000),
    itemsize=st.sampled_from([2, 4, 8]),
    multiprocessors=st.sampled_from([1, 4, 108, 132]),
    l2_bytes=st.sampled_from([2**20, 40 * 2**20, 50 * 2**20]),
)
def test_rows_under_way_fit_the_cache_or_are_as_few_as_may_be(rows, columns, itemsize, multiprocessors, l2_bytes):
    programs = layout.programs_for_two_reads(rows, columns, itemsize, multiprocessors, l2_bytes)
    # A multiprocessor has the registers for one of them: 16 warps whose threads may have 128 each.
    assert 1 <= programs <= min(rows, multiprocessors)
    fewest = max(1, multiprocessors // 2)
    assert programs <= fewest or programs * columns * itemsize <= layout.L2_SHARE * l2_bytes


@pytest.mark.parametrize(
    ("bandwidth", "multiprocessors", "l2_bytes"),
    [(2.04e12, 108, 40 * 2**20), (3.35e12, 132, 50 * 2**20), (4.8e12, 132, 50 * 2**20)],
    ids=["A100", "H100", "H200"],
)
@given(columns=st.integers(2049, 300_000), itemsize=st.sampled_from([2, 4]))
def test_few_programs_have_enough_bytes_under_way(bandwidth, multiprocessors, l2_bytes, columns, itemsize):
    """Little's law, for loads of 0.8 us: where wide rows leave multiprocessors idle, the memory is not."""
    programs = layout.programs_for_two_reads(4096, columns, itemsize, multiprocessors, l2_bytes)
    under_way = programs * 32 * softmax.WALK_WARPS * softmax.DEPTH * 16
    assert under_way >= 0.8e-6 * bandwidth


def compiled(monkeypatch, module, function, *args):
    """Compile for an H100 all that a function of a module would launch; (shape, dtype) stands for a tensor of no data.

    Returns what became of the kernels, by name.
    """
    launches = []
    monkeypatch.setattr(module, "launch", lambda *args, **options: launches.append((args, options)))
    function(*(torch.empty(a[0], dtype=a[1], device="meta") if isinstance(a, tuple) else a for a in args))
    return {
        kernel.__name__: compile_kernel(kernel, *arguments, num_warps=options.pop("warps"), **options)
        for (kernel, _, *arguments), options in launches
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_row_of_32768_stays_in_registers_without_spills(monkeypatch, dtype):
    made = compiled(monkeypatch, softmax, softmax._forward, *[((8192, 32768), dtype)] * 2)["forward_tile"]
    assert made.spills == made.stack_bytes == 0
    assert made.registers <= 64
    # Read once: the threads' 32 elements and nothing more, all of them asked for before the first is needed.
    elements = 32 * dtype.itemsize // 16
    assert made.loads == made.stores == {16: elements}
    assert made.in_flight == (elements,)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("function", [softmax._forward, softmax._backward])
def test_wide_rows_keep_eight_loads_under_way_and_do_not_spill(monkeypatch, function, dtype):
    tensors = 2 if function is softmax._forward else 3
    (made,) = compiled(monkeypatch, softmax, function, *[((4096, 50257), dtype)] * tensors).values()
    assert made.spills == made.stack_bytes == 0
    assert made.registers <= 128
    # The first pass, and the second, which reads two tensors on the way back.
    assert len(made.in_flight) == 2
    assert min(made.in_flight) >= softmax.DEPTH == 8
    assert made.loads[16] == softmax.DEPTH * tensors
    # One number of each row's edges is read by itself.
    assert sum(count for width, count in made.loads.items() if width < 16) <= 2


def test_the_registers_that_are_granted_are_needed(monkeypatch):
    """Left to itself the compiler keeps to 64 registers in the backward pass: it spills, and loads late."""
    monkeypatch.setattr(softmax, "WALK", {"warps": softmax.WALK_WARPS})
    wide = [((4096, 50257), torch.bfloat16)] * 3
    made = compiled(monkeypatch, softmax, softmax._backward, *wide)["backward_walk"]
    assert made.spills > 0
    assert min(made.in_flight) < softmax.DEPTH


def test_a_narrower_backward_row_is_read_once(monkeypatch):
    wide = [((8192, 16384), torch.float32)] * 3
    made = compiled(monkeypatch, softmax, softmax._backward, *wide)["backward_tile"]
    assert made.spills == made.stack_bytes == 0
    assert made.loads == {16: 16}


LOSS = (((), torch.float32), ((2, 4096), torch.float32), ((), torch.float32))


def test_cross_entropy_does_not_spill_and_loads_16_bytes_at_a_time(monkeypatch):
    x, targets = ((4096, 50257), torch.bfloat16), ((4096,), torch.int64)
    forward = compiled(monkeypatch, losses, losses._forward, x, targets, *LOSS, -100, 0.1, "mean")
    grad, stats, divisor = LOSS
    backward = compiled(monkeypatch, losses, losses._backward, grad, divisor, x, targets, stats, x, -100, 0.1)
    assert list(forward) == ["forward_walk", "finish"]
    for made in (forward["forward_walk"], backward["backward_walk"]):
        assert made.spills == 0
        assert made.loads[16] == losses.DEPTH
        assert made.in_flight[0] >= losses.DEPTH
        assert "CALL" not in made.sass


def test_the_assertion_costs_the_kernel_that_reads_the_rows_no_register(monkeypatch):
    x, targets = ((131072, 128), torch.float32), ((131072,), torch.int64)
    forward = compiled(monkeypatch, losses, losses._forward, x, targets, *LOSS, -100, 0.0, "mean")
    reads, finishes = forward.values()
    # The call stops the device at a target out of range, as torch's assertion does.
    assert "CALL" in finishes.sass
    assert "CALL" not in reads.sass
    assert reads.registers <= 56  # 77 with the assertion in it, at 128 columns
