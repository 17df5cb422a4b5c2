from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest
import scipy.stats
import torch

from helpers.channels import information_bottleneck
from helpers.checking import plain
from helpers.checking.kinds import channels
from helpers.checking.kinds.channels import (
    bottleneck,
    bottleneck_symptom,
    capacity,
    deviates,
    has_nan,
    same_answers,
    same_generator,
    tsallis,
)
from helpers.checking.kinds.divergences import small_number
from helpers.checking.shapes import Expectation
from helpers.checking.words import Problem

Z_CHANNEL = torch.tensor([[1, 0], [0.5, 0.5]], dtype=torch.float64)
TWINS = torch.tensor([[1, 0], [0, 1], [0, 1]], dtype=torch.float64)  # the last two inputs are one
C, BEST = math.log(5 / 4), torch.tensor([0.6, 0.4], dtype=torch.float64)


def expectation(
    unique: bool = True, channel: torch.Tensor = Z_CHANNEL, best: float = C, r: torch.Tensor = BEST
) -> Expectation:
    value = plain.encode((best, r))
    return {
        "judge": "capacity",
        "value": value,
        "dtype": "float64",
        "tol": 1e-4,
        "unique": unique,
        "channel": plain.encode(channel),
    }


def twins(value: object) -> Problem | None:
    r = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
    return capacity(value, expectation(False, TWINS, math.log(2), r))


@pytest.mark.parametrize(
    "value",
    [
        (C, BEST),
        [torch.tensor(C).double(), BEST],
        (C - 0.9e-4, BEST),
        (C + 0.9e-4, BEST + torch.tensor([0.009, -0.009])),  # r is graded to sqrt(tol)
    ],
)
def test_what_is_within_tol_is_right(value):
    assert capacity(value, expectation()) is None


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ((C + 2e-4, BEST), "apacity: expected 0.223144, got 0.223344"),
        ((C / math.log(2), BEST), "apacity: expected 0.223144"),
        ((math.nan, BEST), "got nan"),
        ((C, torch.tensor([0.5, 0.5]).double()), "input distribution: expected 0.6"),
        ((C, 2 * BEST), "its sum 2"),
        ((C, torch.tensor([1.6, -0.6]).double()), "smallest entry is -0.6"),
        ((C, BEST * math.nan), "its sum nan"),
        ((C, BEST.float()), "float32"),
        ((C, BEST[None]), "shape (1, 2)"),
        ((C, [0.6, 0.4]), "return a torch tensor"),
        ((None, BEST), "The capacity is None"),
        ((C, None), "The input distribution is None"),
        (C, "2 results were expected"),
        ((C, BEST, 3), "3 results"),
    ],
)
def test_what_is_wrong_is_named(value, sentence):
    assert sentence in str(capacity(value, expectation()))


def test_any_input_counts_that_carries_the_capacity():
    for share in (0.0, 0.1, 0.5):
        assert twins((math.log(2), torch.tensor([0.5, share, 0.5 - share], dtype=torch.float64))) is None
    poor = twins((math.log(2), torch.tensor([0.2, 0.4, 0.4], dtype=torch.float64)))
    assert str(poor) == "This input carries 0.500402 nats, but the capacity is 0.693147."


# The bottleneck


SKIES = torch.tensor([[0.38, 0.02], [0.24, 0.06], [0.06, 0.14], [0.005, 0.095]], dtype=torch.float64)
BETA = 4.0
ENCODER, I_XT, I_TY = information_bottleneck(SKIES, BETA, 2, torch.Generator().manual_seed(0))
OF_SKIES = {"joint": plain.encode(SKIES), "beta": BETA, "clusters": 2}


def judged(value: object) -> Problem | None:
    wanted = {"judge": "bottleneck", "value": plain.encode((ENCODER, I_XT, I_TY)), "dtype": "float64"}
    return bottleneck(value, cast(Expectation, wanted | OF_SKIES))


def with_its_informations(encoder: torch.Tensor) -> tuple[torch.Tensor, float, float]:
    h = scipy.stats.entropy
    px, joint_ty = SKIES.sum(1), encoder.T @ SKIES
    pairs = (px[:, None] * encoder).flatten()
    i_xt = h(px) + h(px @ encoder) - h(pairs)
    return encoder, float(i_xt), float(h(joint_ty.sum(0)) + h(joint_ty.sum(1)) - h(joint_ty.flatten()))


def looks(value: object, symptom: str) -> bool:
    looked_for = {"judge": "bottleneck_symptom", "symptom": symptom}
    return bottleneck_symptom(value, cast(Expectation, looked_for | OF_SKIES)) is None


