"""The figures of codes: Huffman's tree, lengths between their bounds, what coding in blocks saves (notebook 01)."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from functools import reduce

import matplotlib
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from helpers.figures.divergences import label, spoken
from helpers.information import entropy, huffman_code_lengths
from helpers.plotting import PALETTE, STYLE, describe

FOUR = (0.4, 0.3, 0.2, 0.1)
SKEWED = (0.9, 0.1)
Tree = int | tuple["Tree", "Tree"]  # a symbol, or two trees joined


def joined(p: Sequence[float]) -> Tree:
    """The tree that Huffman's joins make of the symbols 0, 1, ...: the likelier part first."""
    heap: list[tuple[float, int, Tree]] = [(weight, i, i) for i, weight in enumerate(p)]
    heapq.heapify(heap)
    for made in range(len(p), 2 * len(p) - 1):
        (small, _, right), (large, _, left) = heapq.heappop(heap), heapq.heappop(heap)
        heapq.heappush(heap, (small + large, made, (left, right)))
    return heap[0][2]


def code_words(tree: Tree, word: str = "") -> dict[int, str]:
    """The code word of each symbol: 0 for the first branch, 1 for the second."""
    if isinstance(tree, int):
        return {tree: word}
    return code_words(tree[0], word + "0") | code_words(tree[1], word + "1")


def huffman_tree(p: Sequence[float] = FOUR, names: Sequence[str] = ("a", "b", "c", "d")) -> Figure:
    """The tree of a Huffman code: every join with its probability, every symbol with its code word."""
    tree = joined(p)
    words = code_words(tree)
    order = {symbol: place for place, symbol in enumerate(words)}

    def draw(node: Tree, depth: int) -> tuple[float, float]:
        """Draw what hangs below a node; return its place from left to right and its probability."""
        if isinstance(node, int):
            place, weight = float(order[node]), p[node]
            text = f"{names[node]}\n{words[node]}"
            axes.text(place, -depth - 0.28, text, ha="center", va="top", fontsize=12)
        else:
            (left, first), (right, second) = (draw(part, depth + 1) for part in node)
            place, weight = (left + right) / 2, first + second
            for bit, end in (("0", left), ("1", right)):
                axes.plot([place, end], [-depth, -depth - 1], color="#666666", linewidth=1.5, zorder=1)
                shift = -0.1 if end < place else 0.1
                axes.text((place + end) / 2 + shift, -depth - 0.5, bit, ha="center", va="center", color="#444444")
        box = {"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": PALETTE["blue"]}
        axes.text(place, -depth, f"{weight:.2g}", ha="center", va="center", bbox=box, zorder=2)
        return place, weight

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.6))
        axes = figure.add_subplot()
        draw(tree, 0)
        deepest = max(map(len, words.values()))
        axes.set(xlim=(-0.5, len(p) - 0.5), ylim=(-deepest - 0.9, 0.4))
        axes.set_axis_off()
        axes.set_title("Huffman's joins, from the leaves up")
    coded = ", ".join(f"{names[i]} ({p[i]:g}) has {words[i]}" for i in range(len(p)))
    return describe(figure, f"A tree whose leaves are the symbols: {coded}. The likelier, the nearer to the root.")


def block_bits(p: Sequence[float], longest: int) -> list[float]:
    """Mean bits per symbol of the best prefix code for blocks of 1, 2, ..., ``longest`` independent symbols."""
    one = torch.tensor(p, dtype=torch.float64)
    bits = []
    for k in range(1, longest + 1):
        block = reduce(lambda joint, p: torch.outer(joint, p).flatten(), [one] * (k - 1), one)
        bits.append(((block * huffman_code_lengths(block)).sum() / k).item())
    return bits


