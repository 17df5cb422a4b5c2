"""Import the answer from the course's own helpers."""

CELLS = {
    "entropy": r"""
from helpers.information import entropy
""".lstrip()
}
