"""An encoded stream: columns on disk in the order of time, memory-mapped by whoever scores or trains.

Shapes: N rows in the order of time, F id fields, D dense features, T tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypedDict

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.times import Unit
from automl.data.store.encoder_files import read_vocabulary
from automl.data.store.folder import Kind
from automl.data.store.history import History
from automl.data.tables.windows import Locate
from search_spaces.errors import InputError, Mistake, Position
from search_spaces.model import InputShape
from search_spaces.source import did_you_mean

_OFTEN = 1 << 30


@dataclass(frozen=True, slots=True)
class Window:
    """What is evaluated at once: rows of start_ns <= time < end_ns (nanoseconds UTC)."""

    name: str
    rows: slice
    start_ns: int
    end_ns: int


class StreamFacts(TypedDict):
    """What a stream says of itself, beside its columns. A window: its name, first row, end, start_ns and end_ns."""

    fields: list[str]
    dense: list[str]
    tasks: list[str]
    id_counts: list[int]
    windows: list[tuple[str, int, int, int, int]]
    segments: list[str]
    timezone: str
    time_unit: Unit | None
    notes: list[str]
    fingerprint: str


STREAM: Kind[StreamFacts] = Kind("stream", "an encoded stream", renewed="remove the folder; it is made anew")


@dataclass(frozen=True, eq=False)
class EncodedStream:
    """A log as a stream of rows: several labels, each with its time of arrival, and windows in the order of time.

    Pickled by its folder: a worker maps the same files.

    ids_NF (int32): values are numbered 1, 2, ... in the order of their first appearance, so that no number tells the
    future; 0 is missing. dense_ND (float32): missing is 0; numbers standardised over the first window, then counters.
    labels_NT (float32): NaN where a label is not defined. arrivals_NT (int64 ns): when it is known, NEVER where it is
    not. examples_N (int64): unique. clusters_N: rows that depend share a number.
    """

    folder: Path
    fields: tuple[str, ...]
    dense: tuple[str, ...]
    tasks: tuple[str, ...]
    id_counts: tuple[int, ...]
    windows: tuple[Window, ...]
    segments: Mapping[str, NDArray[np.bool_]]
    timezone: str
    notes: tuple[str, ...]
    fingerprint: str
    ids_NF: NDArray[np.int32]
    dense_ND: NDArray[np.float32]
    labels_NT: NDArray[np.float32]
    times_N: NDArray[np.int64]
    arrivals_NT: NDArray[np.int64]
    examples_N: NDArray[np.int64]
    clusters_N: NDArray[np.int32]
    histories: tuple[History, ...] = ()  # a stream has none yet

    def __len__(self) -> int:
        return len(self.times_N)

    def inputs(self, fields: Sequence[str] | None = None, dense: Sequence[str] | None = None) -> InputShape:
        """What a model over these columns (None: all) is built from; no min_count cuts an id off."""
        return inputs_of([self.id_counts[k] for k in self.columns(fields)], len(self.dense_columns(dense)), len(self))

    def columns(self, fields: Sequence[str] | None = None) -> NDArray[np.int64]:
        """Places of id fields in ids_NF.

        Raises:
            InputError: where one is not encoded.
        """
        return _places(self.fields, fields, "an id field of the stream")

    def dense_columns(self, names: Sequence[str] | None = None) -> NDArray[np.int64]:
        """Places of dense features in dense_ND.

        Raises:
            InputError: where one is not encoded.
        """
        return _places(self.dense, names, "a dense feature of the stream")

    def matches(self, where: Mapping[str, object], at: Locate | None = None) -> NDArray[np.bool_]:
        """Rows whose id fields have these values: `{"tab": 1}`, `{"tab": [1, 2]}`, `{"tab": {"not": 1}}`; all hold.

        None is a missing value. `at(field)` gives positions for errors.

        Raises:
            InputError: where a field or a value is not in the stream.
        """
        at = at or (lambda *path: Position(".".join(["where", *map(str, path)])))
        rows = np.ones(len(self), bool)
        mistakes: list[Mistake] = []
        for field, asked in where.items():
            if field not in self.fields:
                hint = did_you_mean(field, self.fields)
                mistakes.append(Mistake(at(field), f"{field} must be an id field of the stream", "none", hint))
                continue
            negated = isinstance(asked, Mapping)
            if isinstance(asked, Mapping) and list(asked) != ["not"]:
                found = ", ".join(map(str, asked)) or "an empty mapping"
                mistakes.append(Mistake(at(field), f"{field} must be a value, a list, or {{not: ...}}", found))
                continue
            values = asked["not"] if isinstance(asked, Mapping) else asked
            ids, wrong = self._ids(field, values if isinstance(values, list | tuple) else [values], at)
            mistakes += wrong
            rows &= np.isin(self.ids_NF[:, self.fields.index(field)], ids) != negated
        if mistakes:
            raise InputError(mistakes)
        return rows

    def _ids(self, field: str, values: Sequence[object], at: Locate) -> tuple[list[int], list[Mistake]]:
        table = self.vocabulary(field)
        ids, mistakes = [], []
        for value in values:
            if value is None:
                ids.append(0)
                continue
            try:
                found = table.index(pa.scalar(value, table.type)).as_py()
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
                found = -1
            if found < 0:
                hint = did_you_mean(str(value), map(str, table.slice(0, 1000).to_pylist()))
                mistakes.append(Mistake(at(field), f"{value} must be a value of {field}", "none", hint))
            ids.append(found + 1)
        return ids, mistakes

    def vocabulary(self, field: str) -> pa.Array:
        """Values of an id field: id k is the k-th, from 1."""
        return read_vocabulary(self.folder, self.fields.index(field))

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Place of each window by its name."""
        return {window.name: k for k, window in enumerate(self.windows)}

    def __reduce__(self) -> tuple[Callable[[Path], EncodedStream], tuple[Path]]:
        return open_stream, (self.folder,)


