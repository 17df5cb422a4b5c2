"""Processes and threads that an answer starts."""

import os
import sys
import threading
from unittest import mock

import pytest
from tqdm import tqdm

from helpers.checking import calling, started

RULES = {"forbid": ["softmax"], "modules": [], "require": [], "kernel": False, "because": ""}
CALL = {"function": "f", "names": [], "arguments": []}


def outcome(function, rules=RULES):
    return calling.perform({"f": function}, CALL, 10.0, rules)


def a_thread():
    threading.Thread(target=int).start()
    return 1


def a_process():
    if (child := os.fork()) == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return 1


def a_bar():
    with open(os.devnull, "w") as nowhere:
        return sum(1 for _ in tqdm([1], file=nowhere))


@pytest.mark.parametrize("answer", [a_thread, a_process])
def test_what_an_answer_starts_is_refused_where_it_has_rules(answer):
    assert outcome(answer)["message"] == started.STARTS
    assert outcome(answer, None)["outcome"] == "returned"
    assert outcome(lambda: 1)["outcome"] == "returned"


def test_a_bar_of_progress_costs_nothing_and_has_no_thread():
    before, interval = threading.active_count(), tqdm.monitor_interval
    assert outcome(a_bar)["outcome"] == "returned"
    assert threading.active_count() == before
    assert tqdm.monitor_interval == interval


def test_the_thread_of_bars_of_ones_own_is_refused():
    class Bar(tqdm):
        monitor, monitor_interval = None, 1

    def answer():
        with open(os.devnull, "w") as nowhere:
            return sum(1 for _ in Bar([1], file=nowhere))

    try:
        assert outcome(answer)["message"] == started.STARTS
    finally:
        if Bar.monitor is not None:
            Bar.monitor.exit()


@pytest.mark.parametrize(
    ("file", "looked_through"),
    [("threading.py", True), ("asyncio/events.py", True), ("site-packages/torch/hub.py", False), ("../mine.py", False)],
)
def test_pythons_own_library_is_looked_through_wherever_it_lies(file, looked_through, monkeypatch):
    for folder in (started.STANDARD, "/opt/all-packages/lib/python3.11"):
        monkeypatch.setattr(started, "STANDARD", folder)
        assert started.is_looked_through(os.path.normpath(os.path.join(folder, file))) == looked_through


def test_a_librarys_file_is_known_by_either_separator(monkeypatch):
    frame = mock.Mock()
    frame.f_code.co_filename = r"C:\course\site-packages\torch\_inductor\codecache.py"
    monkeypatch.setattr(os, "sep", "\\")
    assert started.is_theirs(frame)


@pytest.mark.parametrize("sandboxed", [True, False])
def test_in_the_sandbox_what_was_started_before_counts(sandboxed, monkeypatch):
    """A thread might wait for the call there."""
    if sandboxed:
        monkeypatch.setitem(sys.modules, started.WORKER, started)
    a_thread()
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        first = outcome(lambda: 1)["outcome"]
        a_thread()
        os.write(writing, f"{first} {outcome(lambda: 1)['outcome']}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == (b"returned refused" if sandboxed else b"returned returned")


def test_what_others_start_during_a_call_is_not_the_answers():
    begin, begun = threading.Event(), threading.Event()

    def another():
        begin.wait(10)
        a_thread()
        begun.set()

    threading.Thread(target=another).start()
    assert outcome(lambda: (begin.set(), begun.wait(10), 1)[2])["outcome"] == "returned"
