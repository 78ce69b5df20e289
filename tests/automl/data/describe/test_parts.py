from __future__ import annotations

import datetime as dt
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from automl.data.describe.parts import Bytes, DayRange, Delay, Every, Seconds, as_span, parse_span


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        (Seconds, "90s", 90.0),
        (Seconds, "1.5h", 5400.0),
        (Seconds, 90, 90.0),
        (Delay, "7d", 604_800.0),
        (Delay, 0, 0.0),
        (Every, "day", 86_400.0),
        (Every, "10m", 600.0),
        (Bytes, "512MiB", 512 << 20),
        (Bytes, "1.5G", 3 << 29),
        (DayRange, ["2024-03-04", "2024-03-06"], (dt.date(2024, 3, 4), dt.date(2024, 3, 6))),
    ],
)
def test_what_is_written_is_a_number(kind: Annotated[object, None], text: object, wanted: object) -> None:
    assert TypeAdapter(kind).validate_python(text) == wanted


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (Seconds, "90", "must be a duration like 90s, 10m or 1h"),
        (Seconds, "31h31h", "must be a duration"),
        (Seconds, 0, "greater than 0"),
        (Seconds, 31 * 86_400, "must be at most 30 days"),
        (Seconds, True, "valid number"),
        (Every, "30s", "must be at least a minute and at most a day"),
        (Every, "week", "must be a duration like 30m, 6h or 7d, or day or hour"),
        (Bytes, "4 apples", "must be a size like 512MiB or 4GiB"),
        (DayRange, ["2024-03-04"], "must be the first and the last day"),
        (DayRange, ["2024-03-04", "4 March"], "must be a day like 2022-04-25"),
    ],
)
def test_what_is_none_is_told(kind: Annotated[object, None], text: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TypeAdapter(kind, config={"strict": True}).validate_python(text)


@given(st.integers(1, 10**7))
def test_a_span_is_read_as_it_is_written(seconds: int) -> None:
    assert parse_span(as_span(float(seconds))) == seconds
