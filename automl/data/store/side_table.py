"""Side tables joined to rows that are served, as the log's were joined when it was encoded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from automl.data.columns.kinds import MisfitError
from automl.data.store.keyed import Keyed, whole
from search_spaces.errors import InputError


class SideTable:
    """A side table in memory, found by its key."""

    def __init__(self, key: str, table: pa.Table, name: str, kind: pa.DataType | None = None) -> None:
        """`kind` is the type in which keys are looked up; None: that of the table."""
        if key not in table.column_names:
            raise InputError.of(name, f"must have a column {key}", "none")
        self.key, self.name = key, name
        try:
            self._keyed = Keyed(table, key, kind)
        except MisfitError as error:
            raise self._misfit(name, error) from error
        if self._keyed.spare:
            raise InputError.of(name, f"{key} must be unique in {name}", f"{self._keyed.spare} rows too many")

    @property
    def schema(self) -> pa.Schema:
        return self._keyed.table.schema

    def join(self, rows: pa.Table, wanted: Sequence[str], name: str = "table") -> pa.Table:
        """The rows with the wanted columns that this table has; missing where its key is not found.

        Raises:
            InputError: where the rows have no such key, or hold one of the columns themselves.
        """
        if self.key not in rows.column_names:
            raise InputError.of(name, f"must have a column {self.key}", "none", f"{self.name} is joined by it")
        try:
            found = self._keyed.rows(whole(rows[self.key]))
        except MisfitError as error:
            raise self._misfit(name, error) from error
        at = pa.array(found.astype(np.int64) - 1, mask=found == 0)
        for column in (column for column in self.schema.names if column in wanted and column != self.key):
            if column in rows.column_names:
                raise InputError.of(name, f"{column} must be a column of one table", f"{name} and {self.name}")
            rows = rows.append_column(column, self._keyed.table[column].take(at))
        return rows

    def _misfit(self, name: str, error: MisfitError) -> InputError:
        return InputError.of(name, f"{self.key} must hold keys like those of {self.name}", str(error))
