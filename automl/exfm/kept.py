"""What a run keeps of each student so that it can be served whatever becomes of the log: the encoders of its features,
what earlier rows tell, and rows of the log as they stood there, to prove an exported file on.

RUN/serving/STUDENT/. N rows of the stream, K rows that are kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from automl.commands.log_encoders import log_encoders, log_pasts
from automl.commands.recorded_rows import (
    CHECKED_ROWS,
    MOST,
    encoded_rows,
    found_rows,
    joined,
    later_rows,
    times_of,
)
from automl.data.encode.stream import plan_fingerprint
from automl.data.encode.stream_plan import StreamPlan, make_stream_plan
from automl.data.past.files import read_past, write_past
from automl.data.past.past import Past
from automl.data.store.encoder_files import read_served, write_served
from automl.data.store.encoders import Encoders
from automl.data.store.stream import inputs_of
from automl.exfm.problem import ExfmProblem, Student
from automl.files.parts import Parts, digest_of
from automl.files.whole import whole_folder
from automl.study.plain import Codec
from search_spaces.errors import InputError, Mistake, first_line
from search_spaces.model import InputShape

SERVING = "serving"
_FACTS, _ENCODERS, _PAST, _ROWS = "facts.json", "encoders.zip", "past.zip", "rows.parquet"
_ROW = "row of the stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFacts:
    """stream: fingerprint. fields, dense: what the student reads. rows: of the stream. digests: of the files beside."""

    stream: str
    fields: tuple[str, ...]
    dense: tuple[str, ...]
    rows: int
    label: str
    negatives_kept: float | None
    last_window: str
    digests: Mapping[str, str]

    def same(self, other: KeptFacts) -> bool:
        """Whether both are of one student on one stream."""
        return (self.stream, self.fields, self.dense, self.label, self.negatives_kept) == (
            other.stream, other.fields, other.dense, other.label, other.negatives_kept,
        )  # fmt: skip


_CODEC = Codec(KeptFacts)


@dataclass(frozen=True, eq=False)
class Kept:
    """What was kept of a student. rows: raw columns, with features that are made of earlier rows as columns of their
    names; rows_K: which rows of the stream they are. past: at the end of the stream."""

    facts: KeptFacts
    encoders: Encoders
    past: Past | None
    rows: pa.Table
    rows_K: NDArray[np.int64]

    @property
    def inputs(self) -> InputShape:
        """What the student is built from."""
        return inputs_of([len(values) for values in self.encoders.values], len(self.encoders.dense), self.facts.rows)


def keep_students(problem: ExfmProblem) -> None:
    """Keep of every student what is not kept yet. The log is read once, and twice more for each student that reads what
    earlier rows tell.

    Raises:
        InputError: where the log is not what it was when the problem was loaded.
    """
    left = [student for student in problem.students if not _is_kept(problem, student)]
    if not left:
        return
    plan = make_stream_plan(problem.config.data, problem.file.parent, lambda *path: problem.document.at("data", *path))
    encoders = log_encoders(problem.stream.folder, plan)
    wanted = np.unique(np.concatenate([_last_times(problem, student) for student in left]))
    rows = _rows_of(plan, encoders, wanted, len(left) * MOST * CHECKED_ROWS)
    found = [_kept(problem, student, plan, encoders, rows) for student in left]
    if plan_fingerprint(plan, problem.folder / "data") != problem.stream.fingerprint:
        must, hint = "must stay as it was when the run started", "leave the run a copy that nobody writes to"
        raise InputError([Mistake(problem.document.at("data"), must, "other rows", hint)])
    for student, kept in zip(left, found, strict=True):
        _write(problem.folder / SERVING / student.name, kept)


def read_kept(folder: Path, student: str) -> Kept:
    """What a run kept of a student.

    Raises:
        InputError: where it kept nothing, or that is not what it was.
    """
    home = folder / SERVING / student
    if not home.exists():
        hint = "`automl exfm run` keeps it, as long as the log is the one that was streamed"
        raise InputError.of(str(home), f"must hold what {student} needs to be served", "nothing", hint)
    facts, must = _CODEC.read(home / _FACTS), "must be what the run has kept"
    for name, digest in facts.digests.items():
        if not (home / name).exists() or digest_of(home / name) != digest:
            raise InputError.of(str(home / name), must, "another file" if (home / name).exists() else "nothing")
    try:
        with ZipFile(home / _ENCODERS) as held:
            encoders = read_served(held)
        rows = pq.read_table(home / _ROWS)
        rows_K = rows[_ROW].to_numpy()
    except (OSError, BadZipFile, KeyError, ValueError) as error:
        raise InputError.of(str(home), must, first_line(error)) from error
    past = read_past(home / _PAST) if _PAST in facts.digests else None
    return Kept(facts, encoders, past, rows.drop_columns([_ROW]), rows_K)


def _is_kept(problem: ExfmProblem, student: Student) -> bool:
    file = problem.folder / SERVING / student.name / _FACTS
    return file.exists() and _CODEC.read(file).same(_facts(problem, student))


def _facts(problem: ExfmProblem, student: Student) -> KeptFacts:
    stream = problem.stream
    return KeptFacts(
        stream=stream.fingerprint,
        fields=tuple(stream.fields[k] for k in student.columns.fields),
        dense=tuple(stream.dense[k] for k in student.columns.dense),
        rows=len(stream),
        label=student.label,
        negatives_kept=student.negatives_kept,
        last_window=stream.windows[-1].name,
        digests={},
    )


def _last_times(problem: ExfmProblem, student: Student) -> NDArray[np.int64]:
    """Of the student's last rows."""
    return np.unique(problem.stream.times_N[np.flatnonzero(student.members_N)[-CHECKED_ROWS:]])


