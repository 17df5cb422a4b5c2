"""Pieces of English that notebooks measure and learn, long out of copyright, and their letters as numbers."""

from __future__ import annotations

import re
from importlib.resources import files

import torch
from jaxtyping import Int
from torch import Tensor

LETTERS = " abcdefghijklmnopqrstuvwxyz"  # the 27 symbols of Shannon (1951), Prediction and Entropy of Printed English


def alice() -> str:
    """Most of chapter I of Alice's Adventures in Wonderland (Lewis Carroll, 1865), about 7,000 characters."""
    return files("helpers.texts").joinpath("alice.txt").read_text(encoding="utf-8")


def midsummer() -> str:
    """What is spoken in A Midsummer Night's Dream (William Shakespeare, about 1595), about 85,000 characters."""
    return files("helpers.texts").joinpath("midsummer.txt").read_text(encoding="utf-8")


def letters(text: str) -> Int[Tensor, " n"]:
    """``text`` as 27 symbols: 0 for whatever stands between words, 1 to 26 for a to z. Capitals count as small letters.

    Raises ValueError if ``text`` holds no letter from a to z.
    """
    plain = re.sub("[^a-z]+", " ", text.lower()).strip()
    if not plain:
        raise ValueError("text must hold at least one letter from a to z")
    return torch.tensor([LETTERS.index(letter) for letter in plain])
