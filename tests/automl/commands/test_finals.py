"""The finals' jobs: who is trained on which order, and what becomes of those that fail."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from automl.commands import finals, judge, repeats
from automl.commands.finals import failed_lines, race, run_finals
from automl.commands.judge import Trained, confirmed_gains
from automl.commands.repeats import (
    BASELINE,
    CONFIRM,
    FINAL,
    Failed,
    RepeatsSource,
    days_of_test,
    later_days,
    scored_window,
)
from automl.commands.search import prepare
from automl.data.describe.split import SplitConfig
from automl.data.describe.tables import DataConfig
from automl.data.store.log import EncodedLog
from automl.runtime.errors import RunError
from automl.runtime.jobs import Done, Job, Outcome, Progress, TrainModel
from automl.runtime.work import save_predictions
from automl.stats.seeds import trial_seeds
from automl.stats.spending import level_of
from automl.study.family import ledger_file
from automl.study.history import Failure, Origin, Proposal, Speed
from automl.study.problem import Problem
from automl.study.record import Study
from automl.study.results import Finals, read_finals, write_finals
from automl.study.storage import load_started, open_study
from search_spaces.errors import InputError
from search_spaces.model import ModelSpec
from tests.worlds.judged import JUDGED_STUDY
from tests.worlds.report_studies import make_finals, rich_history
from tests.worlds.studies import begun_study, candidates, complete, parked, stopped, study_facts

Floats = NDArray[np.float64]


def source_of(problem: Problem, log: EncodedLog, out: Path, seeds: int = 2) -> RepeatsSource:
    model = candidates(1, space=problem.space)[0].model
    return RepeatsSource(replace(problem, folder=out), log, {BASELINE: problem.baseline, "7": model}, seeds)


def asked(job: Job) -> TrainModel:
    assert isinstance(job.payload, TrainModel)
    return job.payload


def all_jobs(source: RepeatsSource) -> list[Job]:
    jobs = []
    while isinstance(job := source.next(0), Job):
        jobs.append(job)
    assert job == Done()
    return jobs


def finish(source: RepeatsSource, job: Job, value: float) -> None:
    file = asked(job).predictions
    assert file is not None
    save_predictions(Path(file), np.full(4, value), asked(job).predictions_name)
    source.ended(job, Outcome())


def test_every_model_meets_every_seed_of_the_finals(problem: Problem, log: EncodedLog, tmp_path: Path) -> None:
    source = source_of(problem, log, tmp_path)
    assert source.waiting == 4
    jobs = all_jobs(source)
    assert [job.name for job in jobs] == ["final-baseline-0", "final-7-0", "final-baseline-1", "final-7-1"]
    for job in jobs:
        assert (asked(job).train, asked(job).score, asked(job).timing, asked(job).stops) == (
            ("train", "validate"),
            "test",
            None,
            (),
        )
        assert asked(job).log == str(log.folder)
        assert job.limits.timeout_s == 20.0
    assert asked(jobs[0]).order_seed == asked(jobs[1]).order_seed != asked(jobs[2]).order_seed, (
        "paired in what they see"
    )
    weights = [asked(job).weights_seed for job in jobs]
    assert weights[0] == weights[1] != weights[2] == weights[3], "and in what they draw"
    searched = {trial_seeds(5, repeat)["weights"] for repeat in range(20)}
    assert not searched & {asked(job).weights_seed for job in jobs}, "the lucky seed is not drawn again"
    assert FINAL.first_order >= 20
    assert source.keep_going(jobs[0], Progress(share=0.5, curve=(), qps_ratio=None))


def test_what_was_trained_is_not_trained_again(problem: Problem, log: EncodedLog, tmp_path: Path) -> None:
    source = source_of(problem, log, tmp_path)
    told = [0]

    def count() -> None:
        told[0] += 1

    source.told = count
    for value, job in enumerate(all_jobs(source)[:3]):
        finish(source, job, 0.1 * (value + 1))
    assert told == [3]
    assert source.describe()[:2] == (3, 4)
    again = source_of(problem, log, tmp_path, seeds=3)
    left = all_jobs(again)
    assert [job.name for job in left] == ["final-7-1", "final-baseline-2", "final-7-2"]
    for job in left:
        finish(again, job, 0.9)
    found = again.whole()
    assert again.failed == {}
    assert {name: rows.shape for name, rows in found.items()} == {BASELINE: (3, 4), "7": (3, 4)}
    assert found[BASELINE][:, 0] == pytest.approx([0.1, 0.3, 0.9])
    assert found["7"][:, 0] == pytest.approx([0.2, 0.9, 0.9])
    assert source_of(problem, log, tmp_path, seeds=3).waiting == 0


def exchanged(one: Path, other: Path) -> list[Path]:
    held = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(held)
    return [one, other]


def cut(one: Path, other: Path) -> list[Path]:
    one.write_bytes(one.read_bytes()[:-16])
    other.write_bytes(b"")
    return [one, other]


def plain(one: Path, other: Path) -> list[Path]:
    np.save(other, np.full(4, 0.4))
    return [other]


@pytest.mark.parametrize("damage", [exchanged, cut, plain])
def test_predictions_that_are_not_what_was_written_are_made_anew(
    problem: Problem, log: EncodedLog, tmp_path: Path, damage: Callable[[Path, Path], list[Path]]
) -> None:
    source = source_of(problem, log, tmp_path)
    assert source.anew == ()
    jobs = all_jobs(source)
    for value, job in enumerate(jobs):
        finish(source, job, 0.1 * (value + 1))
    files = [Path(str(asked(job).predictions)) for job in jobs]
    expected = source.whole()
    wrong = damage(files[0], files[1])
    with pytest.raises(RunError, match="it is made anew"):
        source.whole()
    again = source_of(problem, log, tmp_path)
    assert sorted(again.anew) == sorted(wrong)
    for job in all_jobs(again):
        finish(again, job, 0.1 * (files.index(Path(str(asked(job).predictions))) + 1))
    assert all(np.array_equal(rows, expected[name]) for name, rows in again.whole().items())
    assert source_of(problem, log, tmp_path).anew == ()
    moved = shutil.move(tmp_path, tmp_path.with_name(f"{tmp_path.name}-moved"))
    assert source_of(problem, log, moved).waiting == 0, "a study may be moved"


def test_what_other_code_trained_is_trained_again(
    problem: Problem, log: EncodedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two studies in one folder, by plug-ins of two contents."""
    for digest, waiting in (("1", 4), ("1", 0), ("2", 4)):
        monkeypatch.setattr(repeats, "digests", lambda held=digest: {"/own.py": held})
        source = source_of(problem, log, tmp_path)
        assert source.waiting == waiting
        for job in all_jobs(source):
            finish(source, job, 0.5)


