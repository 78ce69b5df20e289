"""The rows of a table found by a key, each value of which is in one row: side tables, encoded or served."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.kinds import cast
from automl.data.columns.vocabulary import Codes, Numbering


class Keyed:
    """A table in memory without the rows whose key is missing; `kind` is the type in which keys are looked up."""

    def __init__(self, table: pa.Table, key: str, kind: pa.DataType | None) -> None:
        """
        Raises:
            MisfitError: where a key is none of that type.
        """
        self.kind = kind
        table = table.combine_chunks()
        self.table = table.filter(table[key].is_valid())
        self._keys = whole(self.table[key])
        self._numbers = Numbering()
        self._codes: NDArray[np.int32] = self._numbers.add(self._as_key(self._keys))

    def rows(self, keys: pa.Array) -> Codes:
        """Row of each key, from 1; 0 where it is in none.

        Raises:
            MisfitError: where a key is none of the type.
        """
        return self._numbers.find(self._as_key(keys))

    @property
    def spare(self) -> int:
        """Rows whose key is that of another one; 0 in a table that can be joined."""
        return int(self.table.num_rows) - len(self._numbers)

    def most(self) -> tuple[str, int]:
        """The key that most rows have, and their number."""
        most = int(np.bincount(self._codes).argmax())
        return str(self._keys.filter(pa.array(self._codes == most))[0]), int((self._codes == most).sum())

    def _as_key(self, column: pa.Array) -> pa.Array:
        return column if self.kind is None else cast(column, self.kind)


def whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
