"""Models trained again, each on several orders of the data, as jobs; and the windows that they are compared on."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from automl.data.store.log import EncodedLog
from automl.files.sealed import read_sealed
from automl.runtime.errors import RunError
from automl.runtime.jobs import Done, Job, Limits, Outcome, Progress, TrainModel, Wait
from automl.stats.compared import ScoredRows
from automl.stats.seeds import trial_seeds
from automl.study.config import TRAININGS
from automl.study.history import Failure
from automl.study.plugins import digests
from automl.study.problem import FINALS_FIT, SEARCH_FIT, Problem
from search_spaces.model import ModelSpec

Floats = NDArray[np.float64]
BASELINE = "baseline"
CHECKPOINTS = "checkpoints"  # in the study's folder: of trainings that are under way


@dataclass(frozen=True, slots=True)
class Stage:
    """On which windows models are trained and scored, and from which order of the data on."""

    name: str
    train: tuple[str, ...]
    score: str
    first_order: int


# Orders of the finals are not those of the search: the seed and order that made a trial look good are not drawn again.
CONFIRM = Stage("confirm", SEARCH_FIT, "validate", first_order=1)
FINAL = Stage("final", FINALS_FIT, "test", first_order=1000)


@dataclass(frozen=True, slots=True)
class Failed:
    """A training that failed: on which repeat of its stage, and why."""

    repeat: int
    failure: Failure


class RepeatsSource:
    """Every model on every order, as jobs. What is on disk from before is not run again.

    A model that fails on one order is trained on no further one; where it is the baseline, nothing is.
    """

    def __init__(
        self, problem: Problem, log: EncodedLog, models: Mapping[str, ModelSpec], repeats: int, stage: Stage = FINAL
    ) -> None:
        self._problem, self._log, self._models, self._repeats = problem, log, models, repeats
        self._stage = stage
        predictions_folder(problem, log).mkdir(parents=True, exist_ok=True)
        self._anew = tuple(self._remove_others())
        # Order by order, all models side by side: an interrupted run leaves whole orders.
        self._jobs = deque((name, r) for r in range(repeats) for name in models if not self._file(name, r).exists())
        self._failed: dict[str, Failed] = {}
        self.told: Callable[[], None] = lambda: None

    @property
    def models(self) -> Mapping[str, ModelSpec]:
        """By name: trial numbers, and the baseline."""
        return self._models

    @property
    def anew(self) -> tuple[Path, ...]:
        """Files that lay there and were not what was written there: they are made again."""
        return self._anew

    @property
    def waiting(self) -> int:
        return len(self._jobs)

    def next(self, running: int) -> Job | Wait | Done:
        return self._job(*self._jobs.popleft()) if self._jobs else Done()

    def keep_going(self, job: Job, progress: Progress) -> bool:
        return True

    def ended(self, job: Job, outcome: Outcome) -> None:
        if outcome.failure is not None:
            name, repeat = job.name.split("-")[1:]
            self._give_up(name, Failed(int(repeat), outcome.failure))
        self.told()

    def describe(self) -> tuple[int, int, str]:
        """Done, total, words: for a line of progress."""
        done = sum(self._file(name, r).exists() for name in self._models for r in range(self._repeats))
        words = f"{self._stage.name}: {len(self._models) - 1} models and the baseline, {self._repeats} seeds"
        return done, len(self._models) * self._repeats, words

    @property
    def failed(self) -> Mapping[str, Failed]:
        """By model: the first order that it failed on."""
        return self._failed

    def whole(self, task: str | None = None) -> dict[str, Floats]:
        """Predictions (repeats, rows) of the models that were trained on every order, of the rows of `scored_window`.

        Raises:
            RunError: where the baseline failed, or a file was changed by another hand meanwhile.
        """
        self._check_baseline()
        files = {name: [self._file(name, r) for r in range(self._repeats)] for name in self._models}
        log = self._log.about(task)
        return {
            name: np.stack([_of_task(_read(f), log, self._stage.score) for f in of])
            for name, of in files.items()
            if all(f.exists() for f in of)
        }

    def _remove_others(self) -> Iterator[Path]:
        for file in (self._file(name, r) for name in self._models for r in range(self._repeats)):
            if file.exists() and read_sealed(file, _name_of(file)) is None:
                file.unlink()
                yield file

    def _check_baseline(self) -> None:
        broken = self._failed.get(BASELINE)
        if broken is not None:
            kind, reason, order = broken.failure.kind, broken.failure.reason, broken.repeat + 1
            raise RunError(f"the baseline must train on every order, but it failed on order {order}: {kind}: {reason}")

    def _give_up(self, name: str, failed: Failed) -> None:
        known = self._failed.get(name)
        if known is None or failed.repeat < known.repeat:
            self._failed[name] = failed
        self._jobs = deque(job for job in self._jobs if name not in (BASELINE, job[0]))

    def _file(self, name: str, repeat: int) -> Path:
        return predictions_file(self._problem, self._log, self._models[name], self._stage, repeat)

    def _job(self, name: str, repeat: int) -> Job:
        payload = trained_again(self._problem, self._log, self._models[name], self._stage, repeat)
        days = later_days(self._problem, self._log, self._stage)
        trial, job = self._problem.config.trial, f"{self._stage.name}-{name}-{repeat}"
        return Job(
            job,
            resumable(self._problem, job, replace(kept_in(payload, self._file(name, repeat)), days=days)),
            Limits(timeout_s=2 * self._longer(days) * trial.timeout, memory_bytes=trial.memory),
        )

    def _longer(self, days: tuple[int, ...]) -> float:
        """How many times the rows before the scored window are trained on, with its own days."""
        first: int = self._log.windows[self._stage.train[0]].start
        start: int = self._log.windows[self._stage.score].start
        return ((days[-1] if days else start) - first) / (start - first)


def predictions_folder(problem: Problem, log: EncodedLog) -> Path:
    """Where predictions of models that were trained again are kept; it need not be there yet. Its name says of which
    log and seed, and where plug-ins are loaded of which training and code: a folder may hold several studies."""
    name, code = f"{log.fingerprint[:16]}-seed{problem.config.seed}", sorted(digests().values())
    if code:
        name += f"-{problem.config.trial.training}-{hashlib.sha256(''.join(code).encode()).hexdigest()[:8]}"
    return problem.folder / "finals" / name


def predictions_file(problem: Problem, log: EncodedLog, model: ModelSpec, stage: Stage, repeat: int) -> Path:
    """Where the predictions of one training stand, whoever has it done: a file that is there is not made again.

    Its name says which model, which order, and whether the days were trained on one after the other.
    """
    daily = "-daily" if later_days(problem, log, stage) else ""
    return predictions_folder(problem, log) / f"{model.key}-{stage.first_order + repeat}{daily}.npy"


def resumable(problem: Problem, job: str, payload: TrainModel) -> TrainModel:
    """A training of a job of that name, which goes on from its last checkpoint where its process dies."""
    return replace(payload, checkpoint=str(problem.folder / CHECKPOINTS / f"{job}.pt"))


def kept_in(payload: TrainModel, file: Path) -> TrainModel:
    """A training whose predictions are to stand in that file, and to be known there again."""
    return replace(payload, predictions=str(file), predictions_name=_name_of(file))


def _name_of(file: Path) -> str:
    """What predictions are sealed with: log, seed and code, model and order, wherever the study lies."""
    return "/".join(file.parts[-2:])


def _read(file: Path) -> Floats:
    values = read_sealed(file, _name_of(file))
    if values is None:
        raise RunError(f"{file} was changed while it was needed; run the same command again: it is made anew")
    return values


def days_of_test(problem: Problem, log: EncodedLog) -> tuple[tuple[dt.date, slice], ...]:
    """The days of the test window, each with its rows; none where windows are shares of the rows."""
    return () if problem.config.data.split.random is not None else log.days(FINAL.score)


def later_days(problem: Problem, log: EncodedLog, stage: Stage) -> tuple[int, ...]:
    """Rows at which the later days of a stage's window begin, where it is scored day by day."""
    if stage != FINAL or not problem.config.finals.progressive:
        return ()
    return tuple(rows.start for _, rows in days_of_test(problem, log)[1:])


