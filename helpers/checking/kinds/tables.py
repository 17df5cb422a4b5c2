"""What a case may name: drivers, judges, and functions handed to a learner's function.

DRIVERS  the ways in which a case calls an answer. A driver takes the function, then its own parameters, then the
         function's arguments, and returns a value that has a plain form.
WORDS    what the card puts behind the call for each driver.
READINGS how an answer was read, where that is for the card to show.
JUDGES   hold a returned value against an expectation: the problem, or None.
NAMED    functions that may be arguments; a case is plain data, so it says {"function": "power", "arguments": [2.0]}.

A notebook that needs one of its own writes it in its module here and adds it to these tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from helpers.checking.comparing import close
from helpers.checking.kinds import (
    calls,
    channels,
    choices,
    divergences,
    kernels,
    landscapes,
    latex,
    lending,
    sampling,
    steps,
    training,
)
from helpers.checking.shapes import Expectation, Judge

DRIVERS: dict[str, Callable[..., Any]] = {
    "call": calls.call_once,
    "gradient": calls.call_for_gradient,
    "twice": calls.call_twice,
    "follow": training.follow,
    "lend": lending.lend,
    "reseed": lending.reseed,
    "for_each_seed": lending.for_each_seed,
    "seeded_start": landscapes.seeded_start,
    "estimate_often": sampling.estimate_often,
    "known_draws": sampling.known_draws,
    "mean_gradients": sampling.mean_gradients,
    "same_generator": channels.same_generator,
    "three_ways": channels.three_ways,
    "kernel": kernels.call_kernel,
    "without_kernels": kernels.call_without_kernels,
    "wide_kernel": kernels.call_wide_kernel,
    "columns_at_once": kernels.columns_at_once,
    "loaded_at_once": kernels.loaded_at_once,
    **steps.DRIVERS,
    **choices.DRIVERS,
}
WORDS = {
    "call": "",
    "gradient": ", and its gradient",
    "twice": ", twice",
    "follow": ", and on from its own results with fresh gradients",
    "lend": ", with a right adamw_step, again, with one that takes shorter steps, and with one that sets weights to 0",
    "reseed": ", twice, and once with another seed",
    "for_each_seed": ", and with four other seeds",
    "seeded_start": ", with a generator, with one of the same seed and with one of another",
    "estimate_often": ", with a generator, with one of the same seed and with one of another",
    "known_draws": ", and for two other pairs of Gaussians from the same draws, also at n = 2",
    "mean_gradients": ", at log_p and log_q of many samples of p",
    "same_generator": ", three times, with generators of one seed",
    "three_ways": "",
    "kernel": "",
    "without_kernels": ", with every kernel left out",
    "wide_kernel": ", written out side by side, rising by 1, 3001 times: the two ends of the answer",
    "columns_at_once": ", counting the columns that one operation takes at once",
    "loaded_at_once": ", counting the columns that one load takes at once",
    **steps.WORDS,
    **choices.WORDS,
}
JUDGES: dict[str, Judge] = {
    "close": close,
    "prefix_code": divergences.prefix_code,
    "small_number": divergences.small_number,
    "follows": training.follows,
    "by_its_step": training.by_its_step,
    "repeats": training.repeats,
    "each_learns": training.each_learns,
    "xor_symptom": training.xor_symptom,
    "capacity": channels.capacity,
    "three_ways": channels.judge_three_ways,
    "bottleneck": channels.bottleneck,
    "bottleneck_symptom": channels.bottleneck_symptom,
    "deviates": channels.deviates,
    "has_nan": channels.has_nan,
    "same_answers": channels.same_answers,
    "from_kernel": kernels.from_kernel,
    "within_block": kernels.within_block,
    "whole_block": kernels.whole_block,
    **landscapes.JUDGES,
    **sampling.JUDGES,
    **steps.JUDGES,
    **choices.JUDGES,
    **latex.JUDGES,
}
READINGS: dict[str, Callable[[Any, Expectation], list[latex.Reading]]] = {"latex": latex.readings}
NAMED: dict[str, Callable[..., Callable[..., object]]] = {
    function.__name__: function
    for function in (*divergences.FUNCTIONS, *channels.FUNCTIONS, *landscapes.FUNCTIONS, *sampling.FUNCTIONS)
}
