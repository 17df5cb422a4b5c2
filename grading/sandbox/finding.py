"""What a doctor finds, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing looked at: whether it is well, what was found, and the remedy if not."""

    well: bool
    what: str
    remedy: str = ""


def print_findings(findings: Iterable[Finding]) -> bool:
    """Print each finding when it is there, with the remedy of what is not well; returns whether all is."""
    well = True
    for finding in findings:
        well &= finding.well
        print(f"  {'ok     ' if finding.well else 'MISSING'} {finding.what}", flush=True)
        if not finding.well and finding.remedy:
            print(f"          {finding.remedy}", flush=True)
    return well
