"""The infograd command, and the wrapper that installs it: real environments of a tiny project that needs no index."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from grading import command

ROOT = Path(__file__).resolve().parent.parent

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "infograd"
version = "0"
"""

# A build backend of the standard library alone. Its wheel holds the infograd command, which prints its arguments.
BACKEND = """
import os, pathlib, signal, zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    if "BLOCK" in os.environ:
        pathlib.Path(os.environ["BLOCK"]).write_text("in the midst of installing")
        signal.pause()
    if "FAIL" in os.environ:
        raise OSError("the backend was told to fail: " + os.environ["FAIL"])
    with zipfile.ZipFile(pathlib.Path(folder, "infograd-0-py3-none-any.whl"), "w") as wheel:
        info = "infograd-0.dist-info/"
        code = "import sys\\ndef main():\\n    print('ran', *sys.argv[1:])\\n    return 3\\n"
        wheel.writestr("infograd_command.py", code)
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: infograd\\nVersion: 0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "entry_points.txt", "[console_scripts]\\ninfograd = infograd_command:main\\n")
        wheel.writestr(info + "RECORD", "")
    return "infograd-0-py3-none-any.whl"
"""


@pytest.fixture(scope="module")
def quick_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This Python, whose environments get a copy of one pip: to unpack and compile it takes three seconds each time."""
    folder = tmp_path_factory.mktemp("python")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "model")], check=True)
    copied = f'{shutil.which("cp")} -Rp "{folder / "model" / "lib"}" "$3"'
    script = f"""#!/bin/sh
case "$1 $2" in "-m venv") "{sys.executable}" -m venv --without-pip "$3" && exec {copied} ;; esac
exec "{sys.executable}" "$@"
"""
    (folder / "python").write_text(script, encoding="utf-8")
    (folder / "python").chmod(0o755)
    return folder / "python"


@pytest.fixture
def project(tmp_path: Path, quick_python: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFOGRAD_PYTHON", str(quick_python))
    folder = tmp_path / "a course"  # with a space: people have them
    folder.mkdir()
    shutil.copy(ROOT / "infograd", folder)
    (folder / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (folder / "backend.py").write_text(BACKEND, encoding="utf-8")
    (folder / "constraints.txt").write_text("# nothing is locked\n", encoding="utf-8")
    return folder


def environment(**extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "COV_"))}
    return kept | {"PIP_NO_INDEX": "1"} | extra


def door(project: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    line = ["sh", str(project / "infograd"), *arguments]
    return subprocess.run(line, env=environment(**extra), cwd="/", capture_output=True, text=True, check=False)


def tool_folder(folder: Path, **scripts: str) -> str:
    """A PATH that has the system's plain tools but no Python, and these scripts."""
    folder.mkdir()
    for tool in ("sh", "cat", "cksum", "dirname", "head", "mkdir", "mv", "rm", "tail"):
        (folder / tool).symlink_to(shutil.which(tool) or pytest.fail(f"there is no {tool}"))
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    return str(folder)


@pytest.mark.slow
def test_the_first_run_installs_and_later_ones_only_when_the_lock_or_the_place_changes(project: Path) -> None:
    first = door(project, "lab", "--port", "9 9", INFOGRAD_PYTHON=sys.executable)  # with a pip of its own
    assert (first.stdout, first.returncode) == ("ran lab --port 9 9\n", 3)
    assert "making the environment" in first.stderr

    again = door(project, "lab")
    assert (again.stdout, again.stderr) == ("ran lab\n", "")

    (project / "constraints.txt").write_text("tqdm==4.0\n", encoding="utf-8")
    changed = door(project, "lab")
    assert changed.stdout == "ran lab\n"
    assert "bringing the environment in .venv up to date" in changed.stderr
    assert "afresh" not in changed.stderr

    moved = project.rename(project.with_name("moved"))
    elsewhere = door(moved, "lab")
    assert elsewhere.stdout == "ran lab\n"
    assert f".venv was made for Python 3.{sys.version_info.minor} at {project}; starting afresh" in elsewhere.stderr


def test_a_link_to_the_wrapper_and_other_letters_in_the_path_are_fine(project: Path, tmp_path: Path) -> None:
    course = project.rename(project.with_name("Übung 1 – o'kurs 课程"))
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "infograd").symlink_to(os.path.relpath(course / "infograd", programs))
    (tmp_path / "link").symlink_to(programs / "infograd")
    for door_ in (programs / "infograd", tmp_path / "link"):
        line = ["sh", str(door_), "lab"]
        done = subprocess.run(line, env=environment(), cwd="/", capture_output=True, text=True, check=False)
        assert done.stdout == "ran lab\n", done.stderr
    assert (course / ".venv").is_dir()
    assert not (programs / ".venv").exists()


