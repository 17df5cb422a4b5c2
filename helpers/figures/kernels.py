"""The figures of notebook 06: temperature, the roofline, and bytes per second of log-softmax kernels.

What is drawn as measured was measured: on this machine, just now (`measure_here`), or on a GPU by
`python -m helpers.kernels.bench`, whose results are read from the files in RESULTS.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import torch
from matplotlib.figure import Figure

from helpers.information import entropy
from helpers.logits import arithmetic_intensity, attainable_flops, log_softmax
from helpers.plotting import PALETTE, STYLE, describe

RESULTS = Path(__file__).resolve().parent.parent / "kernels" / "results"
# Operations for each element of a log-softmax: compare, subtract, exp, add, subtract.
LOG_SOFTMAX_OPERATIONS = 5
FLOAT32_BYTES = 4
LINES = {
    "copy": ("black", "o--"),
    "infograd": ("blue", "o-"),
    "torch": ("vermilion", "s-"),
    "torch.compile": ("green", "^-"),
    "torch.compile, autotuned": ("sky", "v-"),
    "read": ("black", "x:"),
}
# The exponentials that a multiprocessor starts in a clock, with its 16 special function units.
EXPONENTIALS_PER_CLOCK = 16


@dataclass(frozen=True)
class Measured:
    """One computation: operations, bytes that must move, and the shortest time it took, in seconds."""

    flops: float
    bytes_moved: float
    seconds: float

    @property
    def intensity(self) -> float:
        """Operations per byte."""
        return arithmetic_intensity(self.flops, self.bytes_moved)

    @property
    def rate(self) -> float:
        """Operations per second."""
        return self.flops / self.seconds


@dataclass(frozen=True)
class Machine:
    """What was measured on this machine: operations per second at best, bytes per second at best, the numbers whose
    log-softmax it takes in a second where no memory holds it up (None: not known), and points."""

    device: str
    peak: float
    bandwidth: float
    at_hand: float | None
    points: dict[str, Measured]


def temperature_against_entropy(logits: tuple[float, ...] = (2.0, 1.0, 0.5, 0.1)) -> Figure:
    """The probabilities of softmax(logits / T), and their entropy in nats, against the temperature T."""
    x = torch.tensor(logits, dtype=torch.float64)
    temperatures = torch.logspace(-1.3, 1.7, 200, dtype=torch.float64)
    probabilities = torch.stack([log_softmax(x, t.item()).exp() for t in temperatures])
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 3.8))
        left, right = figure.subplots(1, 2)
        looks = (("blue", "-"), ("vermilion", "--"), ("green", "-."), ("black", ":"))
        for k, (logit, (colour, dashes)) in enumerate(zip(logits, looks, strict=False)):
            left.semilogx(temperatures, probabilities[:, k], dashes, color=PALETTE[colour], label=f"logit {logit:g}")
        left.set(xlabel="temperature T", ylabel="probability", ylim=(0, 1.02), title="Who is chosen")
        left.legend()
        right.semilogx(temperatures, entropy(probabilities), color=PALETTE["blue"])
        limit = float(torch.tensor(float(len(logits))).log())
        right.axhline(limit, color=PALETTE["black"], linestyle=":", linewidth=1.2)
        right.annotate(f"log {len(logits)}", (0.06, limit), xytext=(0, -14), textcoords="offset points")
        for t in (0.1, 1.0, 10.0):
            right.plot(t, entropy(log_softmax(x, t).exp()), "o", color=PALETTE["blue"])
        right.set(xlabel="temperature T", ylabel="entropy (nats)", ylim=(-0.04, limit + 0.12))
        right.set_title("How open the choice is")
    return figure


def measure_here(seconds: float = 0.1) -> Machine:
    """Time some computations in float32 on tensors larger than the caches, on the GPU or the CPU.

    Every answer goes into memory that was there before, so that no page of it is fetched while the clock runs. The
    machine's limits are the most operations and the most bytes per second that any of them reached.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows, side = (2**16, 8192) if device.type == "cuda" else (4096, 1024)
    x, a = torch.randn(rows, 4096, device=device), torch.randn(side, side, device=device)
    few = torch.randn(4096, 8, device=device)
    out, narrow, square = torch.empty_like(x), torch.empty(rows, 8, device=device), torch.empty_like(a)
    n, once = x.numel(), FLOAT32_BYTES * x.numel()
    product_bytes = once + FLOAT32_BYTES * (few.numel() + narrow.numel())

    def measured(flops: float, bytes_moved: float, compute: Callable[[], object]) -> Measured:
        return Measured(flops, bytes_moved, _best_seconds(compute, seconds))

    points = {
        "x + 1": measured(n, 2 * once, lambda: torch.add(x, 1, out=out)),
        "log_softmax": measured(LOG_SOFTMAX_OPERATIONS * n, 2 * once, lambda: torch.log_softmax(x, -1, out=out)),
        "product with 8 columns": measured(16 * n, product_bytes, lambda: torch.mm(x, few, out=narrow)),
        "product of squares": measured(2 * side**3, 3 * FLOAT32_BYTES * side**2, lambda: torch.mm(a, a, out=square)),
    }
    threads = f"{torch.get_num_threads()} thread{'s' * (torch.get_num_threads() > 1)}"
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"this CPU, {threads}"
    peak = max(point.rate for point in points.values())
    bandwidth = max(point.bytes_moved / point.seconds for point in points.values())
    return Machine(name, peak, bandwidth, log_softmax_at_hand(device, seconds), points)


