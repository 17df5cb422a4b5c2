from __future__ import annotations

import json
import os
from itertools import pairwise

import pytest
import torch

if not torch.cuda.is_available():
    # Triton reads this when it is first imported, so it stands above that import.
    os.environ.setdefault("TRITON_INTERPRET", "1")

pytest.importorskip("triton", reason="Triton exists for Linux only")

from helpers.kernels import bench

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
ROWS, COLUMNS = 6, 37


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, COLUMNS, generator=generator).to(DEVICE).requires_grad_()
    targets = torch.randint(COLUMNS, (ROWS,), generator=generator).to(DEVICE)
    return x, targets, torch.randn(ROWS, COLUMNS, generator=generator).to(DEVICE)


def invented():
    """A result file whose numbers were made up to test how it is drawn."""
    rows = []
    for operation in bench.PASSES:
        for dtype in bench.DTYPES:
            for number, columns in enumerate((128, 32768)):
                case = bench.Case(operation, 1000, columns, dtype)
                for contender, microseconds in ((bench.COPY, 10.0), (bench.OURS, 20.0 + number)):
                    result = bench.summary([microseconds, microseconds + 1, microseconds + 2])
                    copy = bench.summary([10.0, 11.0, 12.0])
                    passes = 2 if contender == bench.COPY else bench.PASSES[operation]
                    about = {"operation": operation, "rows": 1000, "columns": columns, "dtype": dtype, "ok": True}
                    rows.append(about | {"contender": contender} | bench.rates(case, passes, result, copy))
    return {
        "schema": 1,
        "date": "2000-01-01T00:00:00+00:00",
        "machine": {"gpu": "an invented GPU"},
        "versions": {"torch": "0"},
        "peak_flops": 1e13,
        "measurements": rows,
    }


@pytest.mark.parametrize("operation", bench.PASSES)
def test_every_contender_is_right_and_a_wrong_one_is_found(operation, inputs):
    case = bench.Case(operation, ROWS, COLUMNS, "float32")
    functions = bench.contenders(case, *inputs)
    assert {bench.COPY, bench.OURS, "torch", "torch.compile"} <= set(functions)
    # torch.compile needs a C++ compiler on a CPU, and minutes.
    for name in set(functions) - {bench.COPY, "torch.compile"}:
        assert bench.check(case, name, functions[name], *inputs)["ok"], name
        once, twice = functions[name](), functions[name]()
        assert torch.equal(once, twice)
    right = functions[bench.OURS]()
    for wrong in (right + 1e-4, torch.zeros_like(right), right * float("nan")):
        assert bench.worst_error(case, wrong, *inputs) > 1
    assert bench.check(case, bench.COPY, functions[bench.COPY], *inputs) == {"ok": True}


@pytest.mark.parametrize("operation", bench.PASSES)
def test_the_judge_goes_through_all_rows_by_slices(operation, inputs, monkeypatch):
    case = bench.Case(operation, ROWS, COLUMNS, "float32")
    whole = torch.cat([answer.reshape(-1) for _, answer in bench.expected(case, *inputs)])
    monkeypatch.setattr(bench, "CHUNK", 4 * COLUMNS)
    pieces = torch.cat([answer.reshape(-1) for _, answer in bench.expected(case, *inputs)])
    torch.testing.assert_close(pieces, whole)


def test_contenders_take_turns_and_each_goes_first():
    calls = []

    def clock(name):
        calls.append(name)
        return float(len(calls))

    times = bench.take_turns(["a", "b", "c"], 6, clock)
    assert {name: len(values) for name, values in times.items()} == {"a": 6, "b": 6, "c": 6}
    rounds = [calls[i : i + 3] for i in range(0, 18, 3)]
    assert all(sorted(names) == ["a", "b", "c"] for names in rounds)
    assert all(first[0] != second[0] for first, second in pairwise(rounds))


def test_a_summary_is_median_and_quartiles():
    assert bench.summary([5, 1, 4, 2, 3]) == {"median_us": 3, "lower_us": 2, "upper_us": 4, "runs": 5}


