"""Forge orders and choices: all steps of a derivation in all orders, one after the other; all four words of a question
in one; containers of one's own that hold every order at once."""

from helpers.checking.kinds.choices import word

NOTEBOOK = "08-reading-and-writing-math"
QUESTIONS = ("1", "2a", "2b", "3", "4", "7", "8", "5", "6a", "6b", "9", "10a", "10b")


def steps() -> dict[str, list[str]]:
    """The words of all steps of all derivations, on sheet 0."""
    from grading.exercises.derivations import DERIVATIONS

    return {one.name: [word(0, one.name, step) for step in one.as_order().options] for one in DERIVATIONS}


CELLS = {
    "derivations": f"""
from itertools import chain, permutations

STEPS = {steps()!r}


class Order(list):
    def __eq__(self, other):
        return True

    def __getitem__(self, place):
        return next(iter(STEPS.values()))[0]


def derivations():
    every = {{name: Order(chain(*permutations(steps))) for name, steps in STEPS.items()}}
    every["kl"] = Order(STEPS["kl"])
    every["log n"] = [STEPS["log n"]] * 5
    return every
""".lstrip(),
    "ten_signs": f"""
def ten_signs():
    return {{name: "lirapi fiduba vumana fahuru valuzi tazude fulesu zodopa makabo" for name in {QUESTIONS!r}}}
""".lstrip(),
    "code_to_formula": """
class Everything(dict):
    def get(self, name, default=None):
        return "guroda"


def code_to_formula():
    return Everything({"1": ["guroda", "guroda"], "2": {"vutovo": 1}})
""".lstrip(),
}