def inputs_of(id_counts: Sequence[int], dense: int, rows: int) -> InputShape:
    """What a model is built from that reads id fields of so many ids each, and dense features, of so many rows."""
    return InputShape(tuple((_OFTEN,) * count for count in id_counts), dense, rows)


def open_stream(folder: Path | str) -> EncodedStream:
    """Map an encoded stream.

    Raises:
        InputError: where the folder holds none, or one of another format.
    """
    folder = Path(folder).absolute()
    there = STREAM.open(folder)
    facts = there.facts
    return EncodedStream(
        folder=folder,
        fields=tuple(facts["fields"]),
        dense=tuple(facts["dense"]),
        tasks=tuple(facts["tasks"]),
        id_counts=tuple(facts["id_counts"]),
        windows=tuple(Window(name, slice(a, b), start, end) for name, a, b, start, end in facts["windows"]),
        segments={name: there.column(f"segment_{k:03d}", np.bool_) for k, name in enumerate(facts["segments"])},
        timezone=facts["timezone"],
        notes=tuple(facts["notes"]),
        fingerprint=facts["fingerprint"],
        ids_NF=there.column("ids", np.int32),
        dense_ND=there.column("dense", np.float32),
        labels_NT=there.column("labels", np.float32),
        times_N=there.column("times", np.int64),
        arrivals_NT=there.column("arrivals", np.int64),
        examples_N=there.column("examples", np.int64),
        clusters_N=there.column("clusters", np.int32),
    )


def _places(known: Sequence[str], asked: Sequence[str] | None, what: str) -> NDArray[np.int64]:
    wrong = [name for name in asked or () if name not in known]
    if wrong:
        raise InputError(
            Mistake(Position(name), f"must be {what}", "none", did_you_mean(name, known)) for name in wrong
        )
    return np.array([known.index(name) for name in (known if asked is None else asked)], np.int64)
