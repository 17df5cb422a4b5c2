"""Move what memory a process has into large pages, so that a fork of it has a short table to copy.

A fork copies the table of its parent's pages, and its end takes the copy apart: with 200 MB in pages of 4 kB that takes
longer than most answers. This file is shown to the sandbox as it is (see `worker`), so it imports nothing but the
standard library.

Source: madvise(2), MADV_COLLAPSE, which Linux has from 6.1 on.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator

LARGE_PAGE = 2 * 2**20  # bytes, on x86-64 and on arm64 with small pages of 4 kB
MADV_COLLAPSE = 25
MAPS = "/proc/self/maps"


def ready_to_fork() -> None:
    """Collect garbage, keep what is left from later collections, which would write to all of it and so copy it in each
    fork, and move it into large pages."""
    gc.collect()
    gc.freeze()
    collapse()


def collapse() -> int:
    """Move this process's own memory into large pages; returns how many there are now, which is 0 where the system has
    none. Nothing that the process sees changes."""
    libc = ctypes.CDLL(None)
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return sum(libc.madvise(place, LARGE_PAGE, MADV_COLLAPSE) == 0 for place in whole_pages())


def whole_pages() -> Iterator[int]:
    """The addresses at which a large page would lie within the process's own memory that it can write to."""
    try:
        with open(MAPS) as stream:
            lines = stream.readlines()
    except OSError:  # where there is no Linux to say what is mapped
        return
    for line in lines:
        addresses, rights, _, _, file, *name = line.split()
        if rights == "rw-p" and file == "0" and name in ([], ["[heap]"]):
            first, end = (int(address, 16) for address in addresses.split("-"))
            yield from range(-(-first // LARGE_PAGE) * LARGE_PAGE, end - LARGE_PAGE + 1, LARGE_PAGE)
