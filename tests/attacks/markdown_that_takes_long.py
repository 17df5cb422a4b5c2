"""Markdown that is read in time that grows with the square of its length, whenever the teacher looks at it."""

CELLS = {"reflection": "[" * 49_900}