def test_a_model_that_fails_is_told_and_trained_on_no_further_order(
    problem: Problem, log: EncodedLog, tmp_path: Path
) -> None:
    source = source_of(problem, log, tmp_path, seeds=4)
    jobs = [source.next(0) for _ in range(4)]
    for job in jobs:
        assert isinstance(job, Job)
        failed = job.name == "final-7-1"
        failure = Failure("timeout", "took longer than its limit of 20 s") if failed else None
        source.ended(job, Outcome(failure=failure)) if failed else finish(source, job, 0.5)
    assert source.failed == {"7": Failed(1, Failure("timeout", "took longer than its limit of 20 s"))}
    left = all_jobs(source)
    assert [job.name for job in left] == ["final-baseline-2", "final-baseline-3"]
    for job in left:
        finish(source, job, 0.5)
    assert list(source.whole()) == [BASELINE]


def test_without_a_baseline_nothing_is_compared(problem: Problem, log: EncodedLog, tmp_path: Path) -> None:
    source = source_of(problem, log, tmp_path, seeds=4)
    first, second = source.next(0), source.next(1)
    assert isinstance(first, Job)
    assert isinstance(second, Job)
    source.ended(second, Outcome(failure=Failure("diverged", "NE is not a number")))
    source.ended(first, Outcome(failure=Failure("memory", "held too much")))
    assert all_jobs(source) == []
    with pytest.raises(RunError, match="baseline must train on every order, but it failed on order 1: memory: held"):
        source.whole()


