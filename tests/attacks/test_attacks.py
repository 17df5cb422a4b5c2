"""Every technique in this folder, run for real against the grader.

A technique is a module: its docstring says what it attempts; CELLS holds the texts of answers (MODEL is the right one,
@NAME@ a fact about this machine), NOTEBOOK is another notebook than the first; `edit` changes the notebook, `write`
hands it in otherwise, `beside` adds files; THEN is the next learner's answer. ONLY_BOXED is what may be shown in a
learner's box alone. EARNS is the most it may earn (nothing, by default) and MUST_EARN the least, SAYS what the verdict
must say, NEVER_SHOWN what nobody may be shown. SECONDS is how long its cells may run, where two are not enough.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import secrets
import select
import socket
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from grading.grade import GradedNotebook, Grader
from grading.sandbox import large_pages
from grading.sandbox.sandbox import Limits
from tests.grading.courses import NOTEBOOK, ROOT, answered, make_course, make_release, model_answers
from tests.grading.pages import active, shown, unboxed
from tests.grading.users import USERS, start_as

FOLDER = Path(__file__).resolve().parent
TECHNIQUES = sorted(file.stem for file in FOLDER.glob("*.py") if not file.stem.startswith(("test_", "attack_")))
KERNELS = "06-triton-log-softmax"
OPTIMISERS = "07-beyond-adam"
WRITING = "08-reading-and-writing-math"
COURSES = {
    NOTEBOOK: ["entropy", "kl_divergence", "kl_with_torch", "f_divergence"],
    "02-mutual-information": ["mutual_information", "conditional_entropy"],
    KERNELS: ["log_softmax", "log_softmax_triton"],
    "03-adam-bias-correction": ["ema", "clip_by_global_norm", "train_xor"],
    "05-gaussian-kl-monte-carlo": ["kl_monte_carlo"],
    OPTIMISERS: [
        "lion_step",
        "muon_orthogonalize",
        "sam_gradient",
        "schedule_free_step",
        "adopt_step",
        "sophia_step",
        "kfac_step",
    ],
    WRITING: [
        "ten_signs",
        "code_to_formula",
        "adam_paper",
        "derivations",
        "entropy_in_latex",
        "kl_in_latex",
        "decomposition_in_latex",
        "f_divergence_in_latex",
        "mutual_information_in_latex",
        "adam_in_latex",
        "natural_gradient_in_latex",
        "rate_distortion_in_latex",
    ],
}
LIMITS = Limits(
    cell_seconds=2,
    call_seconds=1,
    notebook_seconds=8,
    memory_bytes=3 * 2**29,
    scratch_bytes=2**26,
    scratch_files=500,
    open_files=64,
    processes=40,
    output_bytes=20_000,
)
SYSTEM = re.compile(r"\b(os|ctypes|socket|mmap|resource|signal|subprocess|multiprocessing|threading|fcntl)\b")
TOKEN = f"CANARY-{secrets.token_hex(8)}"


class Place:
    """A course with secrets in it, and servers that nobody may reach."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.course = folder / "course"
        for which, exercises in COURSES.items():
            make_course(self.course, exercises, which)
        self.released = {which: make_release(self.course, which) for which in COURSES}
        self.home, self.shared = folder / "home", Path("/dev/shm") / TOKEN
        other = self.course / "classroom" / "submitted" / "other" / NOTEBOOK
        other.mkdir(parents=True)
        self.home.mkdir()
        self.secrets = [
            other / f"{NOTEBOOK}.ipynb",
            self.home / ".bash_history",
            self.course / "solutions" / "key.txt",
            self.course / "classroom" / "gradebook.db",
            self.shared,
        ]
        for file in self.secrets:
            file.write_text(TOKEN)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind(f"\0{TOKEN}")
        self.unix.listen()
        for listening in (self.server, self.unix):
            listening.setblocking(False)

    def facts(self) -> dict[str, str]:
        """What a technique may know about this machine."""
        return {
            "COURSE": str(self.course),
            "ROOT": str(ROOT),
            "HOME": str(self.home),
            "SHARED": str(self.shared.parent),
            "PID": str(os.getpid()),
            "PORT": str(self.server.getsockname()[1]),
            "ABSTRACT": TOKEN,
        }

    def hand_in(self, name: str, technique: ModuleType) -> Path:
        """The technique's submission, in a folder of its own."""
        cells = dict(getattr(technique, "CELLS", {}))
        for fact, value in self.facts().items():
            cells = {key: text.replace(f"@{fact}@", value) for key, text in cells.items()}
        which = getattr(technique, "NOTEBOOK", NOTEBOOK)
        cells = {key: model_answers(which)[key] if text == "MODEL" else text for key, text in cells.items()}
        notebook = answered(self.released[which], cells)
        if hasattr(technique, "edit"):
            technique.edit(notebook)
        file = self.course / "classroom" / "submitted" / name / which / f"{which}.ipynb"
        file.parent.mkdir(parents=True)
        if hasattr(technique, "write"):
            technique.write(file, json.dumps(notebook))
        else:
            file.write_text(json.dumps(notebook))
        if hasattr(technique, "beside"):
            technique.beside(file.parent)
        return file

    def untouched(self) -> bool:
        """Whether the secrets are as they were and nobody has connected."""
        for listening in (self.server, self.unix):
            with pytest.raises(BlockingIOError):
                listening.accept()
        return all(file.read_text() == TOKEN for file in self.secrets)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("attacks"))
    os.environ["INFOGRAD_SECRET"] = TOKEN
    yield made
    del os.environ["INFOGRAD_SECRET"]
    made.shared.unlink()
    made.server.close()
    made.unix.close()


