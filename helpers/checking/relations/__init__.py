"""What a wrong answer has to do with the right one, whatever the exercise: twice it, its reciprocal, shifted by one,
off by a multiple of an argument, nan in some places.

Each relation is looked for in the numbers and told as one, so that its sentence is true of every answer that looks so.
It must hold in all cases of the criterion that failed, contradict none that passed, and show in at least two different
numbers of no special size: 0, 1 and what is the same in all cases say nothing. The right answer may be replaced by what
a known mistake answers (`Sample.want`): then the two mistakes were made together.

samples      an answer beside what it should be, and when a relation shows
factors      a number times the right one, or plus it, or in its exponent
changes      the right one changed: squared, transposed, summed
ingredients  a term or a factor that is missing, or has another weight
special      constants, arguments, nan and inf, what is nearly right
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from helpers.checking.relations.changes import elementwise, normalised_elsewhere, reshaped, structural
from helpers.checking.relations.factors import factor, offset, power
from helpers.checking.relations.ingredients import an_ingredient, steps
from helpers.checking.relations.samples import MOST, SHARP, Form, Sample, Search
from helpers.checking.relations.special import a_constant, an_argument, nearly_right, not_finite, places


def find(samples: Sequence[Sample], searches: Sequence[Search] | None = None) -> Form | None:
    """The relation between the answers and what was wanted; None where there is none that shows."""
    samples = sorted((s for s in samples if s.got.size <= MOST and s.want.size <= MOST), key=lambda s: s.want.size)
    failed, passed = [s for s in samples if s.failed], [s for s in samples if not s.failed]
    sharp = [s for s in failed if s.tolerance[0] <= SHARP]
    for search in searches or (*STRONG, *WEAK):
        cases = failed if search in (reshaped, not_finite) else sharp
        if cases and (found := search(cases, passed)):
            return found
    return None


def and_beside(search: Callable[..., Form | None]) -> Search:
    """A search whose sentence speaks of what a known mistake gives."""
    return lambda failed, passed: search(failed, passed, beside=True)


# in the order in which they are looked for
STRONG: Sequence[Search] = (
    an_argument, an_ingredient, a_constant, factor, offset, elementwise, power, structural, normalised_elsewhere,
    reshaped, not_finite, steps,
)  # fmt: skip
WEAK: Sequence[Search] = (places, nearly_right)  # true, but they say less: only where no result shows more
WEAK_FORMS = ("place", "small")
BESIDE_A_MISTAKE: Sequence[Search] = tuple(
    map(and_beside, (factor, offset, elementwise, power, structural, nearly_right))
)
