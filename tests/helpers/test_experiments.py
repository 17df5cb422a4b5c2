"""The experiments of notebook 07: problems, methods, the script that can be resumed, the results that are shipped."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from schedulefree import SGDScheduleFree
from torch import Tensor

from helpers.experiments import methods, problems, report, run
from helpers.experiments.run import Job, play


class TestProblems:
    def test_the_bowl_has_its_condition_number_in_axes_that_are_not_its_own(self):
        bowl = problems.bowl(0)
        (start,) = bowl.start(0)
        loss = bowl.draw(torch.Generator())
        hessian = torch.autograd.functional.hessian(lambda w: loss([w.reshape(8, 8)]), start.reshape(-1))
        eigenvalues = torch.linalg.eigvalsh(hessian)
        assert (eigenvalues[-1] / eigenvalues[0]).item() == pytest.approx(1000)
        assert hessian.fill_diagonal_(0).abs().max() > 0.05
        assert bowl.score([start])["loss"] == pytest.approx(1)
        assert not torch.equal(start, problems.bowl(1).start(1)[0])

    def test_untrained_models_pay_about_the_logarithm_of_what_they_choose_from(self):
        for name, size in (("characters", problems.characters()[2]), ("words", problems.words()[1])):
            problem = problems.PROBLEMS[name](0)
            assert problem.score(problem.start(0))["loss"] == pytest.approx(math.log(size), abs=0.1)

    def test_a_seed_decides_parameters_and_batches(self):
        problem = problems.character_model()
        one, again, other = (problem.start(seed) for seed in (0, 0, 1))
        assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
        assert not torch.equal(one[0], other[0])
        losses = [problem.draw(torch.Generator().manual_seed(seed))(one).item() for seed in (0, 0, 1)]
        assert losses[0] == losses[1] != losses[2]

    def test_held_out_text_is_not_trained_on(self):
        train, held_out, size = problems.characters()
        assert len(held_out) == pytest.approx(len(train) / 9, rel=0.01)
        assert int(train.max()) < size

    def test_groups_of_words_are_fifths_from_frequent_to_rare(self):
        codes, size = problems.words()
        counts = torch.bincount(codes, minlength=size)
        assert torch.equal(counts, counts.sort(descending=True).values)
        groups = problems.word_groups()
        shares = torch.tensor([counts[groups == k].sum() for k in range(problems.GROUPS)]) / len(codes)
        assert ((shares - 0.2).abs() < 0.02).all()
        assert torch.equal(groups, groups.sort().values)


class TestMethods:
    @pytest.mark.parametrize("name", methods.METHODS)
    def test_each_goes_downhill_at_its_price(self, name: str):
        asked = []

        def loss(params: list[Tensor]) -> Tensor:
            asked.append(1)
            return sum((p**2).sum() for p in params) + torch.zeros(())

        params = [torch.ones(3, 2), torch.ones(2)]
        method = methods.METHODS[name](list(params), [True, False])
        for _ in range(40):
            method.step(loss, 0.02)
        assert len(asked) == 40 * method.cost
        assert loss(method.result()) < 0.8 * loss(params)

    def test_bytes_of_state_are_those_of_the_published_optimisers(self):
        def held(optimiser: torch.optim.Optimizer, layer: Tensor) -> int:
            layer.grad = torch.ones_like(layer)
            optimiser.step()
            return sum(s.nbytes for s in optimiser.state[layer].values() if s.numel() > 1) // layer.numel()

        layer = torch.nn.Parameter(torch.ones(4, 4))
        free = SGDScheduleFree([layer], momentum=0.9)
        free.train()
        published = {
            "SGD with momentum": torch.optim.SGD([layer], momentum=0.9),
            "AdamW": torch.optim.AdamW([layer]),
            "Muon": torch.optim.Muon([layer]),
            "Schedule-Free": free,
        }
        for name, optimiser in published.items():
            assert held(optimiser, layer) == int(methods.METHODS[name].state_bytes[0]), name

    def test_muon_is_torchs_with_rms_of_adam(self):
        weight = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
        grad = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
        method = methods.Muon([weight], [True])
        method.t = 1
        ours, *_ = method.update(0, weight, grad, 0.1)
        parameter = weight.clone().requires_grad_()
        optimiser = torch.optim.Muon([parameter], lr=0.1, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
        parameter.grad = grad.clone()
        optimiser.step()
        torch.testing.assert_close(ours, parameter.detach(), rtol=0, atol=0.01)  # torch iterates in bfloat16

    def test_rates_climb_and_fall_or_stay(self):
        params = [torch.ones(1)]
        cosine, constant = methods.Adam(params, [False]), methods.ScheduleFree(params, [False])
        assert [round(cosine.rate(x), 3) for x in (0.05, 0.1, 0.55, 1)] == [0.5, 1, 0.5, 0]
        assert [constant.rate(x) for x in (0.05, 0.1, 1)] == [0.5, 1, 1]


class TestScript:
    @pytest.fixture
    def small(self, monkeypatch: pytest.MonkeyPatch) -> list[Job]:
        """Few and short runs, in this process; the list holds those that were played."""
        played: list[Job] = []

        def serial(jobs, runs, workers, words):
            for job in [job for job in jobs if job.key not in runs]:
                if len(played) == self.stop:
                    raise KeyboardInterrupt
                played.append(job)
                yield job, play(job)

        monkeypatch.setattr(run, "BUDGETS", {"bowl": 6, "characters": 4, "words": 2})
        monkeypatch.setattr(run, "COMPARED", {"bowl": ["Lion", "SAM"], "characters": ["AdamW"]})
        monkeypatch.setattr(run, "RATES", [0.01, 1e30])
        monkeypatch.setattr(run, "finished", serial)
        return played

    stop = -1

    def test_a_stopped_script_goes_on_where_it_was(self, small: list[Job], tmp_path: Path):
        file = tmp_path / "results.json"
        self.stop = 5
        with pytest.raises(KeyboardInterrupt):
            run.main(["--file", str(file)])
        assert len(json.loads(file.read_text())["runs"]) == 5
        self.stop = -1
        assert run.main(["--file", str(file)]) == 0
        assert len({job.key for job in small}) == len(small), "something was played twice"
        found = run.load(file)
        assert set(found["runs"]) == {job.key for job in small}
        assert len(found["runs"]) == 12 + 15 + 15
        assert found["runs"]["characters | AdamW | 1e+30 | seed 100"] is None  # it diverged
        assert run.best_rate(found["runs"], "bowl", "SAM") == 0.01
        assert [path.name for path in tmp_path.iterdir()] == ["results.json"]

    def test_other_settings_and_other_files_are_refused(self, small: list[Job], tmp_path: Path, capsys):
        file = tmp_path / "results.json"
        file.write_text("{}")
        assert run.main(["--file", str(file)]) == 1
        assert "holds no results" in capsys.readouterr().err
        file.write_text(run.FILE.read_text())
        assert run.main(["--file", str(file)]) == 1
        assert "other settings" in capsys.readouterr().err
        assert run.main(["--file", str(file), "--fresh"]) == 0
        assert len(run.load(file)["runs"]) == 42

    def test_processes_of_their_own_play_what_is_left(self):
        jobs = [Job("bowl", "Lion", 0.01, seed) for seed in (0, 1)]
        done = dict(run.finished(jobs, {jobs[0].key: None}, 1, "testing"))
        assert done == {jobs[1]: play(jobs[1])}

    def test_schedules(self):
        stable, decayed = run.SCHEDULES[1], run.SCHEDULES[0]
        assert [run.multiple(stable, x, 0.3) for x in (0.05, 0.5, 1.0)] == [0.5, 1.0, 1.0]
        assert [round(run.multiple(decayed, x, 0.3), 3) for x in (0.05, 0.8, 0.9, 1.0)] == [0.5, 1.0, 0.5, 0.0]
        assert run.multiple("", 0.5, 0.3) == 0.3


class TestShippedResults:
    def test_they_are_whole_and_made_with_these_settings(self):
        found = run.load()
        assert found["settings"] == json.loads(json.dumps(run.settings()))
        wanted = {job.key for job in [*run.tuning_jobs(), *run.final_jobs(found["runs"])]}
        assert set(found["runs"]) == wanted
        assert found["machine"]
        assert found["date"]
        assert f"{len(wanted)} runs on {found['date']}" in report.provenance()

    @pytest.mark.parametrize("name", methods.METHODS)
    def test_a_run_on_the_bowl_comes_out_the_same(self, name: str):
        job = Job("bowl", name, 0.01, 0 if report.rate_of("bowl", name) == 0.01 else 100)
        again, shipped = play(job), report.runs()[job.key]
        assert again is not None
        assert again["loss"] == pytest.approx(shipped["loss"], rel=1e-3)

    def test_a_run_on_the_characters_comes_out_nearly_the_same(self):
        job = Job("characters", "SGD with momentum", 0.01, 100)
        again = play(job)
        assert again is not None
        assert again["loss"] == pytest.approx(report.runs()[job.key]["loss"], abs=0.03)

    def test_every_method_had_the_same_trials_and_its_best_is_not_at_the_edge(self):
        for problem, names in run.COMPARED.items():
            for name in names:
                assert len(report.tuning("characters", name) if problem == "characters" else run.RATES) == 12
        for name in methods.METHODS:
            assert report.rate_of("characters", name) not in (run.RATES[0], run.RATES[-1]), name
        assert not set(run.TUNING) & set(run.FINAL)
