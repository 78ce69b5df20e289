from __future__ import annotations

import pytest

from automl.data.leaks.words import number, share, span


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0, "0%"), (1.0, "100%"), (0.9997, "99.97%"), (0.0003, "0.03%"), (0.451, "45.1%"), (0.99999, "over 99.99%")],
)
def test_nearly_all_is_not_all(value: float, words: str) -> None:
    assert share(value) == words


@pytest.mark.parametrize(
    ("nanoseconds", "words"),
    [
        (0, "0 s"),
        (30 * 10**9, "30 s"),
        (1_500_000_000, "1.5 s"),
        (30_000_001_000, "30.000001 s"),
        (250_000_000, "250 ms"),
        (86_400 * 10**9, "1 d"),
        (7, "7 ns"),
    ],
)
def test_spans_are_told_to_the_last_digit(nanoseconds: int, words: str) -> None:
    assert span(nanoseconds) == words


def test_numbers_as_people_write_them() -> None:
    assert [number(value) for value in (0.0, 6999.0, 0.02273, 1e20)] == ["0", "6,999", "0.02273", "1e+20"]
