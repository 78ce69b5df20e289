"""Ray Tune as the engine: jobs from a JobSource run in parallel, and each is told back, whatever became of it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from automl.runtime.interrupt import deferred_interrupt
from automl.runtime.jobs import Done, Job, JobSource, Outcome, Step, Wait, job_config, progress_of
from automl.runtime.limits import read_note
from automl.runtime.worker import Worker, started_at, told_by
from automl.study.history import Failure
from automl.study.plugins import files


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """How many jobs run at once, and what each holds."""

    workers: int
    cpu: float = 1.0
    gpu: float = 0.0


def run(source: JobSource, resources: Resources, *, clock: Callable[[], float] = time.time) -> None:
    """Run until the source is done. Ray must be up (see cluster.py). KeyboardInterrupt goes through."""
    scratch = Path(tempfile.mkdtemp(prefix="automl-tune-"))
    try:
        with deferred_interrupt() as check:
            _fit(Desk(source, resources.workers, scratch, clock, check), resources, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _fit(desk: Desk, resources: Resources, scratch: Path) -> None:
    tuner = tune.Tuner(
        tune.with_resources(Worker, {"cpu": resources.cpu, "gpu": resources.gpu}),
        tune_config=tune.TuneConfig(
            search_alg=DeskSearcher(
                desk, {"threads": max(1, int(resources.cpu)), "notes": str(scratch), "plugins": files()}
            ),
            scheduler=DeskScheduler(desk),
            num_samples=-1,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="run",
            storage_path=str(scratch),
            failure_config=tune.FailureConfig(max_failures=0, fail_fast=False),
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            verbose=0,
        ),
    )
    results = tuner.fit()
    del results


@dataclass(slots=True)
class Running:
    """A job in Tune's hands."""

    job: Job
    started_at: float
    last: Step | None = None
    stopped: bool = False


class Desk:
    """Keeps the books between Tune's callbacks and the source: one job out, one outcome in."""

    def __init__(
        self,
        source: JobSource,
        workers: int,
        scratch: Path,
        clock: Callable[[], float],
        check_interrupt: Callable[[], None] = lambda: None,
    ) -> None:
        self._check_interrupt = check_interrupt
        self._source, self._workers, self._scratch, self._clock = source, workers, scratch, clock
        self._running: dict[str, Running] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Tune pickles its searcher and scheduler for a restore that is never asked for: the books stay here."""
        return (str, ())

    def give(self, trial_id: str) -> Job | Wait | Done:
        self._check_interrupt()
        if len(self._running) > self._workers:  # one job more than workers, so that none waits for the driver
            return Wait()
        job = self._source.next(len(self._running))
        if isinstance(job, Job):
            self._running[trial_id] = Running(job, self._clock())
        return job

    def keep_going(self, trial_id: str, step: Step, started_at: float) -> bool:
        """Whether the job shall go on after this step."""
        running = self._running[trial_id]
        running.last, running.started_at = step, started_at
        running.stopped = not self._source.keep_going(running.job, progress_of(step))
        return not running.stopped

    def end(self, trial_id: str, last: Step | None, started_at: float | None) -> None:
        """The trial is over: done or stopped, with its last step; or its process is dead."""
        running = self._running.pop(trial_id)
        running.started_at = started_at or running.started_at
        last = last or running.last
        ended_at = self._clock()
        failure = last.failure if last else None
        if not running.stopped and (last is None or not last.done):
            failure = self._last_words(running, ended_at)
        outcome = Outcome(
            measurement=last.measurement if last else None,
            failure=failure,
            curve=last.curve if last else (),
            stopped=running.stopped,
            started_at=running.started_at,
            ended_at=ended_at,
            cpu_seconds=last.cpu_seconds if last else 0.0,
        )
        self._source.ended(running.job, outcome)

    def _last_words(self, running: Running, ended_at: float) -> Failure:
        job = running.job
        note = read_note(self._scratch / f"{job.name}.json")
        if note is not None:
            return note
        stack = self._scratch / f"{job.name}.stack"
        if stack.exists() and "Timeout (" in stack.read_text(errors="replace"):
            return Failure("timeout", f"took longer than its limit of {job.limits.timeout_s:g} s")
        return Failure(
            "lost", f"its process ended after {ended_at - running.started_at:.1f} s without a word (exit or signal)"
        )


class DeskSearcher(Searcher):
    """Tune's Searcher: asks the desk for jobs. None means wait."""

    def __init__(self, desk: Desk, every: dict[str, Any]) -> None:
        """`every` is what all workers are told beside their job."""
        super().__init__(metric="share", mode="max")
        self._desk, self._every = desk, every

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        job = self._desk.give(trial_id)
        if isinstance(job, Done):
            finished: str = Searcher.FINISHED
            return finished
        return None if isinstance(job, Wait) else {"job": job_config(job), **self._every}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        if error or not result:
            self._desk.end(trial_id, None, None)
        else:
            self._desk.end(trial_id, told_by(result), started_at(result))

    def save(self, checkpoint_path: str) -> None:
        """Nothing: a run goes on from the study alone."""

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a run goes on from the study alone")


class DeskScheduler(FIFOScheduler):
    """Tune's scheduler: first come, first served; stops what the desk does not want to go on."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._desk = desk

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Called for every result but the last of a trial."""
        go_on = self._desk.keep_going(trial.trial_id, told_by(result), started_at(result))
        return str(TrialScheduler.CONTINUE if go_on else TrialScheduler.STOP)
