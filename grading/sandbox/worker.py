"""The program inside the sandbox. It can run a cell and call a function; it knows no expected value and gives no
verdict.

Started once, it imports the libraries and waits; for each submission it forks a guard, and the guard a process that is
shut in (see `confine`) and serves that one submission over a socket of its own: frames of four bytes of length and
JSON, each reply with the number of its request (counted up where a request holds several calls). What this process says
is checked outside before anything uses it.

In the sandbox this file lies beside the others of `sandbox.PROGRAM` and `helpers`; there is no `grading` package.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import importlib
import json
import linecache
import os
import signal
import socket
import struct
import sys
import time
import traceback
import types
from collections.abc import Iterator
from typing import Any

HEADER = struct.Struct(">I")
WARM = ("numpy", "torch", "scipy.special", "matplotlib.pyplot", "IPython.display", "ipywidgets")
OURS = ("helpers.checking.check", "helpers.checking.progress")  # what `from helpers import check` needs
MAX_MESSAGE = 300


def serve(control: socket.socket) -> None:
    """Fork a guard for each submission that the grader sends: its limits, a socket to talk and a socket to stop it. Or
    import modules that it names, for all submissions to come."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # guards are not waited for
    tell_size(control)
    while True:
        message, files, _, _ = socket.recv_fds(control, 65536, 2)
        if not message:
            return
        order = json.loads(message)
        if "import" in order:
            import_once(order["import"])
            tell_size(control)
        elif os.fork() == 0:
            control.close()
            guard(order, *(socket.socket(fileno=file) for file in files))
        for file in files:
            os.close(file)


def tell_size(control: socket.socket) -> None:
    """Tell the grader that this process is ready, and its size."""
    control.sendall(json.dumps({"mapped_pages": confine.mapped_pages()}).encode())


def import_once(names: list[str]) -> None:
    """Import modules before the next submission; one that cannot be imported is the submission's to find."""
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    large_pages.ready_to_fork()


def guard(limits: dict[str, Any], channel: socket.socket, order: socket.socket) -> None:
    """Make namespaces, fork the submission's process in them, and watch over it. Does not return."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        if limits["confined"]:
            confine.enter()
        first = os.fork()
        if first == 0:
            order.close()
            learner(limits, channel)
        channel.close()
        confine.report(order, confine.watch(first, order, limits))
    except BaseException as error:
        confine.report(order, {"why": "setup", "message": str(error)})
    os._exit(0)


def learner(limits: dict[str, Any], channel: socket.socket) -> None:
    """The submission's process, from its first step to its last. Does not return."""
    try:
        silence()
        if limits["confined"]:
            confine.reopen_files({0, 1, 2, channel.fileno()})
            confine.seal(limits)
        send(channel, {"ready": True})
    except BaseException as error:
        send(channel, {"ready": False, "message": str(error)})
        os._exit(1)
    with contextlib.suppress(OSError):
        answer_requests(channel, limits)
    os._exit(0)


def silence() -> None:
    """Nothing to read from the terminal, nowhere to write to it, no terminal."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.close(nothing)


def answer_requests(channel: socket.socket, limits: dict[str, Any]) -> None:
    """Run cells and call functions until the grader closes the channel."""
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    main.__dict__.update(display=outputs.display, get_ipython=Shell, __builtins__=builtins)
    while (request := receive(channel)) is not None:
        for number, reply in enumerate(replies(request, main.__dict__, limits["output_bytes"]), request["id"]):
            send(channel, {"id": number, **reply})


def replies(request: dict[str, Any], space: dict[str, Any], output_bytes: int) -> Iterator[dict[str, Any]]:
    """What comes of running a cell; or of each of a list of calls, up to one that ends it."""
    if "cell" in request:
        yield run_cell(request, space, output_bytes)
        return
    for call in request["calls"]:
        begun = time.monotonic()
        with outputs.captured(0):
            reply = calling.perform(space, call, request["seconds"], request["rules"])
        yield {**reply, "seconds": time.monotonic() - begun}
        if reply["outcome"] in calling.FINAL:
            return


def send(channel: socket.socket, data: dict[str, Any]) -> None:
    """Send one frame."""
    body = json.dumps(data).encode()
    channel.sendall(HEADER.pack(len(body)) + body)


def receive(channel: socket.socket) -> dict[str, Any] | None:
    """The next frame, or None when the grader has closed the channel."""
    header = channel.recv(HEADER.size, socket.MSG_WAITALL)
    if len(header) < HEADER.size:
        return None
    body = channel.recv(HEADER.unpack(header)[0], socket.MSG_WAITALL)
    request: dict[str, Any] = json.loads(body)
    return request


def run_cell(request: dict[str, Any], space: dict[str, Any], output_bytes: int) -> dict[str, Any]:
    """Run one cell, or of its statements those with the numbers to `keep`; what it shows, and the error that ended it
    if one did. IPython's magics are Python already."""
    source, seconds, file = request["source"], request["seconds"], f"<cell {request['cell']}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    with outputs.captured(output_bytes) as shown_so_far:
        try:
            with calling.time_limit(seconds):
                shown = execute(source, file, space, request.get("keep"))
                if shown is not None:
                    outputs.display(shown)
                outputs.show_figures()
        except BaseException as error:  # a cell may raise anything, SystemExit too
            return {"outcome": "raised", **describe(error, file, seconds), "outputs": shown_so_far.finish()}
    return {"outcome": "ran", "outputs": shown_so_far.finish()}


