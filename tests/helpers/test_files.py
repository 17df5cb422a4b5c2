"""Files are written whole or not at all."""

import os
import stat

import pytest

from helpers.files import write_whole


def test_a_file_is_written_with_the_folders_it_needs(tmp_path):
    file = tmp_path / "new" / "folder" / "é.txt"
    write_whole(file, "ünï\n")
    assert file.read_bytes() == "ünï\n".encode()
    write_whole(file, "again\n")
    assert [one.name for one in file.parent.iterdir()] == ["é.txt"]


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_others_may_read_it_as_they_may_read_any_file(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_whole(tmp_path / "a.txt", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o666 & ~mask


def test_where_it_cannot_be_written_the_old_one_stays_and_nothing_else(tmp_path, monkeypatch):
    file = tmp_path / "a.txt"
    write_whole(file, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]