def test_a_newer_python_than_tested_is_tried_last_and_said_to_be(
    project: Path, quick_python: Path, tmp_path: Path
) -> None:
    version = f'case "$*" in *"%d.%d"*) echo 3.19; exit;; esac; exec "{quick_python}" "$@"'
    path = tool_folder(tmp_path / "tools", **{"python3": version, "python3.11": f'exec "{quick_python}" "$@"'})
    door(project, "lab", PATH=path, INFOGRAD_PYTHON="")
    assert (project / ".venv" / "bin" / "python").exists()
    shutil.rmtree(project / ".venv")
    (tmp_path / "tools" / "python3.11").unlink()
    said = door(project, "lab", PATH=path, INFOGRAD_PYTHON="").stderr
    assert "Python 3.19 is newer than the course is tested with (3.11 to 3.13)" in said
    assert "INFOGRAD_PYTHON=python3.13 ./infograd" in said


def test_a_folder_that_cannot_be_written_is_named(project: Path) -> None:
    (project / ".venv").write_text("in the way", encoding="utf-8")  # as root, every folder can be written
    result = door(project, "lab")
    assert result.returncode == 1
    assert f"{project} cannot be written, and the environment is made there. Copy the course" in result.stderr


def test_without_an_index_the_settings_for_a_proxy_and_a_mirror_are_named(project: Path) -> None:
    text = PYPROJECT.replace('version = "0"', 'version = "0"\n[project.optional-dependencies]\ndev = ["tqdm"]')
    (project / "pyproject.toml").write_text(text, encoding="utf-8")
    about = "Version: 0\\n"
    needs_more = BACKEND.replace(about, about + "Provides-Extra: dev\\nRequires-Dist: tqdm\\n")
    (project / "backend.py").write_text(needs_more, encoding="utf-8")
    result = door(project, "lab")
    assert result.returncode == 1
    assert "Behind a proxy, set HTTPS_PROXY first" in result.stderr


