"""A study as a source of jobs, driven by hand: no engine, no training, a made-up strategy."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from automl.commands import search_source
from automl.commands.failing import HOPELESS_AFTER
from automl.commands.repeats import CONFIRM, kept_in, predictions_file, resumable, trained_again
from automl.commands.search_source import Budget, SearchSource
from automl.data.store.log import EncodedLog
from automl.runtime.errors import RunError
from automl.runtime.jobs import Done, Job, Outcome, Progress, TrainModel, Wait
from automl.stats.seeds import trial_seeds
from automl.strategies.fidelity import FEWEST
from automl.strategies.stopping import MIN_PEERS, STOPS
from automl.study import parts
from automl.study.history import Failure, History, Limit, Measurement, Metric, Origin, PartNE, Proposal, State
from automl.study.parts import EVERY, is_parked, is_pilot
from automl.study.problem import Problem
from automl.study.record import Study
from automl.study.scaled import Scaled
from automl.study.storage import open_study
from search_spaces.model import ModelSpec
from search_spaces.source import Document, read_text
from search_spaces.space import Candidate, SearchSpace, space_of
from tests.worlds.processes import PATIENCE_S
from tests.worlds.studies import (
    HUMAN,
    INPUTS,
    add_baseline,
    candidates,
    checked,
    complete,
    curve,
    measured,
    study_config,
    study_facts,
)

# Few knobs: a record writes every answer of every trial.
SPACE = space_of(
    read_text(
        "embedding: {dim: {choice: [4, 8, 16, 32]}}\n"
        "deep: [{mlp: {width: {choice: [16, 32, 64, 128]}, dropout: {float: [0, 0.4]}}}]\n"
        "train: {order: {choice: [shuffled, time]}}\n",
        "space.yaml",
    )
).with_inputs(INPUTS)
MODELS = candidates(60, seed=5, space=SPACE)
SHUFFLED = [m for m in MODELS if m.model.train.order == "shuffled"]  # peers see the data in one kind of order
EMPTY: Document = read_text("{}", "study.yaml")


class Strategy:
    """Proposes the candidates of a list in their order, and remembers what it was asked."""

    def __init__(self, models: list[Candidate] = MODELS) -> None:
        self.models = models
        self.asked: list[tuple[int, History]] = []
        self.called = threading.Semaphore(0)
        self.free = threading.Event()  # cleared: a proposal takes for ever
        self.free.set()

    def __call__(self, space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
        assert (space, seed) == (SPACE, 7)
        self.asked.append((count, history))
        self.called.release()
        assert self.free.wait(30)
        left = [model for model in self.models if model.key not in history.known()]
        return [Proposal(model, Origin.RANDOM) for model in left[:count]]


@pytest.fixture
def strategy(monkeypatch: pytest.MonkeyPatch) -> Strategy:
    made = Strategy()
    monkeypatch.setattr(search_source, "strategy_of", {"random": made}.__getitem__)
    return made


def problem_in(folder: Path, **changes: Any) -> Problem:
    """Without repeats, where the test does not ask for them."""
    changes["search"] = {"repeats": 0, **changes.get("search", {"strategy": "random", "batch": 4})}
    return Problem(
        file=folder / "study.yaml",
        folder=folder,
        document=EMPTY,
        config=study_config(**changes),
        space=SPACE,
        baseline=HUMAN,
        log=cast(
            EncodedLog,
            SimpleNamespace(
                folder=folder / "log", fingerprint="f" * 32, primary=0, windows={"train": slice(0, 32_000)}
            ),
        ),
    )


def fresh(folder: Path, limits: tuple[Limit, ...] = ()) -> Study:
    """What the driver has when it makes a source for the first time."""
    study = open_study(folder, "ads", SPACE, limits)
    study.note(study_facts())
    return study


def source_of(folder: Path, study: Study, trials: int, *, workers: int = 2, **changes: Any) -> SearchSource:
    options = {name: changes.pop(name) for name in ("timer", "told") if name in changes}
    deadline = changes.pop("deadline", float("inf"))
    return SearchSource(
        problem_in(folder, **changes), study, Budget(trials=trials, deadline=deadline), workers=workers, **options
    )


def asked(job: Job) -> TrainModel:
    assert isinstance(job.payload, TrainModel)
    return job.payload


def good(job: Job) -> Outcome:
    model = Candidate({}, ModelSpec.from_tree(asked(job).model))
    return Outcome(
        measurement=measured(model, ne=0.9), curve=curve(0.95, 0.92), started_at=1.0, ended_at=4.0, cpu_seconds=2.5
    )


def bad(job: Job) -> Outcome:
    return Outcome(failure=Failure("timeout", "took longer than its limit of 60 s"), started_at=1.0, ended_at=61.0)


def play(
    source: SearchSource, *, workers: int = 2, end: Callable[[Job], Outcome] = good, until: int = 10_000
) -> list[str]:
    """What the engine does: `workers` + 1 jobs out, the oldest ends first. Names of the jobs in the order they ended.

    Stops dead after `until` have ended, as a killed driver does.
    """
    out: list[Job] = []
    ended: list[str] = []

    def end_oldest() -> None:
        job = out.pop(0)
        source.ended(job, end(job))
        ended.append(job.name)

    while len(ended) < until:
        job = source.next(len(out))
        if isinstance(job, Job):
            out.append(job)
            if len(out) > workers:
                end_oldest()
            continue
        assert out or isinstance(job, Done), "with nothing running the source must not wait"
        if not out:
            break
        end_oldest()
    return ended


def played_out(source: SearchSource) -> list[str]:
    ended = play(source)
    source.close()
    return ended


def names(first: int, last: int) -> list[str]:
    return [f"trial-{number}" for number in range(first, last + 1)]


# ---------------------------------------------------------------- order and budget


def test_the_baseline_comes_first_then_trials_in_their_order(tmp_path: Path, strategy: Strategy) -> None:
    study = fresh(tmp_path)
    source = source_of(tmp_path, study, 9)
    assert play(source) == ["baseline-0", "baseline-1", *names(1, 9)]
    source.close()
    assert [trial.candidate.key for trial in study.trials] == [model.key for model in MODELS[:9]]
    assert {trial.state for trial in study.trials} == {State.COMPLETE}
    assert [count for count, _ in strategy.asked] == [4, 4, 1], "never more than the budget allows"
    assert [trial.round for trial in study.trials] == [1] * 4 + [2] * 4 + [3]


def test_no_trial_begins_before_every_repeat_of_the_baseline_has_ended(tmp_path: Path, strategy: Strategy) -> None:
    source = source_of(tmp_path, fresh(tmp_path), 4)
    jobs = [source.next(0), source.next(1)]
    assert [job.name for job in jobs if isinstance(job, Job)] == ["baseline-0", "baseline-1"]
    assert source.next(2) == Wait()
    for running_on, job in ((1, jobs[0]), (0, jobs[1])):
        assert strategy.asked == []
        assert isinstance(job, Job)
        source.ended(job, good(job))
        assert isinstance(source.next(running_on), Job if running_on == 0 else Wait)
    source.close()


def test_a_job_says_all_that_a_worker_must_know(tmp_path: Path, strategy: Strategy) -> None:
    limits = (Limit(Metric.QPS_RATIO, low=0.5), Limit(Metric.TRAIN_QPS_RATIO, low=0.2))
    study = fresh(tmp_path, limits)
    add_baseline(study)
    texts = ["qps >= 0.5 * baseline.qps", "train_qps >= 0.2 * baseline.train_qps"]
    trial = {"timeout": "2m", "memory": "1GiB"}
    source = source_of(tmp_path, study, 1, constraints=texts, trial=trial, qps={"batch_rows": 64, "clock": "analytic"})
    job = source.next(0)
    assert isinstance(job, Job)
    seeds = trial_seeds(7, 0)
    assert job.name == "trial-1"
    assert ModelSpec.from_tree(asked(job).model) == MODELS[0].model
    assert (asked(job).log, asked(job).train, asked(job).score) == (str(tmp_path / "log"), ("train",), "validate")
    assert (asked(job).weights_seed, asked(job).order_seed) == (seeds["weights"], seeds["order"])
    assert (job.limits.timeout_s, job.limits.memory_bytes, asked(job).stops) == (120.0, 1 << 30, STOPS)
    timing = asked(job).timing
    assert timing is not None
    assert ModelSpec.from_tree(timing.reference) == HUMAN
    assert (timing.batch_rows, timing.clock) == (64, "analytic")
    assert timing.limits == limits[:1], "only what is known before training"
    source.ended(job, good(job))
    source.close()
    assert study.trials[0].seeds == seeds
    assert (study.trials[0].started_at, study.trials[0].ended_at, study.trials[0].cpu_seconds) == (1.0, 4.0, 2.5)


def test_failures_are_ended_trials_and_count(tmp_path: Path, strategy: Strategy) -> None:
    study = fresh(tmp_path)
    source = source_of(tmp_path, study, 6)
    ends = {"trial-2": bad, "trial-4": lambda job: Outcome(), "trial-5": lambda job: nan_ne(job)}
    assert play(source, end=lambda job: ends.get(job.name, good)(job)) == ["baseline-0", "baseline-1", *names(1, 6)]
    source.close()
    states = {trial.number: trial.state for trial in study.trials}
    assert [n for n, state in states.items() if state is State.FAILED] == [2, 4, 5]
    reasons = [trial.failure for trial in study.trials]
    assert reasons[1] == Failure("timeout", "took longer than its limit of 60 s")
    assert reasons[4] == Failure("diverged", "NE is not a number")


def nan_ne(job: Job) -> Outcome:
    outcome = good(job)
    assert outcome.measurement is not None
    return replace(outcome, measurement=replace(outcome.measurement, ne=float("nan")))


def test_the_deadline_ends_the_proposing_not_the_running(tmp_path: Path, strategy: Strategy) -> None:
    study = fresh(tmp_path)
    time = [0.0]
    source = source_of(tmp_path, study, 50, deadline=100.0, timer=lambda: time[0])
    ended: list[str] = []

    def end(job: Job) -> Outcome:
        ended.append(job.name)
        time[0] += 100.0 if job.name == "trial-3" else 0.0
        return good(job)

    play(source, end=end)
    source.close()
    assert ended[2:] == names(1, 5), "the two that ran with the third are told to the end"
    assert [trial.state for trial in study.trials[:5]] == [State.COMPLETE] * 5
    late = source_of(tmp_path, study, 50, deadline=0.0, timer=lambda: 1.0)
    assert late.next(0) == Done()
    late.close()


def test_a_space_that_is_exhausted_ends_the_search(tmp_path: Path, strategy: Strategy) -> None:
    strategy.models = MODELS[:6]
    study = fresh(tmp_path)
    source = source_of(tmp_path, study, 50)
    assert play(source)[2:] == names(1, 6)
    source.close()
    assert source.exhausted
    assert len(study.trials) == 6


def test_a_budget_that_is_spent_trains_the_baseline_only(tmp_path: Path, strategy: Strategy) -> None:
    study = fresh(tmp_path)
    source = source_of(tmp_path, study, 0)
    assert play(source) == ["baseline-0", "baseline-1"]
    source.close()
    assert strategy.asked == []
    assert study.baseline() is not None


# ---------------------------------------------------------------- looking ahead


def test_a_batch_is_ordered_before_the_queue_runs_empty(tmp_path: Path, strategy: Strategy) -> None:
    study = fresh(tmp_path)
    add_baseline(study)
    source = source_of(tmp_path, study, 40, batch=None, search={"strategy": "random", "batch": 6})
    jobs = [source.next(0)]  # waits for the first batch: nothing runs
    strategy.free.clear()  # from here on proposals take for ever
    jobs += [source.next(running_now) for running_now in range(1, 6)]
    assert [job.name for job in jobs if isinstance(job, Job)] == names(1, 6), "the queue is worked off meanwhile"
    assert source.next(6) == Wait()
    assert all(strategy.called.acquire(timeout=PATIENCE_S) for _ in range(2)), "the next batch is being thought of"
    strategy.free.set()
    last = jobs[-1]
    assert isinstance(last, Job)
    source.ended(last, good(last))
    assert isinstance(source.next(0), Job)
    source.close()


def test_what_runs_and_what_waits_is_pending_for_the_strategy(tmp_path: Path, strategy: Strategy) -> None:
    study = fresh(tmp_path)
    play(source := source_of(tmp_path, study, 12), workers=1)
    source.close()
    seen = [
        (len(history.of_state(State.COMPLETE)), len(history.of_state(State.RUNNING))) for _, history in strategy.asked
    ]
    assert seen[0] == (0, 0)
    for complete_ones, pending in seen[1:]:
        assert pending >= 1
        assert complete_ones + pending in (4, 8)
    assert len({trial.candidate.key for trial in study.trials}) == 12


def test_the_history_of_an_order_does_not_hang_on_its_speed(tmp_path: Path, strategy: Strategy) -> None:
    """One worker: what the strategy sees is decided by the order of events, however long a proposal takes."""

    def seen(folder: Path, slow: bool) -> list[list[tuple[int, State]]]:
        strategy.asked.clear()
        study = fresh(folder)
        source = source_of(folder, study, 16, workers=1)
        out: list[Job] = []
        while not isinstance(job := source.next(len(out)), Done):
            if isinstance(job, Job):
                out.append(job)
            strategy.free.clear() if slow and out else strategy.free.set()
            if len(out) > 1 or isinstance(job, Wait):
                source.ended(out[0], good(out.pop(0)))
            if not out:
                strategy.free.set()
        source.close()
        return [[(trial.number, trial.state) for trial in history.trials] for _, history in strategy.asked]

    assert seen(tmp_path / "fast", False) == seen(tmp_path / "slow", True)


@pytest.mark.parametrize(
    ("propose", "told"),
    [
        (lambda *_: 1 / 0, "the strategy `random` failed: ZeroDivisionError"),
        (lambda *_: None, "the strategy `random` failed: TypeError"),
        (lambda *_: [Proposal(MODELS[0], Origin.RANDOM)] * 2, r"but gave 2 \(1 different, 0 known\)"),
        (lambda *_: [Proposal(model, Origin.RANDOM) for model in MODELS[:40]], "must propose at most 4 models"),
        (lambda *_: [Proposal(Candidate({}, HUMAN), Origin.RANDOM)], r"but gave 1 \(1 different, 1 known\)"),
    ],
)
def test_what_a_strategy_must_not_do_ends_the_run_with_its_name(
    propose: Callable[..., Any], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_source, "strategy_of", {"random": propose}.__getitem__)
    study = fresh(tmp_path)
    add_baseline(study)
    source = source_of(tmp_path, study, 4)
    with pytest.raises(RunError, match=told):
        source.next(0)
    source.close()


# ---------------------------------------------------------------- the baseline fails


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (bad, "timeout: took longer than its limit of 60 s"),
        (nan_ne, "diverged: NE is not a number"),
        (lambda job: Outcome(), "diverged: NE is not a number"),
    ],
)
def test_a_baseline_that_fails_ends_the_run(
    tmp_path: Path, strategy: Strategy, end: Callable[[Job], Outcome], reason: str
) -> None:
    study = fresh(tmp_path)
    source = source_of(tmp_path, study, 10)
    told = play(source, end=lambda job: end(job) if job.name == "baseline-0" else good(job))
    assert told == ["baseline-0", "baseline-1"]
    with pytest.raises(RunError, match=f"the baseline must train, but it failed: {reason}"):
        source.close()
    assert study.trials == ()
    again = source_of(tmp_path, open_study(tmp_path, "ads", SPACE), 2)
    assert play(again)[0] == "baseline-0", "what failed is tried again, what did not is kept"
    again.close()
    assert sorted(t.seeds["repeat"] for t in again._study.baselines.repeats) == [0, 1]


# ---------------------------------------------------------------- going on


def test_a_killed_search_goes_on_where_it_stopped(tmp_path: Path, strategy: Strategy) -> None:
    study = fresh(tmp_path)
    play(source := source_of(tmp_path, study, 14), until=5)
    source.close()
    before = {trial.number: trial for trial in study.trials}
    assert [n for n, trial in before.items() if trial.ended] == [1, 2, 3]
    again = open_study(tmp_path, "ads", SPACE)
    ended = play(source := source_of(tmp_path, again, 14))
    source.close()
    assert ended == names(4, 14), "those that ran or waited first, none of the ended again"
    assert all(trial.candidate.key == before[n].candidate.key for n, trial in enumerate(again.trials, 1) if n in before)
    assert repr(again.trials[:3]) == repr(study.trials[:3])
    assert len({trial.candidate.key for trial in again.trials}) == 14


def test_repeats_of_the_baseline_may_end_in_any_order(tmp_path: Path, strategy: Strategy) -> None:
    study = fresh(tmp_path)
    source = source_of(tmp_path, study, 3, baseline_seeds=3)
    study.note(study_facts(baseline_seeds=3))
    jobs = [source.next(n) for n in range(3)]
    for job in (jobs[0], jobs[2]):
        assert isinstance(job, Job)
        source.ended(job, good(job))
    source.close()  # killed while baseline-1 was running
    again = source_of(tmp_path, open_study(tmp_path, "ads", SPACE), 0, baseline_seeds=3)
    assert play(again) == ["baseline-1"]
    again.close()
    repeats = again._study.baselines.repeats
    seeds = [trial_seeds(7, order) for order in range(3)]
    assert sorted(t.seeds["order"] for t in repeats) == sorted(of["order"] for of in seeds), "each on its own order"
    assert {t.seeds["weights"] for t in repeats} == {of["weights"] for of in seeds}


def test_a_smaller_budget_runs_nothing_beyond_it(tmp_path: Path, strategy: Strategy) -> None:
    """Eight begun and killed; six wanted now: the last two stay for another day."""
    study = fresh(tmp_path)
    play(source := source_of(tmp_path, study, 20, search={"strategy": "random", "batch": 8}), until=5)
    source.close()
    again = open_study(tmp_path, "ads", SPACE)
    assert played_out(source_of(tmp_path, again, 6)) == names(4, 6)
    assert [trial.ended for trial in again.trials] == [True] * 6 + [False] * (len(again.trials) - 6)
    larger = open_study(tmp_path, "ads", SPACE)
    assert played_out(source_of(tmp_path, larger, 8)) == names(7, 8)


# ---------------------------------------------------------------- stopping early


def with_peers(folder: Path, **changes: Any) -> tuple[SearchSource, Study, Job]:
    """Enough complete peers, as fast as the baseline, whose checks were at 0.90 to 0.91; and a trial that runs."""
    study = fresh(folder)
    add_baseline(study)
    for trial in study.begin([Proposal(model, Origin.RANDOM) for model in SHUFFLED[:MIN_PEERS]], 1):
        level = 0.90 + 0.001 * trial.number
        study.end(complete(trial, ne=level - 0.02, curve=checked(*[level] * 5)))
    source = source_of(folder, study, MIN_PEERS + 2, **changes)
    job = source.next(0)
    assert isinstance(job, Job)
    return source, study, job


@pytest.fixture
def shuffled(strategy: Strategy) -> Strategy:
    strategy.models = SHUFFLED
    return strategy


def test_a_trial_that_is_worse_than_its_peers_is_stopped(tmp_path: Path, shuffled: Strategy) -> None:
    source, study, job = with_peers(tmp_path)
    assert asked(job).check_rows == 1000
    at = Progress(share=0.3, curve=checked(0.99, 0.98, 0.98), qps_ratio=1.0)
    assert source.keep_going(job, replace(at, curve=checked(0.90, 0.89, 0.89)))
    assert not source.keep_going(job, at)
    assert source.keep_going(job, replace(at, qps_ratio=2.0)), "nobody as fast is better"
    assert source.keep_going(job, replace(at, qps_ratio=None))
    partial = measured(Candidate({}, ModelSpec.from_tree(asked(job).model)), ne=float("nan"))
    source.ended(job, Outcome(measurement=partial, curve=at.curve, stopped=True, started_at=1.0, ended_at=2.0))
    source.close()
    trial = study.trials[MIN_PEERS]
    assert trial.state is State.STOPPED
    assert trial.measurement is not None
    assert trial.measurement.ne == pytest.approx(0.98 - 0.02), "its last check and its peers' drop"


AUTO = {"search": {"strategy": "random", "batch": 4, "fidelity": "auto", "stop_early": False}}


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LEAST_ROWS", 1000)
    monkeypatch.setattr(search_source, "PILOTS", FEWEST)


def on_parts(job: Job, ne: float) -> Outcome:
    """Its parts told that it would end so, and it did."""
    found = good(job)
    assert found.measurement is not None
    parts = tuple(PartNE(every, ne + 0.02) for every in asked(job).parts)
    return replace(found, measurement=replace(found.measurement, ne=ne, parts=parts))


def after_pilots(
    folder: Path,
    study: Study,
    every: tuple[int, ...] = EVERY,
    told: Callable[[int, Measurement], Measurement] = lambda number, found: found,
) -> tuple[SearchSource, Job]:
    """A source whose pilots have ended at 0.90, 0.91 and so on, as `told`, and its next job."""
    add_baseline(study)
    source = source_of(folder, study, FEWEST + 2, **AUTO)
    for number in range(FEWEST):
        job = source.next(0)
        assert isinstance(job, Job)
        assert asked(job).parts == every, "a pilot"
        at = Progress(share=0.0, curve=(), qps_ratio=1.0, parts=(PartNE(every[0], 9.0),))
        assert source.keep_going(job, at), "pilots are trained to their end"
        outcome = on_parts(job, 0.90 + 0.01 * number)
        assert outcome.measurement is not None
        source.ended(job, replace(outcome, measurement=told(number, outcome.measurement)))
    job = source.next(0)
    assert isinstance(job, Job)
    return source, job


def end_parked(source: SearchSource, job: Job, part: float) -> None:
    """What a worker tells of a trial on a part, and that it was let go."""
    at = Progress(share=0.0, curve=(), qps_ratio=1.0, parts=(PartNE(asked(job).parts[0], part),))
    assert not source.keep_going(job, at)
    found = measured(Candidate({}, ModelSpec.from_tree(asked(job).model)), ne=float("nan"))
    found = replace(found, parts=at.parts, cpu_seconds={"parts": 1.0})
    source.ended(job, Outcome(measurement=found, stopped=True, started_at=1.0, ended_at=2.0, cpu_seconds=1.5))


def after_two(source: SearchSource, job: Job, first: float, second: float) -> Job:
    """The job that follows two trials on a part, the last ones of the search."""
    end_parked(source, job, first)
    job_of_second = source.next(0)
    assert isinstance(job_of_second, Job)
    end_parked(source, job_of_second, second)
    promotion = source.next(0)
    assert isinstance(promotion, Job)
    return promotion


def test_after_the_pilots_a_trial_is_parked_with_what_its_part_leads_to(
    tmp_path: Path, shuffled: Strategy, small_parts: None
) -> None:
    study = fresh(tmp_path)
    source, job = after_pilots(tmp_path, study)
    assert asked(job).parts == (EVERY[0],), "the smallest part ranks the pilots"
    end_parked(source, job, 0.99)
    source.close()
    trial = study.trials[FEWEST]
    assert is_parked(trial)
    assert trial.measurement is not None
    assert trial.measurement.ne == pytest.approx(0.97, abs=1e-6), "what its part leads to"


def test_the_best_of_the_parked_are_promoted_at_the_end(tmp_path: Path, shuffled: Strategy, small_parts: None) -> None:
    study = fresh(tmp_path)
    source, job = after_pilots(tmp_path, study)
    promotion = after_two(source, job, 0.99, 0.90)
    number = FEWEST + 2
    assert promotion.name == f"again-{number}-0"
    assert asked(promotion).parts == ()
    assert asked(promotion).timing is None, "it was timed before"
    assert asked(promotion).order_seed == asked(job).order_seed, "the order on which all trials are trained"
    assert source.keep_going(promotion, Progress(share=0.5, curve=checked(9.0, 9.0, 9.0, 9.0), qps_ratio=1.0))
    outcome = good(promotion)
    assert outcome.measurement is not None
    cpu = replace(outcome.measurement, ne=0.879, speed=replace(outcome.measurement.speed, qps_ratio=9.0))
    source.ended(promotion, replace(outcome, measurement=replace(cpu, cpu_seconds={"train": 2.0})))
    assert isinstance(source.next(0), Done), "the other one has nothing to win"
    source.close()
    trial = open_study(tmp_path, "ads", SPACE).trials[number - 1]
    assert trial.state is State.COMPLETE
    assert trial.measurement is not None
    assert (trial.measurement.ne, trial.measurement.speed.qps_ratio) == (0.879, 1.0), "the speed that it was timed at"
    assert trial.measurement.parts == (PartNE(EVERY[0], 0.90),)
    assert trial.measurement.cpu_seconds == {"parts": 1.0, "train": 2.0}
    assert trial.cpu_seconds == 4.0
    assert trial.on_part is not None
    assert trial.on_part.ne == pytest.approx(0.90), "nothing lower was reached before"


def test_a_promotion_that_fails_ends_no_search(tmp_path: Path, shuffled: Strategy, small_parts: None) -> None:
    study = fresh(tmp_path)
    source, job = after_pilots(tmp_path, study)
    promotion = after_two(source, job, 0.99, 0.90)
    source.ended(promotion, bad(promotion))
    assert isinstance(source.next(0), Done)
    source.close()
    failed = open_study(tmp_path, "ads", SPACE).trials[FEWEST + 1]
    assert failed.state is State.FAILED
    assert failed.failure == bad(promotion).failure


def test_a_killed_search_goes_on_with_its_promotions(tmp_path: Path, shuffled: Strategy, small_parts: None) -> None:
    source, job = after_pilots(tmp_path, fresh(tmp_path))
    promotion = after_two(source, job, 0.90, 0.91)
    source.close()
    again = source_of(tmp_path, open_study(tmp_path, "ads", SPACE), FEWEST + 2, **AUTO)
    assert not again.finished
    found = again.next(0)
    assert isinstance(found, Job)
    assert (found.name, found.payload) == (promotion.name, promotion.payload)
    again.close()


@pytest.mark.parametrize("smallest_ranks", [True, False])
def test_pilots_end_where_a_part_ranks(
    smallest_ranks: bool, tmp_path: Path, shuffled: Strategy, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_source, "PILOTS", FEWEST + 4)

    def told(_: int, found: Measurement) -> Measurement:
        smallest, *others = found.parts
        ne = smallest.ne if smallest_ranks else 1.9 - smallest.ne
        return replace(found, parts=(PartNE(smallest.every, ne), *others))

    source, job = after_pilots(tmp_path, fresh(tmp_path), told=told)
    assert asked(job).parts == (EVERY[:1] if smallest_ranks else EVERY[1:2])
    source.close()


def test_a_search_that_goes_on_knows_its_pilots(tmp_path: Path, shuffled: Strategy, small_parts: None) -> None:
    study = fresh(tmp_path)
    source, job = after_pilots(tmp_path, study)
    source.close()
    again = source_of(tmp_path, open_study(tmp_path, "ads", SPACE), FEWEST + 2, **AUTO)
    found = again.next(0)
    assert isinstance(found, Job)
    assert asked(found).parts == asked(job).parts
    again.close()


def test_pilots_are_told_from_others_where_there_is_but_one_part(
    tmp_path: Path, shuffled: Strategy, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "EVERY", EVERY[-1:])
    study = fresh(tmp_path)
    source, job = after_pilots(tmp_path, study, EVERY[-1:])
    at = Progress(share=0.0, curve=(), qps_ratio=1.0, parts=(PartNE(EVERY[-1], 0.99),))
    assert not source.keep_going(job, at), "no pilot any more"
    source.ended(job, on_parts(job, 0.99))
    source.close()
    assert [is_pilot(trial) for trial in study.trials[: FEWEST + 1]] == [True] * FEWEST + [False]


def test_where_no_part_ranks_trials_are_trained_on_all_rows(
    tmp_path: Path, shuffled: Strategy, small_parts: None
) -> None:
    def told(number: int, found: Measurement) -> Measurement:
        return replace(found, ne=0.95 - 0.01 * number)

    source, job = after_pilots(tmp_path, fresh(tmp_path), told=told)
    assert asked(job).parts == ()
    source.close()


def test_full_fidelity_trains_on_all_rows_only(tmp_path: Path, strategy: Strategy, small_parts: None) -> None:
    source = source_of(tmp_path, fresh(tmp_path), 4)
    job = source.next(0)
    assert isinstance(job, Job)
    assert asked(job).parts == ()
    source.close()


def test_stopping_can_be_switched_off(tmp_path: Path, shuffled: Strategy) -> None:
    source, _, job = with_peers(tmp_path, search={"strategy": "random", "batch": 4, "stop_early": False})
    assert asked(job).stops == ()
    assert asked(job).check_rows == 0
    assert source.keep_going(job, Progress(share=0.3, curve=checked(0.99, 0.98, 0.98), qps_ratio=1.0))
    source.ended(job, good(job))
    source.close()


def test_the_baseline_is_never_stopped(tmp_path: Path, strategy: Strategy) -> None:
    source = source_of(tmp_path, fresh(tmp_path), 4)
    job = source.next(0)
    assert isinstance(job, Job)
    assert asked(job).stops == STOPS, "its checks tell what becomes of a level"
    assert source.keep_going(job, Progress(share=0.3, curve=checked(9.0, 9.0, 9.0), qps_ratio=1.0))
    source.close()


def test_a_stopped_trial_without_peers_has_no_ne(tmp_path: Path, strategy: Strategy) -> None:
    study = fresh(tmp_path)
    add_baseline(study)
    source = source_of(tmp_path, study, 2)
    job = source.next(0)
    assert isinstance(job, Job)
    partial = measured(Candidate({}, ModelSpec.from_tree(asked(job).model)), ne=float("nan"))
    source.ended(job, Outcome(measurement=partial, curve=checked(0.99), stopped=True))
    source.close()
    trial = study.trials[0]
    assert trial.state is State.STOPPED
    assert trial.measurement is not None
    assert trial.measurement.ne != trial.measurement.ne


# ---------------------------------------------------------------- the end


def test_every_event_is_told(tmp_path: Path, strategy: Strategy) -> None:
    count = [0]

    def told() -> None:
        count[0] += 1

    play(source := source_of(tmp_path, fresh(tmp_path), 3, told=told))
    source.close()
    assert count == [5]


# ---------------------------------------------------------------- repeats


def lucky(folder: Path, **changes: Any) -> tuple[SearchSource, Study]:
    """A search that may repeat as often as it has candidates, in which trial 3 is much better on the search's order."""
    study = fresh(folder)
    add_baseline(study, seeds=3)
    asked_for = {"strategy": "random", "batch": 4, "repeats": 1.0, **changes.pop("search", {})}
    return source_of(folder, study, changes.pop("trials", 6), baseline_seeds=3, search=asked_for, **changes), study


