"""What flows where while a kernel is asked for."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import sys

import pytest
import torch

from helpers.checking import calling, plain
from helpers.checking.kinds import flow, kernels

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # before triton is imported
pytest.importorskip("triton", reason="Triton exists for Linux only")
import triton
import triton.language as tl


@triton.jit
def double_kernel(x, y, count, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(y + at, 2 * tl.load(x + at, mask=at < count), mask=at < count)


@triton.jit
def calling_kernel(y, work: tl.constexpr):
    work()
    tl.store(y, 1.0)


@triton.jit
def flag_kernel(y):
    tl.store(y, 1.0)


@triton.jit
def whole_kernel(x, y, count, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < count).to(tl.int32, bitcast=True), mask=at < count)


@triton.jit
def half(a):
    return a / 2


@triton.jit
def halving_kernel(x, y, count, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(y + at, half(tl.load(x + at, mask=at < count)), mask=at < count)


def by_a_function_in_it(x):
    y = torch.empty_like(x)
    halving_kernel[(1,)](x, y, x.numel(), BLOCK=4)
    return y


@triton.jit
def telling_kernel(x):
    print(tl.load(x))


@triton.jit
def failing_kernel(x):
    raise ValueError(str(tl.load(x)))


def start(x, y):
    double_kernel[(1,)](x, y, x.numel(), BLOCK=8)
    return y


def through_numpy(x):
    y = torch.empty_like(x)
    y.numpy()[:] = 2 * x.numpy()
    return start(y, torch.empty_like(x))


def with_a_flag(x):
    flag = torch.zeros(1)
    flag_kernel[(1,)](flag)
    return 2 * x * flag


def changed_afterwards(x):
    y = start(x, torch.empty_like(x))
    ctypes.memset(y.data_ptr(), 0, 4)
    return y


def written_behind_torch(x):
    y = torch.zeros_like(x)
    ctypes.memset(y.data_ptr(), 63, 4)
    return start(y, torch.empty_like(x))


def in_its_grid(x):
    y = torch.empty_like(x)
    double_kernel[lambda meta: (len(y.copy_(x + 1)) // 3,)](x, y, x.numel(), BLOCK=8)
    return y


def handed_a_function(x):
    y = torch.empty_like(x)
    calling_kernel[(1,)](y, work=lambda: y.copy_(x + 1))
    return y


class Grid(tuple):
    def __len__(self):
        return 1


class Work(int):
    def __call__(self):
        pass


class Many(list):
    def __call__(self):
        pass


def in_whole_numbers(x, read):
    y = torch.empty(3, dtype=torch.int32)
    whole_kernel[(1,)](x, y, 3, BLOCK=4)
    read(y)
    return start(x, torch.empty_like(x))


def by_a_hook(x):
    double_kernel.add_pre_run_hook(lambda *given, **named: None)
    try:
        return start(x, torch.empty_like(x))
    finally:
        double_kernel.pre_run_hooks.clear()


def by_what_is_printed(x):
    with contextlib.redirect_stdout(io.StringIO()):
        telling_kernel[(1,)](x)
    return start(x, torch.empty_like(x))


def by_an_error(x):
    with contextlib.suppress(Exception):
        failing_kernel[(1,)](x)
    return start(x, torch.empty_like(x))


def bit_by_bit(x):
    for _ in range(flow.MOST_TOLD + 1):
        torch.equal(x, x)
    return start(x, torch.empty_like(x))


def by_an_index(x):
    with contextlib.suppress(IndexError):
        in_whole_numbers(x, lambda y: torch.zeros(1)[y])
    return start(x, torch.empty_like(x))


def beside_an_answer(x):
    beside = torch.cat([x, x[:1].isnan()])
    return start(x, torch.empty_like(x)) if beside[0].item() else x


def in_counts(x):
    one = torch.eq(x, 1.0)
    for size in (1, 2, 4):
        torch.cat([one[:1].expand(size), one[1:2].expand(size)]).sum().item()
    return start(x, torch.empty_like(x))


def handed(work):
    def launcher(x):
        y = torch.empty(1)
        calling_kernel[(1,)](y, work=work)
        return y

    return launcher


def with_whole_numbers_of_its_own(x):
    sizes = torch.tensor([3, 8])
    start(sizes, torch.empty_like(sizes))
    y = start(x, torch.empty_like(x))
    return y if sizes.tolist() == [3, 8] and (sizes * 2).sum() == 22 else x


def by_a_grid_that_is_a_function(x):
    y = torch.empty_like(x)
    double_kernel[lambda meta: (triton.cdiv(x.numel(), meta["BLOCK"]),)](x, y, x.numel(), BLOCK=8)
    return y


def without_the_watch(x):
    mode = torch.utils._python_dispatch._pop_mode()
    try:
        return start(x, torch.empty_like(x))
    finally:
        torch.utils._python_dispatch._push_mode(type(mode)([]))


def swallowing(x):
    start(x, torch.empty_like(x))
    try:
        return x + x
    except Exception:
        return x


HONEST = {
    "new memory": lambda x: start(x, torch.empty_like(x)),
    "another dtype and back": lambda x: start(x.double().contiguous(), torch.empty(3).double()).to(x.dtype),
    "a copy in its place": lambda x: start(y := x.clone(), y),
    "a function in a kernel": by_a_function_in_it,
    "two kernels": lambda x: start(start(x, torch.zeros(3)), torch.empty(3))[:],
    "a view of what was stored": lambda x: start(x, x.new_empty(3, 1)[:, 0]),
    "row by row": lambda x: torch.stack([start(one, torch.empty(1))[0] for one in x.split(1)]),
    "its result looked at": lambda x: y if torch.isfinite(y := start(x, torch.empty_like(x))).all().item() else x,
    "whole numbers of its own": with_whole_numbers_of_its_own,
    "questions": lambda x: start(x, torch.empty_like(x)) if not x.isnan().any() else x,
    "a count": lambda x: start(x, torch.empty_like(x)) if x.isnan().sum().item() == 0 else x,
    "the rows without nan": lambda x: start(y := x[~x.isnan()], torch.empty_like(y)),
}
REFUSED = {
    "arithmetic": (lambda x: start(x * 2, torch.empty_like(x)), "mul is called outside"),
    "arithmetic behind": (lambda x: start(x, torch.empty_like(x)).neg(), "neg is called outside"),
    "numbers taken out": (lambda x: torch.full((3,), start(x, torch.empty_like(x))[0].item()), "item reads numbers"),
    "a number behind a try": (swallowing, "add is called outside"),
    "a flag": (with_a_flag, "mul is called outside"),
    "numpy": (through_numpy, "numpy reads numbers"),
    "made of a list": (lambda x: start(torch.tensor(x.tolist()), torch.empty(3)), "tolist reads numbers"),
    "an array": (
        lambda x: start(torch.tensor([int(x.__array__().sum())]), torch.empty(3)),
        "__array__ reads numbers",
    ),
    "a visitor": (lambda x: (x.clone().apply_(float), start(x, torch.empty_like(x)))[1], "apply_ reads numbers"),
    "in its grid": (in_its_grid, "add is called outside"),
    "a function": (handed_a_function, "A kernel is given function"),
    "a wrapped function": (handed(tl.constexpr(print)), "A kernel is given builtin_function_or_method"),
    "a number that can be called": (handed(Work(1)), "A kernel is given Work"),
    "a list": (handed(Many()), "A kernel is given Many"),
    "a grid of its own": (lambda x: (flag_kernel[Grid((1,))](y := torch.empty(1)), y)[1], "A kernel is given Grid"),
    "such a grid by a function": (
        lambda x: (flag_kernel[lambda meta: Grid((1,))](y := torch.empty(1)), y)[1],
        "A kernel is given Grid",
    ),
    "a call from outside": (lambda x: (half(2.0), start(x, torch.empty_like(x)))[1], flow.CALLED),
    "a hook": (by_a_hook, "A kernel is given a hook"),
    "what is printed": (by_what_is_printed, flow.PRINTED),
    "an error": (by_an_error, flow.FAILED),
    "bits": (lambda x: in_whole_numbers(x, torch.Tensor.tolist), "tolist reads numbers"),
    "bits, added up": (lambda x: in_whole_numbers(x, torch.Tensor.sum), "sum is called outside"),
    "bits of a copy": (lambda x: in_whole_numbers(x, lambda y: y.clone().long().tolist()), "tolist reads numbers"),
    "what bits are equal to": (lambda x: in_whole_numbers(x, lambda y: (y == 0).tolist()), "tolist reads numbers"),
    "the size of what bits choose": (
        lambda x: in_whole_numbers(x, lambda y: torch.zeros(3)[y.view(torch.bool)[:3]].shape),
        "index is called outside",
    ),
    "an index that is too large": (by_an_index, "index is called outside"),
    "beside an answer": (beside_an_answer, "item reads numbers"),
    "in counts": (in_counts, "More than 32 bits of answers"),
    "what is equal, added up": (lambda x: ((x == 1) * 2, start(x, torch.empty_like(x)))[1], "mul is called outside"),
    "bit by bit": (bit_by_bit, "More than 32 bits of answers"),
    "a number as a float": (lambda x: (float(x[0]), start(x, torch.empty(3)))[1], "float(), int() or bool() is called"),
    "new numbers": (lambda x: start(torch.tensor([1.0, 2.0, 3.0]), torch.empty(3)), "torch.tensor is called outside"),
    "whole numbers of others": (lambda x: start(x.long(), torch.empty(3)), "A change of dtype between whole and other"),
    "memory like it": (lambda x: torch.full_like(start(x, torch.empty_like(x)), 2.0), flow.RETURNED),
    "filled in": (lambda x: start(x, torch.empty_like(x)).fill_(2.0), flow.RETURNED),
    "written behind torch": (written_behind_torch, flow.GIVEN),
    "changed afterwards": (changed_afterwards, flow.RETURNED),
    "the input": (lambda x: (start(x, torch.empty(3)), x)[1], None),
    "no kernel": (lambda x: x.clone(), flow.NOT_STARTED),
    "not what was stored": (lambda x: (start(x, torch.empty(3)), x.clone())[1], flow.RETURNED),
}


def observed(function):
    call = {"function": "f", "names": ["x"], "driver": "kernel", "parameters": []}
    call["arguments"] = [plain.encode(torch.tensor([1.0, 2.0, 3.0]))]
    return calling.perform({"f": function}, call)


@pytest.mark.parametrize("name", HONEST)
def test_honest_launchers_are_let_by(name):
    observation = observed(HONEST[name])
    assert observation["outcome"] == "returned", observation


@pytest.mark.parametrize("name", REFUSED)
def test_what_comes_from_elsewhere_is_refused(name):
    function, told = REFUSED[name]
    observation = observed(function)
    if told is not None:
        assert observation["outcome"] == "no value", observation
        assert any(part in observation["message"] for part in told.split("|"))


def test_a_text_tells_no_numbers_and_a_print_costs_nothing(capsys):
    texts = []

    def answer(x):
        y = start(x, torch.empty_like(x))
        texts.extend([repr(x), str(y), f"{x[0]} {y[0]:.3f}", repr(torch.arange(3))])
        print(y)
        return y

    assert observed(answer)["outcome"] == "returned"
    assert [any(number in text for number in "246") for text in texts[:2]] == [False, False]
    assert "1." not in texts[2]
    assert texts[3] == "tensor([0, 1, 2])"


def test_a_watch_that_was_taken_off_is_noticed():
    assert observed(without_the_watch)["outcome"] != "returned"


def test_a_grid_may_be_a_function():
    assert observed(by_a_grid_that_is_a_function)["outcome"] == "returned"


def test_a_reference_is_not_watched():
    x = torch.ones(3)
    assert torch.equal(kernels.call_kernel(lambda t: 2 * t, x), torch.full((3,), 2.0))


def test_nothing_is_left_behind():
    owners = [getattr(sys.modules[m], name) for m, name in flow.LAUNCHERS if m in sys.modules]
    before = [(owner.run, owner.__call__) for owner in owners]
    observed(HONEST["new memory"])
    assert [(owner.run, owner.__call__) for owner in owners] == before
    assert not torch.utils._python_dispatch._get_current_dispatch_mode_stack()