def test_an_encoder_as_good_as_the_best_is_right_in_any_order_of_clusters():
    assert judged((ENCODER, I_XT, I_TY)) is None
    assert judged([ENCODER.flip(1), I_XT.item(), np.asarray(I_TY)]) is None
    assert judged(with_its_informations(0.999 * ENCODER + 0.0005)) is None


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ((ENCODER, I_XT), "holds 2 results, where 3"),
        ((None, I_XT, I_TY), "encoder is None"),
        ((ENCODER.T, I_XT, I_TY), "has shape (2, 4), where (4, 2)"),
        ((ENCODER.float(), I_XT, I_TY), "dtype float32"),
        ((ENCODER * 0.9, I_XT, I_TY), "no distributions: they sum to 0.9"),
        ((ENCODER * math.nan, I_XT, I_TY), "no distributions: they sum to nan"),
        ((ENCODER, I_TY, I_XT), "I(X; T): this encoder has 0.50973 nats, got 0.197477."),
        ((ENCODER, I_XT, I_TY * math.nan), "I(T; Y): this encoder has 0.197477 nats, got nan."),
        (with_its_informations(torch.full((4, 2), 0.5).double()), "is 0.0000 nats for this encoder; -0.2802 can"),
        (with_its_informations(0.9 * ENCODER + 0.05), "One more round moves the encoder by 0.0"),
        (with_its_informations(ENCODER.round()), "can be reached."),
    ],
)
def test_what_is_wrong_with_a_bottleneck_is_named(value, sentence):
    assert sentence in str(judged(value))


def test_symptoms_are_told_apart():
    known = {
        "useless": with_its_informations(torch.full((4, 2), 0.5).double()),
        "hard": with_its_informations(ENCODER.round()),
        "exchanged": (ENCODER, I_TY, I_XT),
        "bits": (ENCODER, I_XT / math.log(2), I_TY / math.log(2)),
        "turned": (ENCODER.T, I_XT, I_TY),
        "moving": with_its_informations(0.9 * ENCODER + 0.05),
    }
    for name, value in known.items():
        assert looks(value, name)
        assert not looks((ENCODER, I_XT, I_TY), name)
        others = set(known) - {name, "moving"}  # an encoder with another fault may move as well
        assert not any(looks(value, other) for other in others), name
    for value in (None, (1, 2, 3), (ENCODER * math.nan, I_XT, I_TY), (ENCODER[:2], I_XT, I_TY)):
        assert not any(looks(value, name) for name in [*known, "reversed", "no prior", "unweighted"])


def test_fixed_points_of_other_equations_are_recognised():
    px = SKIES.sum(1, keepdim=True)
    given_x = SKIES / px
    encoder = ENCODER
    for _ in range(500):  # without p(t)
        given_t = (encoder.T @ SKIES) / (encoder.T @ px)
        encoder = torch.softmax(BETA * given_x @ given_t.log().T, 1)
    value = with_its_informations(encoder)
    assert looks(value, "no prior")
    assert not looks(value, "reversed")
    assert not looks(value, "unweighted")
    assert not looks(value, "useless")


# Mistakes whose numbers differ from learner to learner


def test_a_deviation_is_known_by_its_size():
    data: Expectation = {"judge": "deviates", "value": plain.encode(1.0)}
    data["answers"] = [plain.encode(1 + 1e-6), plain.encode(1 - 1e-4)]
    for value in (1 + 1.01e-6, torch.tensor(1 - 0.99e-4, dtype=torch.float64)):
        assert deviates(value, data) is None
    for value in (1.0, 1 + 1e-5, 1 - 1e-6, torch.ones(2), "1", None, (1.0, None)):
        assert deviates(value, data) is not None
    pair: Expectation = {"judge": "deviates", "value": plain.encode(torch.ones(2))}
    pair["answers"] = [plain.encode(torch.tensor([1.1, 0.5]))]
    assert deviates((1.1, torch.tensor(0.5)), pair) is None
    assert deviates((1.1, 1.0), pair) is not None


def test_nan_is_found_anywhere():
    for value in (math.nan, (1.0, torch.tensor([0.5, math.nan])), torch.tensor(math.nan)):
        assert has_nan(value, ANY) is None
    for value in (1.0, (1.0, torch.ones(2)), "nan", None, math.inf):
        assert has_nan(value, ANY) is not None


ANY: Expectation = {"judge": "same_answers"}


def test_one_seed_one_answer():
    before = torch.get_rng_state()
    g = torch.Generator().manual_seed(7)
    own = same_generator(lambda n, generator: torch.rand(n, generator=generator), 3, g)
    others = same_generator(lambda n, generator: torch.rand(n), 3, g)
    assert len(own) == 3
    assert same_answers(own, ANY) is None
    assert same_answers((*own[:2], others[2]), ANY) is not None
    assert "The same seed gave different answers" in str(same_answers(others, ANY))
    assert torch.equal(torch.get_rng_state(), before)


