"""For every run of pytest, nbval's included: checks must not write into the progress table of whoever runs them."""

import os
import shutil
import tempfile


def pytest_configure(config):
    """Keep the progress table in a scratch folder."""
    config.infograd_scratch = tempfile.mkdtemp(prefix="infograd-tests-")
    os.environ["INFOGRAD_PROGRESS"] = os.path.join(config.infograd_scratch, "progress.json")


def pytest_unconfigure(config):
    """Remove the scratch folder."""
    shutil.rmtree(config.infograd_scratch, ignore_errors=True)
