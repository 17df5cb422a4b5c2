r"""Read a formula written in LaTeX: its tree, or where and why it cannot be read.

The lexer and the LALR(1) parser are lark's, which takes time and memory in proportion to the text; the grammar is ours,
since none that is kept reads this field's notation: sums over x, conditional bars, expectations with a subscript, hats,
constraints below a minimum. What comes in is written by strangers, so length and nesting are bounded before anything
else is done, and nothing here is ever run.

What is read, where LaTeX alone does not say: `\log` takes one bracket, fraction or function with its arguments, or all
plain letters and numbers that follow (`\log 2\pi e\sigma^2`); a sum goes on to the next plus or minus; a letter before a
bracket is a function if the question has one of that name, else a factor."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput, v_args

MOST_CHARACTERS = 1500
MOST_DEPTH = 40
GREEK = (
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "varepsilon",
    "zeta",
    "eta",
    "theta",
    "vartheta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "pi",
    "rho",
    "sigma",
    "tau",
    "phi",
    "varphi",
    "chi",
    "psi",
    "omega",
    "Gamma",
    "Delta",
    "Theta",
    "Lambda",
    "Xi",
    "Pi",
    "Sigma",
    "Phi",
    "Psi",
    "Omega",
    "ell",
    "infty",
)
SAME = {"varepsilon": "epsilon", "vartheta": "theta", "varphi": "phi"}
ACCENTS = {"widehat": "hat", "hat": "hat", "tilde": "tilde", "widetilde": "tilde", "bar": "bar", "overline": "bar"}
RELATIONS = {
    **dict.fromkeys(("=", ":=", r"\coloneqq", r"\equiv", r"\gets", r"\leftarrow", r"\triangleq"), "="),
    **dict.fromkeys(("<=", r"\le", r"\leq", r"\leqslant", "≤"), "<="),
    **dict.fromkeys((">=", r"\ge", r"\geq", r"\geqslant", "≥"), ">="),
    "<": "<", ">": ">", r"\lt": "<", r"\gt": ">", r"\in": "in", r"\sim": "~", r"\to": "to",
}  # fmt: skip
BARS = (r"\mid", "|", r"\vert", r"\lvert", r"\rvert", r"\|", "||", r"\parallel", r"\Vert")

GRAMMAR = r"""
start: chain (link chain)* separators?
link: separators | separators? SUBJECT separators?
separators: (COMMA | SEMICOLON | NEWLINE | QUAD)+
chain: expr (RELATION expr)*
expr: first (SIGN term)*
?first: term | SIGN term -> signed
?term: product | big | product big -> times | product _TIMES big -> times
?product: unit | product unit -> times | product _TIMES unit -> times | product _OVER unit -> over
big: BIG first | BIG sub first -> big_sub | BIG sub sup first -> big_both | BIG sup sub first -> big_swapped
?unit: factor | function | gradient
gradient: NABLA [sub] gradient_of | NABLA sup [sub] gradient_of -> second_gradient
?gradient_of: factor | function
function: FUNCTION [sub] (closed | plain_run | big) | FUNCTION sup [sub] (closed | plain_run) -> function_to
?plain_run: plain | plain_run plain -> times | plain_run closed_call -> times
?factor: plain | closed
?plain: number | name | number sup -> power | raised
raised: base sup -> raised_bare | base sub sup -> raised_sub | base sup sub -> raised_swapped
?closed: closed_call | bracket | fraction | root | bracket sup -> power | fraction sup -> power | root sup -> power
?closed_call: call | call sup -> power
call: name _open arguments _close | raised _open arguments _close -> call_to
bracket: _LPAR expr _RPAR | _LBRACK expr _RBRACK | _LBRACE expr _RBRACE | "{" expr "}"
_open: _LPAR | _LBRACK | _LBRACE
_close: _RPAR | _RBRACK | _RBRACE
arguments: expr ((BAR | COMMA | SEMICOLON) expr)*
fraction: FRACTION argument argument | DIGITS_FRACTION -> digits_fraction
root: ROOT argument
?argument: "{" expr "}" | number | base
name: base | base sub
base: LETTER | GREEK | WORD | ACCENT accented -> accent | ACCENT "{" accented sub "}" -> accent_sub | base _PRIME -> primed
?accented: base | "{" base "}"
number: NUMBER
sub: "_" base | "_" number | "_" "{" items "}"
sup: "^" base | "^" number | "^" TOP | "^" "{" TOP "}" | "^" "{" expr "}" | "^" STAR
items: item ((COMMA | SEMICOLON | COLON | BAR) item)*
item: expr (RELATION expr)* | SIGN -> empty