def test_several_test_days_are_scored_one_by_one(daily: tuple[Problem, EncodedLog], tmp_path: Path) -> None:
    problem, log = daily
    source = source_of(problem, log, tmp_path)
    starts = tuple(rows.start for _, rows in log.days("test"))
    job = source.next(0)
    assert isinstance(job, Job)
    assert asked(job).days == starts[1:]
    assert len(starts) == 3
    rows = {name: window.stop - window.start for name, window in log.windows.items()}
    longer = (starts[-1] - log.windows["train"].start) / (rows["train"] + rows["validate"])
    assert job.limits.timeout_s == pytest.approx(20.0 * longer), "for the rows that are trained on beside"
    repeats = RepeatsSource(replace(problem, folder=tmp_path), problem.log, {BASELINE: problem.baseline}, 2, CONFIRM)
    assert asked(all_jobs(repeats)[0]).days == ()


def test_predictions_of_another_way_of_scoring_are_not_mixed_in(
    daily: tuple[Problem, EncodedLog], tmp_path: Path
) -> None:
    problem, log = daily
    for job in all_jobs(by_day := source_of(problem, log, tmp_path)):
        finish(by_day, job, 0.5)
    finals = problem.config.finals.model_copy(update={"progressive": False})
    plain = replace(problem, config=problem.config.model_copy(update={"finals": finals}))
    at_once = source_of(plain, log, tmp_path)
    assert (at_once.waiting, at_once.whole()) == (4, {})
    assert {asked(job).days for job in all_jobs(at_once)} == {()}
    assert source_of(problem, log, tmp_path).waiting == 0


def test_shares_of_the_rows_have_no_days(daily: tuple[Problem, EncodedLog]) -> None:
    problem, log = daily
    split = SplitConfig.model_validate({"random": {"train": 0.6, "validate": 0.2, "test": 0.2}})
    assert isinstance(problem.config.data, DataConfig)
    data = problem.config.data.model_copy(update={"split": split})
    drawn = replace(problem, config=problem.config.model_copy(update={"data": data}))
    assert (len(days_of_test(problem, log)), days_of_test(drawn, log)) == (3, ())
    assert later_days(drawn, log, FINAL) == ()


def test_repeats_before_the_picks_never_see_the_test_window(problem: Problem, tmp_path: Path) -> None:
    source = RepeatsSource(replace(problem, folder=tmp_path), problem.log, {BASELINE: problem.baseline}, 3, CONFIRM)
    jobs = all_jobs(source)
    assert [(asked(job).train, asked(job).score) for job in jobs] == [(("train",), "validate")] * 3
    of_search = trial_seeds(5, 0)
    assert of_search["order"] not in {asked(job).order_seed for job in jobs}, "the order that the trial was chosen on"
    of_finals = {trial_seeds(5, FINAL.first_order + r)["order"] for r in range(100)}
    assert not of_finals & {asked(job).order_seed for job in jobs}


def test_only_models_that_met_every_order_are_confirmed(problem: Problem, tmp_path: Path) -> None:
    """One that failed on some order is left out; against the baseline of the same order the rest are compared."""
    models = {BASELINE: problem.baseline} | {
        str(n): c.model for n, c in enumerate(candidates(2, space=problem.space), 1)
    }
    source = RepeatsSource(replace(problem, folder=tmp_path), problem.log, models, 2, CONFIRM)
    window = scored_window(problem.log, "validate")
    rows = problem.log.windows["validate"]
    labels = np.asarray(problem.log.labels_N[rows], dtype=np.float64)
    skill = {"confirm-baseline-0": 0.2, "confirm-1-0": 0.3, "confirm-baseline-1": 0.4, "confirm-1-1": 0.3}
    for job in all_jobs(source):
        if job.name in skill:
            file = asked(job).predictions
            assert file is not None
            probs = 1 / (1 + np.exp(1.0 - skill[job.name] * (labels - 0.25)))
            save_predictions(Path(file), probs, asked(job).predictions_name)
            source.ended(job, Outcome())
        else:
            source.ended(job, Outcome(failure=Failure("diverged", "NE is not a number")))
    found = confirmed_gains(window, source.whole())
    assert list(found) == [1]
    assert [gain < 0 for gain in found[1]] == [True, False]
    assert list(source.failed) == ["2"]


