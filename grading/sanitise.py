"""Make what a learner wrote or displayed harmless to look at: HTML, notebook outputs, names, spreadsheet cells.

HTML keeps what our own cards use (boxes, tables, folded details, inline styles without position or address) and loses
what runs, loads or covers. `clean` is also the `clean_html` filter of nbconvert's templates (see nbgrader_config.py),
so that formgrader and feedback show Markdown and outputs through it.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

import bleach
from bleach.css_sanitizer import CSSSanitizer
from nbformat import NotebookNode, from_dict

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
PROTOCOLS = frozenset({"http", "https", "mailto", "data"})  # `allowed` says where which may stand
CLASSES = re.compile(r"[\w -]*")
PICTURE = re.compile(r"data:image/(png|jpeg|gif);base64,[A-Za-z0-9+/=\s]+")
ADDRESS = re.compile(r"(https?://|mailto:|#)", re.IGNORECASE)
STYLE = re.compile(r"url|expression|@|\\|/\*|image|-moz|behavior|fixed|absolute|-\d", re.IGNORECASE)
# what MathJax would turn into links, styles and HTML of its own, and ways to write those under another name
TEX = re.compile(
    r"\\(?=(href|url|style|class|cssId|unicode|require|html\w*|data|bbox|def|let|(re)?newcommand|csname|mmlToken)\b)"
)
MOST_HTML, MOST_HTML_OF_ALL = 20_000, 100_000  # characters of one output and of a notebook, pictures apart
MOST_WITH_PICTURES = 200_000
PNG = b"\x89PNG\r\n\x1a\n"
CUT = "[More was shown here than is kept.]"


def clean(html: object) -> str:
    """HTML without anything that runs, loads from elsewhere, or covers the page."""
    text = html.decode("utf-8", "replace") if isinstance(html, bytes) else str(html)
    css = CSSSanitizer(allowed_css_properties=CSS)
    return str(bleach.clean(text, TAGS, allowed, protocols=PROTOCOLS, css_sanitizer=css, strip=True))


def allowed(tag: str, name: str, value: str) -> bool:
    """Whether an attribute may stay."""
    if name == "href":
        return tag == "a" and ADDRESS.match(value) is not None
    if name == "src":
        return tag == "img" and PICTURE.fullmatch(value) is not None
    if name == "style":
        return STYLE.search(value) is None
    if name == "class":
        return CLASSES.fullmatch(value) is not None
    return name in ATTRIBUTES


def harmless_tex(text: str) -> str:
    """A learner's text with the TeX commands broken that MathJax would turn into links or styles."""
    return TEX.sub("\\\\ ", text)


def printable(text: str) -> str:
    """Text without control characters but line ends and tabs: no terminal escapes, no overprinting."""
    return "".join(c for c in text if c.isprintable() or c in "\n\t ")


@dataclass
class Room:
    """Room for the HTML of one notebook: making it harmless takes steps to the square of its nested tags."""

    left: int = MOST_HTML_OF_ALL

    def take(self, html: str) -> bool:
        """Take room, if there is enough."""
        size = len(PICTURE.sub("", html)) if len(html) <= MOST_WITH_PICTURES else len(html)
        if size > min(self.left, MOST_HTML):
            return False
        self.left -= size
        return True


def outputs(found: Any, most: int, html_room: Room | None = None) -> list[NotebookNode]:
    """Notebook outputs from what a submission's process says that a cell has shown; at most so many characters."""
    html_room = html_room or Room()
    shown = found.get("shown") if isinstance(found, dict) else None
    kept, room, cut = [], most, not isinstance(shown, list) or bool(found.get("left_out"))
    for one in (shown if isinstance(shown, list) else [])[:100]:
        output, size = harmless_output(one, html_room) if isinstance(one, dict) else (None, 0)
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


def harmless_output(one: dict[str, Any], html_room: Room) -> tuple[NotebookNode | None, int]:
    """One output and its size; None for what has no harmless form."""
    if "stream" in one and isinstance(one.get("text"), str):
        text = printable(one["text"])
        return stream("stderr" if one["stream"] == "stderr" else "stdout", text), len(text)
    offered = one.get("data")
    if not isinstance(offered, dict):
        return None, 0
    data: dict[str, str] = {}
    if isinstance(plain := offered.get("text/plain"), str):
        data["text/plain"] = printable(plain)
    if isinstance(html := offered.get("text/html"), str) and html_room.take(html):
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