RELATION.3: /:=|<=|>=|≤|≥|=|<|>|\\(?:coloneqq|equiv|gets|leftarrow|triangleq|leqslant|leq|le|geqslant|geq|ge|lt|gt|in|sim|to)(?![A-Za-z])/
NEWLINE.2: /\\\\/
QUAD.2: /\\q?quad(?![a-z])/
SUBJECT.4: /\\(?:text|mathrm|textrm|operatorname|mbox)\s*\{\s*(?:s\.?\s*t\.?|subject to|such that|with)\s*\}/
SIGN: "+" | "-" | "−"
_TIMES: "*" | /\\(?:cdot|times|ast|odot)(?![A-Za-z])/
_OVER: "/" | /\\div(?![A-Za-z])/
BIG.3: /\\(?:sum|min|inf|max|sup)(?:\\limits)?(?![A-Za-z])|\\operatorname\*?\s*\{\s*(?:min|max|inf|sup)\s*\}/
FUNCTION.3: /\\(?:log|ln|exp|cos|sin)(?![A-Za-z])|\\(?:operatorname|mathrm|text)\s*\{(?:log|ln|exp|cos)\}|log(?![a-z])|ln(?![a-z])|exp(?![a-z])/
NABLA.2: /\\nabla(?![A-Za-z])/
FRACTION.2: /\\[dtc]?frac(?![A-Za-z])/
DIGITS_FRACTION.3: /\\[dtc]?frac\s*\d\s*\d/
ROOT.2: /\\sqrt(?![A-Za-z])/
TOP.3: /\\(?:top|intercal|transpose)(?![A-Za-z])|\\math(?:sf|rm|bf)\s*\{?\s*T\s*\}?/
STAR: "*"
WORD.2: /\\(?:mathrm|mathit|mathcal|mathbf|mathbb|mathsf|boldsymbol|bm|text|textrm|operatorname\*?|mathop)\s*(?:\{\s*\\?[A-Za-z]{1,12}\s*\}|[A-Za-z])|KL|PPL/
ACCENT.2: /\\(?:widehat|hat|widetilde|tilde|bar|overline)(?![A-Za-z])/
GREEK.1: /\\(?:@GREEK@)(?![A-Za-z])/
LETTER: /[A-Za-z]/
NUMBER: /\d+(?:\.\d+)?|\.\d+/
BAR.2: /\|\||\||\\(?:mid|parallel|[lr]?[vV]ert)(?![A-Za-z])|\\\|/
COMMA.1: ","
SEMICOLON.1: ";"
COLON.1: ":"
_PRIME: "'" | /\\prime(?![A-Za-z])/
_LPAR: "("
_RPAR: ")"
_LBRACK: "[" | /\\lbrack(?![A-Za-z])/
_RBRACK: "]" | /\\rbrack(?![A-Za-z])/
_LBRACE: "\\{" | /\\lbrace(?![A-Za-z])/
_RBRACE: "\\}" | /\\rbrace(?![A-Za-z])/
SPACE: /\s+|~|&|\$|\\[,:;!> ]|\\[\[\]()]|\\(?:left|right|middle|[bB]igg?[lrm]?|displaystyle|textstyle|limits|nonumber|notag)(?![A-Za-z])|\\(?:begin|end)\s*\{(?:aligned|align|equation|split|gathered|gather|cases)\*?\}/
%ignore SPACE
""".replace("@GREEK@", "|".join(sorted(GREEK, key=len, reverse=True)))


class Unreadable(ValueError):
    """A text that cannot be read as a formula: `at` is the position, from 0, and the message a sentence for the learner."""

    def __init__(self, sentence: str, at: int = 0):
        super().__init__(sentence)
        self.sentence, self.at, self.text = sentence, at, ""


@dataclass(frozen=True)
class Node:
    """A part of a formula. `kind` says what it is, `parts` what it is made of, `text` its name, number or signs."""

    kind: str
    parts: tuple[Node, ...] = ()
    text: str = ""
    depth: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        depth = 1 + max((part.depth for part in self.parts), default=0)
        if depth > MOST_DEPTH:
            raise Unreadable(f"This formula is nested more than {MOST_DEPTH} levels deep.")
        object.__setattr__(self, "depth", depth)


NONE = Node("none")


def chained(parts: tuple[Any, ...], kind: str) -> Node:
    """Expressions with signs between them; a single one is itself."""
    nodes = tuple(part for part in parts if isinstance(part, Node))
    signs = " ".join(RELATIONS.get(str(t), "|" if str(t) in BARS else str(t)) for t in parts if isinstance(t, Token))
    return nodes[0] if len(nodes) == 1 and kind != "arguments" else Node(kind, nodes, signs)


@v_args(inline=True)
class Builder(Transformer[Token, Any]):
    """Makes the tree while lark parses; `functions` are the names that take any arguments, `tables` those that take
    letters: p_i (a + b) is a product."""

    def __init__(self, functions: frozenset[str], tables: frozenset[str]):
        super().__init__()
        self.functions, self.tables = functions, tables

    def calls(self, name: Node, arguments: Node) -> bool:
        """Whether a name before a bracket is a function."""
        letters = all(part.kind == "name" for part in arguments.parts)
        return name.text in self.functions or (name.text in self.tables and (letters or len(arguments.parts) > 1))

    def start(self, *parts: Any) -> Node:
        statements: list[Node] = []
        links: list[str] = ["", *parts[1::2]]
        for link, chain in zip(links, parts[::2], strict=False):
            statements.append(Node("subject", (statements.pop(), chain)) if link == "subject" else chain)
        return Node("statements", tuple(statements))

    def separators(self, *_: Token) -> str:
        return "separator"

    def link(self, *parts: Any) -> str:
        return "subject" if any(isinstance(part, Token) for part in parts) else "separator"

    def chain(self, *parts: Any) -> Node:
        return chained(parts, "chain")

    item = chain

    def items(self, *parts: Any) -> Node:
        return chained(parts, "items")

    def arguments(self, *parts: Any) -> Node:
        return chained(parts, "arguments")

    def empty(self, sign: Token) -> Node:
        return Node("name", (), str(sign))

    def expr(self, first: Node, *rest: Any) -> Node:
        terms = [first] + [self.signed(s, t) for s, t in zip(rest[::2], rest[1::2], strict=True)]
        return first if len(terms) == 1 else Node("add", tuple(terms))

    def signed(self, sign: Token, term: Node) -> Node:
        return term if sign == "+" else Node("minus", (term,))

    def times(self, first: Node, second: Node) -> Node:
        return Node("times", (*(first.parts if first.kind == "times" else (first,)), second))

    def over(self, first: Node, second: Node) -> Node:
        return Node("over", (first, second))

    def big(self, which: Token, body: Node) -> Node:
        return self.big_both(which, NONE, NONE, body)

    def big_sub(self, which: Token, sub: Node, body: Node) -> Node:
        return self.big_both(which, sub, NONE, body)

    def big_both(self, which: Token, sub: Node, sup: Node, body: Node) -> Node:
        word = re.findall(r"sum|min|inf|max|sup", which)[0]
        return Node({"inf": "min", "sup": "max"}.get(word, word), (sub, sup, body))

    def big_swapped(self, which: Token, sup: Node, sub: Node, body: Node) -> Node:
        return self.big_both(which, sub, sup, body)

    def gradient(self, nabla: Token, sub: Node | None, body: Node) -> Node:
        if body.kind == "turned":
            return Node("turned", (self.gradient(nabla, sub, body.parts[0]),))
        return Node("gradient", (body,))

    def second_gradient(self, nabla: Token, sup: Node, sub: Node | None, body: Node) -> Node:
        return (
            Node("hessian", (body,))
            if sup == Node("number", (), "2")
            else Node("power", (Node("gradient", (body,)), sup))
        )

    def function(self, which: Token, sub: Node | None, body: Node) -> Node:
        if body.kind == "turned":
            return Node("turned", (self.function(which, sub, body.parts[0]),))
        name = re.findall(r"log|ln|exp|cos|sin", which)[0].replace("ln", "log")
        return Node("function", (body,) if sub is None else (body, sub), name)

    def function_to(self, which: Token, sup: Node, sub: Node | None, body: Node) -> Node:
        return self.power(self.function(which, sub, body), sup)

    def power(self, base: Node, exponent: Node) -> Node:
        if base.kind == "times" and base.text == "called":  # a(b + c)^2 where a is no function
            return Node("times", (base.parts[0], self.power(base.parts[1], exponent)))
        if exponent.kind == "top" or exponent == Node("name", (), "T"):
            return Node("turned", (base,))
        return Node("power", (base, exponent))

    def raised_bare(self, base: Node, exponent: Node) -> Node:
        return self.power(base, exponent)

    def raised_sub(self, base: Node, sub: Node, exponent: Node) -> Node:
        return self.power(self.name(base, sub), exponent)

    def raised_swapped(self, base: Node, exponent: Node, sub: Node) -> Node:
        return self.power(self.name(base, sub), exponent)

    def raised(self, raised: Node) -> Node:
        return raised

    def call(self, name: Node, arguments: Node) -> Node:
        if self.calls(name, arguments):
            return Node("call", (name, *arguments.parts), arguments.text)
        if len(arguments.parts) == 1:
            return Node("times", (name, arguments.parts[0]), "called")
        raise Unreadable(f"{name.text}(...) with several arguments is not known in this question.")

    def call_to(self, raised: Node, arguments: Node) -> Node:
        """f^2(x) is the square of f(x); a^2 (b + c) is a product."""
        if raised.kind == "power" and self.calls(raised.parts[0], arguments):
            return self.power(self.call(raised.parts[0], arguments), raised.parts[1])
        if len(arguments.parts) == 1:
            return Node("times", (raised, arguments.parts[0]), "called")
        raise Unreadable("A power with several arguments is not known in this question.")

    def bracket(self, inner: Node) -> Node:
        return inner if inner.kind != "times" else Node("times", inner.parts)

    def fraction(self, _: Token, above: Node, below: Node) -> Node:
        return Node("over", (above, below), "fraction")

    def digits_fraction(self, token: Token) -> Node:
        above, below = re.findall(r"\d", token)
        return Node("over", (Node("number", (), above), Node("number", (), below)), "fraction")

    def root(self, _: Token, inner: Node) -> Node:
        return Node("root", (inner,))

    def name(self, base: Node, sub: Node | None = None) -> Node:
        if sub is None or base.parts:
            return base
        return Node("name", (sub,), base.text)

    def base(self, token: Token) -> Node:
        word = re.sub(r"\\(?:math|text|operatorname|boldsymbol|bm)[a-z]*\*?|[\\{}\s]", "", token)
        return Node("name", (), SAME.get(word, word))

    def accent(self, accent: Token, base: Node) -> Node:
        return Node("name", base.parts, f"{ACCENTS[str(accent)[1:]]} {base.text}")

    def accent_sub(self, accent: Token, base: Node, sub: Node) -> Node:
        return self.accent(accent, self.name(base, sub))

    def primed(self, base: Node, *_: Any) -> Node:
        return Node("name", base.parts, base.text + "'")

    def number(self, token: Token) -> Node:
        return Node("number", (), str(token))

    def sub(self, content: Node) -> Node:
        return content

    def sup(self, content: Any) -> Node:
        if isinstance(content, Token):
            return Node("top") if content.type == "TOP" else Node("name", (), "*")
        return content  # type: ignore[no-any-return]


@cache
def parser(functions: frozenset[str], tables: frozenset[str]) -> Lark:
    """The parser for a question with these functions and tables."""
    builder = Builder(functions, tables)
    return Lark(GRAMMAR, parser="lalr", lexer="contextual", transformer=builder, maybe_placeholders=True)


def read(text: str, functions: frozenset[str], tables: frozenset[str] = frozenset()) -> tuple[Node, ...]:
    """The statements of a formula, each a chain of expressions. Raises Unreadable, with the position."""
    if len(text) > MOST_CHARACTERS:
        raise Unreadable(f"This formula has {len(text)} characters; {MOST_CHARACTERS} are enough for any here.")
    if not text.strip():
        raise Unreadable("There is no formula in this text.")
    return parsed(text, functions, tables)


@lru_cache(maxsize=64)  # an answer is read for every criterion, and for every mistake that it may be
def parsed(text: str, functions: frozenset[str], tables: frozenset[str]) -> tuple[Node, ...]:
    """The statements of a text that is short enough."""
    try:
        tree: Any = parser(functions, tables).parse(text)
    except UnexpectedInput as error:
        raise said(error, text) from None
    except Unreadable as error:
        error.text = text
        raise
    return tuple(tree.parts)


def said(error: UnexpectedInput, text: str) -> Unreadable:
    """What lark found, as a sentence with the position."""
    token, place = getattr(error, "token", None), getattr(error, "pos_in_stream", None)
    ended = token is not None and token.type == "$END"
    at = len(text) if ended or place is None else int(place)
    found = re.match(r"\\[A-Za-z]+|.", text[at:], re.DOTALL)
    shown = found[0] if found else ""
    unreadable = Unreadable(sentence_on(error, shown, ended), at)
    unreadable.text = text
    return unreadable


def sentence_on(error: UnexpectedInput, shown: str, ended: bool) -> str:
    """What is wrong at the place where the reading stopped."""
    if ended:
        return "It ends too early: is a bracket or the rest of it missing?"
    if shown.startswith("\\") and not hasattr(error, "token"):
        return f"{shown} is a command that is not known here."
    if shown in (")", "]", "}"):
        return f"A {shown} that nothing here opens, or something is missing before it."
    return f"{shown} is not expected here."


def canonical(node: Node) -> str:
    """The one spelling of a part: names, indices and calls without spaces or LaTeX."""
    parts = [canonical(part) for part in node.parts]
    if node.kind == "name":
        return node.text + (f"_{parts[0]}" if parts else "")
    if node.kind == "number":
        return node.text
    if node.kind == "call":
        return f"{parts[0]}({signed(parts[1:], node.text)})"
    if node.kind in ("items", "chain"):
        return signed(parts, node.text)
    written = WRITTEN.get(node.kind)
    return f"{node.kind}({','.join(parts)})" if written is None else written(parts, node.text)


def signed(parts: list[str], signs: str) -> str:
    """Parts with the signs between them."""
    return "".join(part + sign for part, sign in zip(parts, [*signs.split(), ""], strict=True))


WRITTEN: dict[str, Callable[[list[str], str], str]] = {
    "times": lambda parts, _: "".join(parts),
    "minus": lambda parts, _: f"-{parts[0]}",
    "add": lambda parts, _: "+".join(parts).replace("+-", "-"),
    "over": lambda parts, _: "/".join(parts),
}
