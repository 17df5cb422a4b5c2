"""Measure the course's kernels against PyTorch on a GPU: `python -m helpers.kernels.bench`.

Every tensor has at least 1 GiB, whatever the width of its rows, so that no cache holds what is written. Each
contender's result is first compared with float64. Then all contenders of a case take turns, round after round, each
after the cache has been flushed, beside two roofs to aim for: a plain copy of the same tensor, and a plain read, which
is what an operation can reach that writes next to nothing. One JSON file holds the machine, the versions, the date and
for each (operation, shape, dtype, contender) the median and quartiles in microseconds. It is written after every case,
and a later run on the same machine with the same versions adds to it. The figures are drawn from that file, here or
later (--redraw). Exit code 0: measured, 1: a result was wrong (it is recorded and not timed), 2: nothing could be
measured here.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import torch._functorch.config  # before the first torch.compile nothing else imports it
import triton
import triton.language as tl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional

from helpers import kernels
from helpers.kernels import layout

RESULTS = Path(__file__).resolve().parent / "results"  # where notebook 06 looks

Contender = Callable[[], Tensor]

SCHEMA = 2
COLUMNS = "128,1024,8192,32768,50257,50304,128256"
TENSOR_BYTES = 2**30  # at least, of each tensor: twenty times the L2 cache of an H100
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
# How often an operation must move every element through memory, and how many operations it does on each.
PASSES = {"log_softmax forward": 2, "log_softmax backward": 3, "cross_entropy forward": 1, "cross_entropy backward": 2}
ARITHMETIC = {
    "log_softmax forward": 5,  # compare, subtract, exponentiate, add, subtract
    "log_softmax backward": 4,  # add, exponentiate, multiply, subtract
    "cross_entropy forward": 4,  # compare, subtract, exponentiate, add
    "cross_entropy backward": 4,  # subtract, exponentiate, subtract, multiply
}
# Relative and absolute; the latter is divided by the rows for the gradient of a mean over rows.
TOLERANCE = {torch.float32: (1e-5, 1e-5), torch.bfloat16: (2**-7, 2**-6)}
COPY, READ, OURS = "copy", "read", "infograd"
ROOFS = (COPY, READ)
READ_BLOCK = 2**13
SLEEP_CYCLES = 1_000_000
FLUSHED = 2**26  # elements of 4 bytes
PRODUCT = 8192  # the size of the matrices whose product shows the peak
CHUNK = 2**26


# What tells one measurement from another; the number of rows follows from the width.
KEY = ("operation", "columns", "dtype", "contender")


@dataclass(frozen=True)
class Case:
    """One operation on logits of shape (rows, columns)."""

    operation: str
    rows: int
    columns: int
    dtype: str


# The kernels as notebook 06 writes them: one row per program, in one block.
@triton.jit
def one_block_forward(x, y, columns, BLOCK: tl.constexpr):
    """y = log_softmax(x)."""
    column = tl.arange(0, BLOCK)
    start = tl.program_id(0).to(tl.int64) * columns
    values = tl.load(x + start + column, mask=column < columns, other=-float("inf")).to(tl.float32)
    shifted = values - tl.max(values, 0)
    tl.store(y + start + column, shifted - tl.log(tl.sum(tl.exp(shifted), 0)), mask=column < columns)


@triton.jit
def one_block_backward(grad, y, dx, columns, BLOCK: tl.constexpr):
    """dx = grad - exp(y) * sum(grad)."""
    column = tl.arange(0, BLOCK)
    start = tl.program_id(0).to(tl.int64) * columns
    upstream = tl.load(grad + start + column, mask=column < columns, other=0.0).to(tl.float32)
    logs = tl.load(y + start + column, mask=column < columns, other=-float("inf")).to(tl.float32)
    tl.store(dx + start + column, upstream - tl.exp(logs) * tl.sum(upstream, 0), mask=column < columns)


@triton.jit
def one_block_loss(x, targets, losses, columns, BLOCK: tl.constexpr):
    """losses = cross_entropy(x, targets), one for each row."""
    column = tl.arange(0, BLOCK)
    row = tl.program_id(0).to(tl.int64)
    values = tl.load(x + row * columns + column, mask=column < columns, other=-float("inf")).to(tl.float32)
    m = tl.max(values, 0)
    at_target = tl.load(x + row * columns + tl.load(targets + row)).to(tl.float32)
    tl.store(losses + row, (m - at_target) + tl.log(tl.sum(tl.exp(values - m), 0)))


@triton.jit
def pipelined_forward(x, y, rows, columns, BLOCK: tl.constexpr):
    """y = log_softmax(x), by programs that stay: while one row is worked on, the next is on its way."""
    column = tl.arange(0, BLOCK)
    for row in tl.range(tl.program_id(0), rows, tl.num_programs(0), num_stages=2):
        start = tl.cast(row, tl.int64) * columns
        values = tl.load(x + start + column, mask=column < columns, other=-float("inf")).to(tl.float32)
        shifted = values - tl.max(values, 0)
        tl.store(y + start + column, shifted - tl.log(tl.sum(tl.exp(shifted), 0)), mask=column < columns)


@triton.jit
def read_blocks(x, sums, size, BLOCK: tl.constexpr):
    """The sum of each block of x: nothing is written but one number for each."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    tl.store(sums + tl.program_id(0), tl.sum(tl.load(x + at, mask=at < size, other=0.0).to(tl.float32), 0))


