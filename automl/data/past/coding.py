"""Codes of the key columns of a past: new values get new ones, and values of which nothing is kept lose theirs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from automl.data.columns.kinds import cast
from automl.data.columns.vocabulary import Codes, Numbering
from automl.data.past.features import PastFeatures
from automl.data.past.state import State


class Coder:
    """Codes of a column: those that the past knows, and new ones behind them."""

    def __init__(self, known: Numbering, kind: pa.DataType) -> None:
        self.kind = kind
        self._known, self._new = known, Numbering()

    def codes(self, column: pa.Array) -> Codes:
        """
        Raises:
            MisfitError: where a value cannot be one of the log's column.
        """
        codes = self._known.find(column)
        other = codes == 0
        if other.any() and not pa.types.is_null(self.kind):
            new = self._new.add(cast(column.filter(pa.array(other)), self.kind))
            codes[other] = np.where(new > 0, new + len(self._known), 0)
        return codes

    @property
    def values(self) -> pa.Array:
        return self._new.values(self.kind)


def compacted(what: PastFeatures, state: State, values: Sequence[pa.Array]) -> tuple[State, tuple[pa.Array, ...]]:
    """A state and the values of its codes, without values of which nothing is kept any more."""
    used = [[codes] for codes in state.tail.codes_KN]
    for block, sums in zip(what.blocks, state.blocks, strict=bool(state.blocks)):
        for key, own in zip(block.keys, sums.keys, strict=True):
            for column, codes in zip(key.columns, own.codes_PS, strict=True):
                used[what.columns.index(column)].append(codes)
    for listed, events in zip(what.sequences, state.sequences, strict=True):
        for column, codes in zip((*listed.by, listed.of), (*events.keys_PE, events.ids_E), strict=True):
            used[what.columns.index(column)].append(codes)
    kept = [np.setdiff1d(np.concatenate(codes), [0]) for codes in used]
    changes = [_renumbered(codes, len(of_column)) for codes, of_column in zip(kept, values, strict=True)]
    left = [of_column.take(pa.array(codes - 1)) for of_column, codes in zip(values, kept, strict=True)]
    return state.recoded(what, lambda k, codes: changes[k][codes]), tuple(left)


def _renumbered(kept: Codes, size: int) -> Codes:
    change = np.zeros(size + 1, np.int32)
    change[kept] = np.arange(1, len(kept) + 1)
    return change
