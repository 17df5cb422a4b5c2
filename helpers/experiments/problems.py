"""What the methods are tried on: a rotated bowl, and small language models of one play.

A problem has parameters to begin with, a loss in nats (the bowl's has no unit) on a batch that a generator draws, and a
final score. The text is what is spoken in A Midsummer Night's Dream."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from helpers.texts import midsummer

CONTEXT = 8  # characters that the character model sees
BATCH = 64
WORD_BATCH = 256
GROUPS = 5

Params = list[Tensor]
Loss = Callable[[Params], Tensor]


@dataclass(frozen=True)
class Problem:
    """`start(seed)` makes parameters, `draw(generator)` a loss on a fresh batch, `score(params)` the final scores."""

    start: Callable[[int], Params]
    draw: Callable[[torch.Generator], Loss]
    score: Callable[[Params], dict[str, float]]


def bowl(seed: int, side: int = 8, kappa: float = 1000.0) -> Problem:
    """w^T H w / 2 for the entries w of a side-by-side matrix; H has eigenvalues from 1/kappa to 1 in a random basis.

    Every seed has another basis and another start, of length 1; the score is the loss over the loss at the start.
    """
    n = side * side
    generator = torch.Generator().manual_seed(seed)
    basis, _ = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))
    hessian = (basis * torch.logspace(0, -math.log10(kappa), n, dtype=torch.float64)) @ basis.mT
    first = torch.randn(side, side, generator=generator, dtype=torch.float64)
    first = first / first.norm()

    def loss(params: Params) -> Tensor:
        w = params[0].reshape(-1)
        value: Tensor = w @ (hessian @ w) / 2
        return value

    return Problem(lambda _: [first.clone()], lambda _: loss, lambda p: {"loss": (loss(p) / loss([first])).item()})


@cache
def characters() -> tuple[Tensor, Tensor, int]:
    """The text as numbers, split into training (nine tenths) and the rest, and how many characters there are."""
    text = midsummer()
    alphabet = sorted(set(text))
    codes = torch.tensor([alphabet.index(c) for c in text])
    cut = len(codes) * 9 // 10
    return codes[:cut], codes[cut:], len(alphabet)


def scaled(generator: torch.Generator, *shape: int) -> Tensor:
    """Normal weights of a layer, small enough that its outputs are about as large as its inputs."""
    weights: Tensor = torch.randn(shape, generator=generator) / shape[-1] ** 0.5
    return weights


def logits(params: Params, contexts: Tensor) -> Tensor:
    """The character model: embeddings of the last CONTEXT characters, two hidden layers, one output a character."""
    embedding, w1, b1, w2, b2, w3, b3 = params
    h = torch.relu(embedding[contexts].flatten(1) @ w1.mT + b1)
    outputs: Tensor = torch.relu(h @ w2.mT + b2) @ w3.mT + b3
    return outputs


def character_model(width: int = 64, features: int = 16) -> Problem:
    """Predict a character from the eight before it. The score is the cross-entropy in nats on the held-out tenth."""
    train, held_out, size = characters()

    def start(seed: int) -> Params:
        g = torch.Generator().manual_seed(seed)
        layers = [scaled(g, width, CONTEXT * features), scaled(g, width, width), scaled(g, size, width)]
        params = [torch.randn(size, features, generator=g)]
        for layer in layers:
            params += [layer, torch.zeros(len(layer))]
        params[5] = params[5] * 0.1  # begin with nearly even predictions
        return params

    def draw(generator: torch.Generator) -> Loss:
        at = torch.randint(0, len(train) - CONTEXT, (BATCH, 1), generator=generator)
        window = train[at + torch.arange(CONTEXT + 1)]
        return lambda params: cross_entropy(logits(params, window[:, :-1]), window[:, -1])

    def score(params: Params) -> dict[str, float]:
        windows = held_out.unfold(0, CONTEXT + 1, 1)
        return {"loss": cross_entropy(logits(params, windows[:, :-1]), windows[:, -1]).item()}

    return Problem(start, draw, score)


@cache
def words() -> tuple[Tensor, int]:
    """The text as numbers of words, the most frequent word being 0, and how many different words there are."""
    found = re.findall(r"[a-z']+", midsummer().lower())
    counts: dict[str, int] = {}
    for word in found:
        counts[word] = counts.get(word, 0) + 1
    rank = {word: i for i, word in enumerate(sorted(counts, key=lambda w: (-counts[w], w)))}
    return torch.tensor([rank[word] for word in found]), len(rank)


def word_groups() -> Tensor:
    """The group of each word: 0 holds the most frequent words, 4 the rarest; each is about a fifth of the text."""
    codes, size = words()
    counts = torch.bincount(codes, minlength=size)
    before = counts.cumsum(0) - counts
    return (before * GROUPS // len(codes)).clamp(max=GROUPS - 1)


def word_model(features: int = 32) -> Problem:
    """Predict a word from the one before: an embedding and one linear layer.

    The scores are training losses in nats: over the whole text, and for each group of words by their frequency.
    """
    codes, size = words()
    inputs, targets = codes[:-1], codes[1:]
    groups = word_groups()[targets]

    def start(seed: int) -> Params:
        g = torch.Generator().manual_seed(seed)
        return [torch.randn(size, features, generator=g), scaled(g, size, features) * 0.1, torch.zeros(size)]

    def predict(params: Params, at: Tensor) -> Tensor:
        return params[0][at] @ params[1].mT + params[2]

    def draw(generator: torch.Generator) -> Loss:
        rows = torch.randint(0, len(inputs), (WORD_BATCH,), generator=generator)
        return lambda params: cross_entropy(predict(params, inputs[rows]), targets[rows])

    def score(params: Params) -> dict[str, float]:
        losses = torch.cat([cross_entropy(predict(params, i), t, reduction="none")
                            for i, t in zip(inputs.split(2048), targets.split(2048), strict=True)])  # fmt: skip
        by_group = {f"group {k}": losses[groups == k].mean().item() for k in range(GROUPS)}
        return {"loss": losses.mean().item(), **by_group}

    return Problem(start, draw, score)


PROBLEMS: dict[str, Callable[[int], Problem]] = {
    "bowl": bowl,
    "characters": lambda _: character_model(),
    "words": lambda _: word_model(),
}


def matrices(params: Sequence[Tensor], name: str) -> list[bool]:
    """Which parameters Muon treats as matrices: hidden layers, and the bowl's; no embedding, output or bias."""
    return [True] if name == "bowl" else [name == "characters" and i in (1, 3) for i in range(len(params))]
