"""What a column is in a draft: an id, a number, both, or nothing that a model reads; told by values and names."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.kinds import is_text
from automl.data.columns.numbers import as_floats
from automl.data.draft.dates import day_first, holds_times, weeks_or_months
from automl.data.draft.profile import Column
from automl.data.leaks.names import FEEDBACK

_ID_NAME = re.compile(
    r"(?:^|_)(?:id|uid|sid|pid|code|type|category|tag|tab|zip|upc|ean|sku|isbn)(?:_|$)|id$", re.IGNORECASE
)
FEW = 1000
WIDE = 100  # columns
_AGAIN = 20  # rows of a value
_CLOSE = 0.3  # of the numbers between the lowest and the highest are there
_CODES = 1e6  # amounts begin below

_NEW = 0.9  # of the later rows have a value that no earlier one has
Floats = NDArray[np.float64]


def reason_against(column: Column) -> str | None:
    """Why a column is no feature, by its own values and name."""
    rows = len(column.values)
    if column.name.startswith("@"):
        return "@ begins the names of features that are made from the time: rename it"
    if column.distinct <= 1 and (not column.missing or not column.distinct):
        return "constant"
    if is_text(column.kind) and day_first(column.values):
        return "a date with day or month first: read as a time by `time: {format: ...}`"
    if is_text(column.kind) and (holds_times(column.values) or weeks_or_months(column.values)):
        return "a date as text: its later values are never seen in training"
    if FEEDBACK.search(column.name) and (column.distinct == 2 or not _ID_NAME.search(column.name)):
        return "named like feedback: known after the label?"
    if column.distinct > 0.95 * (rows - column.missing) and (column.whole or not column.number) and rows > 100:
        return "one value a row"
    if column.number and column.whole and column.ends[0] >= 19_000_101 and column.ends[1] <= 21_001_231:
        return "a date: its later values are never seen in training"
    if pa.types.is_timestamp(column.kind) or pa.types.is_date(column.kind) or pa.types.is_time(column.kind):
        return "a time: its later values are never seen in training"
    return None


def is_categorical(column: Column, wide: bool) -> bool:
    """Of a wide table whole numbers are counts and flags, unless they are called ids: each id is a field of a model."""
    if not column.number:
        return True
    few = column.distinct <= FEW // 10 and not wide
    return column.whole and (few or _ID_NAME.search(column.name) is not None)


def may_be_ids(column: Column, wide: bool, rows: int) -> bool:
    """Whole numbers that lie close, or are long codes, and come again and again, whatever they are called: both an id
    and a number in a draft, since a model learns nothing of ids that it reads as amounts."""
    low, high = column.ends
    like_ids = column.distinct >= _CLOSE * (high - low + 1) or low >= _CODES
    return column.whole and not wide and like_ids and rows >= _AGAIN * column.distinct


def transform_of(column: Column) -> str:
    """Log for what is not negative and has a long tail."""
    low, high, middle = *column.ends, column.middle or 0.0
    return "log" if low >= 0 and high > 20 * max(middle, 1e-12) else "standardize"


def grows_with(column: Column, times: Floats) -> bool:
    """Whether a column is a clock: what is later is never or hardly less than all that was at the time before. Rows of
    one time say nothing, in whatever order they stand. Ids are compared as they are: as doubles those above 2**53
    stand still."""
    if not column.number or column.distinct < 3:
        return False
    whole = pa.types.is_integer(column.kind)
    known = column.values.is_valid().to_numpy(zero_copy_only=False) if whole else np.isfinite(as_floats(column.values))
    kept = column.values.filter(pa.array(known))
    numbers = kept.to_numpy(zero_copy_only=False) if whole else as_floats(kept)
    order = np.argsort(times[known], kind="stable")
    first = np.flatnonzero(np.diff(times[known][order], prepend=-np.inf))  # of each time
    lowest, highest = (ends.reduceat(numbers[order], first) for ends in (np.minimum, np.maximum))
    return len(first) > 1 and float((lowest[1:] < highest[:-1]).mean()) < 0.001


def is_new_later(column: Column, times: Floats, start: float) -> bool:
    """Whether nearly all rows from `start` on have values that no row before has, though values come again and again:
    a campaign, an edition. A model learns nothing of them that it could use."""
    later = times >= start
    if len(times) < _AGAIN * column.distinct or later.all() or not later.any():
        return False
    codes = np.asarray(column.values.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False))
    known = codes >= 0
    new = ~np.isin(codes[later & known], codes[~later])
    return bool(new.size) and float(new.mean()) > _NEW