@pytest.fixture(scope="module")
def graders() -> Iterator[dict[str, Grader]]:
    """A grader for each user whose sandbox it can have."""
    large_pages.ready_to_fork()  # as a class's processes are, which fork for each submission
    made = {}
    for user in USERS:
        with pytest.MonkeyPatch.context() as patch:
            start_as(user, patch)
            made[user] = Grader(LIMITS)
            made[user].sandbox.start()
    yield made
    for one in made.values():
        one.close()


@pytest.fixture
def grader(graders: dict[str, Grader], request: pytest.FixtureRequest) -> Iterator[Grader]:
    """The grader of the user that a test asks for, or of the one who runs the tests."""
    user = getattr(request, "param", USERS[0])
    graders[user].sandbox.limits = LIMITS
    with pytest.MonkeyPatch.context() as patch:
        start_as(user, patch)
        yield graders[user]


@pytest.fixture(scope="module")
def patient() -> Iterator[Grader]:
    """A grader with the usual limits: on a busy machine, whole notebooks of honest answers take more than the attacks
    are given."""
    with Grader() as one:
        yield one


def runs() -> list[Any]:
    """Each technique with a user. One that asks something of the system is tried as root and as an ordinary user where
    both can be, any other as an ordinary user, who has less between him and the next learner."""
    return [
        pytest.param(name, user, id=name)
        if user == USERS[-1]
        else pytest.param(name, user, id=f"{name} as root", marks=pytest.mark.slow)
        for name in TECHNIQUES
        for user in (USERS if asks_the_system(name) else USERS[-1:])
    ]


def asks_the_system(name: str) -> bool:
    return bool(SYSTEM.search((FOLDER / f"{name}.py").read_text()))


