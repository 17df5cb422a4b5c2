"""The course as nbgrader sees it: its settings, read from nbgrader_config.py."""

from __future__ import annotations

from pathlib import Path

from nbgrader.coursedir import CourseDirectory
from traitlets.config.loader import Config, PyFileConfigLoader

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = "nbgrader_config.py"


def course(assignment: str, student: str = "*") -> tuple[CourseDirectory, Config]:
    """The course directory, set to an assignment and a learner (or a pattern), with all settings."""
    config = PyFileConfigLoader(SETTINGS, path=str(ROOT)).load_config()
    config.CourseDirectory.assignment_id = assignment
    config.CourseDirectory.student_id = student
    return CourseDirectory(config=config), config
