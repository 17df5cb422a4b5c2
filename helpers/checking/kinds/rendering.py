"""How a formula was read: its tree as a line of text, and as HTML for the card.

Brackets stand where the reading needs them, whatever was written, so that a learner sees what a sum or a logarithm was
taken of. Plain HTML (sub, sup, boxes for fractions) shows everywhere a card does, with no network and no typesetter."""

from __future__ import annotations

import html
from collections.abc import Callable

from helpers.checking.kinds.formulas import Node

SIGNS = {"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ", "iota": "ι",
         "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ",
         "chi": "χ", "psi": "ψ", "omega": "ω", "infty": "∞", "ell": "ℓ", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ",
         "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω"}  # fmt: skip
ACCENTS = {"hat": "\u0302", "tilde": "\u0303", "bar": "\u0304"}
RELATIONS = {
    "<=": " ≤ ",
    ">=": " ≥ ",
    "in": " ∈ ",
    "~": " ∼ ",
    "to": " → ",
    ",": ", ",
    "|": " | ",
    ";": "; ",
    ":": ": ",
}
LOOSE, PRODUCT, TIGHT = 1, 2, 3  # how strongly a part holds together
HOLDS = {"add": LOOSE, "chain": LOOSE, "items": LOOSE, "minus": LOOSE, "times": PRODUCT, "over": PRODUCT}


class Writer:
    """Writes a tree; `Plain` and `Html` say how scripts and fractions look."""

    def escape(self, text: str) -> str:
        return text

    def sub(self, text: str) -> str:
        return f"_{text}" if len(text) < 2 else f"_{{{text}}}"

    def sup(self, text: str) -> str:
        return f"^{text}" if len(text) < 2 else f"^{{{text}}}"

    def italic(self, text: str) -> str:
        return text

    def over(self, node: Node) -> str:
        above, below = (self.write(part, TIGHT) for part in node.parts)
        return f"{above} / {below}"

    def write(self, node: Node, holds: int = 0) -> str:
        """A part, in brackets where its surroundings hold more strongly."""
        method: Callable[[Node], str] = getattr(self, node.kind, self.unknown)
        text = method(node)
        loose = HOLDS.get(node.kind, TIGHT) < holds and not (node.kind == "over" and isinstance(self, Html))
        return f"({text})" if loose else text

    def unknown(self, node: Node) -> str:
        return f"{node.kind}({', '.join(map(self.write, node.parts))})"

    def none(self, node: Node) -> str:
        return ""

    def number(self, node: Node) -> str:
        return node.text

    def name(self, node: Node) -> str:
        *accents, base = node.text.split(" ")
        letters = SIGNS.get(base.rstrip("'"), base.rstrip("'")) + "'" * base.count("'")
        letters = letters[:1] + "".join(ACCENTS[one] for one in accents) + letters[1:]
        shown = self.italic(self.escape(letters)) if len(base) == 1 or base in SIGNS else self.escape(letters)
        return shown + (self.sub(self.script(node.parts[0])) if node.parts else "")

    def script(self, node: Node) -> str:
        """A subscript; letters in a row are no product there."""
        return "".join(map(self.write, node.parts)) if node.kind == "times" else self.write(node)

    def call(self, node: Node) -> str:
        name, *arguments = node.parts
        opening, closing = ("[", "]") if name.text == "E" else ("(", ")")
        return f"{self.write(name)}{opening}{self.between(arguments, node.text)}{closing}"

    def between(self, parts: list[Node] | tuple[Node, ...], signs: str) -> str:
        """Parts with the signs that stand between them."""
        written = [self.write(part) for part in parts]
        between = [self.escape(RELATIONS.get(sign, f" {sign} ")) for sign in signs.split()] + [""]
        return "".join(part + sign for part, sign in zip(written, between, strict=True))

    def chain(self, node: Node) -> str:
        return self.between(node.parts, node.text)

    items = chain

    def subject(self, node: Node) -> str:
        return f"{self.write(node.parts[0])} subject to {self.write(node.parts[1])}"

    def statements(self, node: Node) -> str:
        return "; ".join(map(self.write, node.parts))

    def add(self, node: Node) -> str:
        text = self.write(node.parts[0], LOOSE)
        for part in node.parts[1:]:
            minus = part.kind == "minus"
            text += (" − " if minus else " + ") + self.write(part.parts[0] if minus else part, PRODUCT)
        return text

    def minus(self, node: Node) -> str:
        return "−" + self.write(node.parts[0], PRODUCT)

    def times(self, node: Node) -> str:
        return " · ".join(self.write(part, PRODUCT) for part in node.parts)

    def power(self, node: Node) -> str:
        return self.write(node.parts[0], TIGHT) + self.sup(self.write(node.parts[1]))

    def turned(self, node: Node) -> str:
        return self.write(node.parts[0], TIGHT) + self.sup("T")

    def root(self, node: Node) -> str:
        return f"√({self.write(node.parts[0])})"

    def function(self, node: Node) -> str:
        base = self.sub(self.write(node.parts[1])) if len(node.parts) == 2 else ""
        return f"{node.text}{base}({self.write(node.parts[0])})"

    def gradient(self, node: Node) -> str:
        return "∇" + self.write(node.parts[0], TIGHT)

    def hessian(self, node: Node) -> str:
        return "∇" + self.sup("2") + self.write(node.parts[0], TIGHT)

    def sum(self, node: Node) -> str:
        return self.operator("Σ", node)

    def min(self, node: Node) -> str:
        return self.operator("min", node)

    def max(self, node: Node) -> str:
        return self.operator("max", node)

    def operator(self, sign: str, node: Node) -> str:
        """A sign over what follows it, which is put in brackets."""
        sub, _, body = node.parts
        return f"{sign}{self.sub(self.write(sub)) if sub.kind != 'none' else ''} [ {self.write(body)} ]"


class Html(Writer):
    """The same as HTML."""

    def escape(self, text: str) -> str:
        return html.escape(text)

    def sub(self, text: str) -> str:
        return f"<sub>{text}</sub>"

    def sup(self, text: str) -> str:
        return f"<sup>{text}</sup>"

    def italic(self, text: str) -> str:
        return f"<i>{text}</i>"

    def over(self, node: Node) -> str:
        above, below = map(self.write, node.parts)
        box = "display:inline-block;vertical-align:middle;text-align:center;padding:0 3px"
        line = "display:block;border-bottom:1px solid currentcolor;padding:0 2px"
        return (
            f"<span style='{box}'><span style='{line}'>{above}</span><span style='display:block'>{below}</span></span>"
        )


def as_text(node: Node) -> str:
    """A formula as one line."""
    return Writer().write(node)


def as_html(node: Node) -> str:
    """A formula as HTML."""
    return Html().write(node)
