from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.report.common import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (99_999, "99,999"),
        (100_000, "1.0e5"),
        (21_000_000, "2.1e7"),
        (9_960_000, "1.0e7"),  # 9.96 rounds up to the next power
        (10**400, "1.0e400"),  # beyond any float
    ],
)
def test_large_counts(value: int, text: str) -> None:
    assert formats.number(value) == text


@given(st.integers(100_000, 10**30))
def test_large_counts_are_right_to_two_digits(value: int) -> None:
    text = formats.number(value)
    assert 1 <= float(text.partition("e")[0]) < 10
    assert float(text) == pytest.approx(value, rel=0.0501)


def test_size_of_a_space_in_words() -> None:
    assert formats.combinations(21_000_000, 5) == "2.1e7 discrete combinations x 5 continuous knobs"
    assert formats.combinations(1, 1) == "1 discrete combination x 1 continuous knob"
    assert formats.combinations(36, 0) == "36 discrete combinations"


def test_lists_in_words() -> None:
    assert formats.listed([]) == ""
    assert formats.listed(["a"]) == "a"
    assert formats.listed("ab") == "a and b"
    assert formats.listed("abcdef") == "a, b, c, d, e and f"
    assert formats.listed("abcdefgh", most=4) == "a, b, c and 5 more"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (formats.percent(-0.2149), "−0.21%"),
        (formats.percent(0.2151), "+0.22%"),
        (formats.percent(-0.001), "0.00%"),
        (formats.percent(math.nan), "–"),
        (formats.ratio(1.0), "×1.00"),
        (formats.ratio(12.34), "×12.3"),
        (formats.ratio(0.0321), "×0.032"),
        (formats.ratio(None), "–"),
        (formats.count(141_049), "141k"),
        (formats.count(999_999), "1M"),
        (formats.count(18_900_000), "18.9M"),
        (formats.duration(0.61), "0.6 s"),
        (formats.duration(59.7), "1 min 00 s"),
        (formats.duration(245), "4 min 05 s"),
        (formats.duration(3840), "1 h 04 min"),
        (formats.moment(0.0), "1970-01-01 00:00 UTC"),
        (formats.p_value(0.0004), "p < 0.001"),
        (formats.p_value(0.0124), "p = 0.012"),
        (formats.knob_value(True), "yes"),
        (formats.knob_value(4096), "4,096"),
        (formats.knob_value(1.0712e-3), "0.00107"),
        (formats.counted(1, "trial"), "1 trial"),
        (formats.counted(2, "batch", "batches"), "2 batches"),
    ],
)
def test_numbers_as_people_read_them(text: str, expected: str) -> None:
    assert text == expected
