"""Write a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` in UTF-8, see `write_whole_bytes`. Raises OSError."""
    write_whole_bytes(path, text.encode())


def write_whole_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` through a temporary file beside it, which is renamed when it is whole and removed when
    it cannot be. Folders that are missing are made. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.chmod(name, 0o666 & ~current_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def unwritable(folder: Path) -> str | None:
    """Why nothing can be written into a folder, which is made if it is missing; None where it can. A file system that
    is mounted to be read alone says so only when something is written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as problem:
        return problem.strerror or str(problem)
    return None


def current_umask() -> int:
    """The mask that an ordinary `open` would have used: mkstemp's own files are readable by their owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
