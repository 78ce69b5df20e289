"""What every described file is made of: frozen, strict parts, durations, sizes and days as they are written."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
DAY_SECONDS = 86400.0
_LONGEST = 30 * 24 * 3600.0


class Part(BaseModel):
    """Base of every part of the file: frozen, strict, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _day(value: object) -> object:
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a day like 2022-04-25") from None
    if isinstance(value, dt.datetime):
        return value.date()
    return value


def parse_seconds(value: object) -> object:
    """`90`, `90s`, `10m` or `1.5h` to seconds; anything else is refused."""
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", value.strip())
        if not match:
            raise ValueError("must be a duration like 90s, 10m or 1h")
        return float(match[1]) * _SECONDS[match[2]]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _bytes(value: object) -> object:
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG])i?B?", value.strip())
        if not match:
            raise ValueError("must be a size like 512MiB or 4GiB")
        return int(float(match[1]) * _UNITS[match[2]])
    return value


def _not_for_ever(value: float) -> float:
    if value > _LONGEST:
        raise ValueError("must be at most 30 days")
    return value


def _pair(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("must be the first and the last day, like [2022-04-25, 2022-05-04]")
    return tuple(value)


def parse_span(value: object) -> object:
    """A duration that may also be days (`7d`), or the words `day` and `hour`, to seconds."""
    if isinstance(value, str):
        words = {"day": "1d", "hour": "1h"}
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", words.get(value.strip(), value.strip()))
        if not match:
            raise ValueError("must be a duration like 30m, 6h or 7d, or day or hour")
        return float(match[1]) * {**_SECONDS, "d": DAY_SECONDS}[match[2]]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def as_span(seconds: float) -> str:
    """A duration in the largest unit that holds it whole."""
    for unit, size in (("d", DAY_SECONDS), *sorted(_SECONDS.items(), key=lambda pair: -pair[1])):
        if seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds!r}s"


def _within_a_day(value: float) -> float:
    if not 60 <= value <= DAY_SECONDS:
        raise ValueError("must be at least a minute and at most a day")
    return value


def names_once(value: object) -> object:
    """A list of different texts as a tuple."""
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise ValueError("must be a list of names")
    if not value or len(set(value)) < len(value):
        raise ValueError("must be a list of different names, at least one")
    return tuple(value)


Day = Annotated[dt.date, BeforeValidator(_day)]
DayRange = Annotated[tuple[Day, Day], BeforeValidator(_pair)]
Seconds = Annotated[float, BeforeValidator(parse_seconds), Field(gt=0), AfterValidator(_not_for_ever)]
Delay = Annotated[float, BeforeValidator(parse_span), Field(ge=0), AfterValidator(_not_for_ever)]
Every = Annotated[float, BeforeValidator(parse_span), AfterValidator(_within_a_day)]
Bytes = Annotated[int, BeforeValidator(_bytes), Field(gt=0)]