def better(job: Job) -> Outcome:
    """Trial 3 has -2% in the search and -1% when it is trained again; the others are 2% worse than the baseline."""
    gains = {"trial-3": -2.0, "again-3-1": -1.0, "again-3-2": -1.0}
    outcome = good(job)
    assert outcome.measurement is not None
    ne = 0.9 * (1 + gains.get(job.name, 2.0) / 100)
    return replace(outcome, measurement=replace(outcome.measurement, ne=ne))


def test_a_trial_that_would_change_the_front_is_trained_again_on_the_next_orders(
    tmp_path: Path, strategy: Strategy
) -> None:
    source, study = lucky(tmp_path, trials=9)
    ended = play(source, end=better, workers=1)
    source.close()
    assert [name for name in ended if name.startswith("trial")] == names(1, 9)
    assert {"again-3-1", "again-3-2"} <= set(ended)
    assert ended.index("trial-6") < ended.index("again-3-1"), "not before most candidates ended"
    assert ended.index("again-3-1") < ended.index("trial-9"), "then ahead of new ones"
    trial = study.trials[2]
    assert [repeat.order for repeat in trial.repeats] == [1, 2]
    assert [len(t.repeats) for t in study.trials[:2]] == [0, 0], "what is far behind is not"
    assert trial.measurement is not None
    assert trial.measurement.ne == pytest.approx(0.9 * 0.98), "what it ended with stays"
    assert repr(open_study(tmp_path, "ads", SPACE).trials) == repr(study.trials)


