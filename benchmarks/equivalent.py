"""Mutants and pairs of mistakes that are no wrong answers, and why.

`tests/test_equivalent.py` holds each of them against the answer that it was made from, on the public and hidden cases
of many seeds: one that differs there is not equivalent. In each exercise's range of honest inputs, which stands above
its definition, they give the same numbers to the tolerance that the exercise promises."""

EQUIVALENT: dict[str, dict[str, str]] = {}
