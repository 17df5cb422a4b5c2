"""Mutants and pairs of mistakes that are no wrong answers, and why.

`tests/test_equivalent.py` holds each of them against the answer that it was made from, on the public and hidden cases
of many seeds: one that differs there is not equivalent. In each exercise's range of honest inputs, which stands above
its definition, they give the same numbers to the tolerance that the exercise promises."""

TWO_SIGNS = "the two mistakes undo each other"
SYMMETRIC = "the function does not care for the order of its arguments"
PROMOTED = "what it meets is float64, and makes it float64, too"
MASKED = "the number stands where another mask leaves the term out"
PATH = "only the way to the same answer changes, by less than the exercise's tolerance"

EQUIVALENT: dict[str, dict[str, str]] = {
    "entropy": {
        "entropy_sign, negated": TWO_SIGNS,
        "entropy_masked, line 3: arguments exchanged in torch.promote_types(p.dtype, torch.float32)": SYMMETRIC,
    },
    "cross_entropy": {"cross_entropy_sign, negated": TWO_SIGNS},
    "kl_divergence": {
        "kl_xlogy, line 5: arguments exchanged in torch.special.xlogy(a, a)": "both arguments are the same",
    },
    "kl_with_torch": {
        "kl_with_torch_mean_undone, line 5: -1 for 0": "torch.kl_div takes every number but 1 and 2 for no reduction",
    },
    "perplexity": {
        "perplexity_exp, line 3: arguments exchanged in torch.promote_types(p.dtype, torch.float32)": SYMMETRIC,
        "perplexity_in_numpy, line 4: 2 for 1": MASKED,
        "perplexity_in_numpy, line 4: -1 for 0": "log 0 is -inf with the mask and without, and p = 0 is left out later",
        "perplexity_product, line 3: double left out": PROMOTED,
    },
    "max_entropy_with_mean": {
        "max_entropy_newton, line 11: slope ** 2 left out of (p * x * x).sum() - slope ** 2": PATH,
        "max_entropy_newton, line 12: 0.5 for 1": PATH,
        "max_entropy_newton, line 14: 3 for 2": PATH,
        "max_entropy_dual, line 11: 3 for 2": PATH,
    },
    "f_divergence": {
        "f_with_the_slope_at_infinity, line 6: Div in a * slope": "q > 0, so that the branch for q = 0 never counts",
        "f_with_the_slope_at_infinity, line 6: a left out of a * slope": "q > 0: the branch for q = 0 never counts",
        "f_with_the_slope_at_infinity, line 4: double left out": PROMOTED,
        "f_as_an_expectation, line 3: double left out": PROMOTED,
    },
    "alpha_divergence": {
        "alpha_as_an_expectation, line 3: arguments exchanged in torch.promote_types(p.dtype, torch.float32)": SYMMETRIC,
    },
}
