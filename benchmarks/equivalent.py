"""Mutants and pairs of mistakes that are no wrong answers, and why.

`tests/test_equivalent.py` holds each of them against the answer that it was made from, on the public and hidden cases
of many seeds: one that differs there is not equivalent. In each exercise's range of honest inputs, which stands above
its definition, they give the same numbers to the tolerance that the exercise promises."""

TWO_SIGNS = "the two mistakes undo each other"
SYMMETRIC = "the function does not care for the order of its arguments"
PROMOTED = "what it meets is float64, and makes it float64, too"
PROMOTED_32 = "what it meets is float32 or float64, and makes it so, too"
ONE_DIMENSION = "there is one dimension, or one column: the first is the last"
OWN_NET = "the net and the rate are the learner's own, as long as it learns"
MASKED = "the number stands where another mask leaves the term out"
WITHIN = "what is rounded on the way is less than the tolerance of the dtype"
SQUARED = "what is changed in sign is squared"
LENGTHS = "both are of one length, so that zip has nothing to be strict about"
ROUNDS = "the rounds end long before, when the answer is found"
BORDER = "both branches give the same at the border"
START = "any first vector that is drawn from the generator is as good"
ANY_START = "each of the starts gets there, and any of them may count"
OVERWRITTEN = "the kernel writes every number"
IDLE = "more programs start than the rows need, and the mask leaves them idle"
PATH = "only the way to the same answer changes, by less than the exercise's tolerance"