# ---------------------------------------------------------------- the race


class Trainings:
    """Models whose predictions are as the case wants it, order by order; what was trained is written down."""

    def __init__(self, log: EncodedLog, skills: Mapping[int, float], failing: Mapping[int, int] | None = None) -> None:
        rows = log.windows["test"]
        self._labels, self.skills = np.asarray(log.labels_N[rows], dtype=np.float64), skills
        self._failing = failing or {}
        self.told: list[tuple[tuple[int, ...], int]] = []

    def __call__(self, models: Mapping[str, ModelSpec], orders: int) -> Trained:
        trials = [int(name) for name in models]
        self.told.append((tuple(trials), orders))
        failed = {str(n): Failed(self._failing[n], DIVERGED) for n in trials if self._failing.get(n, orders) < orders}
        fit = [n for n in trials if str(n) not in failed]
        probs = {str(n): np.stack([self._probs(n, r) for r in range(orders)]) for n in (0, *fit)}
        return Trained({BASELINE if name == "0" else name: of for name, of in probs.items()}, failed)

    def _probs(self, number: int, order: int) -> Floats:
        noise = np.random.default_rng([number, order]).normal(0, 0.02, len(self._labels))
        logits = -1.0 + (0.3 + self.skills.get(number, 0.0)) * (self._labels - 0.25) + noise
        return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float64)


DIVERGED = Failure("diverged", "NE is not a number")


def slow_study(problem: Problem, folder: Path, count: int) -> Study:
    """Trials that are as fast as the baseline, so that only NE may win."""
    study = begun_study(folder, space=problem.space)
    proposed = [Proposal(candidate, Origin.RANDOM) for candidate in candidates(count, space=problem.space)]
    for trial in study.begin(proposed, 1):
        study.end(complete(trial, ne=0.9, ratio=1.0))
    return study


def raced(problem: Problem, log: EncodedLog, folder: Path, seeds: int, train: Trainings) -> Trained:
    """Of as many picks as the trainings know."""
    study = slow_study(problem, folder, len(train.skills))
    models = {str(trial.number): trial.candidate.model for trial in study.trials}
    return race(scored_window(log, "test"), study, models, seeds, 0.3, train)


def test_trainings_of_picks_that_cannot_win_go_to_the_others(problem: Problem, log: EncodedLog, tmp_path: Path) -> None:
    train = Trainings(log, {1: 0.02, 2: -0.3, 3: -0.4})
    found = raced(problem, log, tmp_path / "first", 5, train)
    assert train.told == [((1, 2, 3), 3), ((1,), 7)], "20 trainings in all: 12, and 4 more of each of two"
    assert {name: len(of) for name, of in found.probs.items()} == {BASELINE: 7, "1": 7, "2": 3, "3": 3}
    again = Trainings(log, {1: 0.02, 2: -0.3, 3: -0.4})
    raced(problem, log, tmp_path / "again", 5, again)
    assert again.told == train.told


def test_a_race_that_all_lose_ends_early(problem: Problem, log: EncodedLog, tmp_path: Path) -> None:
    train = Trainings(log, {1: -0.3, 2: -0.3})
    found = raced(problem, log, tmp_path, 8, train)
    assert train.told == [((1, 2), 3)]
    assert len(found.probs[BASELINE]) == 3


def test_a_pick_that_fails_leaves_the_race(problem: Problem, log: EncodedLog, tmp_path: Path) -> None:
    """One before the look, one after it."""
    train = Trainings(log, {1: 0.02, 2: 0.02, 3: 0.02}, failing={1: 1, 2: 4})
    found = raced(problem, log, tmp_path, 5, train)
    assert train.told == [((1, 2, 3), 3), ((2, 3), 5)]
    assert {name: failed.repeat for name, failed in found.failed.items()} == {"1": 1, "2": 4}
    assert {name for name in found.probs if name not in found.failed} == {BASELINE, "3"}


