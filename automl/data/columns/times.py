"""When an example was seen: any time column to int64 nanoseconds since 1970 UTC, and local hours and days."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from functools import partial
from itertools import pairwise, product
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from automl.data.columns.kinds import cast, is_text, offender, trimmed

Unit = Literal["s", "ms", "us", "ns"]
NEVER = (1 << 63) - 1  # when a label arrives that does not come
MS = 10**6  # nanoseconds: events and rows of one millisecond are of one time
NANOSECONDS: dict[Unit, int] = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_MADE = ("@hour", "@weekday", "@day")
_DIGITS = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")
_NUMBERS = (pa.int64(), pa.float64())
_FEW = 64
_STAMPS = (pa.timestamp("ns"), pa.timestamp("ns", tz="UTC"))
_FORMS = (
    (r"^(\d{4})/(\d{1,2})/(\d{1,2})", r"\1-\2-\3"),
    (r"^(\d{4})(\d{2})(\d{2})[T ]?(\d{2})(\d{2})(\d{2})", r"\1-\2-\3T\4:\5:\6"),
    (r"(:\d{2}),(\d+)", r"\1.\2"),
    (r"\s*(?:UTC|GMT|Z)$", "Z"),
    (r"\s*([+-]\d{2}):?(\d{2})$", r"\1:\2"),
)
Ints = NDArray[np.int64]
_YEAR_NS = 366 * 86_400 * 10**9
_EARLIER_NS, _LATER_NS = 10 * _YEAR_NS, 20 * _YEAR_NS


def unit_of(largest: float) -> Unit:
    """The unit that puts an epoch time after 1970 and before 5138: told by its size."""
    size = abs(largest)
    return "s" if size < 1e11 else "ms" if size < 1e14 else "us" if size < 1e17 else "ns"


class NotTimesError(ValueError):
    """A column that holds no times; what it holds instead."""


def is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def way_of(kind: pa.DataType) -> str:
    """How times are written, of values that time_values gave."""
    if is_number(kind):
        return "as numbers"
    return "without a zone" if kind.tz is None else "with a zone"


def time_values(array: pa.Array, form: str | None = None) -> pa.Array:
    """What a column says of times: numbers, or timestamps with a zone or without one.

    Text is a number where its first value is one, else ISO 8601; with a form (of strptime) it is read by that, and so
    are numbers, with the zeros in front that numbers lose.

    Raises:
        NotTimesError: where it says nothing of times.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if form is not None:
        return _by_form(array, form)
    if is_text(array.type):
        return _parsed(trimmed(array))
    if is_number(array.type) or pa.types.is_timestamp(array.type):
        return array
    if pa.types.is_decimal(array.type):
        return array.cast(pa.float64())
    try:
        return array.cast(pa.timestamp("ns"))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise NotTimesError(str(array.type)) from None


def near(span: tuple[int, int]) -> tuple[int, int]:
    """The first and the last time, nanoseconds UTC, that lie near a log of that span: not decades from it."""
    return span[0] - _EARLIER_NS, span[1] + _LATER_NS


def arrival_times(column: pa.Array, unit: Unit | None, timezone: str) -> NDArray[np.int64]:
    """When labels are known, nanoseconds UTC; NEVER where it is missing.

    Raises:
        NotTimesError: as nanoseconds() does.
    """
    known = pc.fill_null(nanoseconds(column, unit, timezone), NEVER)
    return np.asarray(known.to_numpy(zero_copy_only=False))


def nanoseconds(array: pa.Array, unit: Unit | None, timezone: str, form: str | None = None) -> pa.Array:
    """int64 nanoseconds UTC, null where missing. A timestamp without a zone is wall time of `timezone`.

    Raises:
        NotTimesError: where the column holds no times, or none that 64 bits hold.
    """
    array = time_values(array, form)
    try:
        if is_number(array.type):
            return _counted(array, unit)
        if array.type.unit != "ns":
            array = array.cast(pa.timestamp("ns", tz=array.type.tz))
        if array.type.tz is None:
            array = pc.assume_timezone(array, timezone, ambiguous="earliest", nonexistent="earliest")
        return array.cast(pa.int64())
    except pa.ArrowInvalid as error:
        words = "times between the years 1678 and 2262 are held" if "out of bounds" in str(error) else ""
        raise NotTimesError(words or str(error).splitlines()[0]) from error


def _counted(array: pa.Array, unit: Unit | None) -> pa.Array:
    if unit is None:
        raise NotTimesError("numbers without a unit")
    factor = NANOSECONDS[unit]
    try:
        if pa.types.is_floating(array.type):
            whole = pc.floor(array)
            rest = pc.multiply(pc.subtract(array, whole), float(factor))
            base = pc.multiply_checked(whole.cast(pa.int64()), factor)
            return pc.add(base, pc.round(rest).cast(pa.int64()))
        return pc.multiply_checked(array.cast(pa.int64()), factor)
    except pa.ArrowInvalid:
        ends = pc.min_max(array)
        raise NotTimesError(f"{ends['min']} to {ends['max']} in {unit}") from None


