"""One student on the stream, with all its arms: score a window, learn what has arrived by its end, go on.

N rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from automl.data.store.stream import EncodedStream, open_stream
from automl.exfm.columns import Columns
from automl.exfm.das.reader import NO_SNAPSHOT, Augmented, DasReader
from automl.exfm.student.facts import WEIGHTS, write_run
from automl.exfm.student.judge import Judge
from automl.exfm.student.recipes import Recipe
from automl.exfm.student.sampling import sampled
from automl.files.parts import digest_of
from automl.files.whole import whole_folder
from automl.ranking.batches import Chunk, Lesson
from automl.ranking.distill import TeacherLoss
from automl.ranking.features import Features
from automl.ranking.losses import LabelLoss, Loss
from automl.ranking.model import RankingModel, build_member
from automl.ranking.place import busy_seconds, fetch, put
from automl.ranking.scoring import logits_of
from automl.ranking.stepper import Stepper
from automl.stats.seeds import seed_of
from automl.study.exfm_results import RunFacts
from search_spaces.distill import Distill
from search_spaces.model import ModelSpec

_HOUR_NS = 3.6e12
LOGITS = "logits.npy"


Distort = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # logits (N, T) to logits (N, T); picklable


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """All that a worker needs to run a student under one recipe and seed."""

    student: str
    recipe: Recipe
    spec: ModelSpec
    columns: Columns
    members_N: NDArray[np.bool_]
    task: int
    negatives_kept: float | None
    seed: int
    stream: Path
    run: Path  # whose augmented log is read
    out: Path  # folder of the results
    distort: Distort | None = None  # of what the teacher said: replays of a teacher that is biased, or of another label


class Arm:
    """A model and how it learns."""

    def __init__(self, assigned: Assignment, stream: EncodedStream, distill: Distill | None, tasks: int) -> None:
        weights_seed = seed_of("student", assigned.student, assigned.seed)
        spec = replace(assigned.spec, distill=distill)
        self.spec = spec
        self.model: RankingModel = build_member(spec, assigned.columns.inputs(stream), seed=weights_seed)
        self._stepper = Stepper(self.model, spec, _loss(assigned, distill, self.model, tasks, weights_seed))
        self._started = False
        self.seconds = 0.0

    def score(self, features: Features) -> NDArray[np.float32]:
        """Logits of rows."""
        return fetch(logits_of(self.model.eval(), features.parts()))

    def learn(self, lessons: Chunk, seed: int) -> None:
        """One pass over lessons."""
        start = busy_seconds()
        if not self._started:
            self.model.start_at(float(lessons.labels.mean()))
            self._started = True
        self.model.train()
        self.model.noise.reseed(seed)
        for _ in self._stepper.steps(lessons):
            pass
        self.seconds += busy_seconds() - start


def _loss(assigned: Assignment, distill: Distill | None, model: RankingModel, tasks: int, seed: int) -> Loss:
    if distill is None:
        return LabelLoss()
    return TeacherLoss(distill, model.head, tasks=tasks, own=assigned.task, seed=seed)


class StudentRun:
    """A student under one recipe and seed, from the first window to the last."""

    def __init__(self, assigned: Assignment) -> None:
        self._assigned = assigned
        self._stream = open_stream(assigned.stream)
        self._reader = DasReader(assigned.run, self._stream)
        labels_N = np.asarray(self._stream.labels_NT[:, assigned.task])
        self._examples_N = np.flatnonzero(assigned.members_N & np.isfinite(labels_N))
        tasks = len(self._stream.tasks)
        self.arms = {name: Arm(assigned, self._stream, distill, tasks) for name, distill in assigned.recipe.arms}
        self._judge = Judge(tuple(self.arms), self._examples_N) if assigned.recipe.auto else None
        self.choices: list[str] = []
        self.muted: list[bool] = []
        self.learnt = 0
        self.logits_N = np.full(len(self._examples_N), np.nan, np.float32)

    def run(self) -> Iterator[float]:
        """Window by window; yields the share that is done."""
        windows = self._stream.windows
        for number, window in enumerate(windows):
            first, last = np.searchsorted(self._examples_N, [window.rows.start, window.rows.stop])
            logits = self._score(slice(first, last))
            self.choices.append(self.serving)
            self.logits_N[first:last] = logits[self.serving]
            if self._judge is not None and self.learnt:
                self._judge.note(slice(first, last), logits)
            self._learn(number, window.name)
            yield (number + 1) / len(windows)

    def model(self) -> RankingModel:
        """What would serve after the last window, which it has learnt from."""
        return self.arms[self.serving].model

    @property
    def serving(self) -> str:
        """The arm that serves the next window."""
        return self._judge.chooser.choice if self._judge else self._assigned.recipe.name

    @property
    def _alive(self) -> tuple[str, ...]:
        return self._judge.chooser.alive if self._judge else tuple(self.arms)

    def _score(self, part: slice) -> dict[str, NDArray[np.float32]]:
        rows_N = self._examples_N[part]
        features = self._features(rows_N)
        shift = 0.0 if self._assigned.negatives_kept is None else float(np.log(self._assigned.negatives_kept))
        return {name: self.arms[name].score(features) + np.float32(shift) for name in self._alive}

    def _learn(self, number: int, window: str) -> None:
        """Learn what has arrived by the end of a window."""
        found = self._reader.read(window, self._assigned.student)
        said_NT = found.logits_NT if self._assigned.distort is None else self._assigned.distort(found.logits_NT)
        labels_N = found.labels_NT[:, self._assigned.task]
        arrived_N = np.isfinite(labels_N)
        if self._judge is not None:
            said_NT = said_NT.copy()
            own_N = said_NT[arrived_N, self._assigned.task]
            said_NT[arrived_N, self._assigned.task] = self._judge.hear(
                found.rows_N[arrived_N], labels_N[arrived_N], own_N
            )
        muted = self._judge is not None and self._judge.chooser.muted
        self.muted.append(muted)
        lessons = self._lessons(found, said_NT, arrived_N)
        if not len(lessons):
            return
        self.learnt += len(lessons)
        order = np.random.default_rng(seed_of("order", self._assigned.student, self._assigned.seed, number))
        lessons = lessons.take(put(order.permutation(len(lessons))))
        if muted:
            lessons = replace(lessons, lesson=None)
        noise = seed_of("noise", self._assigned.student, self._assigned.seed, number)
        for name in self._alive:
            self.arms[name].learn(lessons, noise)

    def _lessons(self, found: Augmented, said_NT: NDArray[np.float32], arrived_N: NDArray[np.bool_]) -> Chunk:
        """Of the rows whose label arrived, those that the student's own sampling keeps."""
        assigned = self._assigned
        labels_N = found.labels_NT[:, assigned.task]
        kept_N = arrived_N & sampled(self._stream.examples_N[found.rows_N], labels_N, assigned.negatives_kept)
        if assigned.negatives_kept is not None:  # the student learns odds of the log that it sees
            said_NT = said_NT - np.float32(np.log(assigned.negatives_kept))
        trained_to_N = found.trained_to_N[kept_N]
        ages_N = np.where(trained_to_N == NO_SNAPSHOT, 0.0, (found.scored_at_N[kept_N] - trained_to_N) / _HOUR_NS)
        return Chunk(
            self._features(found.rows_N[kept_N]),
            put(labels_N[kept_N]),
            lesson=Lesson(put(said_NT[kept_N]), put(ages_N.astype(np.float32))),
        )

    def _features(self, rows_N: NDArray[np.int64]) -> Features:
        return self._assigned.columns.read(self._stream, rows_N)


def run_student(assigned: Assignment, told: Callable[[float], None] = lambda _: None) -> None:
    """Run a student and leave its results in its folder, whole or not at all."""
    student = StudentRun(assigned)
    for share in student.run():
        told(share)
    with whole_folder(assigned.out) as part:
        np.save(part / LOGITS, student.logits_N)
        torch.save(dict(student.model().state_dict()), part / WEIGHTS)
        write_run(part, _facts(assigned, student, digest_of(part / WEIGHTS)))


def _facts(assigned: Assignment, student: StudentRun, weights: str) -> RunFacts:
    serving = student.serving
    return RunFacts(
        vm=assigned.student,
        recipe=assigned.recipe.name,
        seed=assigned.seed,
        spec=student.arms[serving].spec,
        serving=serving,
        choices=tuple(student.choices),
        muted=tuple(student.muted),
        rows=student.learnt,
        train_seconds={name: arm.seconds for name, arm in student.arms.items()},
        weights=weights,
    )
