"""For every run of pytest, nbval's included: checks must not write into the progress table of whoever runs them, and
where there is no GPU Triton interprets its kernels, which it decides when it is first imported."""

import os
import shutil
import sys
import tempfile

import torch

# nbgrader calls its own tools by their bare names, and the environment need not be activated
os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")


def pytest_configure(config):
    """Keep the progress table in a scratch folder."""
    config.infograd_scratch = tempfile.mkdtemp(prefix="infograd-tests-")
    os.environ["INFOGRAD_PROGRESS"] = os.path.join(config.infograd_scratch, "progress.json")


def pytest_unconfigure(config):
    """Remove the scratch folder."""
    shutil.rmtree(config.infograd_scratch, ignore_errors=True)