def trained_again(
    problem: Problem, log: EncodedLog, model: ModelSpec, stage: Stage = FINAL, repeat: int = 0
) -> TrainModel:
    """A model on one of a stage's orders, with the seeds that go with it."""
    order = stage.first_order + repeat
    seeds = trial_seeds(problem.config.seed, order)
    return TrainModel(
        model=model.to_tree(),
        log=str(log.folder),
        task=None if log.primary == 0 else log.label,
        train=stage.train,
        score=stage.score,
        weights_seed=seeds["weights"],
        order_seed=seeds["order"],
        device="gpu" if problem.config.resources.gpu else "cpu",
        work=TRAININGS[problem.config.trial.training],
    )


def scored_window(log: EncodedLog, window: str) -> ScoredRows:
    """The rows of a window, as predictions of it are compared: of several labels those where the primary is defined."""
    rows = log.windows[window]
    found = ScoredRows(
        np.asarray(log.labels_N[rows], dtype=np.float64),
        np.asarray(log.weights_N[rows], dtype=np.float64),
        np.asarray(log.clusters_N[rows]),
        log.negatives_kept,
    )
    return found if log.labels_NT is None else found.part(scored_rows(log, window))


def scored_rows(log: EncodedLog, window: str) -> NDArray[np.bool_]:
    """Which rows of a window `scored_window` has."""
    return ~np.isnan(log.labels_N[log.windows[window]])


def _of_task(probs: Floats, log: EncodedLog, window: str) -> Floats:
    """Of predictions (rows,) or (rows, T) of a window those of the primary label, where it is defined."""
    return probs if log.labels_NT is None else probs[scored_rows(log, window), log.primary]