def execute(source: str, file: str, space: dict[str, Any], keep: list[int] | None = None) -> Any:
    """Execute a cell; the value of its last line if that is an expression, and does not end with a semicolon. Of a cell
    as a whole that is no Python nothing is kept."""
    tree = ast.parse(source, file)
    if keep is not None:
        compiled(tree, file)
        tree.body = [tree.body[number] for number in keep]
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr) or source.rstrip().endswith(";"):
        exec(compiled(tree, file), space)
        return None
    exec(compiled(ast.Module(tree.body[:-1], []), file), space)
    return eval(compiled(ast.Expression(last.value), file), space)


def compiled(tree: ast.Module | ast.Expression, file: str) -> types.CodeType:
    """The code of a tree, as a notebook compiles it: without what this file imports from the future."""
    kind = "exec" if isinstance(tree, ast.Module) else "eval"
    code: types.CodeType = compile(tree, file, kind, dont_inherit=True)
    return code


def describe(error: BaseException, file: str, seconds: float) -> dict[str, Any]:
    """An error's type, message and line in the cell."""
    if isinstance(error, calling.OutOfTime):
        return {"error": "OutOfTime", "message": f"the cell did not end within {seconds:g} s"}
    try:
        message = (str(error).strip().splitlines() or [""])[0][:MAX_MESSAGE]
    except BaseException:  # an error whose own text raises
        message = ""
    lines = [step.lineno for step in traceback.extract_tb(error.__traceback__) if step.filename == file]
    if isinstance(error, SyntaxError) and error.filename == file:
        lines.append(error.lineno)
    found: dict[str, Any] = {"error": type(error).__name__[:80], "message": message}
    return found | {"line": lines[-1]} if lines and type(lines[-1]) is int else found


class Shell:
    """What is left of IPython's shell: magics and shell commands do nothing (those that time or capture their code are
    taken off before it comes here)."""

    def nothing(self, *_: object, **__: object) -> None:
        """Stand in for every magic."""

    run_line_magic = run_cell_magic = system = getoutput = nothing


def warm_up() -> types.ModuleType:
    """Import once what every submission would. Returns a copy of what plays the calls that no import finds: a learner
    who changes `helpers.checking` changes another one."""
    for name in (*WARM, *OURS):
        importlib.import_module(name)
    sys.modules["IPython.display"].__dict__["display"] = outputs.display
    theirs = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("helpers.checking")}
    ours = importlib.import_module("helpers.checking.calling")
    for name in [name for name in sys.modules if name.startswith("helpers.checking")]:
        del sys.modules[name]
    sys.modules.update(theirs)
    sys.modules["helpers"].__dict__["checking"] = theirs["helpers.checking"]
    draw_once()
    call_once(ours)
    import_once([])
    return ours


def draw_once() -> None:
    """Draw a figure, so that fonts and formulas are loaded before the first learner's."""
    pyplot = sys.modules["matplotlib.pyplot"]
    figure, axes = pyplot.subplots()
    axes.plot([0, 1], label="$x^2$")
    axes.set_title("Title")
    axes.legend()
    outputs.picture(figure)
    pyplot.close("all")


def call_once(calling: types.ModuleType) -> None:
    """Play a call that is watched, so that what torch looks up for the first one is there."""
    name, numbers = "f", {"tensor": "float64", "shape": [2], "data": [0.5, 0.5]}
    rules = {"forbid": ["softmax"], "modules": [], "require": [], "kernel": False, "because": ""}
    for driver in ("call", "gradient"):
        call = {"function": name, "names": ["x"], "arguments": [numbers], "driver": driver}
        calling.perform({name: lambda x: (x.log() * x).sum()}, call, 60.0, rules)


if __name__ == "__main__":
    confined, control_file, *packages = sys.argv[1:]
    sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), *packages]
    import confine  # type: ignore[import-not-found]  # in the sandbox these three lie beside this file
    import large_pages  # type: ignore[import-not-found]  # as above
    import outputs  # type: ignore[import-not-found]  # as above

    if confined == "confined":
        confine.leave_root()
    calling = warm_up()
    serve(socket.socket(fileno=int(control_file)))