def test_a_repeat_is_the_training_that_the_finals_would_do(tmp_path: Path, strategy: Strategy) -> None:
    source, study = lucky(tmp_path)
    jobs: dict[str, Job] = {}

    def end(job: Job) -> Outcome:
        jobs[job.name] = job
        return better(job)

    play(source, end=end, workers=1)
    source.close()
    job, problem = jobs["again-3-1"], problem_in(tmp_path)
    expected = trained_again(problem, problem.log, MODELS[2].model, CONFIRM, 0)
    file = predictions_file(problem, problem.log, MODELS[2].model, CONFIRM, 0)
    assert asked(job) == resumable(problem, job.name, kept_in(expected, file))
    assert asked(jobs["trial-3"]).predictions is None
    assert study.trials[2].repeats[0].seeds["order"] == asked(job).order_seed
    assert study.baselines.repeats[1].seeds["order"] == asked(job).order_seed, "the baseline's second order"


@pytest.mark.parametrize(("share", "most"), [(0.0, 0), (0.2, 1), (1.0, 2)])
def test_repeats_are_bounded_by_the_candidates_that_ended(
    tmp_path: Path, strategy: Strategy, share: float, most: int
) -> None:
    source, study = lucky(tmp_path, search={"repeats": share})
    play(source, end=better, workers=1)
    source.close()
    assert len(study.trials[2].repeats) == most


