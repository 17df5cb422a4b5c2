from __future__ import annotations

import pytest

from helpers import texts


def test_the_text_is_all_there_and_plain():
    text = texts.alice()
    assert text.startswith("Alice was beginning to get very tired of sitting by her")
    assert text.rstrip().endswith("very few things indeed were really impossible.")
    assert text.isascii()
    assert 7_000 < len(text) < 7_200


def test_letters_are_numbers_of_27_symbols():
    x = texts.letters("  Oh dear!\n--Oh   dear, I shall")
    assert "".join(texts.LETTERS[i] for i in x) == "oh dear oh dear i shall"
    assert texts.letters(texts.alice()).unique().tolist() == list(range(27))


def test_a_text_without_letters_is_refused():
    with pytest.raises(ValueError, match="text must hold at least one letter"):
        texts.letters("1865 -- ...")
