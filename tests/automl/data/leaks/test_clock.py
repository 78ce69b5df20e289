from __future__ import annotations

import numpy as np
import pytest

from automl.data.leaks.clock import clock_leaks
from automl.data.leaks.sample import Key, Sample
from tests.automl.data.leaks.worlds import DAY, SECOND, at_times, clicks

SAMPLE = clicks()
RNG = np.random.default_rng(7)
ROWS = len(SAMPLE)
MADE = "were these rows made, and not logged? Look how positives and negatives came into one log"


def times_of(sample: Sample) -> np.ndarray:
    assert sample.times_N is not None
    return sample.times_N


def told(sample: Sample) -> list[str]:
    notes = clock_leaks(sample)
    assert all(note.kind == "leak" for note in notes)
    return [note.text for note in notes]


def twinned(sample: Sample, chosen: np.ndarray, gap: int) -> Sample:
    """Each chosen row has an unclicked twin of its user before it."""
    keys = tuple(Key(key.name, np.append(key.codes_N, key.codes_N[chosen])) for key in sample.keys)
    times = np.append(times_of(sample), times_of(sample)[chosen] - gap)
    positive = np.append(sample.positive_N, np.zeros(chosen.sum(), bool))
    return at_times(Sample(positive, times, None, (), keys), times, positive)


def test_a_gap_to_the_last_digit_before_positives() -> None:
    (text,) = told(twinned(SAMPLE, SAMPLE.positive_N, 30 * SECOND))
    assert " rows come exactly 30 s after the row of the same " in text
    assert "of these are positive" in text
    assert text.endswith(MADE)


def test_a_gap_before_few_of_them() -> None:
    (text,) = told(twinned(SAMPLE, SAMPLE.positive_N & (RNG.random(ROWS) < 0.05), 1_500_000_000))
    assert "rows come exactly 1.5 s after the row of the same " in text
    assert "before, and 100% of these are positive" in text


def test_a_gap_to_the_row_before_of_the_whole_log() -> None:
    """Without any id to go by."""
    gaps = np.where(SAMPLE.positive_N, 250 * 10**6, RNG.integers(1, 10**6, ROWS) * 10**6)
    (text,) = told(at_times(Sample(SAMPLE.positive_N, None, None, (), ()), np.cumsum(gaps), SAMPLE.positive_N))
    assert (
        "rows come exactly 250 ms after the row before, and 99" in text
        or "250 ms after the row before, and 100%" in text
    )


def test_a_gap_that_is_not_exact() -> None:
    gaps = np.where(SAMPLE.positive_N, RNG.integers(29_000, 31_000, ROWS), RNG.integers(60_000, 10**6, ROWS)) * 10**6
    (text,) = told(at_times(SAMPLE, np.cumsum(gaps), SAMPLE.positive_N))
    assert text.startswith("the time since the row before tells the label: some of its values are positive in ")


def test_a_gap_that_all_rows_have_is_a_beat() -> None:
    times = np.arange(ROWS) * 30 * SECOND
    assert told(at_times(SAMPLE, times, SAMPLE.positive_N)) == []


def test_negatives_with_coarser_times() -> None:
    times = times_of(SAMPLE)
    found = told(at_times(SAMPLE, np.where(SAMPLE.positive_N, times, times // SECOND * SECOND)))
    (text,) = [text for text in found if "have times that are whole seconds" in text]
    assert "of these are negative" in text
    assert told(at_times(SAMPLE, times // SECOND * SECOND)) == [], "all of them are"
    half = np.where(RNG.random(ROWS) < 0.5, times, times // SECOND * SECOND)
    assert told(at_times(SAMPLE, half)) == [], "clicked or not"


def test_the_time_itself() -> None:
    times = times_of(SAMPLE) // DAY * DAY + times_of(SAMPLE) % DAY // 2
    found = told(at_times(SAMPLE, np.where(SAMPLE.positive_N, times + DAY // 2, times)))
    assert any(text.startswith("the time tells the label: some times are positive in ") for text in found)


@pytest.mark.parametrize(("first", "word"), [(True, "first"), (False, "last")])
def test_rows_of_one_time_in_the_order_of_the_label(*, first: bool, word: str) -> None:
    times = times_of(SAMPLE)[np.arange(ROWS) // 5 * 5]
    order = np.lexsort((SAMPLE.positive_N != first, times))
    keys = tuple(Key(key.name, key.codes_N[order]) for key in SAMPLE.keys)
    found = told(Sample(SAMPLE.positive_N[order], times[order], times[order] // DAY, (), keys))
    assert len(found) == 1
    assert found[0].startswith(f"rows of one time are sorted by the label: positives come {word} in 100% of ")
    assert told(at_times(SAMPLE, times)) == [], "as they come"


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (np.arange(ROWS) % 5 == 0, "the row 5 later after a positive one is positive in 100%"),
        (np.arange(ROWS) % 3 > 0, "the row 3 later after a negative one is negative in 100%"),
        (np.arange(ROWS) < 5000, "the next row after a positive one is positive in 99.98%"),
    ],
    ids=["pattern", "pattern of the other class", "sorted"],
)
def test_the_order_of_the_rows(label: np.ndarray, words: str) -> None:
    (text,) = told(Sample(label, None, None, (), ()))
    assert text.startswith(f"the order of the rows tells the label: {words}")
    assert clock_leaks(Sample(label, None, None, (), ()))[0].at == ()


@pytest.mark.parametrize("base", [0.01, 0.2, 0.6])
@pytest.mark.parametrize("step", [10**6, SECOND, 60 * SECOND, 3600 * SECOND, DAY])
def test_honest_times_are_left_alone(base: float, step: int) -> None:
    sample = clicks(base=base, seed=4)
    assert told(at_times(sample, times_of(sample) // step * step)) == []