def test_a_repeat_that_fails_is_written_and_the_search_goes_on(tmp_path: Path, strategy: Strategy) -> None:
    source, study = lucky(tmp_path)
    play(source, end=lambda job: bad(job) if job.name == "again-3-1" else better(job), workers=1)
    source.close()
    trial = study.trials[2]
    assert trial.state is State.COMPLETE
    assert trial.unfit == Failure("timeout", "took longer than its limit of 60 s")
    assert len(trial.repeats) == 1, "unfit to ship, it is not trained a third time"
    assert all(trial.ended for trial in study.trials)


def test_a_killed_search_repeats_what_it_would_have_repeated(tmp_path: Path, strategy: Strategy) -> None:
    whole, study = lucky(tmp_path / "whole")
    play(whole, end=better, workers=1)
    whole.close()
    source, _ = lucky(tmp_path / "cut")
    play(source, end=better, workers=1, until=4)
    source.close()
    again = open_study(tmp_path / "cut", "ads", SPACE)
    asked_for = {"strategy": "random", "batch": 4, "repeats": 1.0}
    play(source := source_of(tmp_path / "cut", again, 6, baseline_seeds=3, search=asked_for), end=better, workers=1)
    source.close()
    assert repr(again.trials[2].repeats) == repr(study.trials[2].repeats)


