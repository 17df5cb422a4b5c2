"""Formulas as MathML, which browsers show without a network or a script (W3C, MathML Core)."""

from __future__ import annotations

import html
import re
from xml.etree import ElementTree

from latex2mathml.converter import convert

MOST = 2000  # characters of one formula: longer ones are shown as they were written
TAGS = frozenset({
    "math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "msup", "msub", "msubsup", "mfrac", "msqrt", "mroot", "mover",
    "munder", "munderover", "mtable", "mtr", "mtd", "mstyle", "mpadded", "mphantom", "menclose", "mmultiscripts",
})  # fmt: skip
ATTRIBUTES = frozenset({
    "display", "mathvariant", "stretchy", "fence", "form", "separator", "accent", "accentunder", "movablelimits",
    "minsize", "maxsize", "lspace", "rspace", "width", "linethickness", "displaystyle", "scriptlevel", "columnalign",
    "rowspacing", "columnspacing", "largeop", "symmetric",
})  # fmt: skip
SPACE = "{http://www.w3.org/1998/Math/MathML}"
LENGTH = re.compile(r"\d{0,2}(\.\d{1,3})?(em|ex|px|pt)?")


def mathml(tex: str, block: bool = False) -> str:
    """A formula as MathML; as code where it cannot be read. Nothing but MathML's own elements comes out of it."""
    if len(tex) <= MOST:
        try:
            found = convert(tex.strip(), display="block" if block else "inline")
            return bare(ElementTree.fromstring(found))
        except Exception:  # latex2mathml has many kinds of them for what it cannot read
            pass
    return f"<code>{html.escape(tex)}</code>"


def bare(element: ElementTree.Element) -> str:
    """An element of MathML with its attributes that only say how it looks. Raises ValueError for any other element."""
    tag = element.tag.removeprefix(SPACE)
    if tag not in TAGS:
        raise ValueError(f"<{tag}> is no part of a formula")
    kept = "".join(f' {k}="{html.escape(v)}"' for k, v in element.attrib.items() if may_stay(k, v))
    inner = html.escape(element.text or "") + "".join(bare(one) + html.escape(one.tail or "") for one in element)
    return f"<{tag}{kept}>{inner}</{tag}>"


def may_stay(name: str, value: str) -> bool:
    """Whether an attribute may stay: of the lengths those that are short and not negative."""
    return name in ATTRIBUTES and (value.isalpha() or LENGTH.fullmatch(value) is not None)