EQUIVALENT: dict[str, dict[str, str]] = {
    "entropy": {
        "entropy_sign, negated": TWO_SIGNS,
        "entropy_masked, line 3: arguments exchanged in torch.promote_types(p.dtype, torch.float32)": SYMMETRIC,
    },
    "cross_entropy": {
        "cross_entropy_loops, line 3: arguments exchanged in torch.broadcast_shapes(p.shape, q.shape)": SYMMETRIC,
        "cross_entropy_sign, negated": TWO_SIGNS,
        "cross_entropy_xlogy, line 4: to left out (3)": PROMOTED_32,
    },
    "kl_divergence": {
        "kl_loops, line 3: arguments exchanged in torch.broadcast_shapes(p.shape, q.shape)": SYMMETRIC,
        "kl_xlogy, line 5: arguments exchanged in torch.special.xlogy(a, a)": "both arguments are the same",
    },
    "kl_with_torch": {
        "kl_with_torch_row_by_row, line 5: False for True": LENGTHS,
        "kl_with_torch_mean_undone, line 5: -1 for 0": "torch.kl_div takes every number but 1 and 2 for no reduction",
    },
    "perplexity": {
        "perplexity_exp, line 3: arguments exchanged in torch.promote_types(p.dtype, torch.float32)": SYMMETRIC,
        "perplexity_in_numpy, line 4: 2 for 1": MASKED,
        "perplexity_in_numpy, line 4: -1 for 0 (3)": MASKED,
        "perplexity_in_numpy, line 4: -1 for 0 (2)": "log 0 is -inf with the mask and without, and p = 0 is left out later",
        "perplexity_product, line 3: double left out": PROMOTED,
        "perplexity_exp, line 4: to left out (2)": PROMOTED_32,
        "perplexity_exp, line 4: to left out (3)": PROMOTED_32,
        "perplexity_in_numpy, line 4: 1 for 0 (3)": "no probability is above 1, and log 0 is -inf with the mask and without",
    },
    "max_entropy_with_mean": {
        "max_entropy_newton, line 11: slope ** 2 left out of (p * x * x).sum() - slope ** 2": PATH,
        "max_entropy_newton, line 12: 0.5 for 1": PATH,
        "max_entropy_newton, line 14: 3 for 2": PATH,
        "max_entropy_dual, line 11: 3 for 2": PATH,
        "max_entropy_newton, line 13: 0 for 1 (2)": ONE_DIMENSION,
    },
    "f_divergence": {
        "f_one_number_at_a_time, line 9: item left out": "a tensor without dimensions adds up as a float does",
        "f_one_number_at_a_time, line 4: arguments exchanged in torch.broadcast_shapes(p.shape, q.shape)": SYMMETRIC,
        "f_with_the_slope_at_infinity, line 5: 5e+11 for 1e+12 (2)": "q > 0: the branch for q = 0 never counts",
        "f_with_the_slope_at_infinity, line 6: Div in a * slope": "q > 0, so that the branch for q = 0 never counts",
        "f_with_the_slope_at_infinity, line 6: a left out of a * slope": "q > 0: the branch for q = 0 never counts",
        "f_with_the_slope_at_infinity, line 4: double left out": PROMOTED,
        "f_as_an_expectation, line 3: double left out": PROMOTED,
    },
    "alpha_divergence": {
        "alpha_as_an_expectation, line 3: arguments exchanged in torch.promote_types(p.dtype, torch.float32)": SYMMETRIC,
    },
    "kl_monte_carlo": {
        "kl_monte_carlo_with_numpy, line 7: operands exchanged in log_p - log_q (2)": "a spread has no sign",
        "kl_monte_carlo_by_formula, line 5: item left out": "a tensor without dimensions is as good as a float here",
    },
    "samples_needed": {"samples_needed_by_isf, line 3: Add in 1 - confidence": SQUARED},
    "moment_match": {"moment_match_total_variance, line 5: operands exchanged in means - mu.unsqueeze(-1)": SQUARED},
    "reparameterize": {
        "reparameterize_elementwise, line 4: double left out (2)": PROMOTED,
        "reparameterize_elementwise, line 3: double left out": WITHIN,
    },
    "kl_gradients": {
        "kl_gradients_sign, negated": TWO_SIGNS,
        "kl_gradients_with_numpy, line 3: double left out": PROMOTED,
        "kl_gradients_from_functions, line 7: 2 for 1": "a constant has no derivative",
    },
    "multivariate_gaussian_kl": {
        "multivariate_kl_by_solve, line 6: svdvals for eigvalsh": "the singular values of a covariance are its eigenvalues",
    },
    "log_softmax": {
        "log_softmax_shift_then_scale, line 4: arguments exchanged in torch.promote_types(logits.dtype, torch.float32)": SYMMETRIC,
        "log_softmax_numpy, line 6: -1 for 0": "the number stands where there are no logits at all",
        "log_softmax_double, line 7: arguments exchanged in torch.logaddexp(total, z[..., k])": SYMMETRIC,
        "log_softmax_double, line 5: 0 for 1": "a start without dimensions is broadcast to the same rows",
    },
    "cross_entropy_from_logits": {"loss_sign, negated": TWO_SIGNS},
    "online_log_sum_exp": {
        "online_by_adding_logs, line 8: arguments exchanged in torch.logaddexp(total, (part - shift[..., None]).exp().sum(-1).log() + shift)": SYMMETRIC,
        "online_in_numpy, line 9: 1 for 0": "what stands for a maximum that is not finite leaves -inf, inf and nan as they are",
    },
    "row_max_triton": {"maxima_several_at_once, line 4: 3 for 4": IDLE},
    "log_softmax_triton": {
        "rows_in_three_passes, line 5: -1 for 0 (2)": "a grid without programs does nothing",
        "rows_back_from_float32, line 6: arguments exchanged in max(16, triton.next_power_of_2(x.size(1)))": SYMMETRIC,
    },
    "log_softmax_backward_triton": {
        "slope_several_at_once, line 5: 3 for 4 (2)": IDLE,
        "slope_by_blocks, line 4: 14 for 7": OVERWRITTEN,
        "slope_by_blocks, line 4: 3.5 for 7": OVERWRITTEN,
        "slope_by_blocks, line 3: float left out": "the sum is float32 whatever is loaded; a GPU refuses float64 by itself",
    },
    "muon_orthogonalize": {
        "muon_matrix_by_matrix, line 6: clone left out": "in no matrices at all nothing can be changed",
    },
    "sam_gradient": {
        "sam_there_and_back, line 5: 1e-05 for 1e-12": "a gradient that is not 0 is longer than 1e-5 here",
        "sam_with_numpy, line 3: double left out": WITHIN,
        "sam_with_a_small_number, line 4: Sub in grad.norm() + 1e-12": "1e-12 is less than the tolerance, with either sign",
    },
    "adopt_step": {
        "adopt_with_numpy, line 5: arguments exchanged in np.maximum(np.sqrt(b), eps)": SYMMETRIC,
    },
    "mutual_information": {
        "mutual_information_sign, negated": TWO_SIGNS,
        "mutual_information_masked, line 4: 2 for 1 (2)": MASKED,
    },
    "mutual_information_three_ways": {
        "three_ways_loops, line 11: False for True": LENGTHS,
    },
    "conditional_mutual_information": {
        "conditional_mutual_information_loops, line 5: False for True": LENGTHS,
        "conditional_mutual_information_slabs, line 5: 2 for 1": "a slab of probability 0 is 0, by whatever it is divided",
    },
    "fano_error_bound": {
        "fano_newton, line 6: one fewer in range(300)": ROUNDS,
    },
    "channel_capacity": {
        "capacity_backward_channel, line 5: one more in range(20000)": ROUNDS,
        "capacity_torch, line 6: arguments exchanged in torch.special.xlogy(w, w)": "both arguments are the same",
        "capacity_backward_channel, line 9: r > 0 with GtE": "0/0 only keeps the rounds going, and they end where the answer is",
        "capacity_backward_channel, line 5: left out: if upper - lower < tol / 10:": ROUNDS,
        "capacity_torch, line 4: Mult in 1 / len(w)": "the first round makes a distribution of the start",
        "capacity_backward_channel, line 11: 11 for 10": PATH,
        "capacity_by_minimax, line 10: 3 for 2": PATH,
        "capacity_by_minimax, line 10: Mult in tol ** 2": PATH,
    },
    "water_filling": {
        "water_filling_sorted, line 6: level >= n[k - 1] with Gt": BORDER,
        "water_filling_sorted, line 8: double left out": WITHIN,
        "water_filling_halving, line 9: False for True": LENGTHS,
        "water_filling_halving, line 4: min for max": "the level is at most all of the power above the least noise",
    },
    "amsgrad_step": {
        "amsgrad_as_printed, line 4: arguments exchanged in torch.maximum(v_max, v)": SYMMETRIC,
        "amsgrad_in_place_on_copies, line 4: arguments exchanged in v.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)": "both arguments are the same",
    },
    "adamw_step": {
        "adamw_in_place_on_copies, line 6: arguments exchanged in v.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)": "both arguments are the same",
    },
    "clip_by_global_norm": {
        "clip_as_torch_does, line 4: 2e-06 for 1e-06": "either number is less than the tolerance",
    },
    "max_stable_lr": {
        "max_stable_lr_by_power_iteration, line 4: 61 for 60": ROUNDS,
        "max_stable_lr_by_power_iteration, line 7: -2 for -1": "a Hessian is symmetric",
    },
    "js_from_classifier": {
        "js_by_newton, line 8: 59 for 60": ROUNDS,
        "js_by_newton, line 10: 1 - s left out of weight * s * (1 - s)": PATH,
    },
    "warmup_cosine": {
        "warmup_with_float32_tensors, line 3: step <= warmup_steps with Lt": BORDER,
        "warmup_three_branches, line 5: step >= total_steps with Gt": BORDER,
        "warmup_with_float32_tensors, line 5: -1 for 0": "behind the warm-up the progress is never below 0",
    },
    "adam_step": {
        "adam_one_number_at_a_time, line 4: double left out": WITHIN,
    },
    "condition_number": {
        "condition_number_one_matrix_at_a_time, line 6: double left out": WITHIN,
    },
    "nesterov": {
        "nesterov_through_the_look_ahead, line 3: double left out": WITHIN,
    },
    "rate_distortion": {
        "rate_distortion_dual, line 3: double left out": WITHIN,
        "rate_distortion_torch, line 9: r left out of r - before": "only the stop is missed, and the rounds go on at the answer",
    },
    "natural_gradient_step": {
        "natural_gradient_step_least_squares, line 9: double left out": WITHIN,
        "natural_gradient_step_solve, line 4: unsqueeze left out": "solve takes a vector as it takes a column",
    },
    "log_sum_exp": {
        "log_sum_exp_one_by_one, line 5: double left out": PROMOTED,
    },
    "top_hessian_eigenvalue": {
        "top_hessian_eigenvalue_two_gradients, line 4: 1 for 0.5": START,
        "top_hessian_eigenvalue_two_gradients, line 4: Add in torch.rand(params.shape, generator=generator, dtype=params.dtype) - 0.5": START,
        "top_hessian_eigenvalue_two_gradients, line 9: item left out": "a tensor without dimensions is as good as a float here",
    },
    "information_bottleneck": {
        "bottleneck_of_several_starts, line 8: 0.5 for 1": "any number lets the first round begin",
        "bottleneck_of_several_starts, line 15: min for max": PATH,
        "bottleneck_of_several_starts, line 17: operands exchanged in answer[1] - beta * answer[2]": ANY_START,
        "bottleneck_of_several_starts, line 17: beta left out of beta * answer[2]": ANY_START,
        "bottleneck_of_several_starts, line 17: Add in answer[1] - beta * answer[2]": ANY_START,
        "bottleneck_numpy, line 5: 32 for 31": "NumPy may have any seed that is drawn from the generator",
        "bottleneck_numpy, line 5: Mult in 2 ** 31": "NumPy may have any seed that is drawn from the generator",
    },
    "marginals": {
        "marginals_matmul, line 4: -1 for 0 (2)": "all rows of ones are the same",
        "marginals_matmul, line 4: -1 for 0 (3)": "all columns of ones are the same",
    },
    "train_xor": {
        "xor_as_one_long_vector, line 15: 0.1 for 0.05": OWN_NET,
        "xor_as_one_long_vector, line 12: b1 left out of XOR_INPUTS @ w1 + b1": OWN_NET,
        "xor_by_hand_in_numpy_until_it_is_learnt, line 15: mean for sum (2)": "a step of AdamW does not care for the size of its gradients",
        "xor_by_hand_in_numpy_until_it_is_learnt, line 20: 2 for 1": "losses taken behind each step, but the last, begin with the second",
    },
    "gradient_descent": {
        "gradient_descent_in_place_on_a_copy, line 3: clone left out (2)": "theta0 is not changed, and stacking copies it",
    },
    "steps_to_reach": {
        "steps_to_reach_nonzero, line 4: -1 for 0 (2)": ONE_DIMENSION,
    },
    "cross_entropy_triton": {
        "losses_by_strides, line 5: -1 for 0": ONE_DIMENSION,
        "losses_by_mask, line 3: to left out": "the maximum is float32 or more, and makes that of what it meets",
    },
}
