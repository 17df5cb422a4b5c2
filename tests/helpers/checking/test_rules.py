"""Source rules: what is refused however it is written, and what is not."""

import functools
import linecache
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as learners write it
from scipy import special, stats
from scipy.special import kl_div as scipys
from torch import log, nn
from torch.nn.functional import kl_div as k
from torch.special import entr, logsumexp, xlogy

from helpers.checking import rules
from helpers.checking.check import broken_rule

RULES = {
    "forbid": ["kl_div", "KLDivLoss", "entropy", "logsumexp"],
    "modules": ["helpers", "torch.optim"],
    "require": [],
    "because": "Write the sum yourself.",
}
loss = nn.KLDivLoss(reduction="none")
partly = functools.partial(F.kl_div, reduction="none")
by_lambda = lambda p, q: F.kl_div(q, p)  # noqa: E731 - as learners write it
total = sum
run = eval


class Helper:
    def go(self, p):
        return F.kl_div(p, p)


helper = Helper()


def entropy(p):
    """The learner's own, for an exercise before this one."""
    return entr(p).sum(-1)


@functools.cache
def cached(p):
    return xlogy(p, p)


def library(p):
    return F.kl_div(p, p)


def verdict(function, **rule):
    tree = rules.tree_of(function)
    assert tree is not None
    return rules.violation(tree, {**RULES, **rule}, rules.scope_of(function))


# Each of these reaches what it may not.
def refused_by_attribute(p, q):
    return torch.nn.functional.kl_div(q.log(), p)


def refused_by_method(p, q):
    return torch.distributions.Categorical(p).entropy()


def refused_by_import_from(p, q):
    return k(q, p)


def refused_by_import_inside(p, q):
    from torch.nn.functional import kl_div as inner

    return inner(q, p)


def refused_by_module_alias(p, q):
    import torch.nn.functional as functional

    return functional.kl_div(q, p)


def refused_by_local_alias(p, q):
    f = F
    return f.kl_div(q, p)


def refused_by_local_name(p, q):
    f = F.kl_div
    return f(q, p)


def refused_by_a_call_of_the_call(p, q):
    f = F
    return f.kl_div.__call__(q, p)


def refused_by_a_ufunc(p, q):
    return scipys(p, q).sum()


def refused_by_special(p, q):
    return special.kl_div(p, q)


def refused_by_stats(p, q):
    return stats.entropy(p, q)


def refused_by_c_function(p, q):
    return logsumexp(p, -1)


def refused_by_object(p, q):
    return loss(q, p)


def refused_by_partial(p, q):
    return partly(q, p)


def refused_by_lambda(p, q):
    return by_lambda(p, q)


def refused_by_own_function(p, q):
    return library(p)


def refused_by_own_class(p, q):
    return Helper().go(p)


def refused_by_own_object(p, q):
    return helper.go(p)


def refused_by_default(p, q, f=k):
    return f(q, p)


def refused_by_decorator(p, q):
    @functools.partial(k)
    def inner():
        return q

    return inner


def refused_behind_a_comprehension(p, q):
    return [k for k in p if k > 0] and k(q, p)


def refused_behind_an_inner_function(p, q):
    def unused():
        k = 3
        return k

    return k(q, p)


def refused_behind_a_class(p, q):
    class Own:
        k = k

    return Own.k(q, p)


def refused_behind_global(p, q):
    global k
    return k(q, p)


def refused_by_getattr(p, q):
    return getattr(F, "kl_div")(q, p)  # noqa: B009 - the way is what is tested


def refused_by_getattr_computed(p, q):
    return getattr(F, "kl_" + "div")(q, p)


def refused_by_getattr_alias(p, q):
    get = getattr
    return get(F, "kl_" + "div")(q, p)


def refused_by_eval(p, q):
    return eval("F.kl_" + "div(q, p)")


def refused_by_eval_alias(p, q):
    return run("F.kl_" + "div(q, p)")


def refused_by_exec(p, q):
    exec("x = F.kl_" + "div(q, p)")


def refused_by_import_function(p, q):
    return __import__("torch").sum(p)


def refused_by_importlib(p, q):
    import importlib

    return importlib.import_module("torch.nn.functional")


def refused_by_dict(p, q):
    return F.__dict__["kl_" + "div"](q, p)


def refused_by_vars(p, q):
    return vars(F)["kl_" + "div"](q, p)


def refused_by_globals(p, q):
    return globals()["F"]


def refused_by_modules(p, q):
    import sys

    return sys.modules["torch.nn.functional"]


def refused_by_modules_of_an_alias(p, q):
    import sys

    s = sys
    return s.modules["torch.nn.functional"]


def refused_by_attrgetter(p, q):
    import operator

    return operator.attrgetter("kl_" + "div")(F)


