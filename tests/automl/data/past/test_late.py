"""Labels that arrive when a column says: what the tail and the keys tell of those that come late."""

from __future__ import annotations

import numpy as np
import pytest

from automl.data.past.features import CounterBlock, Key, PastFeatures, PastLabel
from automl.data.past.late import late_mistakes
from automl.data.past.rows import TIMELESS, PastRows
from automl.data.past.state import BlockSums, KeySums, State

WHAT = PastFeatures(
    labels=(PastLabel("click", arrives="known"),),
    blocks=(CounterBlock((Key(("user",), ("rate", "count")),), (0,), 3600.0, None, 20.0),),
    recent=None,
    timezone="UTC",
)
EDGE = 1000


def rows(*of: tuple[int, int, float, int]) -> PastRows:
    """Time, user, label and when it arrives."""
    times, users, labels, arrivals = zip(*of, strict=True)
    return PastRows(
        np.array(times, np.int64),
        np.array([users], np.int32),
        np.array([labels], np.float32).T,
        np.array([arrivals], np.int64).T,
    )


SUMS = KeySums(np.array([[1, 2]], np.int32), np.ones((1, 2)), np.ones((1, 2)), np.ones(2))
TAIL = rows((TIMELESS + 100, 1, 1.0, 1500), (900, 2, 0.0, 1200), (1100, 1, np.nan, 0), (1100, 1, 1.0, 1300))
STATE = State(1100, 9, (BlockSums(EDGE, 0, np.ones((1, 2)), (SUMS,)),), TAIL)


@pytest.mark.parametrize(
    ("late", "words"),
    [
        ((200, 1, 1.0, 1400), ""),
        ((100, 1, 1.0, 1600), ""),
        ((1100, 1, 0.0, 1400), ""),
        ((100, 0, 1.0, 1400), ""),
        ((200, 3, np.nan, 0), ""),
        ((100, 1, 1.0, 1500), "click must be counted once: 1 of 1 rows whose label was, the first of 100"),
        ((900, 2, 1.0, 1200), "click must be counted once: 1 of 1 rows whose label was, the first of 900"),
        ((200, 3, 1.0, 1400), "click must be that of rows that the past has counted: 1 of 1 rows that it has not"),
        ((1050, 1, 1.0, 1400), "click must be that of rows that the past has counted: 1 of 1 rows that it has not"),
    ],
)
def test_what_is_told_of_a_late_label(late: tuple[int, int, float, int], words: str) -> None:
    time, *rest = late
    found = late_mistakes(WHAT, STATE, rows((TIMELESS + time, *rest)), "labels", str)
    told = [f"{mistake.must}: {mistake.found}" for mistake in found]
    assert len(told) == (words != "")
    assert not told or told[0].startswith(words)


def test_rows_that_are_alike_have_a_label_each() -> None:
    """Two rows of one time and key, one of which has its label."""
    late = (TIMELESS + 1100, 1, 1.0, 1400)
    assert not late_mistakes(WHAT, STATE, rows(late), "labels", str)
    (told,) = late_mistakes(WHAT, STATE, rows(late, late), "labels", str)
    assert told.must == "click must be counted once"