def test_an_interrupted_installation_is_noticed_and_begun_again(project: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    line = ["sh", str(project / "infograd"), "lab"]
    first = subprocess.Popen(line, env=environment(BLOCK=str(pipe)), start_new_session=True, stderr=subprocess.PIPE)
    assert pipe.read_text(encoding="utf-8") == "in the midst of installing"

    second = door(project, "lab")
    assert second.returncode == 1
    assert f"process {first.pid} is installing" in second.stderr

    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    third = door(project, "lab")
    assert (third.stdout, third.returncode) == ("ran lab\n", 3)
    assert "the last installation was interrupted; starting afresh" in third.stderr


def test_a_failed_installation_says_why_and_is_tried_again(project: Path) -> None:
    failed = door(project, "lab", FAIL="[Errno 28] No space left on device")
    assert (failed.stdout, failed.returncode) == ("", 1)
    assert "the disk is full. Make room where the course is, and where pip unpacks: TMPDIR" in failed.stderr
    assert "the backend was told to fail" in failed.stderr
    assert "the installation failed" in failed.stderr

    other = door(project, "lab", FAIL="1")
    assert "the backend was told to fail: 1" in other.stderr
    assert "the disk is full" not in other.stderr

    mended = door(project, "lab")
    assert mended.stdout == "ran lab\n"
    assert "interrupted" not in mended.stderr


# This Python, which says that it is 3.10.
OLD = f"""exec "{sys.executable}" -c 'import sys; sys.version_info = (3, 10, 9); exec(sys.argv.pop())' "$@\""""


@pytest.mark.parametrize(
    ("scripts", "said"),
    [
        ({}, "Python 3.11 or newer is needed"),
        ({"python3": OLD}, "Python 3.11 or newer is needed"),
        (
            {"python3": f'case "$*" in *ensurepip*) exit 1;; esac; exec "{sys.executable}" "$@"'},
            f"python3 (Python 3.{sys.version_info.minor}) lacks its venv module. "
            f"On Debian and Ubuntu: apt install python3.{sys.version_info.minor}-venv",
        ),
    ],
    ids=["no Python", "an old Python", "no venv module"],
)
def test_without_a_fit_python_the_remedy_is_named(
    project: Path, tmp_path: Path, scripts: dict[str, str], said: str
) -> None:
    result = door(project, "lab", PATH=tool_folder(tmp_path / "tools", **scripts), INFOGRAD_PYTHON="")
    assert (result.stdout, result.returncode) == ("", 1)
    assert said in result.stderr
    assert not (project / ".venv").exists()


def test_a_python_that_is_asked_for_and_unfit_is_named(project: Path) -> None:
    result = door(project, "lab", INFOGRAD_PYTHON="/nowhere/python3")
    assert result.returncode == 1
    assert "INFOGRAD_PYTHON=/nowhere/python3 is not a Python 3.11 or newer" in result.stderr


def test_a_subcommand_gets_everything_after_its_name_and_its_module_is_imported_only_then(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = "import sys\ndef main(arguments):\n    print(arguments)\n    return 5\n"
    (tmp_path / "later_subcommand.py").write_text(module, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    later = command.Command("later", "later_subcommand:main", command.AUTHORS, "come later")
    monkeypatch.setattr(command, "COMMANDS", (*command.COMMANDS, later))
    with pytest.raises(SystemExit, match="0"):
        command.main(["--help"])
    assert "later_subcommand" not in sys.modules
    assert command.main(["later", "--help", "-x", "1"]) == 5


def test_help_lists_every_command_and_an_unknown_one_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        command.main(["--help"])
    shown = capsys.readouterr().out
    assert all(f"  {c.name} " in shown and c.summary in shown for c in command.COMMANDS)
    with pytest.raises(SystemExit, match="2"):
        command.main(["labs"])
    assert "invalid choice: 'labs'" in capsys.readouterr().err


PASS_THROUGH = ("lab", "formgrader", "test")  # whose arguments are another program's


@pytest.mark.parametrize("name", [c.name for c in command.COMMANDS if c.name not in PASS_THROUGH])
def test_the_help_of_each_command_says_what_it_does_and_gives_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        command.main([name, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.startswith(f"usage: infograd {name} [-h]")
    assert re.search(rf"examples?: infograd {name}\b", shown)
    assert re.search(r"\] .*?(\w+ ){4}", shown)


def completions(line: str) -> set[str]:
    """What a shell is told that can follow a line; argcomplete writes it to a file of its own when asked to."""
    read, write = os.pipe()
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}
    code = f"import os, sys; os.dup2({write}, 8); sys.argv[0] = 'infograd'; import grading.command as c; c.main()"
    subprocess.run([sys.executable, "-c", code], env=os.environ | asked, pass_fds=(write,), cwd=ROOT, check=True)
    os.close(write)
    with os.fdopen(read) as told:
        return set(told.read().split())


def test_a_shell_completes_commands_and_notebooks() -> None:
    assert completions("infograd bu") == {"build", "bundle"}
    assert completions("infograd build 04") == {"04-condition-number-landscapes"}
    assert "grading/" in completions("infograd build gra")


def test_a_shell_completes_options() -> None:
    assert completions("infograd build --ch") == {"--check"}
    assert completions("infograd bundle --") == {"--address", "--to", "--wheel", "--help"}
    assert completions("infograd lab --") == {"--help"}  # its arguments are JupyterLab's


def test_the_command_itself_imports_nothing_heavy() -> None:
    code = "import grading.command, sys; print(*{m.partition('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "nbgrader", "nbformat", "jupyterlab"} & set(loaded)


def test_steps_stop_at_the_first_failure_with_its_status_and_the_line_to_repeat_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def step(name: str, code: str) -> command.Step:
        return command.Step(name, ("-c", code), {"GREETING": "good day"})

    touch = f"import os; open(os.path.join({str(tmp_path)!r}, os.environ['GREETING']), 'w')"
    steps = (
        step("one", touch),
        step("two", "raise SystemExit(7)"),
        step("three", f"open({str(tmp_path / '3')!r}, 'w')"),
    )
    assert command.run_stages([steps[:1]]) == 0
    assert "all 1 steps passed" in capsys.readouterr().out
    assert command.run_stages([[one] for one in steps]) == 7
    shown = capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["good day"]
    assert "== 2/3 two" in shown
    assert f"two failed after 0 s. To repeat it: {steps[1].line()}" in shown

    repeated = subprocess.run(["sh", "-c", steps[1].line()], cwd=ROOT, check=False)
    assert repeated.returncode == 7


def test_steps_of_one_stage_run_at_the_same_time_and_are_shown_one_after_the_other(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Each of two waits for the other's file, so neither would end alone."""
    meet = """
import pathlib, sys, time
mine, other = (pathlib.Path(one) for one in sys.argv[1:])
print("before", mine.name, end="\\r", file=sys.stderr)
mine.touch()
end = time.monotonic() + 60
while not other.exists():
    assert time.monotonic() < end, "alone"
    time.sleep(0.01)
print("after", mine.name)
"""
    places = [str(tmp_path / name) for name in ("a", "b")]
    pair = [command.Step(f"step {one[-1]}", ("-c", meet, one, other)) for one, other in (places, reversed(places))]
    last = command.Step("last", ("-c", "print('alone')"))
    assert command.run_stages([pair, [last]]) == 0
    shown = [line for line in capfd.readouterr().out.splitlines() if line and not line.endswith(" s")]
    assert shown == ["== 1/3 step a", "after a", "== 2/3 step b", "after b", "== 3/3 last", "alone"]

    assert command.run_stages([[command.Step("bad", ("-c", "print('why'); raise SystemExit(3)")), last], [last]]) == 3
    said = capfd.readouterr().out
    assert "why\n\n== bad failed" in said
    assert "3/3" not in said


def test_arguments_of_test_go_to_pytest(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "test_it.py").write_text("def test_a(): pass\ndef test_b(): assert False\n", encoding="utf-8")
    assert command.main(["test", str(tmp_path), "-k", "b", "-p", "no:nbval", "-p", "no:hypothesispytest"]) == 1
    assert "1 failed, 1 deselected" in capfd.readouterr().out


def test_ci_runs_what_the_pages_say() -> None:
    """`./infograd test --all` on every push, and in it the build, the tests and the notebooks; the site's own lines.
    Without `--all` it runs the same, but for the slow tests."""
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").endswith("\n./infograd test --all\n")
    test, site = (
        (ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8") for name in ("test", "site")
    )
    assert "run: bash .ci/run\n" in test
    assert 'run: pip install -c constraints.txt -e ".[grading,site]"\n' in site
    assert "run: infograd site\n" in site
    lines = [" ".join(step.arguments) for stage in command.ALL_STAGES for step in stage]
    fewer = [" ".join(step.arguments) for stage in command.STAGES for step in stage]
    left_out = " -m not slow and not long"
    assert [line + left_out if "-m pytest tests" in line else line for line in lines] == fewer
    for wanted in ("build --check --unrun", "-m pytest tests", "--nbval solutions", "ruff check .", "-m mypy"):
        assert any(wanted in line for line in lines), wanted


@pytest.mark.parametrize(("arguments", "stages"), [([], command.STAGES), (["--all"], command.ALL_STAGES)])
def test_slow_tests_run_where_all_are_asked_for(
    arguments: list[str], stages: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "run_stages", lambda given: int(given is stages))
    assert command.test(arguments) == 1


def test_lab_opens_jupyterlab_on_the_notebooks_without_the_panels_for_teachers(tmp_path: Path) -> None:
    code = f"""
import pathlib
from grading import command
command.NOTEBOOKS = pathlib.Path({str(tmp_path)!r})
command.lab(["--port=9999", "--show-config-json"])
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    settings = json.loads(shown)["ServerApp"]
    assert (settings["root_dir"], settings["port"]) == (str(tmp_path), 9999)
    assert json.loads(shown)["LabApp"]["default_url"] == "/lab/tree/start.md"
    assert "Continue here" in (page := (tmp_path / "start.md").read_text(encoding="utf-8")) or "Start here" in page
    loaded = {name for name, wanted in settings["jpserver_extensions"].items() if wanted}
    wanted = {"nbgrader.server_extensions.validate_assignment", "nbgrader.server_extensions.assignment_list"}
    assert {name for name in loaded if "nbgrader" in name} == wanted


def test_every_panel_that_lab_hides_is_one_that_exists() -> None:
    page = json.loads((command.LEARNER_SETTINGS / "labconfig" / "page_config.json").read_text(encoding="utf-8"))
    panels = [name for name in page["disabledExtensions"] if name.startswith("@jupyter/nbgrader:")]
    scripts = Path(sys.prefix, "share/jupyter/labextensions/@jupyter/nbgrader/static").glob("*.js")
    installed = "".join(path.read_text(encoding="utf-8") for path in scripts)
    assert {name.partition(":")[2] for name in panels} == {"formgrader", "course-list", "create-assignment"}
    assert all(f'"{name}"' in installed for name in panels)


def test_lab_without_notebooks_says_how_to_make_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "NOTEBOOKS", tmp_path / "notebooks")
    assert command.main(["lab"]) == 1
    assert "infograd build" in capsys.readouterr().err
