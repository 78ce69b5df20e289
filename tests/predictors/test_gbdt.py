"""The bag on tens of rows: it ranks, it repeats, it bears diverged trials."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from predictors.base import Prediction, checked
from predictors.gbdt import BagConfig, ScoreScale, fit_bag, normal_scores


def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    rows = rng.normal(size=(n, 12))
    targets = rows[:, 0] + 0.7 * rows[:, 1] ** 2 + 0.5 * rows[:, 2]
    rows[rng.random(rows.shape) < 0.05] = np.nan
    return rows, targets


def test_ranks_unseen_rows_after_sixty() -> None:
    rng = np.random.default_rng(0)
    rows, targets = sample(rng, 60)
    unseen, truth = sample(rng, 300)
    bag = fit_bag(rows, normal_scores(targets), seed=1)
    prediction = bag.predict(unseen)
    assert prediction.mean.shape == prediction.std.shape == (300, 1)
    assert kendalltau(prediction.mean[:, 0], truth).statistic > 0.4


def test_a_diverged_trial_changes_little() -> None:
    rng = np.random.default_rng(3)
    rows, targets = sample(rng, 60)
    unseen, truth = sample(rng, 300)
    targets[0] = 1e6
    bag = fit_bag(rows, normal_scores(targets), seed=1)
    assert kendalltau(bag.predict(unseen).mean[:, 0], truth).statistic > 0.4


def test_same_seed_same_numbers() -> None:
    rows, targets = sample(np.random.default_rng(4), 40)
    first, second = (fit_bag(rows, targets, seed=5).members(rows) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, fit_bag(rows, targets, seed=6).members(rows))


def test_rows_without_weight_teach_nothing() -> None:
    rng = np.random.default_rng(7)
    rows, targets = sample(rng, 60)
    spoilt = np.where(np.arange(60) < 30, targets, 100.0)
    bag = fit_bag(rows, spoilt, (np.arange(60) < 30).astype(float), seed=1)
    assert bag.predict(rows).mean.max() < 50


def test_a_single_member_spreads_nothing_and_one_row_is_enough() -> None:
    bag = fit_bag(np.zeros((1, 2)), np.array([2.5]), seed=0, config=BagConfig(members=1))
    prediction = bag.predict(np.ones((3, 2)))
    assert prediction.mean[:, 0] == pytest.approx([2.5, 2.5, 2.5])
    assert prediction.std.max() == 0.0


@given(st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 3)), min_size=1, max_size=40))
def test_scores_keep_the_order_and_come_back(values: list[float]) -> None:
    found = np.array(values)
    scores = normal_scores(found)
    assert np.array_equal(np.argsort(found, kind="stable"), np.argsort(scores, kind="stable"))
    assert ScoreScale.of(found).value(scores) == pytest.approx(found, abs=1e-6)


def test_the_scale_goes_on_beyond_the_best() -> None:
    scale = ScoreScale.of(np.linspace(0.86, 0.94, 40))
    best = scale.scores[0]
    assert scale.value(np.array([best - 1.0]))[0] < 0.86
    assert np.all(np.diff(scale.value(np.linspace(-5, 5, 101))) >= 0)


def test_unsound_training_sets_are_refused() -> None:
    with pytest.raises(ValueError, match="must agree"):
        checked(np.zeros((3, 2)), np.zeros(4), None)
    with pytest.raises(ValueError, match="at least one row"):
        checked(np.zeros((0, 2)), np.zeros(0), None)
    with pytest.raises(ValueError, match="finite"):
        fit_bag(np.zeros((2, 2)), np.array([1.0, np.nan]), seed=0)
    with pytest.raises(ValueError, match="leaves must be"):
        BagConfig(leaves=31)
    with pytest.raises(ValueError, match="one shape"):
        Prediction(np.zeros((2, 1)), np.zeros((3, 1)))
