"""The control group around a sandbox: where one can be made, what it counts, and that nothing of it stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from grading.sandbox import group
from grading.sandbox.group import VERSION_1, VERSION_2
from grading.sandbox.sandbox import Limits, ProcessEnded, Sandbox

MIB = 2**20
FILL = "with open('/tmp/filled', 'wb') as f:\n    for _ in range({mib}):\n        f.write(bytes(2**20))\n'done'"


@pytest.fixture(scope="module")
def small():
    made = group.make()
    if made is None:
        pytest.skip("this user cannot make a control group that counts memory here")
    made.remove()
    assert not made.place.exists()
    with Sandbox(Limits(memory_bytes=128 * MIB, file_bytes=256 * MIB)) as sandbox:
        yield sandbox


def fill(sandbox: Sandbox, mib: int) -> object:
    process = sandbox.open()
    try:
        return process.ask({"cell": "a", "source": FILL.format(mib=mib), "seconds": 30}, 40)["outcome"]
    except ProcessEnded:
        return process.end()["why"]
    finally:
        process.end()


def test_the_sandbox_and_all_that_it_starts_are_in_the_group(small: Sandbox) -> None:
    process = small.open()
    assert small.group is not None
    assert small.process is not None
    members = (small.group.place / group.MEMBERS).read_text().split()
    process.end()
    assert str(small.process.pid) in members
    assert len(members) >= 4  # bubblewrap's two, the warm one, the guard, the submission's


def test_memory_that_no_process_maps_is_counted_and_the_next_finds_all_of_it(small: Sandbox) -> None:
    warm = small.starts
    assert fill(small, 32) == "ran"
    assert fill(small, 240) == "memory"
    assert (small.is_warm, small.starts) == (True, warm)
    assert fill(small, 32) == "ran"


def test_the_group_goes_with_the_sandbox() -> None:
    with Sandbox() as sandbox:
        made = sandbox.group
        assert made is None or made.place.is_dir()
    assert sandbox.group is None
    assert made is None or not made.place.exists()


MOUNTS = {
    "2": "30 24 0:26 / {root} rw shared:4 - cgroup2 cgroup2 rw,nsdelegate",
    "2, part": "30 24 0:26 /docker/abc {root} rw - cgroup2 cgroup rw",
    "1": "35 31 0:32 / {root} rw,relatime - cgroup cgroup rw,memory",
    "1, other": "35 31 0:32 / {root} rw,relatime - cgroup cgroup rw,cpu",
    "none": "22 1 0:2 / / rw - ext4 /dev/sda rw",
}


@pytest.mark.parametrize(
    ("mount", "own", "expected"),
    [
        ("2", "0::/user.slice/user-1000.slice/app.scope", ("user.slice/user-1000.slice", VERSION_2)),
        ("2", "0::/", ("", VERSION_2)),
        ("2, part", "0::/docker/abc", ("", VERSION_2)),
        ("2, part", "0::/docker/abc/inner", ("", VERSION_2)),
        ("1", "4:memory:/jobs/7\n0::/", ("jobs/7", VERSION_1)),
        ("1", "4:cpu:/jobs/7\n0::/", None),
        ("1, other", "4:memory:/jobs/7", None),
        ("none", "0::/", None),
    ],
)
def test_where_a_group_is_made(mount, own, expected, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "PROC", tmp_path)
    (tmp_path / "mountinfo").write_text(MOUNTS[mount].format(root=tmp_path / "groups") + "\n")
    (tmp_path / "cgroup").write_text(own + "\n")
    found = list(group.places())
    assert found == ([] if expected is None else [(tmp_path / "groups" / expected[0], expected[1])])


def test_where_none_can_be_made_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "PROC", tmp_path)  # not even the files that say where
    assert group.make() is None
    (tmp_path / "mountinfo").write_text(MOUNTS["2"].format(root=tmp_path) + "\n")
    (tmp_path / "cgroup").write_text("0::/\n")
    assert group.make() is None  # a folder, in which no group's files appear
    assert not list(tmp_path.glob("infograd-*"))
