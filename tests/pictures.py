"""The README's pictures of a card and of a report: `infograd demo --to FOLDER`, then `python -m tests.pictures FOLDER`.
Each notes what it was made from, so that tests see when it is out of date."""

from __future__ import annotations

import hashlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Page

from grading.building.build import ROOT
from grading.demo.circle import NOTEBOOK
from grading.exercises import load
from grading.report.page import TEMPLATES
from helpers.checking import card, key
from helpers.checking.check import examine
from tests.chromium import opened

CARD, REPORT = ROOT / "docs" / "card.png", ROOT / "docs" / "report.png"
SIZE = {"width": 1060, "height": 620}


def card_html() -> str:
    """The card that a learner sees who has swapped the arguments of the KL divergence."""
    name = "kl_divergence"
    return card.from_report(
        examine(name, key.find(name), load(NOTEBOOK)[name].misconceptions["kl_swapped"].functions)
    ).html


def report_template() -> str:
    """What the report is made with."""
    return (TEMPLATES / "report.html").read_text(encoding="utf-8")


def fingerprint(made_from: str) -> str:
    """A digest of what a picture is made from."""
    return hashlib.sha256(made_from.encode()).hexdigest()[:16]


def drawn(picture: Path) -> str:
    """The fingerprint that a picture notes. Raises FileNotFoundError if there is none."""
    return str(Image.open(picture).info.get("made from", ""))


def draw_card(page: Page) -> bytes:
    """A picture of the card."""
    page.set_content(f"<body style='margin:0;font-family:system-ui'><div style='width:760px'>{card_html()}</div>")
    return page.locator("body > div").screenshot()


def draw_report(page: Page, folder: Path) -> bytes:
    """A picture of the exercises in the report of a demonstration."""
    page.goto((folder.resolve() / "classroom" / "reports" / f"{NOTEBOOK}.html").as_uri())
    page.get_by_role("heading", name="Exercises", exact=True).evaluate("(one) => one.scrollIntoView()")
    return page.screenshot()


def keep(picture: Path, shot: bytes, made_from: str) -> None:
    """Write a picture with its fingerprint, whole or not at all."""
    note = PngInfo()
    note.add_text("made from", fingerprint(made_from))
    part = picture.with_suffix(".part")
    Image.open(io.BytesIO(shot)).convert("RGB").quantize(32).save(part, "PNG", optimize=True, pnginfo=note)
    os.replace(part, picture)


def main(folder: Path) -> None:
    """Draw the card, and the report in a demonstration's folder."""
    pictures: dict[Path, tuple[Callable[[Page], bytes], str]] = {
        CARD: (draw_card, card_html()),
        REPORT: (lambda page: draw_report(page, folder), report_template()),
    }
    with opened() as browser:
        for picture, (draw, made_from) in pictures.items():
            page = browser.new_page(viewport=SIZE, device_scale_factor=2)  # type: ignore[arg-type]
            keep(picture, draw(page), made_from)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
