"""`automl check` of an ExFM file: what can be known of a run before anything trains."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from automl.exfm.problem import ExfmProblem, Student, exfm_of
from automl.files.passed import Passed, unheard
from search_spaces.model import InputShape, ModelSpec
from search_spaces.source import Document


def exfm_lines(document: Document, folder: Path | None, passed: Passed = unheard) -> list[str]:
    """Windows, labels, the teacher, a line a student; the stream is encoded, and the run then uses it.

    Raises:
        InputError: with every mistake.
    """
    problem = exfm_of(document, folder, passed)
    return [
        _stream_line(problem),
        *(f"note: {note}" for note in problem.stream.notes),
        *_label_lines(problem),
        _teacher_line(problem),
        *(_student_line(problem, student) for student in problem.students),
        _work_line(problem),
    ]


def _stream_line(problem: ExfmProblem) -> str:
    stream = problem.stream
    counts = [window.rows.stop - window.rows.start for window in stream.windows]
    scored = problem.config.score_from
    return (
        f"stream: {len(stream):,} rows in {len(counts)} windows of {min(counts):,} to {max(counts):,}, "
        f"{stream.windows[0].name} to {stream.windows[-1].name}; scored from {stream.windows[scored].name} on "
        f"({len(counts) - scored} windows); {len(stream.fields)} id fields, {len(stream.dense)} dense"
    )


def _label_lines(problem: ExfmProblem) -> list[str]:
    """How much of each label is there, and how much of it is known before the next window starts."""
    from automl.data.columns.times import NEVER

    stream = problem.stream
    ends_N = np.concatenate([np.full(w.rows.stop - w.rows.start, w.end_ns) for w in stream.windows])
    lines = []
    for k, task in enumerate(stream.tasks):
        known_N = np.isfinite(stream.labels_NT[:, k])
        if not known_N.any():
            lines.append(f"label {task}: defined nowhere")
            continue
        arrivals_N = stream.arrivals_NT[known_N, k]
        lines.append(
            f"label {task}: defined in {known_N.mean():.1%} of the rows, {stream.labels_NT[known_N, k].mean():.1%} "
            f"positive; {(arrivals_N <= ends_N[known_N]).mean():.1%} known by the end of the row's window, "
            f"{(arrivals_N == NEVER).mean():.1%} never"
        )
    return lines


def _teacher_line(problem: ExfmProblem) -> str:
    teacher = problem.config.teacher
    every = "a window" if teacher.snapshot_every is None else f"{teacher.snapshot_every / 3600:g} h"
    age = f", at least {teacher.age / 3600:g} h old" if teacher.age else ""
    union_N = problem.members_NV.any(1)
    cost = cost_words(problem.teacher, problem.teacher_columns.inputs(problem.stream))
    return (
        f"teacher: {teacher.members} x {cost}, {len(problem.stream.tasks)} labels, {union_N.sum():,} rows; "
        f"a snapshot every {every}{age}"
    )


def _student_line(problem: ExfmProblem, student: Student) -> str:
    stream = problem.stream
    labels_N = stream.labels_NT[student.members_N, student.task]
    known_N = np.isfinite(labels_N)
    first = stream.windows[problem.config.score_from].rows.start
    scored = int((known_N & (np.flatnonzero(student.members_N) >= first)).sum())
    inputs = student.columns.inputs(stream)
    recipes = ", ".join(recipe.name for recipe in student.recipes)
    base_rate = labels_N[known_N].mean()
    times = problem.teacher.cost(problem.teacher_columns.inputs(stream)).flops * problem.config.teacher.members
    return (
        f"student {student.name}: {known_N.sum():,} rows ({base_rate:.1%} positive of `{student.label}`, {scored:,} "
        f"scored); {cost_words(student.spec, inputs)}, the teacher "
        f"{times / max(student.spec.cost(inputs).flops, 1):.3g} times as many; {recipes}"
    )


def _work_line(problem: ExfmProblem) -> str:
    runs = [recipe for student in problem.students for recipe in student.recipes]
    models = sum(len(recipe.arms) for recipe in runs)
    seeds = problem.config.seeds
    return f"work: {len(runs) * seeds} runs of students ({seeds} seeds), {models * seeds} models in all"


def cost_words(spec: ModelSpec, inputs: InputShape) -> str:
    """Parameters and FLOPs a row, of one member."""
    cost = spec.cost(inputs)
    return f"{cost.params * 1e-6:.3g}M parameters, {cost.flops * 1e-3:.3g}k FLOPs a row"
