"""What one student of an ExFM run learned from: columns on disk, memory-mapped.

Shapes: N rows in the order of time, F id fields, D dense features, T tasks of the teacher.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from automl.data.store.folder import Kind


class LessonSource(TypedDict):
    """What lessons are made of: what a run predicted (policy, ticks), for rows and columns of its stream."""

    policy: str
    ticks: int
    stream: str
    rows: str
    fields: list[str]
    dense: list[str]
    label: str
    negatives_kept: float | None


class LessonFacts(TypedDict):
    """What lessons say of themselves, beside their columns. `own` is the place of the label among the tasks."""

    student: str
    run: str
    file: str
    model: Mapping[str, object]
    fields: list[str]
    dense: list[str]
    tasks: list[str]
    own: int
    label: str
    negatives_kept: float | None
    cluster: str | None
    timezone: str
    windows: list[tuple[str, int, int]]
    notes: list[str]
    source: LessonSource
    fingerprint: str


LESSONS: Kind[LessonFacts] = Kind(
    "lessons",
    "the lessons of a student",
    "a run leaves them in lessons/STUDENT of its folder",
    "`automl exfm run` writes them anew",
)


@dataclass(frozen=True, eq=False)
class LessonLog:
    """A student's rows with known labels. No log yet: no model reads it before a study lays its windows over it.

    Columns are as in an EncodedLog, but ids are numbered by first appearance, as in the stream: their frequency in the
    fit windows is not known here. teacher_NT are the teacher's logits on the scale of these labels: where negatives
    were sampled its odds rise alike; NaN where it says nothing. ages_N: hours between the newest label that it had seen
    and the row.
    """

    folder: Path
    facts: LessonFacts
    ids_NF: NDArray[np.int32]
    dense_ND: NDArray[np.float32]
    labels_N: NDArray[np.float32]
    clusters_N: NDArray[np.int32]
    times_N: NDArray[np.int64]
    teacher_NT: NDArray[np.float32]
    ages_N: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.labels_N)


def open_lessons(folder: Path) -> LessonLog:
    """Map the lessons of a folder.

    Raises:
        InputError: where it holds none, or some of another format.
    """
    there = LESSONS.open(folder)
    return LessonLog(
        folder=folder,
        facts=there.facts,
        ids_NF=there.column("ids", np.int32),
        dense_ND=there.column("dense", np.float32),
        labels_N=there.column("labels", np.float32),
        clusters_N=there.column("clusters", np.int32),
        times_N=there.column("times", np.int64),
        teacher_NT=there.column("teacher", np.float32),
        ages_N=there.column("ages", np.float32),
    )
