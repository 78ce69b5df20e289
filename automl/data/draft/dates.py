"""Which columns of a table are times, days or dates, told by their values and names. For drafting only."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from automl.data.columns.kinds import is_text, trimmed
from automl.data.columns.times import NotTimesError, like_a_day, nanoseconds, unit_of
from automl.data.draft.profile import Column

_TIME_NAME = re.compile(r"(?:^|_|@)(?:time|timestamp|ts|date|datetime|day|dt|hour)(?:_|$)", re.IGNORECASE)
_YEAR_2000, _YEAR_2100 = 946_684_800, 4_102_444_800


def is_time(column: Column) -> bool:
    if pa.types.is_timestamp(column.kind):
        return True
    if not _TIME_NAME.search(column.name):
        return False
    if form_of(column) is not None:
        return True
    if column.number:
        return _in_this_century(column)
    if pa.types.is_date(column.kind):
        return True
    return holds_times(column.values.slice(0, 1000))


def looks_like_a_time(column: Column) -> bool:
    """By its values alone, whatever it is called: text of days with hours, or milliseconds and finer since 1970."""
    if is_text(column.kind):
        return holds_times(column.values.slice(0, 1000)) and not is_day(column)
    return column.number and column.whole and unit_of(column.ends[1]) != "s" and _in_this_century(column)


def _in_this_century(column: Column) -> bool:
    """Of numbers since 1970, in the unit that their size tells."""
    scale = 1000 ** ("s", "ms", "us", "ns").index(unit_of(column.ends[1]))
    return all(_YEAR_2000 < end / scale < _YEAR_2100 for end in column.ends)


def form_of(column: Column) -> str | None:
    """How days or hours are written, of whole numbers that are no times since 1970."""
    if not column.number or not column.whole or column.low is None or column.high is None:
        return None
    form = like_a_day(column.low, column.high)
    if form is None:
        return None
    try:
        nanoseconds(column.values, None, "UTC", form)
    except NotTimesError:
        return None
    return form


def is_day(column: Column) -> bool:
    """Whether a time says no more than the day, or the hour: another one is finer."""
    if is_text(column.kind):
        return not pc.any(pc.match_substring(column.values, ":")).as_py()
    return form_of(column) is not None or bool(pa.types.is_date(column.kind))


def holds_times(values: pa.Array) -> bool:
    try:
        return is_text(values.type) and nanoseconds(values, None, "UTC").null_count < len(values)
    except NotTimesError:
        return False


def day_first(values: pa.Array) -> bool:
    text = trimmed(values).drop_null()
    return len(text) > 0 and bool(pc.all(pc.match_substring_regex(text, r"^\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}\b")).as_py())


def weeks_or_months(values: pa.Array) -> bool:
    text = trimmed(values).drop_null()
    return len(text) > 0 and bool(pc.all(pc.match_substring_regex(text, r"^\d{4}-?(W\d{1,2}(-\d)?|\d{2})$")).as_py())