def _parsed(text: pa.Array) -> pa.Array:
    known = text.drop_null()
    if not len(known):
        return text.cast(pa.timestamp("ns"))
    kinds = _NUMBERS if _DIGITS.fullmatch(known[0].as_py()) else _STAMPS
    ways = (_as_it_is, _in_one_form) if kinds is _STAMPS else (_as_it_is,)
    for way, kind in product(ways, kinds):
        try:
            way(text.slice(0, _FEW)).cast(kind)  # the whole of a column that is none takes long to fail
            return way(text).cast(kind)
        except pa.ArrowInvalid:
            continue
    raise NotTimesError(_first_wrong(text, kinds))


def _as_it_is(text: pa.Array) -> pa.Array:
    return text


def _in_one_form(text: pa.Array) -> pa.Array:
    """Years first, in other ways to write them than ISO 8601: 2024/03/01, 20240301T000353Z, `... UTC`, `... +0800`."""
    for pattern, way in _FORMS:
        text = pc.replace_substring_regex(text, pattern, way)
    return text


def _first_wrong(text: pa.Array, kinds: Sequence[pa.DataType]) -> str:
    """The value at which the kind that goes furthest ends."""
    ends = [offender(text, partial(pc.cast, target_type=kind)) for kind in kinds]
    first = text.drop_null()[0].as_py()
    other = [value for value in ends if value != repr(first)]
    return f"{other[0]} beside {first!r}" if other else ends[0]


def _by_form(array: pa.Array, form: str) -> pa.Array:
    if is_number(array.type):
        whole = cast(array, pa.int64())
        width = len(dt.datetime(2000, 1, 1).strftime(form))
        array = pc.utf8_lpad(whole.cast(pa.string()), width, "0")
    elif not is_text(array.type):
        raise NotTimesError(f"{array.type}, which is not read by a format")

    def read(part: pa.Array) -> pa.Array:
        return pc.strptime(part, format=form, unit="s", error_is_null=False)

    text = trimmed(array)
    try:
        found = read(text)
    except pa.ArrowInvalid:
        raise NotTimesError(f"{offender(text, read)}, which is not {form}") from None
    # February 30 becomes March 1 there: what is not written back as it was is read once more, by a stricter reader
    other = text.filter(pc.not_equal(pc.strftime(found, format=form), text))
    for value in other.unique().to_pylist():
        try:
            dt.datetime.strptime(value, form)
        except ValueError:
            raise NotTimesError(f"{value!r}, which is no day or time of {form}") from None
    return found


def like_a_day(low: float, high: float) -> str | None:
    """The format that numbers follow which are no times since 1970 but days or hours as they are written."""
    for form in ("%Y%m%d", "%y%m%d%H", "%Y%m%d%H"):
        width = len(dt.datetime(2000, 1, 1).strftime(form))
        try:
            days = [dt.datetime.strptime(f"{int(value):0{width}d}", form) for value in (low, high)]
        except (ValueError, OverflowError):
            continue
        if all(1990 <= day.year <= 2100 for day in days):
            return form
    return None


def made_column(name: str, times: Ints, timezone: str) -> pa.Array:
    """`@hour` 0..23, `@weekday` 0 (Monday)..6 or `@day` (days since 1970) of local time."""
    local = pc.local_timestamp(pa.array(times, pa.timestamp("ns", tz=timezone)))
    if name == "@hour":
        return pc.hour(local)
    if name == "@weekday":
        return pc.day_of_week(local)
    return pc.floor_temporal(local, unit="day").cast(pa.timestamp("s")).cast(pa.int64())


def is_made(column: str) -> bool:
    return column in _MADE


def midnight(day: dt.date, timezone: str) -> int:
    """Nanoseconds UTC at which a local day begins."""
    start = dt.datetime.combine(day, dt.time(), tzinfo=ZoneInfo(timezone))
    return int(start.timestamp()) * 10**9


def days_of(first: int, last: int, timezone: str) -> list[dt.date]:
    """Every local day from the one of `first` to the one of `last` (nanoseconds UTC)."""
    zone = ZoneInfo(timezone)
    day, end = (dt.datetime.fromtimestamp(time // 10**9, zone).date() for time in (first, last))
    return [day + dt.timedelta(days=k) for k in range((end - day).days + 1)]


def edges_of(first: int, last: int, every: float, timezone: str) -> Ints:
    """Boundaries every so many seconds, from each local midnight anew; the first is not later than `first`, and the
    last is later than `last`. A local day that is longer or shorter than others has an interval more or less.
    """
    days = days_of(first, last, timezone)
    starts = [midnight(day, timezone) for day in [*days, days[-1] + dt.timedelta(days=1)]]
    if every >= 86400:
        return np.array(starts, np.int64)
    step = round(every * 10**9)
    edges = np.concatenate([np.arange(a, b, step) for a, b in pairwise(starts)] + [starts[-1:]])
    low = int(np.searchsorted(edges, first, side="right")) - 1
    high = int(np.searchsorted(edges, last, side="right"))
    return np.asarray(edges[low : high + 1], np.int64)
