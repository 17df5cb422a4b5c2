"""What the notebooks say does not hang on how a processor rounds: from starts a little off they say the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grading.command import NBVAL, ONE_THREAD
from grading.course import ROOT

MOVED = """
import torch

def a_little_off(draw):
    def drawn(*arguments, **options):
        found = draw(*arguments, **options)
        return found * (1 + 2e-15) if found.dtype == torch.float64 and not found.requires_grad else found
    return drawn

torch.randn, torch.rand = a_little_off(torch.randn), a_little_off(torch.rand)
"""


@pytest.mark.long
def test_notebooks_say_the_same_from_starts_that_are_a_little_off(tmp_path: Path) -> None:
    startup = tmp_path / "profile_default" / "startup" / "00-moved.py"
    startup.parent.mkdir(parents=True)
    startup.write_text(MOVED)
    environment = os.environ | ONE_THREAD | {"IPYTHONDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, *NBVAL, "-q"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:]
