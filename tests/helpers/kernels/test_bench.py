from __future__ import annotations

import json
import os
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

if not torch.cuda.is_available():
    # Triton reads this when it is first imported, so it stands above that import.
    os.environ.setdefault("TRITON_INTERPRET", "1")

pytest.importorskip("triton", reason="Triton exists for Linux only")

from helpers.compiling import compile_kernel
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
                scale = columns * bench.DTYPES[dtype].itemsize / 512  # every copy has the same bandwidth
                for contender, microseconds in ((bench.COPY, 10.0 * scale), (bench.OURS, (20.0 + number) * scale)):
                    result = bench.summary([microseconds, microseconds + 1, microseconds + 2])
                    roof = bench.summary([10.0, 11.0, 12.0])
                    passes = 2 if contender == bench.COPY else bench.PASSES[operation]
                    about = {"operation": operation, "rows": 1000, "columns": columns, "dtype": dtype, "ok": True}
                    rows.append(about | {"contender": contender} | bench.rates(case, passes, result, roof))
    return {
        "schema": bench.SCHEMA,
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
    for name in set(functions) - {*bench.ROOFS, "torch.compile", "torch.compile, autotuned"}:
        assert bench.check(case, name, functions[name], *inputs)["ok"], name
        once, twice = functions[name](), functions[name]()
        assert torch.equal(once, twice)
    right = functions[bench.OURS]()
    for wrong in (right + 1e-4, torch.zeros_like(right), right * float("nan")):
        assert bench.worst_error(case, wrong, *inputs) > 1
    for roof in bench.ROOFS:
        assert bench.check(case, roof, functions[roof], *inputs) == {"ok": True}
    assert bench.check(case, bench.READ, lambda: functions[bench.READ]() + 1e-3, *inputs) == {"ok": False}


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
    assert {names[0] for names in rounds} == {"a", "b", "c"}
    before_a = {first for first, second in pairwise(calls) if second == "a"}
    assert before_a == {"b", "c"}


def test_a_summary_is_median_and_quartiles():
    assert bench.summary([5, 1, 4, 2, 3]) == {"median_us": 3, "lower_us": 2, "upper_us": 4, "runs": 5}


def test_rates_count_the_bytes_that_must_move():
    case = bench.Case("log_softmax backward", 1000, 500, "bfloat16")
    times = {bench.COPY: {"median_us": 2.0}, bench.READ: {"median_us": 0.5}}
    result = bench.rates(case, 3, {"median_us": 3.0}, bench.roof_of(3, times))
    assert result["bytes"] == 3 * 1000 * 500 * 2
    assert result["bytes_per_second"] == pytest.approx(3e6 / 3e-6)
    # Three tensors in 3 us are as fast as the copy's two in 2 us.
    assert result["fraction_of_roof"] == pytest.approx(1.0)
    # What reads once is held against a read, where there is one.
    assert bench.rates(case, 1, {"median_us": 1.0}, bench.roof_of(1, times))["fraction_of_roof"] == 0.5
    del times[bench.READ]
    assert bench.rates(case, 1, {"median_us": 1.0}, bench.roof_of(1, times))["fraction_of_roof"] == 1.0


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
    assert "100.0% of the roof" in text[1]
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


@pytest.mark.parametrize("text", ["{", '{"schema": 1}', '{"schema": 2, "measurements": []}', "[]", None])
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
    options = bench.parse(["--columns", "16,5", "--rounds", "4", "--operations", "log_softmax forward"])
    assert (options.columns, options.operations) == ([16, 5], ["log_softmax forward"])
    assert bench.parse([]).columns[-1] == 128256
    assert bench.parse([]).operations == list(bench.PASSES)


@pytest.mark.parametrize(
    "arguments", [["--columns", "8x3"], ["--columns", "0"], ["--rounds", "1"], ["--operations", "softmax"]]
)
def test_a_wrong_command_line_is_refused(arguments):
    with pytest.raises(SystemExit) as refusal:
        bench.parse(arguments)
    assert refusal.value.code == 2


@pytest.mark.parametrize("block", [128, 1024, 4096, 32768, 131072])
def test_programs_that_stay_fill_the_registers_of_every_multiprocessor(block):
    warps, programs = bench.resident(block, 132)
    assert programs * warps * 32 * 64 == 132 * 65536
    assert block <= warps * 32 * 32 or warps == 32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_pipelined_contender_does_not_spill(dtype):
    warps, _ = bench.resident(1024, 132)
    x = torch.empty(0, dtype=dtype)
    made = compile_kernel(bench.pipelined_forward, x, x, 4096, 1024, 1024, num_warps=warps, maxnreg=64)
    assert made.spills == 0
    assert made.registers <= 64
    assert made.shared_bytes >= 1024 * x.element_size()  # the next row is on its way


@pytest.mark.parametrize("columns", bench.parse([]).columns)
@pytest.mark.parametrize("dtype", bench.DTYPES)
def test_a_tensor_fills_a_gibibyte_at_every_width(columns, dtype):
    row = columns * bench.DTYPES[dtype].itemsize
    assert 2**30 <= bench.rows_for(columns, dtype) * row < 2**30 + row


class Event:
    """A torch.cuda.Event where there is no GPU: all that was asked for is done at once, in 5 us."""

    def __init__(self, enable_timing):
        assert enable_timing

    def record(self):
        pass

    def synchronize(self):
        pass

    def query(self):
        return False

    def elapsed_time(self, end):
        return 5e-3


@pytest.fixture
def no_gpu(monkeypatch):
    """What `run` asks of CUDA, played by a CPU; and everything small."""
    gpu = SimpleNamespace(name="a CPU in disguise", multi_processor_count=4, L2_cache_size=16, total_memory=2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: gpu)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: gpu.name)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "_sleep", lambda cycles: None)
    compile_ = torch.compile  # whose own backend needs a C++ compiler on a CPU, and minutes
    monkeypatch.setattr(torch, "compile", lambda function, **options: compile_(function, backend="aot_eager"))
    for name, small in {"FLUSHED": 16, "PRODUCT": 8, "TENSOR_BYTES": 200}.items():
        monkeypatch.setattr(bench, name, small)