def test_what_is_repeated_does_not_hang_on_how_long_a_proposal_takes(tmp_path: Path, strategy: Strategy) -> None:
    """One worker. Whether a job is given before or after the last one ended must not decide."""

    def given(folder: Path, ahead: int) -> list[str]:
        source, _ = lucky(folder, trials=16, workers=1, search={"batch": 8})
        found, out = [], list[Job]()
        while not isinstance(job := source.next(len(out)), Done):
            if isinstance(job, Job):
                out.append(job)
                found.append(job.name)
            if len(out) > ahead or isinstance(job, Wait):
                source.ended(out[0], better(out.pop(0)))
        source.close()
        return found

    assert given(tmp_path / "ahead", 1) == given(tmp_path / "waiting", 0)


# ---------------------------------------------------------------- nothing can succeed


def only_baseline(end: Callable[[Job], Outcome], healthy: str = "") -> Callable[[Job], Outcome]:
    """Only the baseline trains, and that job."""
    return lambda job: good(job) if job.name.startswith("baseline") or job.name == healthy else end(job)


def test_a_search_whose_first_trials_all_fail_goes_no_further(tmp_path: Path, strategy: Strategy) -> None:
    study = fresh(tmp_path)
    for done in (HOPELESS_AFTER, 2 * HOPELESS_AFTER):
        source = source_of(tmp_path, study, 60)
        play(source, end=only_baseline(bad))
        assert done <= sum(trial.ended for trial in study.trials) <= done + 4, "called again it tries as many more"
        with pytest.raises(
            RunError, match=r"failed \(16\); most often \(16\): timeout: .* tried: give trials more time"
        ):
            source.close()


