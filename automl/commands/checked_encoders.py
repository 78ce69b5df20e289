"""Rows of the log's own tables, read as they are when served: they must be what the model was trained on.

B rows of a table, F id fields, D dense features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.commands.recorded_rows import (
    CHECKED_ROWS,
    encoded_rows,
    found_rows,
    joined,
    later_rows,
    rows_by_content,
    times_of,
)
from automl.data.columns.numbers import as_floats
from automl.data.encode.plan import Plan
from automl.data.past.past import Past
from automl.data.store.encoders import Encoders, ServedTime
from automl.data.store.keyed import whole
from automl.data.store.log import EncodedLog
from automl.data.tables.sources import LOG
from automl.runtime.errors import RunError


@dataclass(frozen=True, eq=False)
class Checked:
    """Rows that give what the model was trained on, in their own columns, and which rows of the log they are."""

    rows: pa.Table
    rows_B: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows_B)


_ALL = 1e-9  # shares of the rows that sum to 1 but for this are all of them
_NONE = Checked(pa.table({}), np.zeros(0, np.int64))


def check_encoders(encoders: Encoders, plan: Plan, log: EncodedLog) -> Checked:
    """Encode the first examples of the log again, without what is made of earlier rows: each must be among the encoded
    rows, of its time where windows are days.

    Raises:
        RunError: where a row is not.
    """
    time = encoders.time
    past = plan.config.features.past_names
    listed = [sequence.name for sequence in encoders.sequences if not sequence.built]
    known = encoders.select(encoders.fields, [name for name in encoders.dense if name not in past], listed)
    lists = (column for sequence in plan.listed for column in sequence.columns)
    ours = [source.column for source in (*plan.features, *lists) if source.table == LOG]
    timed = [time.column] if time is not None else []
    columns = [*ours, *timed, *(join.on for join in plan.config.join), *_given(plan)]
    found = found_rows(plan, columns, lambda batch: _is_example(plan, time, batch), CHECKED_ROWS)
    return _held(known, joined(found.slice(0, CHECKED_ROWS), plan), plan, log)


def check_past(past: Past, encoders: Encoders, plan: Plan, log: EncodedLog) -> Checked:
    """Serve the rows of the log that `past` has not counted: each example must be among the encoded rows of its time.
    None where so many are of one time that they are not held.

    Raises:
        RunError: where a row is not.
    """
    time = encoders.time
    if time is None or log.times_N is None:
        return _NONE
    rows = later_rows(plan, time, past, int(log.times_N[-1]))
    return _held(encoders, rows.filter(pa.array(_is_example(plan, time, rows))), plan, log)


def _held(encoders: Encoders, rows: pa.Table, plan: Plan, log: EncodedLog) -> Checked:
    at_D = [log.dense.index(name) for name in encoders.dense]
    by_time = log.times_N is not None and plan.config.split.random is None
    at_F = [log.fields.index(name) for name in encoders.fields]
    if by_time:
        own = {history.name: history for history in log.histories}
        histories = [own[sequence.name] for sequence in encoders.sequences]
        found_B = encoded_rows(encoders, rows, log, at_F, at_D, histories=histories)
    else:
        found_B = rows_by_content(encoders, rows, log, at_F, at_D)
    shares = None if plan.config.split.random is None else sum(plan.config.split.random.shares)
    if shares is not None and shares < 1 - _ALL and (found_B >= 0).any():  # the others may be in no window
        rows, found_B = rows.filter(pa.array(found_B >= 0)), found_B[found_B >= 0]
    if (found_B < 0).any():
        b = int((found_B < 0).argmax())
        raise RunError(f"the encoders must give what the model was trained on, but row {b} of {plan.log.name} does not")
    return Checked(rows, found_B)


def _is_example(plan: Plan, time: ServedTime | None, rows: pa.RecordBatch | pa.Table) -> NDArray[np.bool_]:
    """Whether rows are of a window; shares of the rows are all of them."""
    keep: NDArray[np.bool_] = np.ones(rows.num_rows, bool)
    if time is not None and plan.config.split.random is None:
        keep = plan.split.window(times_of(time, rows), np.zeros(rows.num_rows)) >= 0
    known = [as_floats(whole(rows.column(given))) == 1 for given in _given(plan)]
    return keep & np.logical_or.reduce(known) if known else keep


def _given(plan: Plan) -> list[str]:
    """The columns one of which must be 1 in an example; none where a label is defined in every row."""
    given = [label.given for label in plan.config.tasks]
    return [] if None in given else [column for column in dict.fromkeys(given) if column is not None]
