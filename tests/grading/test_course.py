"""Where the course is, and its settings."""

from __future__ import annotations

import subprocess
import sys

from grading.course import ROOT


def test_the_settings_which_every_nbgrader_command_reads_need_no_torch() -> None:
    code = "import sys; from grading.course import course_settings; course_settings(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