def _kept(problem: ExfmProblem, student: Student, plan: StreamPlan, of_all: Encoders, rows: pa.Table) -> Kept:
    """`rows` of the log are those of the last times of all students."""
    stream, facts, time = problem.stream, _facts(problem, student), of_all.time
    assert time is not None
    encoders, last = of_all.select(facts.fields, facts.dense), _last_times(problem, student)
    cut = max(int(last[0]), int(stream.times_N[-(MOST * CHECKED_ROWS // 2) :][0]))
    pasts = log_pasts(plan, encoders, stream.fingerprint, stream.folder.parent, (cut, None))
    evening, past = pasts if pasts else (None, None)
    if evening is None:
        rows = rows.filter(pa.array(np.isin(times_of(time, rows), last)))
    else:
        rows = later_rows(plan, time, evening, int(stream.times_N[-1]))
    found_B = encoded_rows(encoders, rows, stream, student.columns.fields, student.columns.dense, student.members_N)
    known = np.flatnonzero((found_B >= 0) & student.members_N[found_B])
    chosen = known[np.argsort(found_B[known], kind="stable")][-CHECKED_ROWS:]
    return Kept(facts, encoders, past, rows.take(pa.array(chosen)).select(encoders.columns), found_B[chosen])


def _rows_of(plan: StreamPlan, encoders: Encoders, wanted: NDArray[np.int64], most: int) -> pa.Table:
    """Rows of the log of these times; at least so many where there are as many."""
    time = encoders.time
    assert time is not None

    def is_wanted(batch: pa.RecordBatch) -> NDArray[np.bool_]:
        return np.isin(times_of(time, batch), wanted)

    return joined(found_rows(plan, plan.log_columns, is_wanted, most), plan)


def _write(home: Path, kept: Kept) -> None:
    with whole_folder(home) as part:
        with ZipFile(part / _ENCODERS, "w") as out:
            write_served(kept.encoders, Parts(out))
        pq.write_table(kept.rows.append_column(_ROW, pa.array(kept.rows_K)), part / _ROWS)
        if kept.past is not None:
            write_past(kept.past, part / _PAST)
        digests = {file.name: digest_of(file) for file in sorted(part.iterdir())}
        told = {**_CODEC.plain(kept.facts), "digests": digests}
        (part / _FACTS).write_text(json.dumps(told, indent=1))
