"""The past of a log as it is served: rows that come after it get the features that an encoding of both would give them.

C features, N rows, K key columns, L labels. Needs NumPy and pyarrow only.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.past.coding import compacted
from automl.data.past.counting import Counting
from automl.data.past.features import PastFeatures
from automl.data.past.reading import PastReader
from automl.data.past.state import State
from automl.data.store.encoders import Encoders, Rows
from automl.data.store.folder import mapped


@dataclass(frozen=True, eq=False)
class Past:
    """What a log has left behind for the rows that come after it. `encoders` are those of its key columns: code k of a
    column is its value k - 1. `fingerprint` tells the features and the log that it began with, however far it went on.
    """

    what: PastFeatures
    state: State
    encoders: Encoders
    fingerprint: str

    @property
    def names(self) -> tuple[str, ...]:
        """Of the features, in the order of their columns."""
        return self.what.names

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that a table must have: those of the keys, and the time."""
        return tuple(dict.fromkeys([*self.encoders.columns, self._reader.time_column]))

    @property
    def until(self) -> str:
        """The time of the last row that was counted, in the timezone of the log, for a person."""
        return self._reader.until

    def lag(self, time_ns: int) -> str:
        """How long after all that was counted a row is, in words."""
        hours = (time_ns - (self.state.last or time_ns)) / 3.6e12
        return f"{hours:.1f} hours" if hours < 100 else f"{hours / 24:.0f} days"

    def features(self, parts: Iterable[Rows], folder: Path, name: str = "table") -> Made:
        """Features of the rows, raw, NaN where a key is missing; mapped from `folder`.

        The rows are each other's past, as rows of one log are. Of their labels those are counted that the table has and
        that had arrived before a row; one that it does not have is of no row.

        Raises:
            InputError: where columns are missing or hold something else than the log's, or a row is not later than all
                that was counted.
        """
        found = self._reader.gathered(folder, parts, name)
        rows, old = found.rows, found.old
        out = mapped(folder / "features.npy", (len(self.names), found.count), np.float32)
        place_N = rows.order_N[old:] - old
        for c, feature_N in enumerate(Counting(self.what, self.state, rows, old).features()):
            out[c, place_N] = feature_N
            if found.stands_N is not None:
                out[c] = out[c, found.stands_N]
        return Made(out, None if len(rows) == old else int(rows.times_N[old]))

    def with_features(self, table: Rows, name: str = "table") -> pa.Table:
        """The table with the features as columns of their names.

        Raises:
            InputError: as features() does.
        """
        with tempfile.TemporaryDirectory() as folder:
            found_CN = self.features([table], Path(folder), name).values_CN
            return with_columns(table, self.names, np.array(found_CN))

    def advanced(
        self, parts: Iterable[Rows], name: str = "table", late: Iterable[Rows] = (), late_name: str = "labels"
    ) -> Past:
        """The past once these rows are counted too, with their labels. All must be later than what was counted.

        A label that is not known yet is missing in its row, and comes in `late` once it is: rows that were
        counted, with their time and keys, of which only labels are counted now.

        Raises:
            InputError: as features() does; where a label stands in neither; where one of `late` is of a row that was
                not counted, was counted before, or was known before a boundary that rows have already seen.
        """
        return self.counted(parts, name, late, late_name).past

    def counted(
        self, parts: Iterable[Rows], name: str = "table", late: Iterable[Rows] = (), late_name: str = "labels"
    ) -> Counted:
        """advanced(), and how much was counted.

        Raises:
            InputError: as advanced() does.
        """
        with tempfile.TemporaryDirectory() as folder:
            found = self._reader.gathered(Path(folder), parts, name, late, late_name, labelled=True)
            counting = Counting(self.what, self.state, found.rows, found.old)
            for _ in counting.features():
                pass
            state = counting.after()
        values = [
            pa.concat_arrays([old, coder.values]) for old, coder in zip(self.encoders.values, found.coders, strict=True)
        ]
        state, kept = compacted(self.what, state, values)
        past = replace(self, state=state, encoders=replace(self.encoders, values=kept))
        return Counted(past, state.rows - self.state.rows, found.late)

    @property
    def _reader(self) -> PastReader:
        return PastReader(self.what, self.state, self.encoders)


@dataclass(frozen=True, eq=False, slots=True)
class Made:
    """Features (C, N) of rows in the order in which they came, and the earliest time of one, None of no rows."""

    values_CN: NDArray[np.float32]
    first_ns: int | None


@dataclass(frozen=True, eq=False, slots=True)
class Counted:
    """A past that went on by so many rows, and by labels of so many `late` ones that it had counted before."""

    past: Past
    rows: int
    late: int


def with_columns(table: Rows, names: Sequence[str], found_CN: NDArray[np.float32]) -> pa.Table:
    """A table with features as columns, as doubles: those of float32 would be read as they are written."""
    for name, found_N in zip(names, found_CN, strict=True):
        table = table.append_column(name, pa.array(found_N.astype(np.float64)))
    return table if isinstance(table, pa.Table) else pa.Table.from_batches([table])


def fingerprint_of(what: PastFeatures, log: str) -> str:
    """16 hex digits of what is made of earlier rows, and of the log that it began with."""
    return hashlib.sha256(json.dumps([what.to_json(), log], sort_keys=True).encode()).hexdigest()[:16]