def test_before_the_baseline_is_in_the_search_is_asked_for(problem: Problem, tmp_path: Path) -> None:
    study = open_study(tmp_path, "ads", problem.space)
    study.note(study_facts())
    here = replace(problem, folder=tmp_path)
    with pytest.raises(InputError, match=r"must hold a measured baseline, but found 0 of 2 seeds[^$]*automl search"):
        run_finals(here, study)


def test_without_a_trial_to_pick_nothing_is_run(problem: Problem, tmp_path: Path) -> None:
    study = begun_study(tmp_path, space=problem.space)
    (trial,) = study.begin([Proposal(candidates(1, space=problem.space)[0], Origin.RANDOM)], 1)
    study.end(stopped(trial))
    with pytest.raises(InputError, match="must hold a trial that was trained to the end within the limits, but found"):
        run_finals(problem, study)


def test_named_trials_must_be_trained_to_their_end(problem: Problem, tmp_path: Path) -> None:
    study = begun_study(tmp_path, space=problem.space)
    one, two = study.begin([Proposal(c, Origin.RANDOM) for c in candidates(2, space=problem.space)], 1)
    study.end(stopped(one))
    study.end(parked(two))
    found = r"trained to their end, but found no #1, #2 \(waits, trained on a part of the rows\), #9"
    with pytest.raises(InputError, match=found):
        run_finals(problem, study, trials=[1, 2, 9])


def test_trials_that_fail_before_the_picks_are_told() -> None:
    failed = {"7": Failed(1, Failure("diverged", "NE rose to 4"))}
    (line,) = failed_lines(failed)
    assert line == "#7 is unfit to ship: trained again on order 2 it failed: diverged: NE rose to 4"


# ---------------------------------------------------------------- models that were tested before


class Asking:
    """Finals over a study of three trials, each call from its folder anew; nothing is trained."""

    def __init__(self, problem: Problem, folder: Path, train: Trainings) -> None:
        self.problem, self.train, self.killed = replace(problem, folder=folder), train, False
        slow_study(problem, folder, 3)

    def of(self, *trials: int, **asked: Any) -> Finals:
        return run_finals(self.problem, self.study(), trials=trials, seeds=2, **asked)

    def study(self) -> Study:
        stored, space, _ = load_started(self.problem.folder)
        return Study(stored, space)

    def named(self, family: str | None, ledger: str | None = None) -> None:
        named = self.problem.config.finals.model_copy(update={"family": family, "ledger": ledger})
        self.problem = replace(self.problem, config=self.problem.config.model_copy(update={"finals": named}))

    def run(self, source: RepeatsSource, *_: object) -> None:
        if self.killed:
            raise KeyboardInterrupt
        for job in all_jobs(source):
            _, name, order = job.name.split("-")
            file, number = asked(job).predictions, 0 if name == BASELINE else int(name)
            assert file is not None
            save_predictions(Path(file), self.train._probs(number, int(order)), asked(job).predictions_name)


