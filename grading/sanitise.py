"""Make what a learner wrote or displayed harmless to look at: HTML, TeX, notebook outputs, names, spreadsheet cells.

HTML keeps what our own cards use (boxes, tables, folded details, inline styles of plain values) and loses what runs,
loads, leads elsewhere or has a class, which the page's own style sheet would read. What a style can still do, it does
inside a box of ours that nothing paints outside of (`boxed`).
"""

from __future__ import annotations

import base64
import binascii
import html
import math
import re
from collections.abc import Callable
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
ATTRIBUTES = frozenset({"title", "colspan", "rowspan", "alt", "start", "open", "width", "height", "align"})
NUMBERS = frozenset({"colspan", "rowspan", "start", "width", "height"})
SMALL = re.compile(r"\d{1,4}%?")
CSS = frozenset({
    "background", "background-color", "border", "border-bottom", "border-collapse", "border-color",
    "border-left", "border-radius", "border-right", "border-style", "border-top", "border-width", "color",
    "display", "float", "font-family", "font-size", "font-style", "font-weight", "line-height", "list-style",
    "margin", "margin-bottom", "margin-left", "margin-right", "margin-top", "max-width", "min-width",
    "overflow", "overflow-wrap", "padding", "padding-bottom", "padding-left", "padding-right", "padding-top",
    "text-align", "text-decoration", "text-transform", "vertical-align", "white-space", "width", "word-break",
    "word-wrap",
})  # fmt: skip
# The values of styles: names, lengths that are not negative, colours, and the variables of our cards' colours.
ATOM = (
    r"(?:[a-z][a-z-]{0,30}|(?:\d{1,4}(?:\.\d{0,4})?|\.\d{1,4})(?:px|em|rem|ex|ch|pt|%)?"
    r"|#[0-9a-f]{3,8}|(?:rgb|hsl)a?\([\d.,%/ ]{1,40}\)|'[\w -]{0,40}'|\"[\w -]{0,40}\")"
)
VARIABLE = rf"var\(\s*--[\w-]{{1,60}}(?:\s*,\s*{ATOM}){{0,5}}\s*\)"
VALUE = re.compile(rf"(?:{ATOM}|{VARIABLE})(?:[\s,/]+(?:{ATOM}|{VARIABLE})){{0,15}}", re.IGNORECASE | re.ASCII)
BOX = '<div style="contain:layout paint;isolation:isolate;overflow:auto">'
PICTURE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)")
ANCHOR = re.compile(r"#[\w.-]*\Z")
ADDRESS = re.compile(r"(https?://|mailto:|#)", re.IGNORECASE)
# What MathJax would turn into links, styles, actions and HTML of its own, and ways to write those under another name.
TEX = re.compile(
    r"\\(?=(href|url|style|class|cssId|unicode|require|html\w*|data|bbox|(eq)?ref|label|toggle|\w*tip|mmlToken"
    r"|includegraphics|[egx]?def|let|csname|(re)?new(command|environment|extarrow)|providecommand|Declare\w*|definecolor|global)(?![a-z]))",
    re.IGNORECASE,
)
MOST_MARKUP = 150_000_000  # signs times characters: Markdown is read in time that grows with this product
MOST_OUTPUTS = 100  # of one cell
MOST_NESTED = 1000  # tags that are open at a time
TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]{0,30})")
EMPTY = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
MOST_LIGHT = 60_000  # characters of one picture on a page that travels by mail
MOST_PIXELS = 8_000_000  # of one picture, which a viewer would unpack
PNG = b"\x89PNG\r\n\x1a\n"
CUT = "[More was shown here than is kept.]"


def clean(text: object) -> str:
    """HTML without anything that runs, loads, leads elsewhere or has a class; TeX in it leads nowhere either."""
    return cleaned(text, STRANGERS)


def clean_ours(text: object) -> str:
    """The same for our own prose, whose links to the literature stay."""
    return cleaned(text, OURS)


def boxed(text: object) -> str:
    """A learner's HTML made harmless for a page, in a box that nothing of it paints outside of."""
    return f"{BOX}{clean(text)}</div>"


def boxed_light(text: object, pictures: bool = True) -> str:
    """The same for a page that travels by mail: of pictures that are large (or of all) only what they show in words
    stays."""
    return f"{BOX}{cleaned(text, LIGHT if pictures else WORDS_ONLY)}</div>"


def cleaned(text: object, cleaner: nh3.Cleaner) -> str:
    """HTML through one of the cleaners. Never raises: what cannot be cleaned is shown as the text that it is."""
    source = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    source = source.encode("utf-8", "replace").decode("utf-8")
    if is_deep(source):
        return harmless_tex(as_text(source))
    try:
        return harmless_tex(cleaner.clean(source))
    except Exception:
        return harmless_tex(as_text(source))


def is_deep(source: str) -> bool:
    """Whether HTML may nest so deeply that who parses it takes steps to the square: more tags are open at a time than
    any page needs. One that closes another kind of tag than is open closes nothing."""
    depth, by_name = 0, dict[str, int]()
    for closes, name in TAG.findall(source):
        kind = name.lower()
        if kind in EMPTY:
            continue
        count = by_name.get(kind, 0)
        step = 1 if not closes else -1 if count else 0
        by_name[kind] = count + step
        depth += step
        if depth > MOST_NESTED:
            return True
    return False


def as_text(source: str) -> str:
    """Text as HTML that shows it letter for letter."""
    return f"<pre>{html.escape(source)}</pre>"


