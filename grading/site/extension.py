"""What Sphinx is told beyond its settings: formulas become MathML, and headings keep JupyterLab's anchors."""

from __future__ import annotations

from typing import Any

from grading.classroom.formulas import mathml


def slug(heading: str) -> str:
    """A heading's anchor, as `helpers.checking.start.anchor` makes it before it is quoted."""
    return heading.replace("`", "").replace(" ", "-")


def inline_formula(writer: Any, node: Any) -> None:
    """Write a formula within a line."""
    writer.body.append(mathml(node.astext()))
    node.clear()  # of its text, which is written


def block_formula(writer: Any, node: Any) -> None:
    """Write a formula on a line of its own."""
    writer.body.append(f'<div class="math">{mathml(node.astext(), block=True)}</div>')
    node.clear()


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer with Sphinx."""
    app.add_html_math_renderer("mathml", (inline_formula, None), (block_formula, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