def test_one_trial_that_trains_is_hope_enough(tmp_path: Path, strategy: Strategy) -> None:
    study = fresh(tmp_path)
    source = source_of(tmp_path, study, 40)
    play(source, end=only_baseline(bad, healthy="trial-5"))
    source.close()
    assert sum(trial.ended for trial in study.trials) == 40


def test_where_all_fail_alike_from_some_moment_on_nothing_more_is_tried(tmp_path: Path, strategy: Strategy) -> None:
    """As where the installation breaks in the middle of a search. Errors of several kinds are the models' own."""

    def broken(*reasons: str) -> Callable[[Job], Outcome]:
        failures = itertools.cycle(Failure("error", reason) for reason in reasons)
        return only_baseline(lambda job: Outcome(failure=next(failures)), healthy="trial-5")

    study = fresh(tmp_path / "alike")
    source = source_of(tmp_path / "alike", study, 60)
    play(source, end=broken("ModuleNotFoundError: torch"))
    with pytest.raises(RunError, match=r"16 trials in a row failed alike: error: ModuleNotFoundError: torch\. Nothing"):
        source.close()
    study = fresh(tmp_path / "several")
    source = source_of(tmp_path / "several", study, 40)
    play(source, end=broken("width is 0", "rank is 0"))
    source.close()
    assert sum(trial.ended for trial in study.trials) == 40