def refused_by_operators(p, q):
    return torch.ops.aten.xlogy(p, q)


def refused_by_c_module(p, q):
    return torch._C._special.special_xlogy(p, q)


def refused_by_helpers(p, q):
    from helpers.information import kl_divergence as ours

    return ours(p, q)


def refused_by_helpers_whole(p, q):
    import helpers

    return helpers.information.kl_divergence(p, q)


def refused_by_module_of_rules(p, q):
    return torch.optim.SGD([p], lr=0.1)


def refused_by_module_of_an_alias(p, q):
    t = torch
    return t.optim.SGD([p], lr=0.1)


# Each of these looks like trouble and is none.
def refused_by_a_private_name(p, q):
    return torch._log_softmax(p, -1, False)


def refused_by_a_module_in_a_module(p, q):
    return nn.modules.loss.F.relu(p)


def refused_by_a_module_handed_on(p, q):
    return [F][0].relu(p)


def refused_by_a_method_of_a_builtin(p, q):
    return print.__self__.getattr(p, "x")


def refused_by_a_class_that_has_it(p, q):
    return torch.distributions.OneHotCategorical(p).perplexity().log()


def refused_by_a_pattern(p, q):
    match F:
        case object(kl_div=ready_made):
            return ready_made(q, p)


def refused_by_a_special_method(p, q):
    class Own:
        def __getattr__(self, name):
            return name

    return Own().x


def refused_by_a_module_that_is_not_listed(p, q):
    import timeit

    return timeit.timeit("1")


def refused_by_jit_of_a_text(p, q):
    return torch.jit.CompilationUnit("def f(p): return p").f(p)


def allowed_building_blocks(p, q):
    return (xlogy(p, p) - xlogy(p, q)).sum(-1) + special.rel_entr(p, q) + log(p) + math.log(2) + entr(p)


def allowed_own_method_of_that_name(p, q):
    class Info:
        def __init__(self):
            self._kept = 0

        def entropy(self, x):
            self._kept += 1
            return entr(x).sum(-1)

        def both(self, x, y):
            return self.entropy(x) + self.entropy(y)

    info = Info()
    h = Info().entropy
    return h(p) + info.entropy(q) + info.both(p, q)


