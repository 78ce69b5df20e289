"""The tuning of a baseline as a source of jobs, driven by hand; its record, its words, and what comes after it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from automl.commands.search_source import Budget, SearchSource
from automl.commands.status import screen, summary
from automl.commands.tuning import TuningSource
from automl.data.store.log import EncodedLog
from automl.runtime.jobs import Done, Job, Outcome, TrainModel, Wait
from automl.stats.significance import one_sided
from automl.study.history import Failure
from automl.study.problem import Problem
from automl.study.record import Study
from automl.study.storage import open_study
from automl.study.tuning import TuningPlan, decided
from search_spaces.model import ModelSpec
from search_spaces.source import read_text
from search_spaces.space import Candidate, load_space
from tests.worlds.studies import HUMAN, INPUTS, add_baseline, measured, small_space, study_config, study_facts

PLAN = TuningPlan.of(16)


def problem_in(folder: Path) -> Problem:
    windows, times_n = {"train": slice(0, 10_000)}, np.arange(10_000)
    log = SimpleNamespace(folder=folder / "log", windows=windows, times_N=times_n, inputs=INPUTS, primary=0)
    return Problem(
        file=folder / "study.yaml",
        folder=folder,
        document=read_text("{}", "study.yaml"),
        config=study_config(),
        space=small_space(),
        baseline=HUMAN,
        log=cast(EncodedLog, log),
    )


def fresh(folder: Path) -> Study:
    study = open_study(folder, "ads", small_space())
    if not study.started:
        study.note(study_facts(tune_baseline=16))
    return study


def payload(job: Job) -> TrainModel:
    assert isinstance(job.payload, TrainModel)
    return job.payload


def valley(job: Job) -> Outcome:
    """Lowest at .08 and .003, a little different on each order."""
    asked = payload(job)
    model = ModelSpec.from_tree(asked.model)
    far = math.log(model.embedding.lr / 0.08) ** 2 + math.log(model.train.dense_lr / 3e-3) ** 2
    luck = (asked.weights_seed % 1000) / 1e7 + (asked.order_seed % 1000) / 1e6
    found = measured(Candidate({}, model), ne=0.88 + 0.005 * far + luck)
    return Outcome(measurement=found, started_at=1.0, ended_at=2.0, cpu_seconds=1.0)


def play(source: TuningSource, *, workers: int = 2, until: int = 1000) -> list[str]:
    """What the engine does; stops dead after `until` have ended, as a killed driver does."""
    out: list[Job] = []
    ended: list[str] = []
    while len(ended) < until:
        job = source.next(len(out))
        if isinstance(job, Job):
            out.append(job)
        elif not out:
            assert isinstance(job, Done)
            break
        if len(out) > workers or not isinstance(job, Job):
            oldest = out.pop(0)
            source.ended(oldest, valley(oldest))
            ended.append(oldest.name)
    return ended


def test_the_plan_is_worked_off_and_the_best_is_trained_again(tmp_path: Path) -> None:
    study = fresh(tmp_path)
    names = play(TuningSource(problem_in(tmp_path), study, PLAN))
    assert names[:10] == [f"tune-{number}-0" for number in range(10)]
    assert len(names) == 16
    assert [name for name in names if name.startswith("tune-0-")] == ["tune-0-0", "tune-0-1", "tune-0-2"]
    assert {trial.seeds["repeat"] for trial in study.baselines.tunings} == {0, 1, 2}
    assert decided(study.baselines.tunings, PLAN, one_sided) != HUMAN


def test_a_wave_waits_for_the_one_before(tmp_path: Path) -> None:
    source = TuningSource(problem_in(tmp_path), fresh(tmp_path), PLAN)
    jobs = [source.next(running) for running in range(8)]
    assert all(isinstance(job, Job) for job in jobs)
    assert source.next(8) == Wait()


@pytest.mark.parametrize("workers", [1, 5])
def test_whatever_is_killed_in_between_the_tuned_model_is_the_same(tmp_path: Path, workers: int) -> None:
    whole = fresh(tmp_path / "whole")
    play(TuningSource(problem_in(tmp_path), whole, PLAN))
    for until in (3, 5, 4):
        play(TuningSource(problem_in(tmp_path), fresh(tmp_path / "cut"), PLAN), workers=workers, until=until)
    play(TuningSource(problem_in(tmp_path), fresh(tmp_path / "cut"), PLAN), workers=workers)
    cut = fresh(tmp_path / "cut")

    def found(study: Study) -> list[tuple[int, int, str, float]]:
        return sorted(
            (t.number, t.seeds["repeat"], t.candidate.key, t.measurement.ne)
            for t in study.baselines.tunings
            if t.measurement
        )

    assert found(cut) == found(whole)
    assert decided(cut.baselines.tunings, PLAN, one_sided) == decided(whole.baselines.tunings, PLAN, one_sided)


def test_orders_are_none_of_the_search_or_the_finals(tmp_path: Path) -> None:
    study = fresh(tmp_path)
    play(TuningSource(problem_in(tmp_path), study, PLAN))
    again = [trial for trial in study.baselines.tunings if trial.seeds["repeat"] == 1]
    assert len({trial.seeds["order"] for trial in again}) == 1, "a repeat is one order for all"
    assert len({trial.seeds["weights"] for trial in again}) == 1, "and what is drawn"


def test_a_baseline_that_fails_ends_it(tmp_path: Path) -> None:
    source = TuningSource(problem_in(tmp_path), fresh(tmp_path), PLAN)
    first, second = source.next(0), source.next(1)
    assert isinstance(first, Job)
    assert isinstance(second, Job)
    source.ended(first, Outcome(failure=Failure("timeout", "took too long")))
    assert source.broken == "the baseline must train, but it failed: timeout: took too long"
    assert source.next(1) == Done()
    source.ended(second, valley(second))


def test_another_model_that_fails_is_recorded_and_passed_over(tmp_path: Path) -> None:
    study = fresh(tmp_path)
    source = TuningSource(problem_in(tmp_path), study, PLAN)
    jobs = [source.next(running) for running in range(2)]
    assert isinstance(jobs[1], Job)
    source.ended(jobs[1], Outcome(failure=Failure("diverged", "NE is not a number")))
    (trial,) = study.baselines.tunings
    assert (trial.number, trial.failure) == (1, Failure("diverged", "NE is not a number"))


def test_all_that_follows_is_against_the_tuned_model(tmp_path: Path) -> None:
    tuned = replace(HUMAN, train=replace(HUMAN.train, dense_lr=3e-3))
    problem = problem_in(tmp_path)
    assert problem.against(None) is problem
    assert problem.against(HUMAN) is problem
    against = problem.against(tuned)
    assert (against.baseline, against.brought) == (tuned, HUMAN)
    source = SearchSource(against, fresh(tmp_path), Budget(trials=1), workers=1)
    job = source.next(0)
    assert isinstance(job, Job)
    assert ModelSpec.from_tree(payload(job).model) == tuned
    timing = payload(job).timing
    assert timing is not None
    assert ModelSpec.from_tree(timing.reference) == tuned
    source.close()


def test_the_screen_tells_of_it_at_every_stage(tmp_path: Path) -> None:
    study = fresh(tmp_path)
    play(TuningSource(problem_in(tmp_path), study, PLAN), until=4)
    told = screen(tmp_path, study).splitlines()[2:]
    assert told == ["baseline: its training is being tuned, 4 of at most 16 trainings; no trial yet"]
    play(TuningSource(problem_in(tmp_path), study, PLAN))
    tuned = decided(study.baselines.tunings, PLAN, one_sided)
    study.note(replace(study.facts, tuned=tuned))
    line, then = screen(tmp_path, study).splitlines()[2:]
    assert line.startswith("baseline   as brought NE 0.89")
    assert "embedding lr 0.02 → " in line
    assert then == "baseline: 0 of 2 seeds trained; no trial yet"
    add_baseline(study)
    study.note(study_facts(tune_baseline=16, tuned=tuned))
    assert summary(study).splitlines()[0] == line
    study.note(replace(study.facts, tuned=HUMAN))
    assert summary(study).splitlines()[0] == "baseline   stays as brought: of 16 trainings none beats it beyond noise"


def test_an_edited_space_takes_the_tuning_along(tmp_path: Path) -> None:
    study = fresh(tmp_path)
    play(TuningSource(problem_in(tmp_path), study, PLAN))
    study.note(replace(study.facts, tuned=decided(study.baselines.tunings, PLAN, one_sided)))
    edited = open_study(tmp_path, "ads", load_space("dhen-small", INPUTS))
    assert edited.tuning() == study.tuning()
    assert edited.baselines.tunings == study.baselines.tunings
