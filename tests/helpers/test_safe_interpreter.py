"""Triton's interpreter, told to say what goes wrong."""

from __future__ import annotations

import os
import re

import pytest
import torch

if torch.cuda.is_available():
    pytest.skip("these kernels are interpreted where there is no GPU", allow_module_level=True)
os.environ.setdefault("TRITON_INTERPRET", "1")  # before triton is imported

triton = pytest.importorskip("triton", reason="Triton exists for Linux only")

import triton.language as tl  # noqa: E402 (the interpreter is chosen first)

from helpers.safe_interpreter import Span, make_safe  # noqa: E402 (as above)

make_safe()
ROWS, COLUMNS = 3, 5
OUTSIDE = (
    "A {what} in program {program} goes outside of its tensors, with {lanes} lanes: up to {far} elements {side} of "
    "{tensor}, of shape {shape}. {remedy}"
)
MASK = "A mask leaves such lanes out: mask=column < columns."
ADDRESS = "No lane is inside: look at the address, and at how many programs there are."


@triton.jit
def copy(x, y, from_row, stride, readable, writable, BLOCK: tl.constexpr):
    """Copy columns 0 to `readable` of every row from `from_row` on, and write the first `writable` of them."""
    row = tl.program_id(0) + from_row
    column = tl.arange(0, BLOCK)
    values = tl.load(x + row * stride + column, mask=column < readable, other=0.0)
    tl.store(y + row * stride + column, values, mask=column < writable)


@triton.jit
def copy_all(x, y, BLOCK: tl.constexpr):
    tl.store(y + tl.arange(0, BLOCK), tl.load(x + tl.arange(0, BLOCK)))


@triton.jit
def rounded(x, y, WIDE: tl.constexpr, BLOCK: tl.constexpr):
    values = tl.load(x + tl.arange(0, BLOCK))
    tl.store(y + tl.arange(0, BLOCK), values.to(tl.float64) if WIDE else values)


@triton.jit
def add_one(y, BLOCK: tl.constexpr):
    tl.atomic_add(y + tl.arange(0, BLOCK), 1.0)


@triton.jit
def swap(y, BLOCK: tl.constexpr):
    tl.atomic_cas(y + tl.arange(0, BLOCK), tl.zeros((BLOCK,), tl.int32), tl.full((BLOCK,), 1, tl.int32))


@triton.jit
def copy_by_block_pointer(x, y, size, CHECKED: tl.constexpr, BLOCK: tl.constexpr):
    source = tl.make_block_ptr(x, (size,), (1,), (0,), (BLOCK,), (0,))
    values = tl.load(source, boundary_check=(0,))
    target = tl.make_block_ptr(y, (size,), (1,), (0,), (BLOCK,), (0,))
    if CHECKED:
        tl.store(target, values, boundary_check=(0,))
    else:
        tl.store(target, values)


@triton.jit
def inner(x, BLOCK: tl.constexpr):
    return tl.load(x + tl.arange(0, BLOCK))


@triton.jit
def outer(x, y, BLOCK: tl.constexpr):
    tl.store(y + tl.arange(0, BLOCK), inner(x, 2 * BLOCK))


def told(launch):
    """What a launch that must fail says."""
    with pytest.raises(IndexError) as raised:
        launch()
    return str(raised.value)


def test_a_kernel_that_stays_inside_runs():
    x, y = torch.rand(ROWS, COLUMNS), torch.empty(ROWS, COLUMNS)
    copy[(ROWS,)](x, y, 0, COLUMNS, COLUMNS, COLUMNS, BLOCK=8)
    assert torch.equal(x, y)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"readable": 8}, {"what": "load", "program": "2 (row 2)", "far": 3, "lanes": "3 of 8"}),
        ({"writable": 8}, {"what": "store", "program": "2 (row 2)", "far": 3, "lanes": "3 of 8", "tensor": "y"}),
        ({"from_row": 1}, {"program": "2 (row 2)", "far": 5, "lanes": "5 of 8", "remedy": ADDRESS}),
        (
            {"from_row": -2},
            {
                "program": "0 (row 0)",
                "far": 10,
                "lanes": "5 of 8",
                "side": "before the beginning",
                "remedy": ADDRESS,
            },
        ),
        # The third row would begin at element 18 of 15.
        ({"stride": 9}, {"program": "2 (row 2)", "far": 8, "lanes": "5 of 8", "remedy": ADDRESS}),
    ],
)
def test_the_access_the_row_the_tensor_and_the_distance_are_told(changed, words):
    words = {"what": "load", "side": "beyond the end", "tensor": "x", "shape": (ROWS, COLUMNS), "remedy": MASK} | words
    options = {"from_row": 0, "stride": COLUMNS, "readable": COLUMNS, "writable": COLUMNS} | changed
    x, y = torch.rand(ROWS, COLUMNS), torch.zeros(ROWS, COLUMNS)
    said = told(lambda: copy[(ROWS,)](x, y, **options, BLOCK=8))
    assert said == OUTSIDE.format(**words)
    assert len(said) < 300  # what a card keeps


