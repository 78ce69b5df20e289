"""All that a model reads of rows, as one value: whoever passes features on does not know what they are made of.

B rows, F id fields, D dense features, N rows of a log, S sequence features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from automl.data.store.served_lists import EncodedRows
from automl.ranking.examples import Encoded
from automl.ranking.lists import Lists, lists_of, unknown_lists
from automl.ranking.place import Device, moved, put, where
from search_spaces.inputs import InputShape

AT_ONCE = 4096  # rows that are scored at once


@dataclass(frozen=True, slots=True)
class Features:
    """B rows: ids_BF (int32) as the encoder numbers them, 0 is "not known"; dense_BD (float32), standardised; of each
    sequence feature the lists."""

    ids_BF: Tensor
    dense_BD: Tensor
    lists_S: tuple[Lists, ...] = ()

    @classmethod
    def of(cls, ids_BF: NDArray[np.int32], dense_BD: NDArray[np.float32], lists_S: tuple[Lists, ...] = ()) -> Self:
        """From arrays, put where the models are."""
        return cls(put(ids_BF), put(dense_BD), lists_S)

    @classmethod
    def unknown(cls, inputs: InputShape, rows: int, events: int = 0) -> Self:
        """Rows of which nothing is known, in the shape that a model reads; with so many unknown events each."""
        lists_S = tuple(unknown_lists(rows, events, one.timed, one.actions > 0) for one in inputs.histories)
        return cls.of(np.zeros((rows, inputs.fields), np.int32), np.zeros((rows, inputs.dense), np.float32), lists_S)

    def __len__(self) -> int:
        return len(self.ids_BF)

    def __getitem__(self, part: slice) -> Features:
        """Neighbouring rows: views."""
        return Features(self.ids_BF[part], self.dense_BD[part], tuple([lists[part] for lists in self.lists_S]))

    def take(self, index_B: Tensor) -> Features:
        """Rows by number: copies, but for the events of lists."""
        ids_BF, dense_BD = self.ids_BF.index_select(0, index_B), self.dense_BD.index_select(0, index_B)
        return Features(ids_BF, dense_BD, tuple([lists.take(index_B) for lists in self.lists_S]))

    def to(self, there: Device) -> Features:
        """The rows there; themselves where they are there already."""
        if where(self.ids_BF) == there:
            return self
        lists_S = tuple([lists.to(there) for lists in self.lists_S])
        return Features(moved(self.ids_BF, there), moved(self.dense_BD, there), lists_S)

    def select(self, fields: Tensor, dense: Tensor, lists: Sequence[int] = ()) -> Features:
        """Columns by their places: copies, but for the lists."""
        lists_S = tuple([self.lists_S[k] for k in lists])
        return Features(self.ids_BF.index_select(1, fields), self.dense_BD.index_select(1, dense), lists_S)

    def parts(self, rows: int = AT_ONCE) -> Iterator[Features]:
        """One after the other, at most so many rows each; of no rows one part without any."""
        for start in range(0, max(len(self), 1), rows):
            yield self[start : start + rows]


def read(log: Encoded, rows: slice | NDArray[np.int64]) -> Features:
    """Rows of an encoded log."""
    if not log.histories:
        return Features.of(log.ids_NF[rows], log.dense_ND[rows])
    times_B = None if log.times_N is None else log.times_N[rows]
    lists_S = [lists_of(history, history.stop_N[rows], history.count_N[rows], times_B) for history in log.histories]
    return Features.of(log.ids_NF[rows], log.dense_ND[rows], tuple(lists_S))


def read_encoded(rows: EncodedRows) -> Features:
    """Rows of a table, as encoders give them."""
    lists_S = [lists_of(lists, lists.stop_B, lists.count_B, rows.times_B) for lists in rows.histories]
    return Features.of(rows.ids_BF, rows.dense_BD, tuple(lists_S))


def read_parts(log: Encoded, rows: slice, at_once: int = AT_ONCE) -> Iterator[Features]:
    """Neighbouring rows of an encoded log in their order, read when they are asked for; at most `at_once` each."""
    for start in range(rows.start, max(rows.stop, rows.start + 1), at_once):
        yield read(log, slice(start, min(start + at_once, rows.stop)))
