"""Serving skew: what is missing and what is unknown in rows that are served, beside what the log had."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from automl.data.columns.lists import places
from automl.data.columns.numbers import as_floats
from automl.data.columns.times import is_made
from automl.data.columns.vectors import missing_in
from automl.data.store.encoders import Encoders, Rows
from automl.data.store.history import History
from automl.data.store.keyed import whole
from automl.data.store.log import EncodedLog
from automl.data.store.served_lists import EncodedRows

_WORSE = 0.2  # more of the rows than in the log, to be pointed at
_AT_ONCE = 1 << 16  # rows whose lists are read


@dataclass(frozen=True, slots=True)
class Shares:
    """Of the rows: without a value, and (ids) with one that the model does not know. Of a sequence: rows whose list is
    empty, and of the listed ids, or of their actions, those that are not known."""

    missing: float
    unknown: float


def log_shares(
    log: EncodedLog, window: str, table_rows: Sequence[int], names: Collection[str] | None = None
) -> dict[str, Shares]:
    """Of a window, by feature (all, or those of these names); ids that a model with so many table rows leaves out are
    unknown to it.

    Of a field with buckets an id that is in one of them is unknown, and no other.
    """
    ids_NF = log.ids_NF[log.windows[window]]
    buckets_F = log.buckets or (0,) * len(log.fields)
    shares = {}
    for feature in (one for one in log.features if names is None or one.name in names):
        missing, unknown = feature.missing[window], 0.0
        if feature.kind == "categorical":
            f = log.fields.index(feature.name)
            unknown_N = _unknown(ids_NF[:, f], buckets_F[f], table_rows[f])
            unknown = max(float(unknown_N.mean()) - missing, 0.0)
        shares[feature.name] = Shares(missing, unknown)
    for history in (one for one in log.histories if names is None or one.name in names):
        field = history.shape.field
        of_ids = _unknown_ids(history, log.windows[window], buckets_F[field], table_rows[field])
        shares[history.name] = Shares(shares[history.name].missing, of_ids)
        if history.actions:
            shares[_actions_of(history.name)] = Shares(0.0, 0.0)
    return shares


def _unknown(ids: NDArray[np.int32], buckets: int, table_rows: int) -> NDArray[np.bool_]:
    """Missing ones too, which are 0."""
    return ids <= buckets if buckets else (ids == 0) | (ids >= table_rows)


def _unknown_ids(history: History, window: slice, buckets: int, table_rows: int) -> float:
    """The share of the ids in the lists of a window that are unknown."""
    unknown = listed = 0
    for start in range(window.start, window.stop, _AT_ONCE):
        some = slice(start, min(start + _AT_ONCE, window.stop))
        ids_E = history.ids_P[places(history.stop_N[some], history.count_N[some])]
        unknown, listed = unknown + int(_unknown(ids_E, buckets, table_rows).sum()), listed + len(ids_E)
    return unknown / max(listed, 1)


def _actions_of(sequence: str) -> str:
    return f"{sequence} (actions)"


class Skew:
    """Counts over batches that are served."""

    def __init__(self) -> None:
        self.rows = 0
        self._counts: dict[str, tuple[int, int, int]] = {}  # missing; unknown of so many

    def add(self, encoders: Encoders, table: Rows, found: EncodedRows) -> None:
        """A batch, and what it was encoded to."""
        self.rows += table.num_rows
        buckets = dict(zip(encoders.fields, encoders.buckets_F, strict=True))
        for f, name in enumerate(encoders.fields):
            if not is_made(name):
                missing = _missing(whole(table.column(name)))
                unknown = int((found.ids_BF[:, f] <= buckets[name]).sum())
                self._count(name, missing, max(unknown - missing, 0), table.num_rows)
        for name, place in encoders.vectors.items():
            missing = missing_in(whole(table.column(name)), place.stop - place.start)
            self._count(name, missing, 0, table.num_rows)
        for name in encoders.plain_dense:
            if not is_made(name) and name not in encoders.fields:
                missing = int(np.isnan(as_floats(whole(table.column(name)))).sum())
                self._count(name, missing, 0, table.num_rows)
        for sequence, lists in zip(encoders.sequences, found.histories, strict=True):
            empty = int((lists.count_B == 0).sum())
            self._count(sequence.name, empty, int((lists.ids_P <= buckets[sequence.of]).sum()), len(lists.ids_P))
            if sequence.actions and not sequence.built:
                self._count(_actions_of(sequence.name), 0, lists.strange, len(lists.ids_P))

    def _count(self, name: str, missing: int, unknown: int, of: int) -> None:
        before = self._counts.get(name, (0, 0, 0))
        self._counts[name] = before[0] + missing, before[1] + unknown, before[2] + of

    def shares(self) -> dict[str, Shares]:
        """By feature, in the order of the model."""
        rows = max(self.rows, 1)
        counts = self._counts.items()
        return {name: Shares(missing / rows, unknown / max(of, 1)) for name, (missing, unknown, of) in counts}

    def lines(self, of_log: Mapping[str, Shares]) -> list[str]:
        """A table for a person: only features where rows or log lack values or hold unknown ones."""
        told = []
        for name, found in self.shares().items():
            before = of_log.get(name)
            pairs = [
                (found.missing, None if before is None else before.missing),
                (found.unknown, None if before is None else before.unknown),
            ]
            if any(here or there for here, there in pairs):
                worse = any(there is not None and here > there + _WORSE for here, there in pairs)
                cells = "".join(f"{_cell(*pair):>20}" for pair in pairs)
                told.append(f"{name:<24}{cells}{'   unlike the log' if worse else ''}".rstrip())
        if not told:
            return []
        head = f"of {self.rows:,} rows"
        return [f"{head:<24}{'missing (log)':>20}{'unknown (log)':>20}", *told]


def _missing(column: pa.Array) -> int:
    """Values that are none: null, or NaN."""
    nan = pc.sum(pc.is_nan(column)).as_py() if pa.types.is_floating(column.type) else 0
    return int(column.null_count + (nan or 0))


def _cell(here: float, there: float | None) -> str:
    return f"{here:.1%}" if there is None else f"{here:.1%} ({there:.1%})"
