"""Counters against a naive double loop; what a row saw does not change with what comes later."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from automl.data.columns.times import NEVER
from automl.data.past.counters import Counters, Rules, key_codes

HOUR = 3600 * 10**9
DAY = 24 * HOUR


class Past:
    """A log of a few keys over a few hours, with labels that come late, never, or are not defined."""

    def __init__(self, seed: int, rows: int = 120, labels: int = 2) -> None:
        rng = np.random.default_rng(seed)
        self.times = np.sort(rng.integers(0, 20, rows)) * (HOUR // 2)  # many ties, many on a boundary
        self.codes = rng.integers(0, 5, rows).astype(np.int32)
        self.labels = rng.integers(0, 2, (rows, labels)).astype(np.float32)
        self.labels[rng.random((rows, labels)) < 0.1] = np.nan
        self.arrivals = self.times[:, None] + rng.integers(0, 6, (rows, labels)) * (HOUR // 2)
        self.arrivals[rng.random((rows, labels)) < 0.1] = NEVER
        self.edges = np.arange(0, 11) * HOUR

    def features(self, rules: Rules) -> NDArray[np.float32]:
        counters = Counters(self.times, self.labels, self.arrivals, self.edges, rules)
        return np.stack(list(counters.of(self.codes)))


def naive(past: Past, rules: Rules) -> NDArray[np.float64]:
    rows, labels = past.labels.shape
    out = np.full((labels + 1, rows), np.nan)

    def weight(age: int) -> float:
        return 1.0 if rules.half_life is None else float(0.5 ** (age / 1e9 / rules.half_life))

    for row in range(rows):
        if past.codes[row] == 0:
            continue
        edge = past.edges[past.edges <= past.times[row]].max()
        for label in range(labels):
            own, all_keys = np.zeros(2), np.zeros(2)
            for other in range(rows):
                value, at = past.labels[other, label], past.arrivals[other, label]
                if math.isnan(value) or at >= edge:
                    continue
                all_keys += weight(edge - at) * np.array([value, 1.0])
                if past.codes[other] == past.codes[row]:
                    own += weight(edge - at) * np.array([value, 1.0])
            base = (all_keys[0] + 1) / (all_keys[1] + 2)
            rate = (own[0] + rules.prior * base) / (own[1] + rules.prior)
            out[label, row] = math.log(rate / (1 - rate)) - math.log(base / (1 - base))
        seen = [o for o in range(rows) if past.times[o] < edge and past.codes[o] == past.codes[row]]
        out[labels, row] = math.log1p(sum(weight(edge - past.times[o]) for o in seen))
    return out


@pytest.mark.parametrize("half_life", [None, 7200.0, 30.0])
def test_what_a_double_loop_counts(half_life: float | None) -> None:
    """30 s: far more half-lives pass than a float's exponent holds."""
    past, rules = Past(seed=3), Rules(half_life, prior=5.0)
    np.testing.assert_allclose(past.features(rules), naive(past, rules), rtol=1e-5, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([None, 3600.0]), st.integers(0, 10))
def test_what_comes_later_changes_nothing_before(seed: int, half_life: float | None, hour: int) -> None:
    past, rules = Past(seed), Rules(half_life)
    before = past.features(rules)
    rng = np.random.default_rng(seed + 1)
    later = past.arrivals >= hour * HOUR
    past.labels = np.where(later, rng.integers(0, 2, past.labels.shape), past.labels).astype(np.float32)
    late_rows = past.times >= (hour + 1) * HOUR
    past.codes = np.where(late_rows, 0, past.codes).astype(np.int32)
    seen = past.times < (hour + 1) * HOUR
    np.testing.assert_array_equal(past.features(rules)[:, seen], before[:, seen])


def test_a_label_that_arrives_at_the_boundary_is_not_there_yet() -> None:
    """A row on the boundary itself would else see its own label."""
    times = np.array([0, HOUR, HOUR, 2 * HOUR])
    labels = np.ones((4, 1), np.float32)
    codes = np.ones(4, np.int32)
    counters = Counters(times, labels, times[:, None], np.arange(3) * HOUR, Rules())
    _, counts = counters.of(codes)
    np.testing.assert_allclose(counts, np.log1p([0, 1, 1, 3]), rtol=1e-6)


def test_keys_of_several_columns() -> None:
    rng = np.random.default_rng(0)
    columns = [rng.integers(0, 4, 300).astype(np.int32) for _ in range(3)]
    codes = key_codes(columns)
    missing = np.any([column == 0 for column in columns], 0)
    np.testing.assert_array_equal(codes == 0, missing)
    values = list(zip(*columns, strict=True))
    pairs = {(values[k], int(codes[k])) for k in np.flatnonzero(~missing)}
    assert len(pairs) == len({value for value, _ in pairs}) == len({code for _, code in pairs})
    np.testing.assert_array_equal(key_codes([columns[0][columns[0] > 0]]), columns[0][columns[0] > 0])