@pytest.fixture
def asking(problem: Problem, log: EncodedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asking:
    found = Asking(problem, tmp_path / "study", Trainings(log, {1: 0.05, 2: 0.04, 3: -0.1}))
    monkeypatch.setattr(finals, "encode", lambda *_: log)
    monkeypatch.setattr(finals, "_run", found.run)
    even = Speed(qps_ratio=1.0, qps_ratio_low=1.0, qps_ratio_high=1.0)
    monkeypatch.setattr(judge, "time_together", lambda _, __, models: [even] * len(models))
    return found


def corrections(found: Finals) -> tuple[int, int]:
    assert found.tested is not None
    return found.tested.before, found.tested.models


def test_finals_tell_which_study_they_are_of(asking: Asking) -> None:
    of = asking.of(1).of
    assert of is not None
    assert (of.name, of.started_at) == (asking.problem.config.name, asking.study().facts.started_at)


def test_p_is_corrected_over_every_model_that_the_test_window_was_asked_of(asking: Asking) -> None:
    opened = asking.study()
    alone = asking.of(1)
    assert corrections(alone) == (0, 1)
    assert corrections(asking.of(2)) == (1, 2)
    last = asking.of(3)
    assert corrections(last) == (2, 3)
    tested = asking.study().facts.tested
    known = {trial.candidate.key: trial.number for trial in asking.study().trials}
    assert [known[key] for key in tested] == [1, 2, 3]
    p = {known[key]: one.p for key, one in tested.items()}
    assert alone.picks[0].p_corrected == p[1]
    again = run_finals(asking.problem, opened, trials=[1], seeds=2)
    assert corrections(again) == (2, 3), "also where the record was opened before the others were tested"
    assert again.picks[0].p_corrected == pytest.approx(multipletests(list(p.values()), method="holm")[1][0])
    assert asking.study().facts.tested == tested, "the same pick again is no further test"
    assert corrections(asking.of(1, 2, 3)) == (0, 3)


def test_a_test_that_was_stopped_counts_as_one_that_found_nothing(asking: Asking) -> None:
    asking.killed = True
    with pytest.raises(KeyboardInterrupt):
        asking.of(2)
    asking.killed = False
    (pick,) = asking.of(1).picks
    tested = list(asking.study().facts.tested.values())
    assert [one.p is None for one in tested] == [True, False]
    assert tested[1].p is not None
    assert pick.p_corrected == pytest.approx(2 * tested[1].p)


def test_models_that_an_older_release_has_tested_count(asking: Asking) -> None:
    pick = replace(make_finals(rich_history(), ("better",)).picks[0], trial=2)
    write_finals(asking.problem.folder, replace(make_finals(rich_history(), ("better",)), picks=(pick,)))
    assert corrections(asking.of(1)) == (1, 2)


def test_a_study_that_goes_on_keeps_what_it_has_tested(asking: Asking) -> None:
    asking.named("ads")
    asking.of(1)
    before = asking.study().facts
    study = open_study(asking.problem.folder, "ads", asking.problem.space)
    study.note(replace(before, config_text=JUDGED_STUDY.replace("name: small", "name: ads")))
    problem = replace(asking.problem, config=asking.problem.config.model_copy(update={"name": "ads"}))
    study.note(replace(study.facts, data=problem.log.fingerprint, baseline_key=problem.baseline.key))
    prepare(study, problem, trials=9, time_budget=None, workers=1, command="", now=2e9)
    assert (study.facts.tested, study.facts.family) == (before.tested, before.family)


def test_a_place_in_a_family_stands_in_the_record(asking: Asking) -> None:
    asking.named("ads")
    asking.killed = True
    with pytest.raises(KeyboardInterrupt):
        asking.of(1)
    asking.killed = False
    for other in (None, "feed"):
        asking.named(other)
        with pytest.raises(InputError, match=f"finals.family must be ads, but found {other or 'none'}"):
            asking.of(1)
    asking.named("ads")
    first, second = asking.of(1), asking.of(2)
    assert first.family == second.family
    assert first.family is not None
    assert first.family.level == level_of(1)
    (asking.problem.folder / "finals.json").unlink()
    asking.named(None)
    with pytest.raises(InputError, match=r"finals.family must be ads, but found none"):
        asking.of(1)


def test_a_ledger_is_made_in_a_folder_that_is_there_and_told(asking: Asking) -> None:
    home = asking.problem.file.parent / "ledgers"
    asking.named("ads", "ledgers")
    asking.killed = True  # it is refused before anything is trained
    with pytest.raises(
        InputError, match=f"ledger must be a folder that is there, but found no {home}\n.*make it first"
    ):
        asking.of(1)
    assert not home.exists()
    asking.killed = False
    home.mkdir()
    found = asking.of(1)
    assert found.family is not None
    folder = asking.problem.folder
    assert (folder / found.family.ledger).resolve() == home.resolve()
    assert (folder / str(found.family.file)).resolve() == ledger_file(home, "ads").resolve()
    written = read_finals(folder)
    assert written is not None
    assert written.family == found.family


def test_a_test_window_that_was_asked_before_joins_no_family(asking: Asking) -> None:
    asking.of(1)
    asking.named("ads")
    with pytest.raises(InputError, match="must be named before the test window is asked, but found 1 model that"):
        asking.of(2)
    assert not ledger_file(asking.problem.folder.parent, "ads").exists()