ARGUMENTS = ["--rounds", "2", "--columns", "7"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU runs the whole")
def test_run_measures_every_contender_of_every_case(no_gpu, tmp_path):
    output = tmp_path / "kernels.json"
    results = bench.run(bench.parse(ARGUMENTS), output, device="cpu")
    assert json.loads(output.read_text()) == json.loads(json.dumps(results))
    rows = results["measurements"]
    wrong = [bench.line(row) for row in rows if not row["ok"]]
    assert not wrong
    assert {(row["operation"], row["dtype"]) for row in rows} == {(o, d) for o in bench.PASSES for d in bench.DTYPES}
    assert all(row["median_us"] == pytest.approx(5.0) and row["runs"] == 2 for row in rows)
    names = {row["contender"] for row in rows if row["operation"] == "log_softmax forward"}
    compiled = {"torch.compile", "torch.compile, autotuned"}
    assert names == {*bench.ROOFS, bench.OURS, "torch", *compiled, "one block", "pipelined"}
    assert set(bench.draw(results)) == {"bandwidth", "roofline"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU runs the whole")
def test_what_was_measured_stays_when_a_later_case_ends_the_run(no_gpu, tmp_path, monkeypatch):
    output, measure = tmp_path / "kernels.json", bench.measure

    def until(case, *rest):
        if case.columns == 9:
            raise KeyboardInterrupt
        return measure(case, *rest)

    monkeypatch.setattr(bench, "measure", until)
    some = ["--rounds", "2", "--operations", "cross_entropy forward", "--columns"]
    with pytest.raises(KeyboardInterrupt):
        bench.run(bench.parse([*some, "7,9"]), output, device="cpu")
    first = json.loads(output.read_text())
    assert {row["columns"] for row in first["measurements"]} == {7}

    monkeypatch.setattr(bench, "measure", measure)
    again = bench.run(bench.parse([*some, "9,7"]), output, bench.earlier(output), device="cpu")
    assert len(again["measurements"]) == 2 * len(first["measurements"])
    assert {row["columns"] for row in again["measurements"]} == {7, 9}
    other = again | {"versions": again["versions"] | {"torch": "0"}}
    assert bench.merged(other, first) == first


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU runs the whole")
def test_main_writes_the_file_and_the_figures_and_leaves_a_strange_file_alone(no_gpu, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "obstacle", lambda: None)
    run = bench.run
    monkeypatch.setattr(bench, "run", lambda options, output, before: run(options, output, before, "cpu"))
    output = tmp_path / "kernels.json"
    arguments = [*ARGUMENTS, "--operations", "log_softmax forward", "--output", str(output)]
    assert bench.main(arguments) == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["kernels-bandwidth.svg", "kernels-roofline.svg", "kernels.json"]
    output.write_text("not a result")
    assert bench.main(arguments) == 2
    assert "--output" in capsys.readouterr().err
    assert output.read_text() == "not a result"


def test_the_gpu_sleeps_longer_until_the_launch_is_prepared_in_time(monkeypatch):
    slept, woken = [], [True, True, False]

    class Early(Event):
        def query(self):
            return woken.pop(0)

    monkeypatch.setattr(torch.cuda, "Event", Early)
    monkeypatch.setattr(torch.cuda, "_sleep", slept.append)
    ran = []
    clock = bench.gpu_clock({"slow to launch": lambda: ran.append(1)}, torch.ones(4))
    assert clock("slow to launch") == pytest.approx(5.0)
    assert slept == [bench.SLEEP_CYCLES * factor for factor in (1, 2, 4)]
    assert len(ran) == 3


def test_the_driver_is_told_where_nvidia_smi_is(monkeypatch):
    said = SimpleNamespace(stdout="1.2.3, 1980 MHz, 2619 MHz, 700.00 W\n")
    monkeypatch.setattr(bench.subprocess, "run", lambda *_, **__: said)
    assert bench.driver()["driver_version"] == "1.2.3"
    assert bench.driver()["power.limit"] == "700.00 W"

    def missing(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(bench.subprocess, "run", missing)
    assert bench.driver() == {}
