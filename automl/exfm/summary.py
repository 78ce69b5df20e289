"""The figures of a run: what exfm.json holds, and the report shows.

N rows of the stream, S seeds, T tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from automl.data.store.stream import EncodedStream
from automl.exfm.das.counts import AGE_EDGES_HOURS
from automl.exfm.das.reader import DasReader
from automl.exfm.problem import ExfmProblem, Student
from automl.exfm.scores import Scored, corrected, figures
from automl.exfm.student.jobs import read_left
from automl.exfm.student.recipes import recipe_of
from automl.exfm.student.run import LOGITS, Assignment
from automl.exfm.teacher.taught import Taught
from automl.stats.compared import ScoredRows
from automl.study.exfm_results import DasCounts, ExfmResult, ModelCost, StreamWindow, StudentResult, TeacherResult
from search_spaces.model import InputShape, ModelSpec


def summarise(
    problem: ExfmProblem, reader: DasReader, assignments: Mapping[str, Assignment], taught: Taught
) -> ExfmResult:
    """Everything that was measured."""
    config, stream = problem.config, problem.stream
    teacher_NT = teacher_logits(problem, reader)
    students = corrected(
        [_student(problem, student, assignments, teacher_NT[:, student.task]) for student in problem.students]
    )
    return ExfmResult(
        name=config.name,
        stream=stream.fingerprint,
        tasks=tuple(stream.tasks),
        notes=tuple(stream.notes),
        score_from=config.score_from,
        seeds=config.seeds,
        windows=tuple(
            StreamWindow(w.name, w.rows.stop - w.rows.start, scored=k >= config.score_from)
            for k, w in enumerate(stream.windows)
        ),
        teacher=TeacherResult(
            model=problem.teacher,
            members=config.teacher.members,
            cost=_cost(problem.teacher, problem.teacher_columns.inputs(stream), config.teacher.members),
            snapshot_every_s=config.teacher.snapshot_every,
            age_s=config.teacher.age,
            refusals=taught.refusals,
            train_seconds=taught.train_seconds,
            ticks=taught.ticks,
        ),
        das=_das(taught, len(students)),
        students={student.name: student for student in students},
    )


def teacher_logits(problem: ExfmProblem, reader: DasReader) -> NDArray[np.float32]:
    """Logits (N, T) of all rows whose labels have arrived; NaN elsewhere."""
    stream = problem.stream
    logits_NT = np.full((len(stream), len(stream.tasks)), np.nan, np.float32)
    for window in stream.windows:
        found = reader.read(window.name)
        logits_NT[found.rows_N] = found.logits_NT
    return logits_NT


def scored_of(
    problem: ExfmProblem,
    student: Student,
    runs: Mapping[str, Sequence[Path]],
    teacher_N: NDArray[np.float32],
) -> tuple[Scored, NDArray[np.int64]]:
    """Scored rows of a student, with the probabilities of each recipe's runs (folders, by seed), and their numbers."""
    stream = problem.stream
    examples_N = np.flatnonzero(student.members_N & np.isfinite(stream.labels_NT[:, student.task]))
    part = examples_N >= stream.windows[problem.config.score_from].rows.start
    rows_N = examples_N[part]
    probs = {
        name: np.stack([expit(np.load(out / LOGITS)[part], dtype=np.float64) for out in outs])
        for name, outs in runs.items()
    }
    scored = Scored(
        rows=scored_rows(stream, rows_N, student.task),
        windows_N=np.searchsorted([w.rows.start for w in stream.windows], rows_N, side="right") - 1,
        probs_SN=probs,
        teacher_N=np.where(np.isnan(teacher_N[rows_N]), np.nan, expit(teacher_N[rows_N], dtype=np.float64)),
    )
    return scored, rows_N


def scored_rows(stream: EncodedStream, rows_N: NDArray[np.int64], task: int) -> ScoredRows:
    """Rows of the stream with the label of a task, as predictions of it are compared."""
    labels_N = stream.labels_NT[rows_N, task].astype(np.float64)
    return ScoredRows(labels_N, np.ones(len(rows_N)), np.asarray(stream.clusters_N[rows_N]))


def _student(
    problem: ExfmProblem, student: Student, assignments: Mapping[str, Assignment], teacher_N: NDArray[np.float32]
) -> StudentResult:
    stream = problem.stream
    mine = [one for one in assignments.values() if one.student == student.name]
    assigned = {recipe.name: [one for one in mine if one.recipe == recipe] for recipe in student.recipes}
    runs = {name: [one.out for one in ones] for name, ones in assigned.items()}
    scored, rows_N = scored_of(problem, student, runs, teacher_N)
    return StudentResult(
        name=student.name,
        label=student.label,
        own=recipe_of(problem.config.students[student.part].distill).name,
        rows=int((student.members_N & np.isfinite(stream.labels_NT[:, student.task])).sum()),
        cost=_cost(student.spec, student.columns.inputs(stream), 1),
        all=figures(scored),
        windows=tuple(
            figures(scored.part(scored.windows_N == k), stream.windows[k].name) for k in np.unique(scored.windows_N)
        ),
        segments={
            name: figures(scored.part(segment[rows_N]), name)
            for name, segment in stream.segments.items()
            if segment[rows_N].any()
        },
        runs={name: tuple(read_left(one) for one in ones) for name, ones in assigned.items()},
    )


def _cost(spec: ModelSpec, inputs: InputShape, members: int) -> ModelCost:
    cost = spec.cost(inputs)
    return ModelCost(params=cost.params * members, flops=cost.flops * members)


def _das(taught: Taught, students: int) -> DasCounts:
    counts = taught.counts
    return DasCounts(
        **asdict(counts),
        age_edges_hours=AGE_EDGES_HOURS,
        coverage=counts.coverage,
        calls_per_example=counts.calls_per_example,
        rows_per_second=counts.rows_per_second,
        core_seconds_per_student=(counts.core_seconds + taught.train_seconds) / students,
    )
