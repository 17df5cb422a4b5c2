"""Make what a learner wrote or displayed harmless to look at: HTML, notebook outputs, names, spreadsheet cells.

HTML keeps what our own cards use (boxes, tables, folded details, inline styles without position or address) and loses
what runs, loads or covers. `clean` is also the `clean_html` filter of nbconvert's templates (see nbgrader_config.py),
so that formgrader and feedback show Markdown and outputs through it.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import nh3
from nbformat import NotebookNode, from_dict

from helpers.checking.words import printable

TAGS = frozenset({
    "a", "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del", "details", "div",
    "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins",
    "kbd", "li", "mark", "ol", "p", "pre", "s", "samp", "small", "span", "strong", "sub", "summary", "sup",
    "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var",
})  # fmt: skip
ATTRIBUTES = frozenset(
    {"title", "colspan", "rowspan", "alt", "start", "open", "width", "height", "align", "href", "src"}
)
CSS = frozenset({
    "background", "background-color", "border", "border-bottom", "border-collapse", "border-color",
    "border-left", "border-radius", "border-right", "border-style", "border-top", "border-width", "color",
    "display", "float", "font-family", "font-size", "font-style", "font-weight", "line-height", "list-style",
    "margin", "margin-bottom", "margin-left", "margin-right", "margin-top", "max-width", "min-width", "opacity",
    "overflow", "padding", "padding-bottom", "padding-left", "padding-right", "padding-top", "text-align",
    "text-decoration", "text-transform", "vertical-align", "white-space", "width", "word-break", "word-wrap",
})  # fmt: skip
SCHEMES = frozenset({"http", "https", "mailto", "data"})  # `allowed` says where which may stand
CLASSES = re.compile(r"[\w -]*")
PICTURE = re.compile(r"data:image/(png|jpeg|gif);base64,[A-Za-z0-9+/=\s]+")
ADDRESS = re.compile(r"(https?://|mailto:|#)", re.IGNORECASE)
STYLE = re.compile(r"url|expression|@|\\|/\*|image|-moz|behavior|fixed|absolute|-\d", re.IGNORECASE)
# what MathJax would turn into links, styles and HTML of its own, and ways to write those under another name
TEX = re.compile(
    r"\\(?=(href|url|style|class|cssId|unicode|require|html\w*|data|bbox|def|let|(re)?newcommand|csname|mmlToken)\b)"
)
MOST_OUTPUTS = 100  # of one cell
PNG = b"\x89PNG\r\n\x1a\n"
CUT = "[More was shown here than is kept.]"


def clean(html: object) -> str:
    """HTML without anything that runs, loads from elsewhere, or covers the page."""
    return CLEANER.clean(html.decode("utf-8", "replace") if isinstance(html, bytes) else str(html))


def allowed(tag: str, name: str, value: str) -> str | None:
    """The value of an attribute that may stay, else None."""
    if name == "href":
        return value if tag == "a" and ADDRESS.match(value) else None
    if name == "src":
        return value if tag == "img" and PICTURE.fullmatch(value) else None
    if name == "style":
        return None if STYLE.search(value) else value
    if name == "class":
        return value if CLASSES.fullmatch(value) else None
    return value


CLEANER = nh3.Cleaner(
    tags=set(TAGS),
    attributes={"*": {*ATTRIBUTES, "style", "class"}},
    attribute_filter=allowed,
    filter_style_properties=set(CSS),
    url_schemes=set(SCHEMES),
)


def harmless_tex(text: str) -> str:
    """A learner's text with the TeX commands broken that MathJax would turn into links or styles."""
    return TEX.sub("\\\\ ", text)


def printable_lines(text: str) -> str:
    """Text without control characters but line ends and tabs: no terminal escapes, no overprinting."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def outputs(found: Any, most: int) -> list[NotebookNode]:
    """Notebook outputs from what a submission's process says that a cell has shown; at most so many characters."""
    shown = found.get("shown") if isinstance(found, dict) else None
    kept, room, cut = [], most, not isinstance(shown, list) or bool(found.get("left_out"))
    for one in (shown if isinstance(shown, list) else [])[:MOST_OUTPUTS]:
        output, size = harmless_output(one) if isinstance(one, dict) else (None, 0)
        if output is None:
            continue
        room -= size
        if room < 0:
            cut = True
            break
        kept.append(output)
    if cut:
        kept.append(stream("stdout", CUT + "\n"))
    return kept


def harmless_output(one: dict[str, Any]) -> tuple[NotebookNode | None, int]:
    """One output and its size; None for what has no harmless form."""
    if "stream" in one and isinstance(one.get("text"), str):
        text = printable_lines(one["text"])
        return stream("stderr" if one["stream"] == "stderr" else "stdout", text), len(text)
    offered = one.get("data")
    if not isinstance(offered, dict):
        return None, 0
    data: dict[str, str] = {}
    if isinstance(plain := offered.get("text/plain"), str):
        data["text/plain"] = printable_lines(plain)
    if isinstance(html := offered.get("text/html"), str):
        data["text/html"] = harmless_tex(clean(html))
    if isinstance(png := offered.get("image/png"), str) and is_png(png):
        data["image/png"] = "".join(png.split())
    return (display_data(data), sum(map(len, data.values()))) if data else (None, 0)


def stream(name: str, text: str) -> NotebookNode:
    """Text that was printed."""
    return from_dict({"output_type": "stream", "name": name, "text": text})


def display_data(data: dict[str, str]) -> NotebookNode:
    """Something that was shown, in its representations."""
    return from_dict({"output_type": "display_data", "metadata": {}, "data": data})


def is_png(text: str) -> bool:
    """Whether base64 text holds a PNG, and nothing that is no base64."""
    try:
        return base64.b64decode("".join(text.split()).encode(), validate=True).startswith(PNG)
    except (binascii.Error, ValueError):
        return False
