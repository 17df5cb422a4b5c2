"""The derivations of notebook 08: every step holds on random inputs, and every wrong one fails."""

import numpy as np
import pytest

from grading.exercises.derivations import DERIVATIONS

each = pytest.mark.parametrize("one", DERIVATIONS, ids=[one.name for one in DERIVATIONS])


@each
def test_every_step_holds_and_the_wrong_one_does_not(one):
    for seed in range(20):
        draw = one.draw(np.random.default_rng(seed))
        assert [step.text for step in one.steps if not step.holds(draw)] == []
        assert not one.wrong.holds(draw)


@each
def test_no_other_order_begins_where_the_step_before_it_ended(one):
    assert len({step.text for step in (*one.steps, one.wrong)}) == len(one.steps) + 1
    assert 4 <= len(one.steps) <= 5


def test_there_are_seven():
    assert len({one.name for one in DERIVATIONS}) == 7
