"""A fresh clone of this repository for tests: its files as git would check them out, with the environment that runs."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = re.compile(r"(\./infograd|infograd|nbgrader|pip|conda|git|python) \S")
PROGRAMS = ("python", "infograd", "nbgrader", "jupyter", "pip")
NOBODY = 65534  # an ordinary user that every system has


def make_clone(folder: Path) -> Path:
    """A clone in `folder`, committed, with a `.venv` that holds this environment's programs, working on the clone."""
    line = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(line, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", "A clone")
    install_running_environment(folder)
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it says."""
    settings = ("user.name=test", "user.email=test@example.org", "commit.gpgsign=false", "safe.directory=*")
    names = [word for setting in settings for word in ("-c", setting)]
    line = ["git", "--no-optional-locks", "-C", str(folder), *names, *arguments]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout


def install_running_environment(folder: Path) -> None:
    """Make `.venv` in the clone: what ./infograd would install, without installing it anew."""
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in PROGRAMS:
        call = {"python": '"$@"', "infograd": '-m grading.command "$@"', "nbgrader": '-m nbgrader "$@"'}
        rest = call.get(name, f'-m {name} "$@"')
        text = f"#!/bin/sh\nPYTHONPATH='{folder}' exec '{sys.executable}' {rest}\n"
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)
    shown = subprocess.run(["sh", "-c", STAMP], cwd=folder, capture_output=True, text=True, check=True).stdout
    (folder / ".venv" / "infograd-installed").write_text(shown, encoding="utf-8")


STAMP = f"""
printf 'Python %s at %s\\n' {sys.version_info.major}.{sys.version_info.minor} "$(pwd -P)"
cat constraints.txt pyproject.toml | cksum
"""


def commands_of(text: str) -> list[str]:
    """The commands that a page of documentation shows, in order: the lines of its shell blocks, and what stands in the
    text between backticks and begins with a program's name."""
    found: list[str] = []
    for part in re.split(r"(^ *```.*?^ *```)", text, flags=re.MULTILINE | re.DOTALL):
        if part.lstrip().startswith("```sh"):
            lines = [line.partition("  #")[0].strip() for line in part.splitlines()[1:-1]]
            found += [line for line in lines if line and not line.startswith("#")]
        elif not part.lstrip().startswith("```"):
            spans = (re.sub(r"\s+", " ", span) for span in re.findall(r"`([^`]+)`", part))
            found += [
                span for span in spans if re.match(r"(\./infograd|infograd|nbgrader|pip|conda|git|python) \S", span)
            ]
    return found


def environment(home: Path) -> dict[str, str]:
    """The environment of a person at a prompt, with a home of their own."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "INFOGRAD_", "JUPYTER"))
    }
    home.mkdir(parents=True, exist_ok=True)
    return kept | {"HOME": str(home), "OMP_NUM_THREADS": "1"}


def as_an_ordinary_user(*shown: Path) -> list[str]:
    """The command that lets root run another one as an ordinary user, who sees these folders even where they lie in one
    that only root may enter. Nobody else needs any."""
    if os.getuid():
        return []
    above = [folder for place in shown for folder in reversed(place.parents)]
    closed = [folder for folder in dict.fromkeys(above) if not folder.stat().st_mode & stat.S_IXOTH]
    inside = [folder for folder in dict.fromkeys(above) if any(folder.is_relative_to(one) for one in closed)]
    steps = [word for folder in inside for word in ("--tmpfs" if folder in closed else "--dir", str(folder))]
    binds = [word for place in shown for word in ("--bind", str(place), str(place))]
    return [
        "bwrap", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--dev-bind", "/", "/",
        *steps, *binds, "--die-with-parent",
        "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--",
    ]  # fmt: skip


# Runs in a process of its own on the clone's modules: imports what takes seconds once, then forks for each command.
SERVER = """
import json, os, shlex, sys, traceback
sys.path[:] = [one for one in sys.path if one]
sys.path.insert(0, sys.argv[1])
import nbgrader.apps, grading.command, grading.classroom.nbgrader_plugin

def perform(request):
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    program, *arguments = request["words"]
    sys.argv = [program, *arguments]
    if program == "nbgrader":
        return nbgrader.apps.NbGraderApp.launch_instance(argv=arguments) or 0
    if os.path.basename(program) == "infograd":
        return grading.command.main(arguments)
    if program in ("python", "pip"):
        os.environ["PYTHONPATH"] = sys.path[0]
        os.execv(sys.executable, [sys.executable, *(["-m", "pip"] if program == "pip" else []), *arguments])
    raise SystemExit(f"the tests know no program {program}")

for line in sys.stdin:
    request = json.loads(line)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            output = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            nothing = os.open(os.devnull, os.O_RDONLY)
            for old, new in ((nothing, 0), (output, 1), (output, 2)):
                os.dup2(old, new)
            sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)
            status = perform(request)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(bool(end.code))
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush(); sys.stderr.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Clone:
    """A clone and those who work in it: `run` plays a line as someone types it. What it starts is forked from a process
    that has imported the clone's modules, so that a test of twenty commands waits once.

    All in it belongs to `user`, who runs the commands: whoever runs the tests, or an ordinary user in place of root."""

    def __init__(self, folder: Path, ordinary: bool = False):
        self.user = NOBODY if ordinary and os.getuid() == 0 else os.getuid()
        self.course = make_clone(folder / "course")
        self.homes = folder / "homes"
        self.homes.mkdir()
        self.hand_over(folder)
        python = Path(os.path.realpath(sys.executable)).parent.parent
        self.before = as_an_ordinary_user(folder, python, Path(sys.prefix)) if ordinary else []
        line = [*self.before, sys.executable, "-c", SERVER, str(self.course)]
        server = environment(self.home("server"))
        self.server = subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", env=server, text=True
        )

    def hand_over(self, place: Path) -> Path:
        """Let a folder or file of the clone, and what is in it, belong to the clone's user."""
        if self.user != os.getuid():
            for one in (place, *place.rglob("*")):
                os.chown(one, self.user, self.user, follow_symlinks=False)
        return place

    def home(self, who: str) -> Path:
        """The folder in which a person keeps their own."""
        (place := self.homes / who).mkdir(parents=True, exist_ok=True)
        return self.hand_over(place)

    def run(self, line: str, who: str = "teacher", place: Path | None = None, **variables: str) -> tuple[int, str]:
        """Play a line in `place` (the course's folder by default): its status, and all that it said."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        log = self.homes / f"{who}.log"
        request = {
            "folder": str(place or self.course),
            "words": shlex.split(line),
            "environment": environment(self.home(who)) | variables,
            "log": str(log),
        }
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        status = self.server.stdout.readline().strip()
        assert status, "the process that plays commands has died"
        return int(status), log.read_text(encoding="utf-8")

    def must(self, line: str, who: str = "teacher", place: Path | None = None, **variables: str) -> str:
        """Play a line that must succeed, and return what it said."""
        status, said = self.run(line, who, place, **variables)
        assert status == 0, f"{line}\n{said[-4000:]}"
        assert "Traceback" not in said, f"{line}\n{said[-4000:]}"
        return said

    @property
    def status(self) -> str:
        """What git sees changed in the working tree."""
        return git(self.course, "status", "--short")

    def close(self) -> None:
        """End the process that plays commands."""
        assert self.server.stdin is not None
        self.server.stdin.close()
        self.server.wait()
