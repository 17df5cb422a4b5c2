from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from grading.grade import Grader
from grading.sandbox import confine, sandbox
from grading.sandbox.confine import MACHINES, REFUSED, filter_program
from grading.sandbox.sandbox import Limits, NoSandbox, Process, ProcessEnded, Sandbox, parsed
from tests.grading.users import USERS, start_as

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def inside(grader: Grader) -> Process:
    return grader.sandbox.open()


def run(inside: Process, source: str) -> str:
    """What a cell prints; its error if it raises."""
    reply = inside.ask({"cell": "cell", "source": source, "seconds": 5}, 8)
    shown = "".join(one.get("text", "") for one in reply["outputs"]["shown"])
    return shown if reply["outcome"] == "ran" else f"{reply['error']}: {reply['message']}"


def test_what_is_there_and_what_is_not(inside: Process) -> None:
    assert (
        run(inside, "import os; print(sorted(os.listdir('/course')))")
        == "['confine.py', 'helpers', 'large_pages.py', 'outputs.py', 'packages', 'worker.py']\n"
    )
    assert (
        run(inside, "print(os.listdir('/tmp'), os.listdir('/dev/shm'), os.listdir('/proc'))") == "[] [] ['cpuinfo']\n"
    )
    assert run(inside, "print(os.path.exists('/course/helpers/keys/01-information-identities.json'))") == "False\n"
    assert run(inside, "print(os.getuid(), os.getpid(), os.environ.get('INFOGRAD_SECRET'))") == "1000 1 None\n"
    assert "grading" in run(inside, "import grading")


def test_the_environment_is_built_from_scratch(inside: Process) -> None:
    expected = {*sandbox.ENVIRONMENT, "PWD"}
    assert set(run(inside, "import os; print(*os.environ)").split()) <= expected


def test_no_capability_and_no_way_to_new_privileges(inside: Process) -> None:
    source = "import ctypes\nlibc = ctypes.CDLL(None)\nprint(libc.prctl(39, 0, 0, 0, 0), libc.setgid(0))"
    assert run(inside, source) == "1 -1\n"
    assert run(inside, "import os\nos.setuid(0)").startswith("OSError")  # there is no such user in there
    assert run(inside, "os.chroot('/tmp')").startswith("PermissionError")


def test_libraries_and_helpers_work(inside: Process) -> None:
    run(inside, "import torch, scipy.stats\nfrom helpers import information")
    assert run(inside, "print(information.entropy(torch.ones(2) / 2).item())").startswith("0.693147")
    assert run(inside, "x = torch.ones(4, 4, dtype=torch.bfloat16)\nprint((x @ x).sum().item())") == "64.0\n"


def test_each_submission_starts_afresh(grader: Grader) -> None:
    first = grader.sandbox.open()
    run(first, "import builtins, torch\nbuiltins.left = torch.left = 1\nopen('/tmp/left', 'w').close()")
    first.end()
    second = grader.sandbox.open()
    assert run(
        second,
        "import builtins, os, torch\nprint(hasattr(builtins, 'left'), hasattr(torch, 'left'), os.listdir('/tmp'))",
    ) == ("False False []\n")
    second.end()


def test_what_a_class_needs_is_imported_once_and_what_a_submission_imports_is_not_kept(grader: Grader) -> None:
    seen = "import sys\nprint('colorsys' in sys.modules, 'wave' in sys.modules)"
    before = grader.sandbox.open()
    assert run(before, f"import wave\n{seen}") == "False True\n"
    before.end()
    pages = grader.sandbox.mapped_pages
    grader.sandbox.prepare(["colorsys", "no_such_module", "scipy.stats"])
    assert grader.sandbox.mapped_pages > pages  # what it may take is counted on top of that
    after = grader.sandbox.open()
    assert run(after, seen) == "True False\n"
    after.end()


def test_two_submissions_do_not_see_each_other(grader: Grader) -> None:
    first, second = grader.sandbox.open(), grader.sandbox.open()
    run(first, "open('/tmp/mine', 'w').write('x')\nimport subprocess\np = subprocess.Popen(['sleep', '60'])")
    assert run(second, "import os\nprint(os.listdir('/tmp'))\nos.kill(2, 9)").startswith("ProcessLookupError")
    first.end()
    second.end()


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import os; os._exit(0)", "ended"),
        ("import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True: pass", "time"),
        ("import ctypes; ctypes.string_at(0)", "ended"),
    ],
)
def test_a_process_that_does_not_answer_is_gone(grader: Grader, source: str, why: str) -> None:
    inside = grader.sandbox.open()
    with pytest.raises(ProcessEnded) as gone:
        inside.ask({"cell": "cell", "source": source, "seconds": 0.3}, 0.6)
    assert gone.value.why == why
    assert inside.end()["why"] in ("ended", "stopped")


