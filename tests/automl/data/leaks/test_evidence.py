from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_selection import mutual_info_classif
from sklearn.metrics import log_loss

from automl.data.leaks.evidence import NOTHING, best_cut, best_values, binned, bounds, entropy, part_of, told_by


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_the_best_cut_is_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    numbers = np.where(rng.random(60) < 0.2, np.nan, rng.integers(0, 8, 60))
    positive = rng.random(60) < 0.2 + 0.5 * (np.nan_to_num(numbers, nan=3) > 3)
    whole = log_loss(positive, np.full(60, positive.mean()), labels=[False, True])
    best = 0.0
    for edge in np.unique(numbers[~np.isnan(numbers)]):
        for with_low in (False, True):
            low = (numbers <= edge) | (np.isnan(numbers) & with_low)
            if 0 < low.sum() < 60:
                p = np.where(low, positive[low].mean(), positive[~low].mean())
                best = max(best, 1 - log_loss(positive, np.clip(p, 1e-12, 1 - 1e-12), labels=[False, True]) / whole)
    found = best_cut(numbers.astype(np.float64), positive)
    assert found.told == pytest.approx(best, abs=1e-6)
    side = numbers > found.edge if found.above else numbers <= found.edge
    side |= np.isnan(numbers) & found.missing_too
    assert found.precision == pytest.approx(positive[side].mean())
    assert found.recall == pytest.approx(positive[side].sum() / positive.sum())
    assert found.rest == pytest.approx(positive[~side].mean())


def test_no_cut_where_there_is_nothing_to_tell() -> None:
    assert best_cut(np.full(9, np.nan), np.arange(9) > 4) == NOTHING
    assert best_cut(np.arange(9.0), np.ones(9, bool)) == NOTHING
    assert best_cut(np.ones(9), np.arange(9) > 4).told == 0


def test_values_of_one_row_each_tell_nothing() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(5000) < 0.3
    assert best_values(np.arange(5000, dtype=np.int32), positive).told < 0.01
    assert best_values(rng.integers(0, 1500, 5000).astype(np.int32), positive).told < 0.01
    of_group = rng.random(200) < 0.3
    codes = rng.integers(0, 200, 5000).astype(np.int32)
    assert best_values(codes, of_group[codes]).told > 0.95


def test_what_values_tell_is_their_mutual_information() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 5, 4000)
    positive = rng.random(4000) < np.array([0.1, 0.2, 0.9, 0.5, 0.3])[codes]
    rows, hits = np.bincount(codes).astype(float), np.bincount(codes, positive)
    known = mutual_info_classif(codes[:, None], positive, discrete_features=True)[0]
    assert told_by(rows, hits) == pytest.approx(known / float(entropy(positive.mean())), rel=1e-9)


def test_bins_keep_what_many_rows_share() -> None:
    rng = np.random.default_rng(2)
    numbers = np.where(rng.random(5000) < 0.3, 30.0, rng.gamma(2.0, 20.0, 5000))
    numbers[:10] = np.nan
    codes = binned(numbers)
    assert not codes[:10].any()
    assert codes[10:].all()
    spike = codes[10:][numbers[10:] == 30.0]
    assert len(np.unique(spike)) == 1
    assert not (codes[10:][numbers[10:] != 30.0] == spike[0]).any()
    assert len(np.unique(codes)) < 600


def test_bounds_are_wilsons() -> None:
    low, high = bounds(80, 100)
    for edge in (low, high):  # where the share is three deviations of itself away
        assert abs(0.8 - edge) == pytest.approx(3 * np.sqrt(edge * (1 - edge) / 100), rel=1e-6)
    assert bounds(0, 0) == (0.0, 1.0)
    assert bounds(50, 50)[1] == 1.0


def test_a_part_speaks_for_the_class_it_holds() -> None:
    positive = np.arange(1000) < 200
    part = part_of(np.arange(1000) < 100, positive)
    assert (part.rows, part.rate, part.recall, part.positive) == (100, 1.0, 0.5, True)
    assert part.purity == pytest.approx(bounds(100, 100)[0])
    assert part.odds == pytest.approx(part.purity / (1 - part.purity) / 0.25)
    other = part_of(np.arange(1000) >= 600, positive)
    assert (other.rate, other.recall, other.positive) == (0.0, 0.5, False)
    assert part_of(np.arange(1000) % 2 == 0, positive).odds == 1.0