def markdown(source: str, render: Callable[[str], str], learners: bool) -> str:
    """Markdown as harmless HTML: a learner's in a box, ours with its links. What would take long to `render`, or
    cannot be rendered, is shown as text."""
    signs = sum(1 for letter in source if not letter.isalnum() and not letter.isspace())
    try:
        page = as_text(source) if signs * len(source) > MOST_MARKUP else render(source)
    except Exception:
        page = as_text(source)
    return boxed(page) if learners else clean_ours(page)


def allowed(tag: str, name: str, value: str, address: re.Pattern[str]) -> str | None:
    """The value of an attribute that may stay, else None. Links lead to what matches `address`."""
    if name == "href":
        return value if tag == "a" and address.match(value) else None
    if name == "src":
        found = PICTURE.fullmatch(value) if tag == "img" else None
        return value if found and is_png(found[1]) else None
    if name == "style":
        return ";".join(declarations(value)) or None
    return value if name not in NUMBERS or SMALL.fullmatch(value) else None


def declarations(style: str) -> list[str]:
    """The declarations of an inline style that may stay."""
    pairs = (part.partition(":") for part in style.split(";"))
    named = ((name.strip().lower(), value.strip()) for name, _, value in pairs)
    return [f"{name}:{value}" for name, value in named if name in CSS and VALUE.fullmatch(value)]


def cleaner(address: re.Pattern[str], schemes: set[str], most_picture: float = math.inf) -> nh3.Cleaner:
    """A cleaner whose links lead to what matches `address`, and whose pictures have at most so many characters."""

    def kept(tag: str, name: str, value: str) -> str | None:
        return None if name == "src" and len(value) > most_picture else allowed(tag, name, value, address)

    return nh3.Cleaner(
        tags=set(TAGS),
        attributes={"*": {*ATTRIBUTES, "style"}, "a": {"href"}, "img": {"src"}},
        attribute_filter=kept,
        url_schemes=schemes,
    )


STRANGERS = cleaner(ANCHOR, {"data"})
LIGHT, WORDS_ONLY = cleaner(ANCHOR, {"data"}, MOST_LIGHT), cleaner(ANCHOR, {"data"}, 0)
OURS = cleaner(ADDRESS, {"http", "https", "mailto", "data"})


def harmless_tex(text: str) -> str:
    """A text, or HTML whose references are read already, with the TeX commands broken that MathJax would turn into
    links, styles or actions."""
    return TEX.sub("\\\\ ", text)


def printable_lines(text: str) -> str:
    """Text without control characters but line ends and tabs: no terminal escapes, no overprinting."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def outputs(found: Any, most: int) -> list[NotebookNode]:
    """Notebook outputs from what a submission's process says that a cell has shown; at most so many characters."""
    shown = found.get("shown") if isinstance(found, dict) else None
    if not isinstance(shown, list):
        return [stream("stdout", CUT + "\n")]
    kept, room, cut = list[NotebookNode](), most, bool(found.get("left_out")) or len(shown) > MOST_OUTPUTS
    for one in shown[:MOST_OUTPUTS]:
        if not isinstance(one, dict):
            continue
        is_read = longest_of(one) <= room  # what is larger is not even read
        output = harmless_output(one) if is_read else None
        if not is_read or (output is not None and size_of(output) > room):
            cut = True
            break
        if output is not None:
            room -= size_of(output)
            kept.append(output)
    if cut:
        kept.append(stream("stdout", CUT + "\n"))
    return kept


def harmless_output(one: dict[str, Any]) -> NotebookNode | None:
    """One output; None for what has no harmless form."""
    if "stream" in one and isinstance(one.get("text"), str):
        text = printable_lines(one["text"])
        return stream("stderr" if one["stream"] == "stderr" else "stdout", text)
    offered = one.get("data")
    if not isinstance(offered, dict):
        return None
    data: dict[str, str] = {}
    if isinstance(plain := offered.get("text/plain"), str):
        data["text/plain"] = printable_lines(plain)
    if isinstance(shown := offered.get("text/html"), str):
        data["text/html"] = clean(shown)
    if isinstance(png := offered.get("image/png"), str) and is_png(png):
        data["image/png"] = "".join(png.split())
    return display_data(data) if data else None


def longest_of(one: dict[str, Any]) -> int:
    """The length of the longest text in an output."""
    offered = one.get("data")
    texts = [one.get("text"), *(offered.values() if isinstance(offered, dict) else ())]
    return max((len(text) for text in texts if isinstance(text, str)), default=0)


def size_of(output: NotebookNode) -> int:
    """How many characters an output of ours holds."""
    texts = [output.text] if output.output_type == "stream" else output.data.values()
    return sum(map(len, texts))


def stream(name: str, text: str) -> NotebookNode:
    """Text that was printed."""
    output: NotebookNode = from_dict({"output_type": "stream", "name": name, "text": text})
    return output


def display_data(data: dict[str, str]) -> NotebookNode:
    """Something that was shown, in its representations."""
    output: NotebookNode = from_dict({"output_type": "display_data", "metadata": {}, "data": data})
    return output


def is_png(text: str) -> bool:
    """Whether base64 text holds a PNG of no more than MOST_PIXELS, and nothing that is no base64."""
    try:
        picture = base64.b64decode("".join(text.split()).encode(), validate=True)
    except (binascii.Error, ValueError):
        return False
    if not picture.startswith(PNG + b"\0\0\0\rIHDR") or len(picture) < 24:
        return False
    width, height = (int.from_bytes(picture[place : place + 4], "big") for place in (16, 20))
    return width * height <= MOST_PIXELS
