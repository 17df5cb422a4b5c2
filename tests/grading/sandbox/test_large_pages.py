"""A process's memory in large pages: the same to the process and its forks, and a shorter table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from grading.course import ROOT
from grading.sandbox import large_pages

HAS_LARGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")
FILLED = """
import gc, os, re
from grading.sandbox import large_pages
kept = [bytes([number % 251]) * 4000 for number in range(16_000)]
sizes = lambda: int(re.search(r"AnonHugePages: +(\\d+)", open("/proc/self/smaps_rollup").read())[1])
before = sizes()
large_pages.ready_to_fork()
print(sizes() - before, gc.get_freeze_count() > 0)
child = os.fork()
right = all(one == bytes([number % 251]) * 4000 for number, one in enumerate(kept))
if child == 0:
    os._exit(0 if right else 1)
print(right, os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not HAS_LARGE_PAGES.exists(), reason="the kernel was built without large pages")
def test_memory_is_moved_into_large_pages_and_stays_what_it_was() -> None:
    done = subprocess.run([sys.executable, "-c", FILLED], cwd=ROOT, capture_output=True, text=True, check=True)
    (more, frozen), (here, there) = (line.split() for line in done.stdout.splitlines())
    assert int(more) > 32_000  # kB, of the 64,000 that were filled
    assert (frozen, here, there) == ("True", "True", "0")


def test_only_whole_pages_of_its_own_memory_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = tmp_path / "maps"
    monkeypatch.setattr(large_pages, "MAPS", str(maps))
    assert large_pages.collapse() == 0  # no Linux
    maps.write_text(
        "00100000-00700000 rw-p 00000000 00:00 0 \n"  # whole pages from 2 to 6 MiB
        "00800000-00a00000 rw-p 00000000 00:00 0          [heap]\n"
        "00c00000-00e00000 rw-p 00000000 00:00 0          [stack]\n"
        "01000000-01200000 r--p 00000000 00:00 0 \n"
        "01400000-01600000 rw-s 00000000 00:00 0 \n"
        "01800000-01a00000 rw-p 00000000 fe:01 77         /usr/lib/libc.so.6\n"
        "01c00000-01dff000 rw-p 00000000 00:00 0 \n"
    )
    assert [place >> 20 for place in large_pages.whole_pages()] == [2, 4, 8]
