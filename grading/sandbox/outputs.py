"""What a cell of a submission shows: printed text, displayed objects, figures; kept up to so many bytes.

In the sandbox this file lies beside `worker.py`, which uses it."""

from __future__ import annotations

import base64
import contextlib
import io
import sys
from collections.abc import Iterator
from typing import Any

MAX_OUTPUTS = 50


class Outputs:
    """What a cell has shown, up to so many bytes; the rest is counted, not kept."""

    def __init__(self, room: int):
        self.room, self.shown, self.left_out = room, list[dict[str, Any]](), False

    def add(self, output: dict[str, Any], size: int) -> None:
        """Keep an output while there is room."""
        if size > self.room or len(self.shown) >= MAX_OUTPUTS:
            self.left_out = True
            return
        self.room -= size
        self.shown.append(output)

    def write(self, name: str, text: str) -> None:
        """Keep text, joined with what the same stream wrote before; the part for which there is room."""
        kept = text[: self.room]
        self.left_out |= len(kept) < len(text)
        self.room -= len(kept)
        last = self.shown[-1] if self.shown else {}
        if last.get("stream") == name:
            last["text"] += kept
        elif kept:
            self.add({"stream": name, "text": kept}, 0)

    def finish(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {"shown": self.shown, "left_out": self.left_out}


class Stream(io.TextIOBase):
    """Standard output or error of a cell."""

    def __init__(self, name: str, outputs: Outputs):
        self.name, self.outputs = name, outputs

    def write(self, text: str) -> int:
        """Keep what is written."""
        self.outputs.write(self.name, str(text))
        return len(text)

    def writable(self) -> bool:
        """Tell `print` that it may write here."""
        return True


NOWHERE = Outputs(0)
current = NOWHERE


@contextlib.contextmanager
def captured(room: int) -> Iterator[Outputs]:
    """Capture what is printed and displayed."""
    global current
    outputs = Outputs(room)
    streams = Stream("stdout", outputs), Stream("stderr", outputs)
    current, (sys.stdout, sys.stderr) = outputs, streams
    try:
        yield outputs
    finally:
        current = NOWHERE


def display(*objects: Any, **_: Any) -> None:
    """IPython's display, for what has a picture, HTML or text."""
    for value in objects:
        data = value if type(value) is dict and "text/plain" in value else representations(value)
        current.add({"data": data}, sum(len(str(part)) for part in data.values()))


def representations(value: Any) -> dict[str, str]:
    """An object as picture, HTML and text, as far as it offers them."""
    if type(value).__name__ == "Figure" and hasattr(value, "savefig"):
        return {"text/plain": "<Figure>", "image/png": picture(value)}
    data = {"text/plain": repr(value)}
    for kind, method in (("text/html", "_repr_html_"), ("image/png", "_repr_png_")):
        offered = getattr(value, method, None)
        found = offered() if callable(offered) and not isinstance(value, type) else None
        if isinstance(found, bytes):
            found = base64.b64encode(found).decode()
        if isinstance(found, str):
            data[kind] = found
    return data


def picture(figure: Any) -> str:
    """A figure as PNG, in base64."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=72, bbox_inches="tight")
    return base64.b64encode(stream.getvalue()).decode()


def show_figures() -> None:
    """Show and close the figures that a cell has drawn, as a notebook does."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        for number in pyplot.get_fignums():
            display(pyplot.figure(number))
        pyplot.close("all")
