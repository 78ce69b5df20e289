"""Side tables joined to rows that are served, as the log's were joined when it was encoded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from automl.data.columns.kinds import MisfitError, cast
from automl.data.columns.vocabulary import Numbering
from search_spaces.errors import InputError


class SideTable:
    """A side table in memory, found by its key."""

    def __init__(self, key: str, table: pa.Table, name: str, kind: pa.DataType | None = None) -> None:
        """`kind` is the type in which keys are looked up; None: that of the table."""
        if key not in table.column_names:
            raise InputError.of(name, f"must have a column {key}", "none")
        self.key, self.name, self._kind = key, name, kind
        table = table.combine_chunks()
        self._table = table.filter(table[key].is_valid())
        self._numbers = Numbering()
        self._numbers.add(self._as_key(whole(self._table[key]), name))
        if len(self._numbers) != self._table.num_rows:
            found = f"{self._table.num_rows - len(self._numbers)} rows too many"
            raise InputError.of(name, f"{key} must be unique in {name}", found)

    @property
    def schema(self) -> pa.Schema:
        return self._table.schema

    def join(self, rows: pa.Table, wanted: Sequence[str], name: str = "table") -> pa.Table:
        """The rows with the wanted columns that this table has; missing where its key is not found.

        Raises:
            InputError: where the rows have no such key, or hold one of the columns themselves.
        """
        if self.key not in rows.column_names:
            raise InputError.of(name, f"must have a column {self.key}", "none", f"{self.name} is joined by it")
        found = self._numbers.find(self._as_key(whole(rows[self.key]), name))
        at = pa.array(found.astype(np.int64) - 1, mask=found == 0)
        for column in (column for column in self.schema.names if column in wanted and column != self.key):
            if column in rows.column_names:
                raise InputError.of(name, f"{column} must be a column of one table", f"{name} and {self.name}")
            rows = rows.append_column(column, self._table[column].take(at))
        return rows

    def _as_key(self, column: pa.Array, name: str) -> pa.Array:
        if self._kind is None or pa.types.is_dictionary(column.type):
            return column
        try:
            return cast(column, self._kind)
        except MisfitError as error:
            raise InputError.of(name, f"{self.key} must hold keys like those of {self.name}", str(error)) from error


def whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