def log_softmax_at_hand(device: torch.device, seconds: float) -> float | None:
    """The numbers whose log-softmax a machine takes in a second where no memory holds it up: on a CPU measured on
    numbers in its cache, on a GPU by the clock of its exponentials, one for each (None where that is not told)."""
    if device.type == "cuda":
        gpu = torch.cuda.get_device_properties(device)
        hertz = 1e3 * getattr(gpu, "clock_rate", 0)
        return EXPONENTIALS_PER_CLOCK * gpu.multi_processor_count * hertz or None
    near = torch.randn(8, 4096)
    out = torch.empty_like(near)
    return near.numel() / _best_seconds(lambda: torch.log_softmax(near, -1, out=out), seconds)


def share_of_slope(machine: Machine, name: str = "log_softmax") -> float:
    """The bytes per second of a point as a fraction of the most that any point reached."""
    point = machine.points[name]
    return point.bytes_moved / point.seconds / machine.bandwidth


def roofline(machine: Machine) -> Figure:
    """Operations per second against operations per byte: the limits of a machine, and what was measured on it."""
    ridge = machine.peak / machine.bandwidth
    reach = [0.03, ridge, max(20 * ridge, 400.0)]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.4))
        axes = figure.add_subplot()
        limits = [attainable_flops(i, machine.peak, machine.bandwidth) / 1e9 for i in reach]
        axes.loglog(reach, limits, color=PALETTE["black"], label="the roofline")
        looks = zip(machine.points.items(), ("blue", "vermilion", "green", "purple"), "osD^", strict=False)
        for (name, point), colour, marker in looks:
            axes.loglog(point.intensity, point.rate / 1e9, marker, color=PALETTE[colour], markersize=9)
            # The first label stands above its point, the last one to its left: so none meets another.
            left, above = name in ("x + 1", "product of squares"), name == "x + 1"
            axes.annotate(
                f"{name}, {point.intensity:.3g}",
                (point.intensity, point.rate / 1e9),
                xytext=(-8 if left else 8, 8 if above else -14),
                textcoords="offset points",
                ha="right" if left else "left",
            )
        axes.axvline(ridge, color="#888888", linewidth=1, linestyle=":")
        if machine.at_hand is not None:
            limit = LOG_SOFTMAX_OPERATIONS * machine.at_hand / 1e9
            axes.loglog([0.25, 2.5], [limit] * 2, "--", color=PALETTE["vermilion"], label="log_softmax without memory")
        axes.set(xlabel="arithmetic intensity (operations per byte)", ylabel="billion operations per second")
        axes.set_title(f"Measured on {machine.device}, float32")
        axes.legend(loc="lower right", fontsize=9)
    dashed = "" if machine.at_hand is None else " A dashed line is log_softmax where no memory holds it up."
    return describe(
        figure,
        f"The roofline of {machine.device}, measured: a slope of {machine.bandwidth / 1e9:.3g} GB/s up to "
        f"{machine.peak / 1e9:.3g} billion operations per second. log_softmax, at 5/8 operation per byte, reaches "
        f"{share_of_slope(machine):.0%} of the slope; x + 1 lies left of it, two matrix products right.{dashed}",
    )


