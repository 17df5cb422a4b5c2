"""The first lines of code of every notebook: they say what to do where the notebook has come away from the course, or
install the course there, where it is known from where."""

from __future__ import annotations

import re
from collections.abc import Collection

IN_REACH = """\
try:
    from helpers import check, plotting
except ImportError as error:
    raise ImportError(
        f"{error}: this kernel lacks the course. Open the notebook with ./infograd lab, or choose the kernel in the "
        "course's .venv; elsewhere, as in Colab, run %pip install with the course's folder or git+ADDRESS, and restart."
    ) from None

"""
# In their place, in the notebooks that `infograd bundle --address` makes.
INSTALLING = """\
try:
    from helpers import check, plotting
except ImportError:  # this kernel lacks the course: install it, as in Colab
    %pip install --quiet {address}

"""
ADDRESS = re.compile(r"[\w.+:/@#=&~%-]+")  # nothing that a shell or IPython would read as more than text
INSTALLS = re.compile(re.escape(INSTALLING).replace(re.escape("{address}"), ADDRESS.pattern))


def installing(source: str, address: str) -> str:
    """A first cell of ours that installs the course from `address`."""
    return INSTALLING.format(address=address) + source.removeprefix(IN_REACH)


def installs_for(source: str, ours: Collection[str]) -> bool:
    """Whether a cell is one of `ours` but that it installs the course, from wherever."""
    found = INSTALLS.match(source)
    return found is not None and IN_REACH + source[found.end() :] in ours
