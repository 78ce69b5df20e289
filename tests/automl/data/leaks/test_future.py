from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from automl.data.leaks.future import future_leak, groups_of
from automl.data.leaks.sample import Sample
from tests.automl.data.leaks.worlds import clicks, mean_by, with_dense, with_ids

SAMPLE = clicks(rows=60_000)
POSITIVE = SAMPLE.positive_N.astype(np.float64)
USER, ITEM = (key.codes_N for key in SAMPLE.keys)
DO = "leave it out, or make it of earlier rows (features.counters)"
RNG = np.random.default_rng(8)


def told(sample: Sample) -> str | None:
    (column,) = sample.columns
    note = future_leak(column, groups_of(sample), sample.positive_N)
    if note is None:
        return None
    assert note.kind == "leak"
    assert note.at == ("features", column.kind, column.name)
    assert note.text.endswith(DO)
    return note.text


def before(codes: NDArray[np.int32], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each row, how many earlier rows its code has, and the sum of their values; a double loop in spirit."""
    seen: dict[int, tuple[int, float]] = {}
    counts, sums = np.zeros(len(codes)), np.zeros(len(codes))
    for row, (code, value) in enumerate(zip(codes.tolist(), values.tolist(), strict=True)):
        counts[row], sums[row] = seen.get(code, (0, 0.0))
        seen[code] = (int(counts[row]) + 1, sums[row] + value)
    return counts, sums


@pytest.mark.parametrize("key", ["user", "item"])
@pytest.mark.parametrize(
    "shape",
    [lambda rate: rate, lambda rate: np.log(rate + 0.01), lambda rate: -rate.round(2)],
    ids=["rate", "log", "rounded"],
)
def test_a_rate_over_all_rows_of_a_key(key: str, shape: object) -> None:
    codes = {"user": USER, "item": ITEM}[key]
    assert callable(shape)
    text = told(with_dense(SAMPLE, {"rate": shape(mean_by(codes, POSITIVE))}))
    assert text is not None
    assert text.startswith(f"rate knows labels of later rows: it is one value for each {key}, and once it is known, ")


def test_a_rate_in_steps_as_an_id() -> None:
    text = told(with_ids(SAMPLE, {"level": 1 + (mean_by(USER, POSITIVE) * 10).round().astype(int)}))
    assert text is not None
    assert "one value for each user," in text


def test_a_rate_of_the_day() -> None:
    assert SAMPLE.days_N is not None
    _, of_day = np.unique(ITEM * 100 + SAMPLE.days_N, return_inverse=True)
    text = told(with_dense(SAMPLE, {"today": mean_by(of_day.ravel(), POSITIVE)}))
    assert text is not None
    assert "one value for each item and day," in text


def test_a_rate_that_other_rows_went_into_as_well() -> None:
    """Half of each user's labels is somewhere else."""
    half = RNG.random(len(SAMPLE)) < 0.5
    rates = mean_by(USER, POSITIVE)[half]
    other = clicks(rows=60_000)
    sample = Sample(
        other.positive_N[half],
        None if other.times_N is None else other.times_N[half],
        None if other.days_N is None else other.days_N[half],
        (),
        tuple(type(key)(key.name, key.codes_N[half]) for key in other.keys),
    )
    assert told(with_dense(sample, {"rate": rates})) is not None


@pytest.mark.parametrize(("own", "words"), [(1.0, "rises where 100% are positive and falls where 0%"), (0.0, None)])
def test_a_running_rate_knows_its_own_row_or_not(own: float, words: str | None) -> None:
    counts, sums = before(USER, POSITIVE)
    text = told(with_dense(SAMPLE, {"rate": (sums + own * POSITIVE + 1) / (counts + own + 4)}))
    assert (text is None) == (words is None)
    if text is not None and words is not None:
        assert text.startswith("rate knows the label of its own row: from one row of a user to the next it ")
        assert words in text


def test_the_rate_of_all_other_rows() -> None:
    counts = np.bincount(USER)[USER]
    rate = (mean_by(USER, POSITIVE) * counts - POSITIVE + 1) / (counts + 4)
    text = told(with_dense(SAMPLE, {"rate": rate}))
    assert text is not None
    assert "it rises where 0% are positive and falls where 100% are" in text


def test_what_earlier_rows_tell_is_left_alone() -> None:
    """However much it tells: the true taste of a user, counts, times, the rate of the days before."""
    counts, sums = before(USER, POSITIVE)
    rng = np.random.default_rng(0)
    rng.zipf(1.3, 60_000), rng.zipf(1.2, 60_000)
    assert SAMPLE.days_N is not None
    taste = mean_by(USER, clicks(rows=60_000, seed=0).positive_N * 0.0 + (USER % 7))
    honest = {
        "taste": taste,
        "seen": counts,
        "clicks": sums,
        "clicks up to the day before": np.floor(sums / 5),
        "day": SAMPLE.days_N,
        "item": ITEM % 50,
        "none": np.full(len(SAMPLE), np.nan),
        "noise": RNG.normal(size=1001)[USER],
    }
    for column in with_dense(SAMPLE, honest).columns:
        assert future_leak(column, groups_of(SAMPLE), SAMPLE.positive_N) is None, column.name


def test_a_key_of_one_positive_each_tells_nothing() -> None:
    """Lists with one click each: their rows go against each other whatever is known of them."""
    lengths = RNG.integers(5, 21, 4000)
    codes = np.repeat(np.arange(1, 4001), lengths)
    luck = RNG.random(len(codes))
    best = np.zeros(4001)
    np.maximum.at(best, codes, luck)
    label = luck == best[codes]
    key = type(SAMPLE.keys[0])("list", codes.astype(np.int32))
    times = np.arange(len(codes)) * 10**9
    sample = Sample(label, times, times // (86_400 * 10**9), (), (key,))
    assert told(with_dense(sample, {"length": lengths[codes - 1]})) is None
    assert told(with_dense(sample, {"noise": RNG.random(4001)[codes]})) is None


def test_few_keys_tell_nothing() -> None:
    sample = clicks(rows=300)
    assert told(with_dense(sample, {"rate": mean_by(sample.keys[0].codes_N, sample.positive_N * 1.0)})) is None
