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

from automl.data.past.coding import Coder, compacted
from automl.data.past.counting import Counting
from automl.data.past.features import PastFeatures
from automl.data.past.made_lists import MadeLists, made_lists
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
        """Of the features, in the order of their columns; sequences have columns of their own."""
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
        """Features of the rows, raw, NaN where a key is missing, mapped from `folder`; and their lists.

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
        counting = Counting(self.what, self.state, rows, old)
        for c, feature_N in enumerate(counting.features()):
            out[c, place_N] = feature_N
            if found.stands_N is not None:
                out[c] = out[c, found.stands_N]
        values = self._values(found.coders)
        lists = tuple(
            made_lists(block, made, values[self.what.columns.index(block.of)], place_N, found.count, found.stands_N)
            for block, made in zip(self.what.sequences, counting.sequences(), strict=True)
        )
        return Made(self.names, out, lists, None if len(rows) == old else int(rows.times_N[old]))

    def nothing(self) -> Made:
        """Of no rows."""
        with tempfile.TemporaryDirectory() as folder:
            found = self.features((), Path(folder))
        return replace(found, values_CN=np.zeros((len(self.names), 0), np.float32))

    def with_features(self, table: Rows, name: str = "table") -> pa.Table:
        """The table with the features as columns of their names.

        Raises:
            InputError: as features() does.
        """
        with tempfile.TemporaryDirectory() as folder:
            return self.features([table], Path(folder), name).beside(table)

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
        state, kept = compacted(self.what, state, self._values(found.coders))
        past = replace(self, state=state, encoders=replace(self.encoders, values=kept))
        return Counted(past, state.rows - self.state.rows, found.late)

    def _values(self, coders: Sequence[Coder]) -> list[pa.Array]:
        """Of each column, by their codes: those that the past knows, then new ones."""
        return [pa.concat_arrays([old, coder.values]) for old, coder in zip(self.encoders.values, coders, strict=True)]

    @property
    def _reader(self) -> PastReader:
        return PastReader(self.what, self.state, self.encoders)


@dataclass(frozen=True, eq=False, slots=True)
class Made:
    """Features (C, N) and lists of rows in the order in which they came, and the earliest time of one, None of no
    rows."""

    names: tuple[str, ...]
    values_CN: NDArray[np.float32]
    lists: tuple[MadeLists, ...]
    first_ns: int | None

    def beside(self, table: Rows, first: int = 0) -> pa.Table:
        """A table of these rows from `first` on, with the features and the lists as columns of their names. Numbers are
        doubles: those of float32 would be read as they are written."""
        part = slice(first, first + table.num_rows)
        for name, found_N in zip(self.names, self.values_CN, strict=True):
            table = table.append_column(name, pa.array(found_N[part].astype(np.float64)))
        for lists in self.lists:
            for name, column in lists.columns(part):
                table = table.append_column(name, column)
        return table if isinstance(table, pa.Table) else pa.Table.from_batches([table])


@dataclass(frozen=True, eq=False, slots=True)
class Counted:
    """A past that went on by so many rows, and by labels of so many `late` ones that it had counted before."""

    past: Past
    rows: int
    late: int


def fingerprint_of(what: PastFeatures, log: str) -> str:
    """16 hex digits of what is made of earlier rows, and of the log that it began with."""
    return hashlib.sha256(json.dumps([what.to_json(), log], sort_keys=True).encode()).hexdigest()[:16]