def test_memory_of_all_processes_together_is_limited() -> None:
    with Sandbox(Limits(memory_bytes=2**30)) as small:
        inside = small.open()
        assert run(inside, "x = bytearray(2**31)").startswith("MemoryError")
        children = (
            "import os, time\nfor _ in range(12):\n    if os.fork() == 0:\n        x = b'x' * 2**27; time.sleep(9)\n"
        )
        with pytest.raises(ProcessEnded):
            inside.ask({"cell": "cell", "source": children + "        time.sleep(9)\ntime.sleep(9)", "seconds": 9}, 9)
        assert inside.end()["why"] == "memory"


def test_files_are_limited(inside: Process) -> None:
    assert run(inside, "open('/tmp/x', 'wb').write(bytes(2**27))").startswith("OSError")
    assert run(inside, "import resource\nprint(resource.getrlimit(resource.RLIMIT_CORE))") == "(0, 0)\n"


def test_refuses_without_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(NoSandbox, match="apt install bubblewrap"):
        Sandbox().start()


def test_says_why_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "privileges", lambda: ["--no-such-option"])
    with pytest.raises(NoSandbox, match=r"Unknown option.*infograd doctor"):
        Sandbox().start()


def test_works_as_an_ordinary_user() -> None:
    """Root tries it in a namespace where it is nobody special; anyone else is an ordinary user already."""
    wrap = (
        ["bwrap", "--dev-bind", "/", "/", "--unshare-user", "--uid", "1000", "--gid", "1000"]
        if os.getuid() == 0
        else []
    )
    done = subprocess.run(
        [*wrap, sys.executable, "-m", "grading.sandbox.doctor"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Grading can start." in done.stdout


def test_only_the_scratch_can_be_written_to(inside: Process) -> None:
    source = """import os
found = []
for place, folders, _ in os.walk("/"):
    folders[:] = [one for one in folders if place.count("/") < 3 and not os.path.islink(os.path.join(place, one))]
    try:
        os.close(os.open(os.path.join(place, "new"), os.O_CREAT | os.O_WRONLY))
        found.append(place)
    except OSError:
        pass
print(sorted(found))"""
    assert run(inside, source) == "['/dev/shm', '/tmp']\n"


def test_a_place_that_stays_open_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount that the walk does not take for read-only ends the submission's process before it has run anything."""
    places = [(b"/tmp", {"rw"}), (b"/course/cache", {"rw", "nosuid"}), (b"/usr", {"ro"})]
    asked = []

    def mount(*arguments: object) -> int:
        asked.append(arguments)
        return 0

    monkeypatch.setattr(confine, "mounts", lambda: places)
    monkeypatch.setattr(confine, "libc", SimpleNamespace(mount=mount))
    with pytest.raises(confine.CannotConfine, match="/course/cache stays open"):
        confine.close_other_mounts()
    assert [place for _, place, *_ in asked] == [b"/course/cache"]


@pytest.mark.parametrize("user", USERS)
def test_forks_do_not_share_open_files(user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    start_as(user, monkeypatch)
    positions = "import os\nfound = []\nfor n in range(3, 64):\n    try: found.append(os.lseek(n, {}, {}))\n"
    positions += "    except OSError: pass\nprint(found)"
    with Sandbox() as warm:
        first = warm.open()
        moved = run(first, positions.format(7, "os.SEEK_SET"))
        assert "7" in moved  # fonts are open
        first.end()
        second = warm.open()
        assert "7" not in run(second, positions.format(0, "os.SEEK_CUR")).strip("[]\n").split(", ")
        second.end()


HALVES = {
    b'{"a": "\\ud800"}': "\ufffd", b'{"a": "\\ud83d\\ude00"}': "\U0001f600", b'{"a": "\\\\ud800"}': "\\ud800",
    b'{"a": "\\ude00\\ud83d"}': "\ufffd\ufffd", b'{"a": "\\uDBFFx"}': "\ufffdx",
}  # fmt: skip


@pytest.mark.parametrize("body", HALVES)
def test_halves_of_characters_are_replaced_where_frames_are_read(body: bytes) -> None:
    assert parsed(body) == {"a": HALVES[body]}


@pytest.mark.parametrize(
    "body",
    [b'{"a": [' + b"{}," * 1_000_000 + b"{}]}", b"[]", b'{"a": NaN}', b'{"a": "\xed\xa0\x80"}', b"{" * 5000, b"",
     '{"a": 1}'.encode("utf-16")],
    ids=range(7),
)  # fmt: skip
def test_a_frame_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(ProcessEnded):
        parsed(body)


def test_all_replies_together_are_limited(grader: Grader) -> None:
    with Sandbox(Limits(reply_bytes=100_000)) as small:
        inside = small.open()
        for _ in range(4):
            run(inside, "print('x' * 20_000)")
        with pytest.raises(ProcessEnded, match="too much"):
            run(inside, "print('x' * 20_000)")
        assert inside.report is not None


@pytest.mark.parametrize("machine", MACHINES)
def test_the_filter_jumps_to_where_it_should(machine: str) -> None:
    """A model of the kernel's interpreter, over all numbers and the arguments that matter."""
    column, name = MACHINES[machine]
    refused = {numbers[column] for numbers in REFUSED.values()}
    clone, socket_call, clone3, mmap = (56, 41, 435, 9) if column == 0 else (220, 198, 435, 222)
    fcntl_call = 72 if column == 0 else 25
    for number in range(600):
        verdict = interpret(filter_program(machine), {0: number, 4: name, 16: 17, 24: 1, 40: 0})
        if number in refused:
            assert verdict == 0x00050001, number
        elif number == clone3:
            assert verdict == 0x00050026
        elif number == socket_call:
            assert verdict == 0x00050061  # family 17 is none of ours
        else:
            assert verdict == (0x7FFF0000 if number < 450 else 0x00050026), number  # newer than the table
    for number in (450, 457, 458, 467, 100_000, 0x3FFFFFFF):
        assert interpret(filter_program(machine), {0: number, 4: name, 16: 0}) == 0x00050026, number
    for family, verdict in ((2, 0x7FFF0000), (10, 0x7FFF0000), (1, 0x00050061)):
        assert interpret(filter_program(machine), {0: socket_call, 4: name, 16: family}) == verdict
    locks = dict.fromkeys((6, 7, 37, 38), 0x00050025)
    for command, verdict in {**dict.fromkeys((0, 1, 2, 3, 4, 5, 8, 36, 1030), 0x7FFF0000), **locks}.items():
        assert interpret(filter_program(machine), {0: fcntl_call, 4: name, 24: command}) == verdict, command
    for kind, verdict in ((0x21, 0x00050001), (0x23, 0x00050001), (0x22, 0x7FFF0000), (0x01, 0x7FFF0000)):
        assert interpret(filter_program(machine), {0: mmap, 4: name, 40: kind}) == verdict
    assert interpret(filter_program(machine), {0: clone, 4: name, 16: 0x10000011}) == 0x00050001
    assert interpret(filter_program(machine), {0: 1, 4: 0x40000003, 16: 0}) == 0x80000000
    assert interpret(filter_program(machine), {0: 0x40000001, 4: name, 16: 0}) == 0x80000000


def interpret(program: list[tuple[int, int, int, int]], data: dict[int, int]) -> int:
    at = held = 0
    while True:
        code, if_true, if_false, operand = program[at]
        at += 1
        if code == 0x20:
            held = data[operand]
        elif code == 0x06:
            return operand
        else:
            met = {0x15: held == operand, 0x35: held >= operand, 0x45: bool(held & operand)}[code]
            at += if_true if met else if_false


def test_a_cell_is_compiled_as_a_notebook_compiles_it(inside: Process) -> None:
    """An annotation is an object there, and no text, which `from __future__ import annotations` here would make it."""
    cell = "def f(x: int): pass\nclass C:\n    y: float = 1.0\nprint(f.__annotations__, C.__annotations__)"
    assert run(inside, cell) == "{'x': <class 'int'>} {'y': <class 'float'>}\n"
    assert run(inside, f"{cell}\nNone") == "{'x': <class 'int'>} {'y': <class 'float'>}\n"
