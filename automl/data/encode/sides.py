"""Side tables of a log, held in memory while its rows are read."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.kinds import MisfitError
from automl.data.columns.vocabulary import Codes, numbered
from automl.data.describe.tables import TablesConfig
from automl.data.store.keyed import Keyed, whole
from automl.data.tables.finder import key_kind
from automl.data.tables.sources import Tables
from search_spaces.errors import InputError, Mistake


class Side:
    """A side table in memory: row 0 stands for a key that is not in it."""

    def __init__(self, plan: Tables[TablesConfig], index: int) -> None:
        self.key = plan.config.join[index].on
        side = plan.sides[index]
        self._at, self._names = plan.at("join", index, "on"), (plan.log.name, side.name)
        self._kind = key_kind(plan.log, side, self.key)
        try:
            self._keyed = Keyed(side.read(plan.side_columns(index)), self.key, self._kind)
        except MisfitError as error:
            raise self._misfit(error, side.name) from error
        if self._keyed.spare:
            value, rows = self._keyed.most()
            raise InputError(
                [Mistake(self._at, f"{self.key} must be unique in {side.name}", f"{value} in {rows} rows")]
            )

    def rows(self, keys: pa.Array) -> NDArray[np.int32]:
        """Row of each key, from 1; 0 where it has no partner."""
        try:
            return self._keyed.rows(keys)
        except MisfitError as error:
            raise self._misfit(error, self._names[0]) from error

    def _misfit(self, error: MisfitError, name: str) -> InputError:
        must = f"{self.key} must be of one kind in {' and '.join(self._names)} ({self._kind})"
        return InputError([Mistake(self._at, must, f"{error} in {name}")])

    def codes(self, column: str) -> tuple[Codes, pa.Array]:
        """The code of each row, from 1 on, and the values by their codes."""
        codes, values = numbered(self._keyed.table[column])
        return np.concatenate([np.zeros(1, np.int32), codes]), values

    def column(self, name: str) -> pa.Array:
        return whole(self._keyed.table[name])