def test_the_gap_between_the_elements_of_a_view_is_inside_of_its_memory():
    wide = torch.rand(ROWS, 2 * COLUMNS)
    y = torch.empty(2 * COLUMNS)
    copy_all[(1,)](wide[1, ::2], y, BLOCK=8)
    assert torch.equal(y[:8], wide[1, :8])


def test_of_an_empty_tensor_nothing_may_be_touched():
    assert "with 4 of 4 lanes" in told(lambda: copy_all[(1,)](torch.empty(0), torch.empty(4), BLOCK=4))


def test_nothing_is_written_by_a_store_that_goes_outside():
    y = torch.zeros(16)
    assert "A store" in told(lambda: copy_all[(1,)](torch.ones(64), y, BLOCK=64))
    assert not y.any()


@pytest.mark.parametrize(("kernel", "dtype"), [(add_one, torch.float32), (swap, torch.int32)])
def test_atomic_operations_are_watched(kernel, dtype):
    y = torch.zeros(4, dtype=dtype)
    kernel[(1,)](y, BLOCK=4)
    assert (y == 1).all()
    assert "up to 4 elements beyond the end of y" in told(lambda: kernel[(1,)](y, BLOCK=8))


@pytest.mark.filterwarnings("ignore:tl.make_block_ptr is deprecated")
def test_block_pointers_are_watched():
    x, y = torch.rand(5), torch.zeros(5)
    copy_by_block_pointer[(1,)](x, y, 5, CHECKED=True, BLOCK=8)
    assert torch.equal(x, y)
    assert "A store" in told(lambda: copy_by_block_pointer[(1,)](x, y, 5, CHECKED=False, BLOCK=8))


def test_an_error_in_a_function_of_a_kernel_comes_out_as_itself():
    assert "A load in program 0" in told(lambda: outer[(1,)](torch.rand(4), torch.empty(4), BLOCK=4))


def test_distances_count_elements_on_either_side():
    span = Span("x", (4,), 1000, 1016, 4)
    addresses = torch.tensor([996, 992, 1016, 1020, 1000], dtype=torch.int64).numpy().astype("uint64")
    assert span.distances(addresses)[:4].tolist() == [1, 2, 1, 2]
    assert span.holds(addresses, 4).tolist() == [False, False, False, False, True]


@pytest.mark.parametrize("wide", [False, True])
def test_numbers_become_bfloat16_as_torch_rounds_them(wide):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, generator=generator) * 10.0 ** torch.randint(-38, 38, (64,), generator=generator)
    x[:6] = torch.tensor([0.0, -0.0, float("inf"), -float("inf"), float("nan"), 1 + 2**-8])
    y = torch.empty(64, dtype=torch.bfloat16)
    rounded[(1,)](x, y, WIDE=wide, BLOCK=64)
    torch.testing.assert_close(y, x.bfloat16(), rtol=0, atol=0, equal_nan=True)


def test_whole_numbers_become_bfloat16():
    y = torch.empty(4, dtype=torch.bfloat16)
    copy_all[(1,)](torch.arange(4), y, BLOCK=4)
    assert y.tolist() == [0, 1, 2, 3]


def test_autotune_takes_its_first_configuration():
    configs = [triton.Config({"BLOCK": block}, num_warps=warps) for block, warps in ((8, 2), (16, 4))]
    tuned = triton.autotune(configs=configs, key=[])(copy_all)
    x, y = torch.arange(16.0), torch.zeros(16)
    tuned[(1,)](x, y)
    assert y.tolist() == [*range(8), *[0] * 8]
    assert tuned.configs == configs


def test_a_launch_takes_the_warps_that_a_gpu_takes():
    x, y = torch.rand(4), torch.empty(4)
    for warps in (None, 1, 4, 32):
        copy_all[(1,)](x, y, BLOCK=4, **({} if warps is None else {"num_warps": warps}))
    for warps in (0, 3, 64):
        with pytest.raises(ValueError, match=f"num_warps is {warps}, but a GPU takes 1, 2, 4"):
            copy_all[(1,)](x, y, BLOCK=4, num_warps=warps)


def test_made_safe_once():
    make_safe()
    x, y = torch.rand(4), torch.empty(4)
    copy_all[(1,)](x, y, BLOCK=4)
    assert re.match("A load in program 0 ", told(lambda: copy_all[(1,)](x, y, BLOCK=8)))
