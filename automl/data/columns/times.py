"""When an example was seen: any time column to int64 nanoseconds since 1970 UTC, and local hours and days."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Unit = Literal["s", "ms", "us", "ns"]
NANOSECONDS: dict[Unit, int] = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_MADE = ("@hour", "@weekday", "@day")
Ints = NDArray[np.int64]


def unit_of(largest: float) -> Unit:
    """The unit that puts an epoch time after 1970 and before 5138: told by its size."""
    size = abs(largest)
    return "s" if size < 1e11 else "ms" if size < 1e14 else "us" if size < 1e17 else "ns"


def is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def nanoseconds(array: pa.Array, unit: Unit | None, timezone: str) -> pa.Array:
    """int64 nanoseconds UTC, null where missing. A timestamp without a zone is wall time of `timezone`.

    Raises:
        pa.ArrowInvalid, pa.ArrowNotImplementedError: where the column is no time.
    """
    if is_number(array.type):
        if unit is None:
            raise pa.ArrowInvalid("a numeric time must have a unit")
        factor = NANOSECONDS[unit]
        if pa.types.is_floating(array.type):
            whole = pc.floor(array)
            rest = pc.multiply(pc.subtract(array, whole), float(factor))
            base = pc.multiply_checked(whole.cast(pa.int64()), factor)
            return pc.add(base, pc.round(rest).cast(pa.int64()))
        return pc.multiply_checked(array.cast(pa.int64()), factor)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        array = _parsed(array)
    if not pa.types.is_timestamp(array.type) or array.type.unit != "ns":
        array = array.cast(pa.timestamp("ns", tz=getattr(array.type, "tz", None)))
    if array.type.tz is None:
        array = pc.assume_timezone(array, timezone, ambiguous="earliest", nonexistent="earliest")
    return array.cast(pa.int64())


def _parsed(array: pa.Array) -> pa.Array:
    try:
        return array.cast(pa.timestamp("ns"))
    except pa.ArrowInvalid:
        return array.cast(pa.timestamp("ns", tz="UTC"))


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