def test_trials_that_only_break_a_limit_are_no_reason_to_despair(tmp_path: Path, strategy: Strategy) -> None:
    study = fresh(tmp_path)
    source = source_of(tmp_path, study, 40)
    play(source, end=only_baseline(lambda job: Outcome(failure=Failure("constraint", "QPS must be at least 3 x"))))
    source.close()
    assert sum(trial.ended for trial in study.trials) == 40


def test_where_the_baseline_was_widened_the_one_brought_is_trained_on_the_same_orders(
    tmp_path: Path, strategy: Strategy
) -> None:
    widened = replace(HUMAN, deep=(replace(HUMAN.deep[0], width=512),))
    scaled = Scaled(factor=4.0, brought_flops=10, flops=40, widened=widened)
    limits = ["qps <= 2 * baseline.qps"]
    problem = problem_in(tmp_path, constraints=limits).at_scale(scaled)
    study = open_study(tmp_path, "ads", SPACE, problem.config.limits)
    study.note(study_facts(scaled=scaled))
    source = SearchSource(problem, study, Budget(trials=2), workers=1)
    jobs = [source.next(running) for running in range(4)]
    assert all(isinstance(job, Job) for job in jobs)
    assert [job.name for job in jobs if isinstance(job, Job)] == ["baseline-0", "baseline-1", "brought-0", "brought-1"]
    payloads = [asked(job) for job in jobs if isinstance(job, Job)]
    assert [ModelSpec.from_tree(one.model) for one in payloads] == [widened, widened, HUMAN, HUMAN]
    assert [one.order_seed for one in payloads[:2]] == [one.order_seed for one in payloads[2:]]
    for one in payloads:
        assert one.timing is not None
        assert ModelSpec.from_tree(one.timing.reference) == widened
    assert not any(one.timing and one.timing.limits for one in payloads), "a baseline is nobody's proposal"
    for job in jobs[:3]:
        assert isinstance(job, Job)
        source.ended(job, Outcome(measurement=measured(Candidate({}, HUMAN), ne=0.9), started_at=1.0, ended_at=2.0))
    assert study.baseline() is not None
    assert len(study.baselines.brought) == 1
    assert not study.has_baselines()
    assert isinstance(source.next(1), Job), "trials need not wait for it"
    source.close()
    gone_on = SearchSource(
        problem, open_study(tmp_path, "ads", SPACE, problem.config.limits), Budget(trials=2), workers=1
    )
    left = gone_on.next(0)
    assert isinstance(left, Job)
    assert left.name == "brought-1"
    gone_on.close()