def load(name: str) -> ModuleType:
    """A technique, by its file."""
    spec = importlib.util.spec_from_file_location(f"attack_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def grade(grader: Grader, place: Place, file: Path) -> GradedNotebook:
    released = place.released[file.stem]
    return grader.grade(file, released, None, seed=7)


def processes(grader: Grader) -> set[int]:
    """The ids of the processes in the sandbox, the warm one's own among them."""
    assert grader.sandbox.process is not None
    found, size = {grader.sandbox.process.pid}, 0
    while len(found) > size:
        size = len(found)
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                words = entry.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(words[1]) in found and words[0] != "Z":
                found.add(int(entry.parent.name))
    return found


def ends(process: int) -> bool:
    """Whether a process that may still be ending, as the guard is, does so within some seconds."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 5)[0])
    finally:
        os.close(handle)


@pytest.mark.parametrize(("name", "grader"), runs(), indirect=["grader"])
def test_technique(name: str, place: Place, grader: Grader, request: pytest.FixtureRequest) -> None:
    technique = load(name)
    grader.sandbox.start()
    alone = processes(grader)
    student = request.node.callspec.id
    seconds = getattr(technique, "SECONDS", LIMITS.cell_seconds)
    grader.sandbox.limits = replace(LIMITS, cell_seconds=seconds, notebook_seconds=6 + seconds)
    graded = grade(grader, place, place.hand_in(student, technique))
    marks = sum(report.marks for report in graded.judgement.reports.values())
    assert marks <= getattr(technique, "EARNS", 0.0), "it earned something"
    assert marks >= getattr(technique, "MUST_EARN", 0.0), "it lost what it is worth"
    verdict = json.dumps(asdict(graded.verdict), ensure_ascii=False)
    assert getattr(technique, "SAYS", "") in verdict, verdict
    page = shown(graded.notebook)
    assert active(page) == []
    assert getattr(technique, "ONLY_BOXED", TOKEN) not in unboxed(page)
    assert TOKEN not in page
    assert TOKEN not in verdict
    for text in getattr(technique, "NEVER_SHOWN", ()):
        assert text not in page, text
    assert place.untouched()
    for process in processes(grader) - alone:
        assert ends(process), "it left a process behind"
    if followed(name, technique):
        follow(technique, student, place, grader)


def followed(name: str, technique: ModuleType) -> bool:
    """Whether the next learner is played, too: after a technique that asks something of the system, after one that says
    what comes next, and after each fourth of the others, which meet what those between have left."""
    says = hasattr(technique, "THEN") or hasattr(technique, "THEN_SHOWS")
    return says or asks_the_system(name) or TECHNIQUES.index(name) % 4 == 0


def follow(technique: ModuleType, name: str, place: Place, grader: Grader) -> None:
    """The next learner gets what is due."""
    answer = {"entropy": "MODEL", "kl_divergence": getattr(technique, "THEN", "MODEL")}
    following = grade(grader, place, place.hand_in(f"{name}-next", honest(answer)))
    assert following.judgement.reports["entropy"].marks == 3.0, following.verdict
    if hasattr(technique, "THEN_SHOWS"):
        assert technique.THEN_SHOWS in shown(following.notebook)


def honest(cells: dict[str, str]) -> ModuleType:
    module = ModuleType("honest")
    vars(module)["CELLS"] = cells
    return module


NOISY = """import sys
import warnings

import matplotlib.pyplot as plt


def entropy(p):
    print("called with", p)
    warnings.warn("something to know", stacklevel=2)
    sys.stderr.write("noise")
    return torch.special.entr(p.to(torch.promote_types(p.dtype, torch.float32))).sum(-1).to(p.dtype)


plt.plot([1, 2])
plt.title("a plot")
print("done")
"""
SLOW_ANSWER = """import time


def entropy(p):
    time.sleep(0.05)
    return torch.special.entr(p.to(torch.promote_types(p.dtype, torch.float32))).sum(-1).to(p.dtype)
"""
CONTROLS = {
    "perfect": ("MODEL", 3.0, "correct"),
    "wrong": ("def entropy(p):\n    return p.sum(-1)\n", 0.0, "incorrect"),
    "noisy": (NOISY, 3.0, "correct"),
    "slow": (SLOW_ANSWER, 3.0, "correct"),
    "magics": ("%matplotlib inline\n" + NOISY, 3.0, "correct"),
    "crashes-after": (SLOW_ANSWER + "\n\nprint(1 / 0)\n", 3.0, "correct"),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_honest_control(name: str, place: Place, grader: Grader) -> None:
    text, marks, outcome = CONTROLS[name]
    file = place.hand_in(f"honest-{name}", honest({"entropy": text}))
    graded = grade(grader, place, file)
    assert (graded.judgement.reports["entropy"].marks, graded.judgement.reports["entropy"].outcome) == (marks, outcome)
    page = shown(graded.notebook)
    if name in ("noisy", "magics"):
        assert "data:image/png" in page
        assert "done" in page


@pytest.mark.parametrize("which", [KERNELS, OPTIMISERS])
def test_honest_answers_to_other_notebooks(which: str, place: Place, patient: Grader) -> None:
    answers = honest(dict.fromkeys(COURSES[which], "MODEL"))
    vars(answers)["NOTEBOOK"] = which
    graded = grade(patient, place, place.hand_in(f"honest-{which}", answers))
    for name, report in graded.judgement.reports.items():
        assert (report.marks, report.outcome) == (report.points, "correct"), (name, graded.verdict)


UNUSUAL = {
    "lion_step": """import torch


class Lion:
    def __init__(self, lr, beta1, beta2, weight_decay):
        self.lr, self.beta1, self.beta2, self.weight_decay = lr, beta1, beta2, weight_decay

    def step(self, theta, grad, m):
        blend = torch.lerp(grad, m, self.beta1)
        return theta - self.lr * (blend.sign() + self.weight_decay * theta), torch.lerp(grad, m, self.beta2)


def lion_step(theta, grad, m, lr, beta1, beta2, weight_decay):
    return Lion(lr, beta1, beta2, weight_decay).step(theta, grad, m)
""",
    "muon_orthogonalize": """import torch


def muon_orthogonalize(matrix, steps):
    x = matrix.double()
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x.mT @ x
        x = 3.4445 * x - 4.7750 * x @ gram + 2.0315 * x @ torch.linalg.matrix_power(gram, 2)
    return x.to(matrix.dtype)
""",
    "sam_gradient": """def sam_gradient(grad_fn, theta, rho):
    start = theta.clone()
    uphill = grad_fn(start).clone()
    length = uphill.square().sum().sqrt()
    start += rho * uphill / length if length > 0 else 0 * uphill
    return grad_fn(start)
""",
}


def test_unusual_answers_are_worth_as_much(place: Place, patient: Grader) -> None:
    answers = honest(UNUSUAL)
    vars(answers)["NOTEBOOK"] = OPTIMISERS
    graded = grade(patient, place, place.hand_in("honest-unusual", answers))
    reports = {name: graded.judgement.reports[name] for name in UNUSUAL}
    assert all(report.outcome == "correct" for report in reports.values()), graded.verdict


def test_untouched(place: Place, grader: Grader) -> None:
    graded = grade(grader, place, place.hand_in("untouched", honest({})))
    assert {report.outcome for report in graded.judgement.reports.values()} == {"not attempted"}
    assert graded.verdict.irregularities == []


def test_there_are_enough() -> None:
    assert len(TECHNIQUES) >= 60