def test_tsallis_entropies():
    p = torch.tensor([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(tsallis(1.0)(p), torch.from_numpy(scipy.stats.entropy(p, axis=1)))
    torch.testing.assert_close(tsallis(2.0)(p), 1 - (p * p).sum(1))
    torch.testing.assert_close(tsallis(1.0001)(p), tsallis(1.0)(p), atol=1e-4, rtol=0)
    assert tsallis(2.0)(p.numpy()).tolist() == pytest.approx([0.62, 0.0])


def test_a_small_number_is_known_wherever_it_is_added():
    joint = torch.tensor([[0.5, 0.1], [0.15, 0.25]], dtype=torch.float64)
    px, product = joint.sum(1, keepdim=True), torch.outer(joint.sum(1), joint.sum(0))
    x, y = torch.tensor([0, 0, 1, 1, 1]), torch.tensor([0, 1, 1, 1, 0])
    table = torch.tensor([[1, 1], [1, 2]], dtype=torch.float64) / 5
    independent = torch.outer(table.sum(1), table.sum(0))
    cube = torch.arange(1.0, 9).double().reshape(2, 2, 2) / 36
    pz, pxz, pyz = cube.sum((0, 1)), cube.sum(1, keepdim=True), cube.sum(0, keepdim=True)
    known = {
        "mutual_information": [
            ([joint], lambda e: (joint * (joint / product + e).log()).sum()),
            ([joint], lambda e: (joint * (joint / (product + e)).log()).sum()),
            ([joint], lambda e: (joint * ((joint + e) / (product + e)).log()).sum()),
        ],
        "conditional_entropy": [
            ([joint], lambda e: -(joint * (joint / px + e).log()).sum()),
            ([joint], lambda e: -(joint * (joint / (px + e)).log()).sum()),
        ],
        "plugin_mutual_information": [([x, y, 2], lambda e: (table * (table / independent + e).log()).sum())],
        "conditional_mutual_information": [
            ([cube], lambda e: (cube * (cube * pz / (pxz * pyz) + e).log()).sum()),
            ([cube], lambda e: (cube * ((cube * pz + e) / (pxz * pyz + e)).log()).sum()),
        ],
    }
    for formula, answers in known.items():
        for arguments, answer in answers:
            looks: Expectation = {"judge": "small_number", "formula": formula}
            looks["inputs"] = [plain.encode(one) for one in arguments]
            for size in (1e-4, 1e-6, 1e-8, torch.finfo(torch.float32).eps):
                assert small_number(answer(size), looks) is None, (formula, size)
            for value in (answer(0.0), answer(0.0) + 1e-6, 2 * answer(0.0), answer(1e-6).float(), None):
                assert small_number(value, looks) is not None, formula


def entropy_of(p: torch.Tensor) -> torch.Tensor:
    """Shannon's."""
    return torch.special.entr(p).sum(-1)


def averaged(joint: torch.Tensor) -> torch.Tensor:
    """H(column variable given row variable), as the average entropy of the rows."""
    p = joint.sum(-1)
    return (p * entropy_of(joint / p[..., None])).sum(-1)


def three_honest_ways(joint: torch.Tensor) -> tuple[torch.Tensor, ...]:
    hx, hy = entropy_of(joint.sum(-1)), entropy_of(joint.sum(-2))
    return hx - averaged(joint.mT), hy - averaged(joint), hx + hy - entropy_of(joint.flatten(-2))


def ways_by_logarithms_of_copies(joint: torch.Tensor) -> tuple[torch.Tensor, ...]:
    p = joint.clone()
    px, py = p.sum(1, keepdim=True), p.sum(0, keepdim=True)
    hx, hy = -(px * px.log()).sum(), -(py * py.log()).sum()
    return hx + (p * (p.log() - py.log())).sum(), hy + (p * (p / px).log()).sum(), hx + hy + (p * p.log()).sum()


def chain_rule(joint: torch.Tensor) -> tuple[torch.Tensor, ...]:
    hx, hy, hxy = entropy_of(joint.sum(-1)), entropy_of(joint.sum(-2)), entropy_of(joint.flatten(-2))
    return hx - (hxy - hy), hy - (hxy - hx), hx + hy - hxy


def three_times(joint: torch.Tensor) -> tuple[torch.Tensor, ...]:
    p = joint.numpy()
    found = torch.tensor((p * np.log(p / np.outer(p.sum(1), p.sum(0)))).sum())
    return found, found.clone(), found + 0


@pytest.mark.parametrize(
    ("answer", "one"),
    [(three_honest_ways, False), (ways_by_logarithms_of_copies, False), (chain_rule, True), (three_times, True)],
)
def test_three_ways_of_the_joint_alone_are_told_from_one_sum(answer, one):
    assert channels.one_sum(answer) is one


def test_an_answer_of_the_joint_alone_is_held_against_its_own_entropies():
    joint, gini = channels.ROUTES.clone(), channels.tsallis(2.0)
    value = channels.three_ways(three_honest_ways, joint, gini)
    right, own = three_honest_ways(joint), {channels.OWN: three_honest_ways(joint)}
    expectation = {
        "judge": "three_ways",
        "value": plain.encode(tuple(2 * x for x in right)),
        "answers": [plain.encode(right)],
    }
    assert plain.encode(value) == plain.encode(own)
    assert channels.judge_three_ways(value, expectation) is None
    assert channels.judge_three_ways(right, expectation) is not None  # by `entropy`, they would be others
    assert channels.three_ways(lambda table, entropy: entropy(table), joint, gini).shape == (3,)