def block_costs(p: Sequence[float] = SKEWED, longest: int = 8) -> Figure:
    """Bits per symbol of a Huffman code for blocks of independent symbols, against the length of the blocks."""
    bits = block_bits(p, longest)
    floor = entropy(torch.tensor(p, dtype=torch.float64)).item() / math.log(2)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.4))
        axes = figure.add_subplot()
        k = range(1, longest + 1)
        axes.fill_between(k, floor, [floor + 1 / n for n in k], color=PALETTE["sky"], alpha=0.15, linewidth=0)
        axes.plot(k, [floor + 1 / n for n in k], "--", color=PALETTE["vermilion"], linewidth=1.5, label="H + 1/k")
        axes.plot(k, bits, "o", color=PALETTE["blue"], label="optimal code for blocks of k")
        axes.axhline(floor, color=PALETTE["black"], linewidth=1.5, label=f"H = {floor:.3f}")
        for n, y in zip(k, bits[:4], strict=False):
            axes.annotate(f"{y:.3f}", (n, y), (6, 5), textcoords="offset points")
        axes.set(xlabel="symbols in a block, k", ylabel="bits per symbol", xlim=(0.8, longest + 0.2), ylim=(0.4, 1.5))
        axes.set_title(f"Blocks of k waste less than 1/k bit: p = {spoken(p)}")
        axes.legend(loc="upper right")
    first = ", ".join(f"{x:.3f}" for x in bits[:4])
    return describe(
        figure,
        f"Bits per symbol of an optimal code for blocks of 1 to {longest} symbols of {spoken(p)}: {first} for blocks "
        f"of 1 to 4, and {bits[-1]:.3f} for {longest}; the entropy is {floor:.3f}.",
    )


def assorted_distributions() -> list[Tensor]:
    """Two hundred distributions over 2 to 8 outcomes, from nearly certain to nearly uniform."""
    generator = torch.Generator().manual_seed(0)
    sizes = torch.randint(2, 9, (200,), generator=generator).tolist()
    spreads = torch.linspace(0.3, 5, 200).tolist()
    logits = [s * torch.randn(n, generator=generator).double() for n, s in zip(sizes, spreads, strict=True)]
    return [x.softmax(-1) for x in logits]


def code_length_against_entropy(
    distributions: Sequence[Float[Tensor, " n"]] | None = None,
    code_lengths: Callable[[Tensor], Tensor] = huffman_code_lengths,
) -> Figure:
    """Mean length of a code against entropy, both in bits per symbol, between Shannon's bounds H and H + 1.

    One dot for each of ``distributions``, vectors of which two hundred assorted ones are drawn by default.
    ``code_lengths`` maps a vector to its code lengths in bits.
    """

    def place(p: Tensor) -> tuple[float, float]:
        return entropy(p).item() / math.log(2), (p * code_lengths(p)).sum().item()

    chosen = assorted_distributions() if distributions is None else distributions
    entropies, lengths = zip(*map(place, chosen), strict=True)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.4))
        axes = figure.add_subplot()
        axes.fill_between([0, 3.2], [0, 3.2], [1, 4.2], color=PALETTE["sky"], alpha=0.15, linewidth=0)
        axes.plot([0, 3.2], [1, 4.2], "--", color=PALETTE["vermilion"], linewidth=1.5, label="H + 1")
        axes.scatter(entropies, lengths, s=16, color=PALETTE["blue"], alpha=0.6, linewidth=0, label="optimal code")
        axes.plot([0, 3.2], [0, 3.2], color=PALETTE["black"], linewidth=1.5, label="H, the entropy")
        for example, shift in ((FOUR, 0.5), (SKEWED, 0)):
            x, y = place(torch.tensor(example, dtype=torch.float64))
            axes.plot(x, y, "D", color=PALETTE["orange"], markeredgecolor="black", markersize=7)
            label(axes, str(example), (x + shift, y))
        axes.set(xlim=(0, 3.2), ylim=(0, 3.5), xlabel="entropy (bits per symbol)")
        axes.set_ylabel("mean code length (bits per symbol)")
        axes.set_title("An optimal code costs less than one bit above the entropy")
        axes.legend(loc="upper left")
    return describe(
        figure,
        f"Mean code length against entropy, in bits, for {len(lengths)} distributions: every point lies between the "
        "entropy and the entropy plus one bit.",
    )
