"""Labels and actions of rows that come after a log, read as the log's were: values, and when they are known.

N rows, L labels, S sequences.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.numbers import NotNumbersError, as_floats, not_binary
from automl.data.columns.times import NEVER, NotTimesError, arrival_times
from automl.data.past.features import PastLabel, SequenceBlock
from automl.data.past.sequences import action_bits
from automl.data.store.encoders import Rows, ServedTime
from automl.data.store.keyed import whole
from search_spaces.errors import InputError

Ints = NDArray[np.int64]


def labels_of(
    table: Rows, labels: Sequence[PastLabel], times_N: Ints, time: ServedTime | None, name: str
) -> tuple[NDArray[np.float32], Ints]:
    """labels_NL, NaN where one is not defined, and arrivals_NL. A label whose columns are not all there is of no row.

    Raises:
        InputError: where a column holds something else.
    """
    labels_NL = np.full((len(times_N), len(labels)), np.nan, np.float32)
    arrivals_NL = np.full((len(times_N), len(labels)), NEVER)
    for k, label in enumerate(labels):
        if all(column in table.schema.names for column in label.columns):
            labels_NL[:, k] = _values(table, label, name)
            arrivals_NL[:, k] = _arrivals(table, label, times_N, time, name)
    return labels_NL, np.where(np.isnan(labels_NL), NEVER, arrivals_NL)


def events_of(table: Rows, sequences: Sequence[SequenceBlock], name: str) -> NDArray[np.uint8]:
    """events_SN: of each sequence bits of the actions of a row, 0 where it is no event. An action whose column is not
    there is of no row; of a sequence without actions every row is an event.

    Raises:
        InputError: where a column holds something else than 0, 1 and missing values.
    """
    rows, there = table.num_rows, set(table.schema.names)
    events_SN = np.zeros((len(sequences), rows), np.uint8)
    for s, block in enumerate(sequences):
        absent = np.zeros(rows, bool)
        done = [_binary(table, column, name) == 1 if column in there else absent for column in block.actions]
        events_SN[s] = action_bits(rows, done)
    return events_SN


def _binary(table: Rows, column: str, name: str) -> NDArray[np.float64]:
    must = f"{column} must be 0 or 1, or missing"
    values = _numbers(table, column, must, name)
    bad = not_binary(values, missing=True)
    if bad.any():
        raise InputError.of(name, must, f"{values[bad.argmax()]:g}")
    return values


def _values(table: Rows, label: PastLabel, name: str) -> NDArray[np.float64]:
    values = _binary(table, label.column, name)
    if label.given is None:
        return values
    given = _numbers(table, label.given, f"{label.given} must be a number", name)
    return np.where(given == 1, values, np.nan)


def _numbers(table: Rows, column: str, must: str, name: str) -> NDArray[np.float64]:
    try:
        return as_floats(whole(table.column(column)))
    except NotNumbersError as error:
        raise InputError.of(name, must, repr(error.example)) from error
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise InputError.of(name, must, str(table.schema.field(column).type)) from None


def _arrivals(table: Rows, label: PastLabel, times_N: Ints, time: ServedTime | None, name: str) -> Ints:
    if label.arrives is None or time is None:
        return times_N + round(label.delay * 1e9)
    try:
        known_N = arrival_times(whole(table.column(label.arrives)), time.unit, time.timezone)
    except NotTimesError as error:
        raise InputError.of(name, f"{label.arrives} must hold times", str(error)) from error
    early = known_N < times_N
    if early.any():
        must, found = f"{label.arrives} must not be before the row's time", f"{int(early.sum())} rows where it is"
        raise InputError.of(name, must, found)
    return known_N
