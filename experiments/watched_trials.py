"""Trials in a worker of the project's own, whose memory is looked at from outside."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from automl.runtime.cluster import cluster
from automl.runtime.engine import run
from automl.runtime.jobs import Done, Job, Limits, Outcome, Progress, Resources, Timing, TrainModel, Wait
from automl.runtime.leftovers import FOLDER, marked
from automl.study.problem import Problem
from experiments.held import Looking, held_by
from search_spaces.model import ModelSpec

LOOK_EVERY_S = 0.02


def trained(problem: Problem, models: Mapping[str, ModelSpec]) -> dict[str, Any]:
    """A trial of each model, one after the other in one worker that has run a short one before; what the worker held at
    its most, in all.

    Raises:
        RuntimeError: where a trial failed.
    """
    source = Listed(
        [job("short", problem, problem.baseline, "validate"), *(job(n, problem, m) for n, m in models.items())]
    )
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder), 1), Watch(Path(folder)) as watch:
        run(source, Resources(workers=1))
    trials = {}
    for name in models:
        outcome = source.outcomes[name]
        if outcome.failure is not None:
            raise RuntimeError(f"{name}: {outcome.failure.kind}: {outcome.failure.reason}")
        seconds = {} if outcome.measurement is None else outcome.measurement.seconds
        wall = outcome.ended_at - outcome.started_at
        trials[name] = {"cpu_s": outcome.cpu_seconds, "wall_s": wall, "parts_s": seconds}
    return {"trials": trials, "worker_mib": watch.most / 2**20}


def job(name: str, problem: Problem, model: ModelSpec, train: str = "train") -> Job:
    """A trial as a search gives it out, without a limit on time or speed."""
    qps = problem.config.qps
    timing = Timing(
        reference=problem.baseline.to_tree(),
        batch_rows=qps.batch_rows,
        max_seconds=qps.max_seconds,
        clock=qps.clock,
    )
    payload = TrainModel(model=model.to_tree(), log=str(problem.log.folder), train=(train,), timing=timing)
    return Job(name, payload, Limits(timeout_s=3600.0, memory_bytes=problem.config.trial.memory))


class Listed:
    """Jobs one by one, and what became of them."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._left, self.outcomes = deque(jobs), dict[str, Outcome]()

    def next(self, running: int) -> Job | Wait | Done:
        if running:
            return Wait()
        return self._left.popleft() if self._left else Done()

    def keep_going(self, job: Job, progress: Progress) -> bool:
        return True

    def ended(self, job: Job, outcome: Outcome) -> None:
        self.outcomes[job.name] = outcome


class Watch(Looking):
    """The most that a worker of the run in a folder held that no file backs, in the block."""

    def __init__(self, folder: Path) -> None:
        super().__init__(LOOK_EVERY_S)
        self.most = 0
        self._folder = str(folder.absolute())
        self._workers: list[int] = []

    def look(self) -> None:
        self._workers = [worker for worker in self._workers if psutil.pid_exists(worker)] or workers_of(self._folder)
        self.most = max([self.most, *(held_by(worker)[0] for worker in self._workers)])


def workers_of(folder: str) -> list[int]:
    """The processes that run trials for the run in a folder."""
    found = []
    for process in marked(FOLDER, folder):
        with suppress(psutil.Error):
            if "Trainable" in " ".join(process.cmdline()[:1]):
                found.append(process.pid)
    return found
