"""What each student learned from, left behind as a log: the teacher was scored once, and any search may share it.

N rows of a student, T tasks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from automl.data.encode.lessons import BLOCK_ROWS
from automl.data.store.digests import wrong_in
from automl.data.store.folder import write_columns
from automl.data.store.lessons import LESSONS, LessonFacts, LessonSource, open_lessons
from automl.exfm.das.reader import NO_SNAPSHOT, DasReader
from automl.exfm.problem import ExfmProblem, Student
from automl.exfm.student.sampling import sampled
from automl.files.whole import whole_folder
from search_spaces.errors import InputError

_HOUR_NS = 3.6e12


def write_lessons(problem: ExfmProblem, student: Student) -> Path:
    """Write RUN/lessons/STUDENT, whole or not at all; lessons of the same rows and predictions are left as they are.

    Raises:
        InputError: where the run has no augmented log.
    """
    reader = DasReader(problem.folder, problem.stream)
    folder = problem.folder / LESSONS.name / student.name
    source = _source(problem, student, reader)
    if _have(folder, source):
        return folder
    with whole_folder(folder) as part:
        rows_N, teacher_NT, ages_N = _told(problem, student, reader)
        write_columns(part, len(rows_N), _blocks(problem, student, rows_N, teacher_NT, ages_N))
        LESSONS.write(part, _facts(problem, student, rows_N, teacher_NT, source, _fingerprint(part)))
    return folder


def _told(
    problem: ExfmProblem, student: Student, reader: DasReader
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Rows of the student whose labels have arrived, in the order of time; the teacher's logits, and its age."""
    stream = problem.stream
    labels_N = stream.labels_NT[:, student.task]
    examples_N = np.flatnonzero(student.members_N & np.isfinite(labels_N))
    known_N = np.zeros(len(examples_N), bool)
    teacher_NT = np.full((len(examples_N), len(stream.tasks)), np.nan, np.float32)
    ages_N = np.zeros(len(examples_N), np.float32)
    for window in stream.windows:
        found = reader.read(window.name, student.name)
        arrived = np.isfinite(found.labels_NT[:, student.task])
        at = np.searchsorted(examples_N, found.rows_N[arrived])
        trained_to, scored_at = found.trained_to_N[arrived], found.scored_at_N[arrived]
        known_N[at] = True
        teacher_NT[at] = found.logits_NT[arrived]
        ages_N[at] = np.where(trained_to == NO_SNAPSHOT, 0.0, (scored_at - trained_to) / _HOUR_NS)
    if student.negatives_kept is not None:
        known_N &= sampled(stream.examples_N[examples_N], labels_N[examples_N], student.negatives_kept)
        teacher_NT -= np.float32(np.log(student.negatives_kept))
    return examples_N[known_N], teacher_NT[known_N], ages_N[known_N]


def _blocks(
    problem: ExfmProblem,
    student: Student,
    rows_N: NDArray[np.int64],
    teacher_NT: NDArray[np.float32],
    ages_N: NDArray[np.float32],
) -> Iterator[dict[str, NDArray[np.generic]]]:
    stream = problem.stream
    for start in range(0, max(len(rows_N), 1), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        rows = rows_N[part]
        yield {
            "ids": stream.ids_NF[rows][:, student.columns.fields],
            "dense": stream.dense_ND[rows][:, student.columns.dense],
            "labels": stream.labels_NT[rows, student.task],
            "clusters": stream.clusters_N[rows],
            "times": stream.times_N[rows],
            "teacher": teacher_NT[part],
            "ages": ages_N[part],
        }


def _source(problem: ExfmProblem, student: Student, reader: DasReader) -> LessonSource:
    """What the lessons are made of: where it is the same, so are they."""
    stream = problem.stream
    return {
        "policy": reader.policy,
        "ticks": reader.committed,
        "stream": stream.fingerprint,
        "rows": hashlib.sha256(np.packbits(student.members_N).tobytes()).hexdigest()[:16],
        "fields": [stream.fields[k] for k in student.columns.fields],
        "dense": [stream.dense[k] for k in student.columns.dense],
        "label": student.label,
        "negatives_kept": student.negatives_kept,
    }


def _have(folder: Path, source: LessonSource) -> bool:
    if wrong_in(folder) is not None:
        return False
    try:
        return bool(open_lessons(folder).facts["source"] == source)
    except InputError:
        return False


def _facts(
    problem: ExfmProblem,
    student: Student,
    rows_N: NDArray[np.int64],
    teacher_NT: NDArray[np.float32],
    source: LessonSource,
    fingerprint: str,
) -> LessonFacts:
    stream = problem.stream
    share = float(np.isfinite(teacher_NT[:, student.task]).mean()) if len(rows_N) else 0.0
    return {
        "student": student.name,
        "run": problem.config.name,
        "file": str(problem.file),
        "model": student.spec.to_tree(),
        "fields": source["fields"],
        "dense": source["dense"],
        "tasks": list(stream.tasks),
        "own": student.task,
        "label": student.label,
        "negatives_kept": student.negatives_kept,
        "cluster": problem.config.data.cluster,
        "timezone": stream.timezone,
        "windows": [(window.name, window.start_ns, window.end_ns) for window in stream.windows],
        "notes": [f"lessons of student {student.name} of {problem.config.name}, {share:.1%} with a teacher's word"],
        "source": source,
        "fingerprint": fingerprint,
    }


def _fingerprint(folder: Path) -> str:
    """Of the columns' content."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.npy")):
        digest.update(file.name.encode())
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()[:16]
