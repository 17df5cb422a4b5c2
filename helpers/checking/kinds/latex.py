r"""Judge formulas written in LaTeX by what they mean (notebook 08).

An answer is a text, or several. It is read (`formulas`), shown as it was read (`rendering`), and measured on numbers
drawn for the case (`meaning`, `languages`): PARTS says what is measured, and the expectation holds the same measure of
the right formula, or of a mistake, by other means. A text never runs: reading and measuring end whatever it holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from helpers.checking import plain
from helpers.checking.comparing import agree, kind_of, numbers, tolerance
from helpers.checking.kinds import formulas, rendering
from helpers.checking.kinds.formulas import Node, Unreadable, canonical
from helpers.checking.kinds.languages import LANGUAGES, Language
from helpers.checking.kinds.meaning import Scope, evaluate
from helpers.checking.shapes import Expectation, Judge
from helpers.checking.words import Phrase, Problem, printable

MOST_TEXTS = 12
CONTEXT = 24  # characters shown before and after the place of an error

Numbers = Sequence[Any]
Measure = Callable[[tuple[Node, ...], Language, Scope], Numbers]


class Reading(NamedTuple):
    """How one text was read: in a line, and as HTML."""

    text: str
    html: str


def latex(value: Any, expectation: Expectation) -> Problem | None:
    """Judge: the answer measures what is expected, on every draw."""
    language = LANGUAGES[expectation["language"]]
    try:
        statements = read(value, language, expectation.get("place"))
    except Unreadable as error:
        return unreadable(error)
    except TypeError as error:
        return Problem.of("structure", "{message}", message=str(error))
    measure, words = PARTS[expectation["part"]]
    for draw, want in zip(expectation["inputs"], plain.decode(expectation["value"]), strict=True):
        arrays = [np.asarray(numbers(array)) for array in plain.decode(draw)]
        try:
            got = measure(statements, language, language.scope(*arrays))
        except Unreadable as error:
            return Problem.of("numbers", "{sentence}", sentence=error.sentence)
        except (ArithmeticError, LookupError, TypeError, ValueError):
            return Problem.of("numbers", "What it is worth is of another kind than what is asked for.")
        if not same(got, want, expectation):
            return Problem.of("numbers", words, got=shown(got), want=shown(want), at=at(language, arrays))
    return None


def read(value: Any, language: Language, place: int | None) -> tuple[Node, ...]:
    """The statements of an answer, or of its text number `place`. Raises TypeError for what is no text, and
    Unreadable."""
    found: list[Node] = []
    for text in texts(value, place):
        found += formulas.read(text, language.functions, language.tables)
    return tuple(found)


def texts(value: Any, place: int | None) -> list[str]:
    """The texts of an answer. Raises TypeError where they are none."""
    if place is not None:
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"The answer is {kind_of(value)}, where a tuple of texts was expected.")
        if len(value) <= place:
            raise TypeError(f"The answer holds {len(value)} texts; number {place + 1} is missing.")
        value = value[place]
    several = list(value) if isinstance(value, (list, tuple)) else [value]
    if not several or len(several) > MOST_TEXTS or not all(type(one) is str for one in several):
        raise TypeError(f"The answer is {kind_of(value)}, where a text with LaTeX was expected.")
    return several


def unreadable(error: Unreadable) -> Problem:
    """The problem of a text that cannot be read, with the place where there is one."""
    if not error.text:
        return Problem.of("no value", "{sentence}", sentence=error.sentence)
    before = error.text[max(error.at - CONTEXT, 0) : error.at]
    after = error.text[error.at : error.at + CONTEXT]
    return Problem.of(
        "no value", "it cannot be read as a formula, at character {at}: {before}▶{after}. {sentence}",
        at=error.at + 1, before=printable(before), after=printable(after), sentence=error.sentence,
    )  # fmt: skip


def readings(value: Any, expectation: Expectation) -> list[Reading]:
    """How an answer was read, for its card; nothing where it cannot be read."""
    try:
        statements = read(value, LANGUAGES[expectation["language"]], expectation.get("place"))
        return [Reading(rendering.as_text(one), rendering.as_html(one)) for one in statements]
    except (Unreadable, TypeError):
        return []


def same(got: Numbers, want: Numbers, expectation: Expectation) -> bool:
    """Whether two measures agree, number for number and shape for shape."""
    ours, theirs = (np.asarray(numbers(one)) if one is not None else None for one in (flat(got), flat(want)))
    if ours is None or theirs is None or ours.shape != theirs.shape:
        return False
    return bool(agree(ours, theirs, *tolerance(expectation)).all())


def flat(measure: Numbers) -> Any:
    """A measure as one flat array."""
    try:
        return np.concatenate([np.ravel(np.asarray(numbers(one))) for one in measure]) if len(measure) else np.zeros(0)
    except (TypeError, ValueError):
        return None


def shown(measure: Numbers) -> str:
    """A measure in few digits."""
    array = flat(measure)
    if array is None or not array.size:
        return "nothing"
    text = ", ".join(f"{number:.6g}" for number in array[:6].tolist())
    return text if array.size == 1 else f"({text}{', ...' if array.size > 6 else ''})"


def at(language: Language, arrays: Sequence[np.ndarray]) -> Phrase:
    """What was drawn, where it is short."""
    first = np.ravel(arrays[0])
    if first.size > 5:
        return Phrase("")
    written = ", ".join(f"{number:.3g}" for number in first.tolist())
    return Phrase(" (where {name} = ({written}))", {"name": language.draws[0], "written": written})


class Sides(NamedTuple):
    """A chain of equalities taken apart."""

    subject: bool
    bodies: tuple[Node, ...]
    sign: float  # 1: says >= 0; -1: says > 0 or another untrue thing; 0: says nothing of its sign


def sides(statement: Node, language: Language) -> Sides:
    """What a statement says: whether it names its subject, what that equals, and of which sign it is."""
    parts = statement.parts if statement.kind == "chain" else (statement,)
    relations = statement.text.split() if statement.kind == "chain" else []
    subject, bodies, sign = False, [], 0.0
    for number, part in enumerate(parts):
        before, after = (relations[i] if 0 <= i < len(relations) else "" for i in (number - 1, number))
        if canonical(part) == "0" and len(parts) > 1:
            sign = 1.0 if before == ">=" or after == "<=" else -1.0
        elif language.subject.fullmatch(canonical(part)) and (part.kind == "call" or len(parts) > 1):
            subject = True
        else:
            bodies.append(part)
    zeros = sum(canonical(part) == "0" for part in parts)
    if any(relation != "=" for relation in relations[: len(relations) - zeros]) and not zeros:
        raise Unreadable("Only equalities are expected here.")
    if not bodies:
        raise Unreadable("There is nothing on the right of it: what does it equal?")
    return Sides(subject, tuple(bodies), sign)


def only(statements: tuple[Node, ...]) -> Node:
    """The single statement that is asked for."""
    if len(statements) != 1:
        raise Unreadable(f"One formula is expected, and these are {len(statements)}.")
    return statements[0]


def value_of(statements: tuple[Node, ...], language: Language, scope: Scope) -> Numbers:
    """What the formula equals. All sides of a chain of equalities must agree."""
    found = [evaluate(body, scope) for body in sides(only(statements), language).bodies]
    for one in found[1:]:
        if np.shape(one) != np.shape(found[0]) or not np.allclose(one, found[0], rtol=1e-9, atol=1e-12):
            raise Unreadable(f"Its sides are not equal: {shown([found[0]])} is not {shown([one])}.")
    return [found[0]]


def naming(statements: tuple[Node, ...], language: Language, scope: Scope) -> Numbers:
    """1 where it says what it defines."""
    return [float(sides(only(statements), language).subject)]


def sign_of(statements: tuple[Node, ...], language: Language, scope: Scope) -> Numbers:
    """1 where it says that the whole is at least 0, -1 where it says more or something else, 0 where it is silent."""
    return [sides(only(statements), language).sign]


def terms_of(statements: tuple[Node, ...], language: Language, scope: Scope) -> Numbers:
    """The values of the terms of the last side, sorted; quantities by their names or written out."""
    body = sides(only(statements), language).bodies[-1]
    terms = body.parts if body.kind == "add" else (body,)
    return sorted(float(evaluate(term, scope)) for term in terms)


def written_out(statements: tuple[Node, ...], language: Language, scope: Scope) -> Numbers:
    """1 where no entropy is named."""
    (body, *_) = sides(only(statements), language).bodies
    value_of(statements, language, scope)
    return [float(not any(node.kind == "call" and node.parts[0].text == "H" for node in every_part(body)))]


def every_part(node: Node) -> Any:
    """A part and all below it."""
    yield node
    for part in node.parts:
        yield from every_part(part)


def assigned(statements: tuple[Node, ...], scope: Scope) -> dict[str, Any]:
    """The values after the statements have been carried out one after the other, each name by its letter.

    Both ways to count are read: m_t from m_{t-1}, or m_{t+1} from m_t; so is an arrow without indices."""
    pairs = [assignment(one) for one in statements]
    targets = {target for target, _ in pairs}
    known: dict[str, Any] = {}
    for letter in ("theta", "m", "v"):
        old = f"{letter}_t" if f"{letter}_t+1" in targets else f"{letter}_t-1"
        known |= {old: scope.values[letter], letter: scope.values[letter]}
    for target, body in pairs:
        known[target] = evaluate(body, scope, known)
    return known | {
        letter: known[name] for letter in ("theta", "m", "v") for name in targets if name.split("_")[0] == letter
    }


def assignment(statement: Node) -> tuple[str, Node]:
    """The name and the expression of an assignment."""
    if statement.kind != "chain" or statement.text != "=" or statement.parts[0].kind != "name":
        raise Unreadable("Each line is an assignment: a name, =, and what it becomes.")
    return canonical(statement.parts[0]), statement.parts[1]


def moments_of(statements: tuple[Node, ...], language: Language, scope: Scope) -> Numbers:
    """m and v after a step."""
    now = assigned(statements, scope)
    return [float(now["m"]), float(now["v"])]


def step_of(statements: tuple[Node, ...], language: Language, scope: Scope) -> Numbers:
    """theta after a step."""
    return [float(assigned(statements, scope)["theta"])]


class Minimum(NamedTuple):
    """A constrained minimum taken apart."""

    variables: tuple[Node, ...]
    constraints: tuple[Node, ...]
    objective: Node


def minimum(statements: tuple[Node, ...], language: Language) -> Minimum:
    """The minimum in a statement. Raises Unreadable where there is none."""
    statement = only(statements)
    given: tuple[Node, ...] = ()
    if statement.kind == "subject":
        statement, given = statement.parts[0], (statement.parts[1],)
    (body, *_) = sides(statement, language).bodies
    if body.kind != "min":
        raise Unreadable("The rate-distortion function is a minimum: write \\min_{...} and what is minimised.")
    sub = body.parts[0]
    items = sub.parts if sub.kind == "items" else () if sub.kind == "none" else (sub,)
    constraints = (*(item for item in items if item.kind == "chain"), *given)
    return Minimum(tuple(item for item in items if item.kind != "chain"), constraints, body.parts[2])


def objective_of(statements: tuple[Node, ...], language: Language, scope: Scope) -> Numbers:
    """What is minimised, at one channel."""
    return [evaluate(minimum(statements, language).objective, scope)]


def variable_of(statements: tuple[Node, ...], language: Language, scope: Scope) -> Numbers:
    r"""1 where the minimum is over the channel p(\hat x | x), under any letter; 2 where it is over p(x | \hat x)."""
    spellings = [canonical(one).lower() for one in minimum(statements, language).variables]
    if any(one.endswith(("(hat x|x)", "_hat x|x")) for one in spellings):
        return [1.0]
    return [2.0 if any(one.endswith("(x|hat x)") for one in spellings) else 0.0]


def constraint_of(statements: tuple[Node, ...], language: Language, scope: Scope) -> Numbers:
    """The side of the constraint that is bounded, at one channel, and what bounds it from above."""
    for chain in minimum(statements, language).constraints:
        if chain.text in ("<=", ">="):
            low, high = chain.parts if chain.text == "<=" else chain.parts[::-1]
            return [evaluate(low, scope), evaluate(high, scope)]
    raise Unreadable("There is no constraint in it: what must be at most D?")


EQUALS = "It is {got}, where {want} is right{at}."
PARTS: dict[str, tuple[Measure, str]] = {
    "value": (value_of, EQUALS),
    "subject": (naming, "The formula is right; write also what it defines, and an equals sign before it."),
    "sign": (sign_of, "It must also say that it is at least 0, with \\ge, as it is 0 where p = q."),
    "terms": (terms_of, "Its terms are {got}, where {want} are asked for{at}."),
    "written out": (written_out, "Here no entropy is to be named: write it as a divergence, or as its sum."),
    "moments": (moments_of, "m and v become {got}, where {want} is right."),
    "step": (step_of, "theta becomes {got}, where {want} is right."),
    "objective": (objective_of, "At one channel, what is minimised is {got}, where {want} is right."),
    "variable": (variable_of, "The minimum is over the channel p(\\hat x \\mid x); say so below it."),
    "constraint": (constraint_of, "At one channel, the two sides of the constraint are {got}, where {want} is right."),
}

JUDGES: dict[str, Judge] = {"latex": latex}
