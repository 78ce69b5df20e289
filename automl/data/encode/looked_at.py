"""The rows of a log's training window that are looked at for leaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.times import days_of, midnight
from automl.data.encode.plan import Plan
from automl.data.encode.spill import Rows, labels_of
from automl.data.leaks.sample import Codes, Column, Key, Sample, compact
from automl.data.past.counters import key_codes

_KEYS = 8  # ids that rows go by: those of most values
_VALUES = 100  # that such an id has at least
_ROWS = 1.5  # of a value, on average


def sample_of(rows: Rows, plan: Plan, values: Sequence[pa.Array], label: int = 0) -> Sample:
    """Sorted records of the training window, as the finder reads them, by one of the labels. Columns are views of the
    records."""
    categorical = [
        Column(source.column, "categorical", rows["ids"][:, k], source.table >= 0, _word(values, k))
        for k, source in enumerate(plan.categorical)
    ]
    dense = [
        Column(source.column, "dense", rows["dense"][:, k], source.table >= 0) for k, source in enumerate(plan.dense)
    ]
    times = np.ascontiguousarray(rows["time"]) if plan.config.time is not None else None
    days = None if times is None else _days(times, plan.timezone)
    return Sample(labels_of(rows)[:, label] == 1, times, days, (*categorical, *dense), _keys(rows, plan))


def _days(times: NDArray[np.int64], timezone: str) -> NDArray[np.int64]:
    """Local days of rising times, counted from the first."""
    if not len(times):
        return times
    edges = [midnight(day, timezone) for day in days_of(int(times[0]), int(times[-1]), timezone)]
    return np.searchsorted(np.array(edges, np.int64), times, side="right")


def _word(values: Sequence[pa.Array], k: int) -> Callable[[int], str]:
    return lambda code: str(values[k][code - 1])


def _keys(rows: Rows, plan: Plan) -> tuple[Key, ...]:
    """The ids that rows go by, users and items, those of most values first; and a pair of them."""
    found = {source.column: compact(rows["ids"][:, k]) for k, source in enumerate(plan.coded)}
    if plan.cluster is not None:
        found.setdefault(plan.cluster.column, compact(rows["cluster"]))
    values = {name: int(np.count_nonzero(np.bincount(codes)[1:])) for name, codes in found.items()}
    many = [name for name in found if values[name] >= _VALUES and np.count_nonzero(found[name]) >= _ROWS * values[name]]
    most = sorted(many, key=lambda name: -values[name])[:_KEYS]
    pairs = (_pair(found, most[0], name, values) for name in most[1:])
    pair = next((pair for pair in pairs if pair is not None), None)
    return (*(Key(name, found[name]) for name in most), *((pair,) if pair else ()))


def _pair(found: Mapping[str, Codes], one: str, other: str, values: Mapping[str, int]) -> Key | None:
    """Both ids as one; None where one of them nearly tells the other, as an item does its author."""
    codes = key_codes([found[one], found[other]])
    return Key(f"{one} x {other}", codes) if codes.max() >= 2 * max(values[one], values[other]) else None