def test_rates_count_the_bytes_that_must_move():
    case = bench.Case("log_softmax backward", 1000, 500, "bfloat16")
    result = bench.rates(case, 3, {"median_us": 3.0}, {"median_us": 2.0})
    assert result["bytes"] == 3 * 1000 * 500 * 2
    assert result["bytes_per_second"] == pytest.approx(3e6 / 3e-6)
    # Three tensors in 3 us are as fast as the copy's two in 2 us.
    assert result["fraction_of_copy"] == pytest.approx(1.0)


def test_one_contender_that_fails_does_not_stop_the_others(monkeypatch):
    def broken():
        raise RuntimeError("out of shared memory")

    def few(case, x, targets, upstream):
        plain = x.detach()
        right = torch.log_softmax(plain, -1)
        return {bench.COPY: plain.clone, "right": lambda: right, "wrong": lambda: plain, "broken": broken}

    monkeypatch.setattr(bench, "contenders", few)
    monkeypatch.setattr(bench, "gpu_clock", lambda functions, flush: lambda name: 7.0)
    case = bench.Case("log_softmax forward", ROWS, COLUMNS, "bfloat16")
    rows = {row["contender"]: row for row in bench.measure(case, DEVICE, 3, torch.ones(1))}
    assert rows["right"]["ok"]
    assert rows["right"]["median_us"] == 7.0
    assert rows["right"]["runs"] == 3
    assert rows["wrong"]["error_in_tolerances"] > 1
    assert "median_us" not in rows["wrong"]
    assert rows["broken"]["error"] == "RuntimeError: out of shared memory"
    text = [bench.line(row) for row in rows.values()]
    assert "100.0% of copy" in text[1]
    assert "WRONG" in text[2]
    assert "out of shared memory" in text[3]
    json.dumps(list(rows.values()))


def test_the_figures_show_the_numbers_of_the_file(tmp_path):
    results = invented()
    figures = bench.draw(results)
    bandwidth, roofline = figures["bandwidth"].axes, figures["roofline"].axes[0]
    drawn = {line.get_label(): line for line in bandwidth[0].containers}
    ours = drawn[bench.OURS].lines[0]
    assert list(ours.get_xdata()) == [128, 32768]
    assert ours.get_ydata()[0] == pytest.approx(2 * 1000 * 128 * 4 / 21e-6 / 1e12)
    roof = roofline.lines[0]
    assert max(roof.get_ydata()) == 1e13
    # Nothing we draw lies above the roof of this invented machine.
    slope = roof.get_ydata()[0] / roof.get_xdata()[0]
    points = [point for line in roofline.lines[1:] for point in zip(*line.get_data(), strict=True)]
    assert len(points) == 16
    assert all(flops <= slope * intensity for intensity, flops in points)

    file = tmp_path / "kernels-invented.json"
    bench.write(file, json.dumps(results))
    assert bench.main(["--redraw", str(file), "--figures", str(tmp_path / "drawn")]) == 0
    names = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert names == ["kernels-invented-bandwidth.svg", "kernels-invented-roofline.svg"]


@pytest.mark.parametrize("text", ["{", '{"schema": 2}', '{"schema": 1, "measurements": []}', None])
def test_a_file_that_is_no_measurement_is_refused(text, tmp_path, capsys):
    file = tmp_path / "kernels.json"
    if text is not None:
        file.write_text(text)
    assert bench.main(["--redraw", str(file)]) == 2
    assert str(file) in capsys.readouterr().err
    assert not list(tmp_path.glob("*.svg"))


def test_without_a_gpu_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert bench.main([]) == 2
    assert "needs an NVIDIA GPU" in capsys.readouterr().err


def test_under_the_interpreter_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(bench.triton.knobs.runtime, "interpret", True)
    assert bench.main([]) == 2
    assert "TRITON_INTERPRET" in capsys.readouterr().err


def test_the_command_line():
    options = bench.parse(["--shapes", "8x16,3x5", "--rounds", "4"])
    assert options.shapes == [(8, 16), (3, 5)]
    assert bench.parse([]).shapes[3] == (2048, 128256)


@pytest.mark.parametrize("arguments", [["--shapes", "8"], ["--shapes", "0x3"], ["--rounds", "1"]])
def test_a_wrong_command_line_is_refused(arguments):
    with pytest.raises(SystemExit) as refusal:
        bench.parse(arguments)
    assert refusal.value.code == 2