def allowed_an_optimiser_of_ones_own(p, q):
    class Own(torch.optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        def step(self):
            for group in self.param_groups:
                for one in group["params"]:
                    one.data -= group["lr"] * one.grad

    return Own([p], 0.1)


@np.vectorize
def allowed_vectorized(p, q):
    return p * math.log(p / q)


@torch.jit.script
def allowed_scripted(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    return torch.special.xlogy(p, p / q).sum(-1)


@torch.compile(backend="eager")
def allowed_compiled(p, q):
    return xlogy(p, p / q).sum(-1)


@np.vectorize
def refused_vectorized(p, q):
    return scipys(p, q)


@torch.jit.script
def refused_scripted(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    return torch.logsumexp(p - q, -1)


def allowed_own_function_of_that_name(p, q):
    return entropy(p)


def allowed_own_cached_function(p, q):
    return cached(p)


def allowed_local_variable_of_that_name(p, q):
    kl_div = p * (p / q).log()
    return kl_div.sum(-1)


def allowed_parameter_of_that_name(p, entropy):
    return p + entropy


def allowed_inner_function_of_that_name(p, q):
    def kl_div(a, b):
        return a - b

    return kl_div(p, q)


def allowed_a_network(p, q):
    net = nn.Sequential(nn.Linear(2, 2))
    net.eval()
    return list(net.modules()), torch.compile(net)


def allowed_variables_called_like_builtins(p, q):
    vars = p.var()
    compile, eval = p, q
    return vars + compile + eval


def allowed_an_alias_of_a_builtin(p, q):
    return total([p, q])


def allowed_a_written_getattr(p, q):
    return getattr(p, "dtype"), hasattr(p, "grad")  # noqa: B009 - the way is what is tested


def allowed_limits_of_floats(p, q):
    import sys

    return sys.float_info.epsilon


def allowed_a_comment_and_a_text(p, q):
    """Not torch.nn.functional.kl_div."""
    return "kl_div"  # kl_div


def named(prefix):
    return [pytest.param(f, id=name.removeprefix(prefix)) for name, f in globals().items() if name.startswith(prefix)]


@pytest.mark.parametrize("function", named("refused_"))
def test_refused(function):
    sentence = verdict(function)
    assert sentence is not None
    assert sentence.endswith(" Write the sum yourself.")


@pytest.mark.parametrize("function", named("allowed_"))
def test_allowed(function):
    assert verdict(function) is None


@pytest.mark.parametrize("function", [allowed_vectorized, allowed_scripted, allowed_compiled])
def test_a_wrapper_by_a_library_is_not_the_librarys_own(function):
    exercise = {"rules": RULES}
    assert broken_rule(exercise, {"f": function}) is None
    assert "torch.nn.functional's own kl_div" in broken_rule(exercise, {"f": F.kl_div})
    assert "own entropy, which is not an answer" in broken_rule(exercise, {"f": stats.entropy})


class TestRequired:
    def test_one_of_the_names_is_enough(self):
        for name in ("by_attribute", "by_import_from", "by_object", "by_partial", "by_own_function"):
            assert verdict(globals()[f"refused_{name}"], forbid=[], require=["kl_div", "KLDivLoss"]) is None, name

    def test_none_of_them_is_told(self):
        sentence = verdict(allowed_building_blocks, forbid=[], require=["kl_div", "KLDivLoss"])
        assert sentence == "The answer does not use kl_div or KLDivLoss. Write the sum yourself."

    def test_a_text_or_a_comment_is_no_use(self):
        assert verdict(allowed_a_comment_and_a_text, forbid=[], require=["kl_div"]) is not None

    def test_another_librarys_function_of_that_name(self):
        assert "scipy" in verdict(refused_by_a_ufunc, forbid=[], require=["kl_div"], modules=["scipy"])


class TestReading:
    def test_a_lambda_is_read_alone(self):
        answer, other = (lambda p: p.sum(-1)), F.kl_div
        assert verdict(answer) is None
        assert other is F.kl_div

    def test_what_has_no_text_has_no_tree(self):
        space = {}
        exec("def f(p): return p", space)
        assert rules.tree_of(space["f"]) is None
        assert rules.tree_of(len) is None

    def test_another_text_under_the_same_name_is_not_read(self, monkeypatch):
        """From 3.13 on Python remembers the text of `python -c` as that of all code that is made from a string."""
        text, space = "def g(p):\n    return logsumexp(p)\n", {}
        monkeypatch.setitem(linecache.cache, "<made>", (len(text), None, text.splitlines(True), "<made>"))
        for name in ("f", "g"):
            exec(compile(f"def {name}(p): return p", "<made>", "exec"), space)
        assert rules.tree_of(space["f"]) is None
        assert rules.tree_of(space["g"]) is not None

    def test_a_name_from_nowhere_counts_as_itself(self):
        tree = rules.ast.parse("def f(p):\n    return kl_div(p)")
        assert rules.violation(tree, RULES, lambda name: None) is not None

    def test_every_meaning_of_a_name_counts(self):
        tree = rules.ast.parse("def f(p):\n    return g(p)")
        meanings = {"g": ["math.exp", rules.ast.parse("F.kl_div", mode="eval")]}
        assert rules.violation(tree, RULES, meanings.get) is not None

    def test_a_default_means_what_its_name_meant_before(self):
        tree = rules.ast.parse("def f(p, f=f):\n    return f(p)")
        assert rules.violation(tree, RULES, {"f": ["torch.kl_div", tree]}.get) is not None

    def test_functions_that_call_each_other_are_read_once(self):
        tree = rules.ast.parse("def f(p):\n    return g(p)")
        other = rules.ast.parse("def g(p):\n    return f(p)")
        assert rules.violation(tree, RULES, {"f": [tree], "g": [other]}.get) is None

    @pytest.mark.parametrize(
        ("statement", "known"),
        [
            ("from scipy.optimize import brentq", "scipy.optimize.brentq"),
            ("from scipy.stats import norm", "scipy.stats.norm"),
            ("from heapq import heappush", "heapq.heappush"),
            ("from torch.nn import Linear", "torch.nn.Linear"),
            ("from torch.nn.functional import logsigmoid", "torch.nn.functional.logsigmoid"),
        ],
    )
    def test_what_is_imported_by_its_name_is_read_as_in_its_module(self, statement, known):
        """Wherever the library keeps it: scipy.optimize._zeros_py, _heapq."""
        space, name = {}, known.rpartition(".")[2]
        exec(statement, space)
        assert rules.meanings_of(space[name], "a_notebook") == [known]
        tree = rules.ast.parse(f"def f(p):\n    return {name}.of(p)")
        live = {name: rules.meanings_of(space[name], "a_notebook")}
        assert rules.violation(tree, RULES | {"modules": [], "forbid": []}, live.get) is None

    def test_what_is_forbidden_stays_so_when_it_is_imported_by_its_name(self):
        tree = rules.ast.parse("def f(p):\n    return entropy(p)")
        live = {"entropy": rules.meanings_of(stats.entropy, "a_notebook")}
        assert "entropy is not an answer" in str(rules.violation(tree, RULES, live.get))
