"""Two pictures of a GPU for notebook 06: programs over the rows of a tensor, and where numbers can be kept."""

from __future__ import annotations

import matplotlib
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers.plotting import PALETTE, STYLE, describe

MULTIPROCESSORS, HERTZ = 132, 1.83e9  # the clock at which its tensor cores do 990e12 operations a second
# An H100 SXM: what holds numbers, the bytes that it holds in all, and the bytes that it gives and takes in a second at
# best. A multiprocessor has 65,536 registers of 4 bytes, and 128 lanes whose multiply-add reads three and writes one;
# up to 228 KB of shared memory, which gives 128 bytes a clock; the L2 cache gives 5,120 bytes a clock.
LEVELS = {
    "registers": (MULTIPROCESSORS * 65536 * 4, MULTIPROCESSORS * HERTZ * 128 * 16),
    "shared memory": (MULTIPROCESSORS * 228 * 2**10, MULTIPROCESSORS * HERTZ * 128),
    "L2 cache": (50e6, 5120 * HERTZ),
    "memory": (80e9, 3.35e12),
}


def programs_over_rows(rows: int = 4, columns: int = 6, block: int = 8, program: int = 2) -> Figure:
    """A packed tensor, each number at its place in memory, and the block of one program with its masked lanes."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 3.2))
        axes = figure.add_subplot()
        for row in range(rows):
            for lane in range(block):
                _lane(axes, row, lane, columns, row == program)
            colour = PALETTE["blue"] if row == program else "#555555"
            axes.text(-0.3, row + 0.5, f"program {row}", ha="right", va="center", color=colour)
        for lane in range(block):
            axes.text(lane + 0.5, -0.35, f"{lane}", ha="center", va="center", color="#555555")
        axes.text(-0.3, -0.35, "lane", ha="right", va="center", color="#555555")
        axes.set(xlim=(-2.2, block + 0.1), ylim=(rows + 0.1, -0.8), aspect="equal")
        axes.set_axis_off()
    first = program * columns
    return describe(
        figure,
        f"A tensor of {rows} rows and {columns} columns, its numbers labelled 0 to {rows * columns - 1} by their place "
        f"in memory. Program {program} has a block of {block} lanes over row {program}: lanes 0 to {columns - 1} hold "
        f"places {first} to {first + columns - 1}, lanes {columns} to {block - 1} are masked, filled with -inf: places "
        f"{first + columns} to {first + block - 1} belong to the next row.",
    )


def _lane(axes: matplotlib.axes.Axes, row: int, lane: int, columns: int, chosen: bool) -> None:
    """One lane of a program: its number's place in memory, or the filling of a masked lane."""
    inside = lane < columns
    if not inside and not chosen:
        return
    face = ("#CFE6F5" if chosen else "#F4F4F4") if inside else "white"
    hatch, edge = ("" if inside else "///"), (PALETTE["blue"] if chosen else "#AAAAAA")
    axes.add_patch(Rectangle((lane, row), 1, 1, facecolor=face, edgecolor=edge, hatch=hatch, linewidth=1.4))
    text = f"{row * columns + lane}" if inside else "-inf"
    white = {} if inside else {"bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1.0}}
    axes.text(lane + 0.5, row + 0.5, text, ha="center", va="center", **white)


def memory_levels() -> Figure:
    """Where an H100 keeps numbers: how much of them, and how fast they come."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 2.6))
        left, right = figure.subplots(1, 2, sharey=True)
        names = list(LEVELS)
        for axes, at, unit, title in (
            (left, 0, (1e6, "MB"), "Holds (log scale)"),
            (right, 1, (1e12, "TB/s"), "Gives, at best (log scale)"),
        ):
            values = [LEVELS[name][at] / unit[0] for name in names]
            bars = axes.barh(names, values, color=[PALETTE[c] for c in ("blue", "sky", "green", "orange")])
            axes.bar_label(bars, [_rounded(value, unit[1]) for value in values], padding=4)
            axes.set(xscale="log", title=title, xlim=(min(values) / 4, max(values) * 40))
            axes.tick_params(which="both", labelbottom=False, bottom=False)
            axes.spines["bottom"].set_visible(False)
            axes.grid(visible=False)
        left.invert_yaxis()
    parts = [f"{name} {_rounded(h / 1e6, 'MB')} at {_rounded(s / 1e12, 'TB/s')}" for name, (h, s) in LEVELS.items()]
    return describe(figure, f"What an H100 holds and, at best, gives, from near to far: {', '.join(parts)}.")


def _rounded(value: float, unit: str) -> str:
    """Two digits and the unit: 30 MB, 80 GB."""
    if unit == "MB" and value >= 1000:
        return f"{value / 1000:.2g} GB"
    return f"{float(f'{value:.2g}'):,.0f} {unit}" if value >= 10 else f"{value:.2g} {unit}"
