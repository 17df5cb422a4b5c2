"""The README's picture of the report: `infograd demo --to FOLDER`, then `python -m tests.pictures FOLDER`."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sys
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import sync_playwright

from grading.building.build import ROOT
from grading.demo.circle import NOTEBOOK
from grading.report.page import TEMPLATES

PICTURE = ROOT / "docs" / "report.png"
SIZE = {"width": 1060, "height": 620}


def fingerprint() -> str:
    """A digest of the template that the report is made with."""
    return hashlib.sha256((TEMPLATES / "report.html").read_bytes()).hexdigest()[:16]


def drawn() -> str:
    """The fingerprint of the picture that is in docs/. Raises FileNotFoundError if there is none."""
    return str(Image.open(PICTURE).info.get("report", ""))


def main(folder: Path) -> None:
    """Draw the exercises and the mistakes in the report in a demonstration's folder."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[] if os.geteuid() else ["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, device_scale_factor=2)  # type: ignore[arg-type]
        page.goto((folder.resolve() / "classroom" / "reports" / f"{NOTEBOOK}.html").as_uri())
        page.get_by_role("heading", name="Exercises", exact=True).evaluate("(one) => one.scrollIntoView()")
        shot = Image.open(io.BytesIO(page.screenshot()))
        browser.close()
    note = PngInfo()
    note.add_text("report", fingerprint())
    part = PICTURE.with_suffix(".part")
    shot.convert("RGB").quantize(8).save(part, "PNG", optimize=True, pnginfo=note)
    os.replace(part, PICTURE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