def measurements(folder: Path = RESULTS) -> dict[str, Any] | None:
    """The newest committed results of `python -m helpers.kernels.bench`, or None where there are none.

    Raises ValueError, naming the file, for one that is not such a result.
    """
    found = []
    for file in sorted(folder.glob("*.json")):
        results = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(results, dict) or results.get("schema") != 2 or not results.get("measurements"):
            raise ValueError(f"{file.name} is no result of helpers.kernels.bench: measure again, or remove it")
        found.append(results)
    return max(found, key=lambda results: str(results["date"]), default=None)


def bytes_per_second(results: Mapping[str, Any], operation: str = "log_softmax forward") -> Figure:
    """Bytes per second, as if each element moved once in and once out, against row width; bars are quartiles."""
    rows = [m for m in results["measurements"] if m["ok"] and m["operation"] == operation]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.0, 4.0))
        dtypes = list(dict.fromkeys(m["dtype"] for m in rows))
        for axes, dtype in zip(figure.subplots(1, len(dtypes), sharey=True, squeeze=False)[0], dtypes, strict=True):
            for name in dict.fromkeys(m["contender"] for m in rows):
                own = [m for m in rows if (m["contender"], m["dtype"]) == (name, dtype)]
                own.sort(key=lambda m: m["columns"])
                rate = [m["bytes_per_second"] / 1e12 for m in own]
                below = [r * (1 - m["median_us"] / m["upper_us"]) for r, m in zip(rate, own, strict=True)]
                above = [r * (m["median_us"] / m["lower_us"] - 1) for r, m in zip(rate, own, strict=True)]
                colour, look = LINES.get(name, ("purple", "D-"))
                columns = [m["columns"] for m in own]
                axes.errorbar(columns, rate, yerr=(below, above), fmt=look, color=PALETTE[colour], label=name)
            axes.set(xscale="log", xlabel="columns of a row", title=dtype, ylim=(0, None))
            axes.label_outer()
        figure.axes[0].set_ylabel("terabytes per second")
        figure.axes[0].legend()
        made_by = f"{results['machine']['gpu']}, torch {results['versions']['torch']}, {results['date'][:10]}"
        figure.suptitle(f"{operation}, {made_by}")
    return figure


def _best_seconds(compute: Callable[[], object], seconds: float) -> float:
    """The shortest time of a call, of at least three calls and about so many seconds, after one that does not count."""
    clock = _seconds_on_gpu if torch.cuda.is_available() else _seconds_on_cpu
    compute()
    times: list[float] = []
    while len(times) < 3 or (sum(times) < seconds and len(times) < 1000):
        times.append(clock(compute))
    return min(times)


def _seconds_on_cpu(compute: Callable[[], object]) -> float:
    start = time.perf_counter()
    compute()
    return time.perf_counter() - start


def _seconds_on_gpu(compute: Callable[[], object]) -> float:
    """By the GPU's own clock: what Python does before and after is not counted."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    compute()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3
