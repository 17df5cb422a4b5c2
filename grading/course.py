"""Where the course is, and its settings for nbgrader, read from nbgrader_config.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # nbgrader takes a second to import, and `infograd --help` needs only ROOT
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config.loader import Config

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = "nbgrader_config.py"


def course_settings() -> Config:
    """The settings in nbgrader_config.py."""
    from traitlets.config.loader import PyFileConfigLoader

    return PyFileConfigLoader(SETTINGS, path=str(ROOT)).load_config()


def course_directory(assignment: str, student: str = "*") -> tuple[CourseDirectory, Config]:
    """The course directory, set to an assignment and a learner (or a pattern), with all settings."""
    from nbgrader.coursedir import CourseDirectory

    config = course_settings()
    config.CourseDirectory.assignment_id = assignment
    config.CourseDirectory.student_id = student
    return CourseDirectory(config=config), config