def read(x: Tensor) -> Tensor:
    """Read a tensor once; the sums of its blocks, float32."""
    blocks = triton.cdiv(x.numel(), READ_BLOCK)
    sums = torch.empty(blocks, device=x.device)
    read_blocks[(blocks,)](x, sums, x.numel(), READ_BLOCK, num_warps=8)
    return sums


def resident(block: int, multiprocessors: int) -> tuple[int, int]:
    """The warps of a program, whose threads have 32 numbers each where there are enough, and the programs that there is
    room for at once: at 64 registers a thread, 32 warps fill a multiprocessor."""
    warps = min(32, max(1, block // 1024))
    return warps, multiprocessors * (32 // warps)


def pipelined(x: Tensor) -> Tensor:
    """Launch as many programs of `pipelined_forward` as there is room for, and no more than rows."""
    y = torch.empty_like(x)
    rows, columns = x.shape
    block = triton.next_power_of_2(columns)
    warps, programs = resident(block, layout.machine(x.device)[0])
    pipelined_forward[(min(rows, programs),)](x, y, rows, columns, block, num_warps=warps, maxnreg=64)
    return y


def one_block(kernel: Any, output: Tensor, x: Tensor, *others: Tensor) -> Tensor:
    """Launch a kernel of the notebook on the rows of ``x`` and return ``output``."""
    rows, columns = x.shape
    block = triton.next_power_of_2(columns)
    warps = min(32, max(1, block // 1024))
    kernel[(rows,)](x, *others, output, columns, block, num_warps=warps)
    return output


def contenders(case: Case, x: Tensor, targets: Tensor, upstream: Tensor) -> dict[str, Contender]:
    """Return what is compared, each ready to be called again and again. ``x`` is a leaf that requires its gradient."""

    def gradient(function: Contender) -> Contender:
        forward, weight = functools.cache(function), None if loss else upstream
        return lambda: torch.autograd.grad(forward(), x, weight, retain_graph=True)[0]

    loss, direction = case.operation.split()[0] == "cross_entropy", case.operation.split()[1]
    functions: dict[str, Contender] = {
        "torch": lambda: functional.cross_entropy(x, targets) if loss else functional.log_softmax(x, -1),
        OURS: lambda: kernels.cross_entropy(x, targets) if loss else kernels.log_softmax(x),
    }
    functions["torch.compile"] = torch.compile(functions["torch"], dynamic=False)
    tuned = torch.compile(functions["torch"], dynamic=False, mode="max-autotune-no-cudagraphs")
    functions["torch.compile, autotuned"] = tuned
    plain = x.detach()
    found: dict[str, Contender] = {COPY: lambda: torch.empty_like(plain).copy_(plain), READ: lambda: read(plain)}
    if direction == "forward":
        found |= functions
        if loss:
            found["one block"] = lambda: one_block(
                one_block_loss, torch.empty(case.rows, device=x.device), plain, targets
            ).mean()
        else:
            found["one block"] = lambda: one_block(one_block_forward, torch.empty_like(plain), plain)
            found["pipelined"] = lambda: pipelined(plain)
        return found
    found |= {name: gradient(function) for name, function in functions.items()}
    if not loss:
        y = functional.log_softmax(plain, -1)
        found["one block"] = lambda: one_block(one_block_backward, torch.empty_like(y), upstream, y)
    return found


def expected(case: Case, x: Tensor, targets: Tensor, upstream: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield the answer in float64 by slices of rows; the loss is a mean over all rows, so it comes as one."""
    step = max(1, CHUNK // case.columns)
    slices = [slice(first, min(first + step, case.rows)) for first in range(0, case.rows, step)]
    total = torch.zeros((), dtype=torch.float64, device=x.device)
    for rows in slices:
        y = x.detach()[rows].double().log_softmax(-1)
        if case.operation == "log_softmax forward":
            yield rows, y
        elif case.operation == "log_softmax backward":
            grad = upstream[rows].double()
            yield rows, grad - y.exp() * grad.sum(-1, keepdim=True)
        elif case.operation == "cross_entropy backward":
            yield rows, (y.exp() - functional.one_hot(targets[rows], case.columns)) / case.rows
        else:
            total -= y.gather(1, targets[rows, None]).sum()
    if case.operation == "cross_entropy forward":
        yield slice(None), total / case.rows


def worst_error(case: Case, actual: Tensor, x: Tensor, targets: Tensor, upstream: Tensor) -> float:
    """Return the largest error as a multiple of the tolerance: right if at most 1. Nan counts as infinite."""
    relative, absolute = TOLERANCE[x.dtype]
    scale = 1 / case.rows if case.operation == "cross_entropy backward" else 1.0
    worst = 0.0
    for rows, answer in expected(case, x, targets, upstream):
        got = actual.detach()[rows] if actual.ndim else actual.detach()
        error = ((got.double() - answer).abs() / (relative * answer.abs() + absolute * scale)).max().item()
        worst = max(worst, error if error == error else float("inf"))
    return worst


def take_turns(names: Sequence[str], rounds: int, clock: Callable[[str], float]) -> dict[str, list[float]]:
    """Time every contender once in each round, beginning with another one each time, so that drift hits all alike.

    Every second round goes backwards: none has always the same one before it, whose lines the cache may have kept.
    """
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        order = [*names[first:], *names[:first]]
        for name in order[:: -1 if turn % 2 else 1]:
            times[name].append(clock(name))
    return times


def gpu_clock(functions: dict[str, Contender], flush: Tensor) -> Callable[[str], float]:
    """Return a function that runs a contender once with a cold cache and returns its microseconds on the GPU."""
    sleep = SLEEP_CYCLES

    def clock(name: str) -> float:
        nonlocal sleep
        while True:
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            # Written, then read: what is left in the cache is nobody's, and need not be written back meanwhile.
            flush.zero_()
            flush.sum()
            # The GPU sleeps while Python prepares the launch, so that the time of the launch is not measured.
            torch.cuda._sleep(sleep)
            start.record()
            functions[name]()
            end.record()
            prepared_in_time = not start.query()
            end.synchronize()
            if prepared_in_time or sleep >= 2**10 * SLEEP_CYCLES:
                return 1e3 * start.elapsed_time(end)
            sleep *= 2

    return clock


def summary(times: Sequence[float]) -> dict[str, float]:
    """Return the median and the quartiles of microseconds, and how many there were."""
    quarter, median, three_quarters = statistics.quantiles(times, n=4, method="inclusive")
    return {"median_us": median, "lower_us": quarter, "upper_us": three_quarters, "runs": len(times)}


def measure(case: Case, device: torch.device, rounds: int, flush: Tensor) -> Iterator[dict[str, Any]]:
    """Yield one measurement for each contender of a case, checked against float64 before it is timed."""
    generator = torch.Generator(device).manual_seed(0)
    shape, options = (case.rows, case.columns), {"device": device, "dtype": DTYPES[case.dtype], "generator": generator}
    x = torch.randn(shape, **options).requires_grad_()  # type: ignore[call-overload] # options of several types
    upstream = torch.randn(shape, **options)  # type: ignore[call-overload] # as above
    targets = torch.randint(case.columns, (case.rows,), device=device, generator=generator)
    functions, verdicts = contenders(case, x, targets, upstream), {}
    for name, function in functions.items():
        try:
            verdicts[name] = check(case, name, function, x, targets, upstream)
        except Exception as error:  # A contender that cannot run here is a result too.
            verdicts[name] = {"ok": False, "error": f"{type(error).__name__}: {error}"[:300]}
    running = [name for name in functions if verdicts[name]["ok"]]
    times = take_turns(running, rounds, gpu_clock(functions, flush))
    results = {name: summary(times[name]) for name in running}
    for name in functions:
        passes = {COPY: 2, READ: 1}.get(name, PASSES[case.operation])
        about = asdict(case) | {"contender": name} | verdicts[name]
        yield about | rates(case, passes, results.get(name), roof_of(passes, results))


def check(case: Case, name: str, function: Contender, x: Tensor, targets: Tensor, upstream: Tensor) -> dict[str, Any]:
    """Run a contender a few times, as a warm-up, and judge its last answer."""
    for _ in range(3):
        answer = function()
    if name == COPY:
        return {"ok": bool(torch.equal(answer, x.detach()))}
    if name == READ:
        return {"ok": same_sum(answer, x.detach())}
    error = worst_error(case, answer, x, targets, upstream)
    return {"ok": error <= 1, "error_in_tolerances": error}


def same_sum(sums: Tensor, x: Tensor) -> bool:
    """Whether the sums of blocks add up to the sum of all, as far as float32 can tell."""
    parts = x.reshape(-1).split(CHUNK)
    exact = sum(part.double().sum().item() for part in parts)
    size = sum(part.double().abs().sum().item() for part in parts)
    return abs(sums.double().sum().item() - exact) <= 1e-6 * size


def roof_of(passes: int, results: dict[str, dict[str, float]]) -> dict[str, float]:
    """The seconds that the roof takes for the same number of passes: what reads once is held against a read."""
    roof, roof_passes = (READ, 1) if passes == 1 and READ in results else (COPY, 2)
    return {"median_us": results[roof]["median_us"] * passes / roof_passes} if roof in results else {}


def rates(case: Case, passes: int, result: dict[str, float] | None, roof: dict[str, float]) -> dict[str, float]:
    """Return the times with the bytes that had to be moved, per second, and what the roof's time for them makes of
    it: 1 is as fast as a copy, or as a read for an operation that reads once."""
    if result is None:
        return {}
    moved = passes * case.rows * case.columns * DTYPES[case.dtype].itemsize
    found = result | {"bytes": moved, "bytes_per_second": moved / result["median_us"] * 1e6}
    return found | ({"fraction_of_roof": roof["median_us"] / result["median_us"]} if roof else {})


def peak_flops(device: torch.device) -> float:
    """Measure float32 operations per second of a large matrix product outside the tensor cores: the roof."""
    torch.backends.cuda.matmul.allow_tf32 = False
    a = torch.randn(PRODUCT, PRODUCT, device=device)
    times = take_turns(["product"], 10, gpu_clock({"product": lambda: a @ a}, a))
    return 2 * PRODUCT**3 / summary(times["product"][3:])["median_us"] * 1e6


def machine(device: torch.device) -> dict[str, Any]:
    """Describe what was measured on, and when."""
    gpu = torch.cuda.get_device_properties(device)
    return {
        "schema": SCHEMA,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "gpu": gpu.name,
            "multiprocessors": gpu.multi_processor_count,
            "l2_bytes": gpu.L2_cache_size,
            "memory_bytes": gpu.total_memory,
            **driver(),
        },
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "triton": triton.__version__,
            "cuda": torch.version.cuda,
        },
    }


def driver() -> dict[str, str]:
    """The driver and the clocks, as nvidia-smi tells them; nothing where it does not."""
    fields = ("driver_version", "clocks.max.sm", "clocks.max.mem", "power.limit")
    command = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    values = [value.strip() for value in said.splitlines()[0].split(",")] if said.strip() else []
    return dict(zip(fields, values, strict=False))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m helpers.kernels.bench", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--output", type=Path, help="the JSON file (default: helpers/kernels/results/kernels-<gpu>.json)"
    )
    parser.add_argument("--figures", type=Path, help="the folder for the figures (default: beside the JSON file)")
    parser.add_argument("--rounds", type=int, default=50, help="how often each contender is timed (default: 50)")
    parser.add_argument("--columns", type=widths, default=widths(COLUMNS), help=f"row widths (default: {COLUMNS})")
    parser.add_argument("--operations", type=operations, default=list(PASSES), help=f"of {', '.join(PASSES)}")
    parser.add_argument("--redraw", type=Path, metavar="JSON", help="only draw the figures of an earlier measurement")
    options = parser.parse_args(arguments)
    if options.rounds < 2:
        parser.error("--rounds must be at least 2, or there is no spread")
    return options


def widths(text: str) -> list[int]:
    """Read "128,50257" as [128, 50257]."""
    if not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", text):
        raise argparse.ArgumentTypeError(f"expected widths of rows such as 128,50257, got {text!r}")
    return [int(columns) for columns in text.split(",")]


def operations(text: str) -> list[str]:
    """Read the names of operations, comma between them."""
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in PASSES]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of: {', '.join(PASSES)}")
    return names


def rows_for(columns: int, dtype: str) -> int:
    """As many rows as it takes to fill TENSOR_BYTES."""
    return -(-TENSOR_BYTES // (columns * DTYPES[dtype].itemsize))


def obstacle() -> str | None:
    """Say why nothing can be measured here, if so."""
    if not torch.cuda.is_available():
        return "this benchmark needs an NVIDIA GPU that PyTorch can see; there is none here, so nothing was measured"
    if triton.knobs.runtime.interpret:
        return "TRITON_INTERPRET is set: under the interpreter there is nothing to measure; unset it"
    return None


def run(
    options: argparse.Namespace, output: Path, before: dict[str, Any] | None = None, device: str = "cuda"
) -> dict[str, Any]:
    """Measure every case on the current GPU, write the JSON file after each, and return what it holds: what was
    measured `before` on the same machine, too."""
    # A backward pass is timed many times over one graph, which torch.compile does not expect.
    torch._functorch.config.donated_buffer = False
    gpu = torch.device(device)
    results = machine(gpu) | {"rounds": options.rounds, "peak_flops": peak_flops(gpu), "measurements": []}
    results = merged(before, results)
    flush = torch.ones(max(FLUSHED, results["machine"]["l2_bytes"]), dtype=torch.int32, device=gpu)
    for columns in options.columns:
        for dtype in DTYPES:
            for operation in options.operations:
                torch.compiler.reset()
                case = Case(operation, rows_for(columns, dtype), columns, dtype)
                found = list(measure(case, gpu, options.rounds, flush))
                print("\n".join(map(line, found)), flush=True)
                results = merged(results, results | {"measurements": found})
                write(output, json.dumps(results, indent=1) + "\n")
                torch.cuda.empty_cache()
    return results


def earlier(output: Path) -> dict[str, Any] | None:
    """What an earlier run has written to `output`, or None. Raises ValueError for a file that is no such thing."""
    return checked(json.loads(output.read_text(encoding="utf-8"))) if output.exists() else None


def merged(before: dict[str, Any] | None, now: dict[str, Any]) -> dict[str, Any]:
    """`now`, with what was measured before on the same machine with the same versions and not again."""
    if before is None or any(before[part] != now[part] for part in ("machine", "versions")):
        return now
    rows = {tuple(row[key] for key in KEY): row for row in (*before["measurements"], *now["measurements"])}
    return now | {"measurements": list(rows.values())}


def line(row: dict[str, Any]) -> str:
    """Return a measurement as a line of text."""
    name = f"{row['operation']:23} {row['rows']:>7}x{row['columns']:<6} {row['dtype']:8} {row['contender']:24}"
    if not row["ok"]:
        return f"{name} WRONG: {row.get('error', '') or str(row.get('error_in_tolerances')) + ' times the tolerance'}"
    spread = f"[{row['lower_us']:.1f}, {row['upper_us']:.1f}]"
    share = f"{row['fraction_of_roof']:6.1%} of the roof" if "fraction_of_roof" in row else ""
    return f"{name} {row['median_us']:9.1f} us {spread:22} {share}"


def checked(results: Any) -> dict[str, Any]:
    """The results. Raises ValueError if they are none."""
    if not isinstance(results, dict) or results.get("schema") != SCHEMA or not results.get("measurements"):
        raise ValueError(f"this is no result of helpers.kernels.bench: schema {SCHEMA} with measurements is expected")
    return results


def draw(results: dict[str, Any]) -> dict[str, Figure]:
    """Return the figures of a measurement by name. Raises ValueError if it is no such file."""
    checked(results)
    title = f"{results['machine']['gpu']}, torch {results['versions']['torch']}, {results['date'][:10]}"
    bandwidth = Figure(figsize=(10, 4), layout="constrained")
    bandwidth.suptitle(f"log_softmax forward on {title}")
    for axes, dtype in zip(bandwidth.subplots(1, 2, sharey=True), DTYPES, strict=True):
        draw_bandwidth(axes, results, dtype)
    roofline = Figure(figsize=(6, 4), layout="constrained")
    draw_roofline(roofline.subplots(), results)
    roofline.suptitle(f"Roofline of {title}")
    return {"bandwidth": bandwidth, "roofline": roofline}


def draw_bandwidth(axes: Axes, results: dict[str, Any], dtype: str) -> None:
    """Draw bytes per second against the width of a row, with quartiles."""
    rows = [m for m in results["measurements"] if m["ok"] and m["dtype"] == dtype]
    rows = sorted((m for m in rows if m["operation"] == "log_softmax forward"), key=lambda m: m["columns"])
    for name in dict.fromkeys(m["contender"] for m in rows):
        own = [m for m in rows if m["contender"] == name]
        rate = [m["bytes_per_second"] / 1e12 for m in own]
        below = [r * (1 - m["median_us"] / m["upper_us"]) for r, m in zip(rate, own, strict=True)]
        above = [r * (m["median_us"] / m["lower_us"] - 1) for r, m in zip(rate, own, strict=True)]
        style = "o--" if name in ROOFS else "o-"
        axes.errorbar([m["columns"] for m in own], rate, yerr=(below, above), fmt=style, label=name)
    axes.set(title=dtype, xscale="log", xlabel="columns", ylabel="TB/s", ylim=(0, None))
    axes.legend()


def draw_roofline(axes: Axes, results: dict[str, Any]) -> None:
    """Draw what is attainable at an intensity, min(peak, bandwidth * intensity), and what our kernels attained."""
    rows = [m for m in results["measurements"] if m["ok"]]
    bandwidth = statistics.median(m["bytes_per_second"] for m in rows if m["contender"] == COPY)
    peak = results["peak_flops"]
    intensities = [2**-3, peak / bandwidth, 8 * peak / bandwidth]
    axes.plot(intensities, [min(peak, bandwidth * i) for i in intensities], color="black", label="attainable")
    for operation, dtype in ((o, d) for o in PASSES for d in DTYPES):
        own = [m for m in rows if (m["operation"], m["dtype"], m["contender"]) == (operation, dtype, OURS)]
        flops = [ARITHMETIC[operation] * m["rows"] * m["columns"] for m in own]
        points = [(f / m["bytes"], f / m["median_us"] * 1e6) for f, m in zip(flops, own, strict=True)]
        axes.plot(*zip(*points, strict=True), "o", label=f"{operation}, {dtype}") if points else None
    axes.set(xscale="log", yscale="log", xlabel="operations per byte", ylabel="operations per second")
    axes.legend(fontsize="x-small")


def write(path: Path, text: str) -> None:
    """Write to a temporary name first, so that a file that exists is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def write_figures(results: dict[str, Any], folder: Path, stem: str) -> None:
    """Write every figure as SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in draw(results).items():
        temporary = folder / f"{stem}-{name}.svg.tmp"
        figure.savefig(temporary, format="svg", metadata={"Date": None})
        os.replace(temporary, temporary.with_suffix(""))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, or redraw its figures; return the exit code."""
    options = parse(arguments)
    if options.redraw:
        try:
            results = json.loads(options.redraw.read_text(encoding="utf-8"))
            write_figures(results, options.figures or options.redraw.parent, options.redraw.stem)
        except (OSError, ValueError) as error:
            print(f"{options.redraw}: {error}", file=sys.stderr)
            return 2
        return 0
    if (reason := obstacle()) is not None:
        print(reason, file=sys.stderr)
        return 2
    name = re.sub(r"[^a-z0-9]+", "-", torch.cuda.get_device_name().lower()).strip("-")
    output = options.output or RESULTS / f"kernels-{name}.json"
    try:
        before = earlier(output)
    except (OSError, ValueError) as error:
        print(f"{output}: {error}; name another file with --output", file=sys.stderr)
        return 2
    results = run(options, output, before)
    write_figures(results, options.figures or output.parent, output.stem)
    print(f"written: {output}")
    wrong = [row for row in results["measurements"] if not row["ok"]]
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
