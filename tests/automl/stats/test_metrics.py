"""NE, AUC and calibration against scikit-learn and against their own laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss as reference_log_loss
from sklearn.metrics import roc_auc_score

from automl.stats.metrics import NESums, auc, calibration, log_loss, ne, undo_sampling

seeds = st.integers(0, 2**32 - 1)


def draw(seed: int, rows: int = 200, levels: int = 50) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of both classes, tied scores in (0, 1) and weights, some 0."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, rows)
    labels[:2] = 0, 1
    scores = (rng.integers(0, levels, rows) + 0.5) / levels
    weights = rng.gamma(1.0, size=rows) * (rng.random(rows) < 0.9)
    weights[:2] = 1.0
    return labels, scores, weights


@given(seeds)
def test_auc_is_that_of_scikit_learn_with_ties_and_weights(seed: int) -> None:
    labels, scores, weights = draw(seed)
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert auc(labels, scores, weights) == pytest.approx(
        roc_auc_score(labels, scores, sample_weight=weights), abs=1e-12
    )


@given(seeds)
def test_log_loss_is_that_of_scikit_learn(seed: int) -> None:
    labels, scores, weights = draw(seed)
    expected = reference_log_loss(labels, scores, sample_weight=weights)
    assert log_loss(labels, scores, weights) == pytest.approx(expected, rel=1e-12)


@given(seeds, st.integers(1, 199))
def test_sums_of_parts_are_the_sums_of_the_whole(seed: int, cut: int) -> None:
    labels, scores, weights = draw(seed)
    parts = NESums.of(labels[:cut], scores[:cut], weights[:cut]) + NESums.of(labels[cut:], scores[cut:], weights[cut:])
    whole = NESums.of(labels, scores, weights)
    assert parts.ne == pytest.approx(whole.ne, rel=1e-12)
    assert parts.calibration == pytest.approx(whole.calibration, rel=1e-12)


@given(seeds)
def test_the_base_rate_as_prediction_has_ne_1_and_calibration_1(seed: int) -> None:
    labels, _, weights = draw(seed)
    rate = np.full(len(labels), np.average(labels, weights=weights))
    assert ne(labels, rate, weights) == pytest.approx(1.0, rel=1e-12)
    assert calibration(labels, rate, weights) == pytest.approx(1.0, rel=1e-12)
    assert auc(labels, rate, weights) == pytest.approx(0.5, abs=1e-12)


@given(seeds)
def test_a_weight_of_two_is_a_row_twice(seed: int) -> None:
    labels, scores, _ = draw(seed)
    twice = np.where(np.arange(len(labels)) % 3 == 0, 2, 1)
    many = np.repeat(labels, twice), np.repeat(scores, twice)
    assert ne(labels, scores, twice) == pytest.approx(ne(*many), rel=1e-12)
    assert auc(labels, scores, twice) == pytest.approx(auc(*many), rel=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_ne_and_no_auc(label: int) -> None:
    labels = np.full(5, label)
    assert math.isnan(ne(labels, np.full(5, 0.3)))
    assert math.isnan(auc(labels, np.arange(5)))
    assert math.isnan(ne([], []))
    assert math.isnan(auc([], []))


def test_a_sure_mistake_costs_much_and_not_all() -> None:
    assert 1 < log_loss([1, 0], [0.0, 0.0]) < 40
    assert math.isfinite(ne([1, 0], [0.0, 1.0]))
    assert auc([0, 1, 1], [-np.inf, -np.inf, np.inf]) == pytest.approx(0.75)


def test_undone_sampling_gives_the_ne_of_the_full_log() -> None:
    """The true model of a log that kept a tenth of its negatives, corrected, is worth what that of the full log is."""
    rng = np.random.default_rng(0)
    kept = 0.1
    p = rng.beta(1, 12, 400_000)
    y = rng.random(len(p)) < p
    sampled = y | (rng.random(len(p)) < kept)
    p_sampled = p / (p + (1 - p) * kept)  # what a perfect model of the sampled rows says
    np.testing.assert_allclose(undo_sampling(p_sampled, kept), p, rtol=1e-9)
    corrected = NESums.of(y[sampled], p_sampled[sampled], negatives_kept=kept)
    assert corrected.ne == pytest.approx(ne(y, p), abs=0.002)
    assert corrected.calibration == pytest.approx(1.0, abs=0.02)
    assert corrected.base_rate == pytest.approx(y.mean(), rel=0.01)


def test_keeping_all_negatives_changes_nothing() -> None:
    labels, scores, weights = draw(3)
    assert NESums.of(labels, scores, weights, negatives_kept=1.0).ne == pytest.approx(ne(labels, scores, weights))


@pytest.mark.parametrize(
    ("labels", "probabilities", "weights", "word"),
    [
        ([0, 2], [0.1, 0.2], None, "labels"),
        ([0, 1], [0.1, 1.2], None, "probabilities"),
        ([0, 1], [0.1, math.nan], None, "probabilities"),
        ([0, 1], [0.1], None, "probabilities"),
        ([0, 1], [0.1, 0.2], [1.0, -1.0], "weights"),
        ([0, 1], [0.1, 0.2], [1.0], "weights"),
    ],
)
def test_bad_input_is_refused(
    labels: list[int], probabilities: list[float], weights: list[float] | None, word: str
) -> None:
    with pytest.raises(ValueError, match=word):
        NESums.of(labels, probabilities, weights)


def test_bad_rates_and_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="negatives_kept"):
        undo_sampling([0.5], 0.0)
    with pytest.raises(ValueError, match="scores"):
        auc([0, 1], [0.1, math.nan])
