"""Predictions of one set of rows, compared in pairs: oracles by hand, and what clusters, weights and sampling do."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from automl.stats.compared import ScoredRows
from automl.stats.metrics import ne
from automl.stats.significance import examples_std, gains, log_losses

Floats = NDArray[np.float64]
ROWS, SEEDS = 600, 3


def rows(*, weights: Floats | None = None, clusters: int = 50, kept: float | None = None) -> ScoredRows:
    rng = np.random.default_rng(0)
    labels_N = (rng.random(ROWS) < 0.3).astype(float)
    clusters_N = rng.integers(0, clusters, ROWS).astype(np.int32)
    return ScoredRows(labels_N, np.ones(ROWS) if weights is None else weights, clusters_N, kept)


def probs(found: ScoredRows, skill: float, seed: int) -> Floats:
    noise_SN = np.random.default_rng(seed).normal(0, 0.3, (SEEDS, ROWS))
    return np.asarray(1 / (1 + np.exp(1 - skill * found.labels_N - noise_SN)), np.float64)


@pytest.mark.parametrize("kept", [None, 0.4])
def test_gains_are_of_ne_by_seed_and_of_losses_row_by_row(kept: float | None) -> None:
    weights_N = np.random.default_rng(1).gamma(2.0, size=ROWS)
    found = rows(weights=weights_N, kept=kept)
    base, better = probs(found, 0.3, 1), probs(found, 0.6, 2)
    ne_S = [
        np.array([ne(found.labels_N, p_N, weights_N, negatives_kept=kept) for p_N in each]) for each in (base, better)
    ]
    share = 1.0 if kept is None else kept
    full = [p / (p + (1 - p) / share) for p in (base, better)]
    counted_N = np.where(found.labels_N == 1, weights_N, weights_N / share)
    rate = float((counted_N * found.labels_N).sum() / counted_N.sum())
    entropy = -float(counted_N.sum()) * (rate * np.log(rate) + (1 - rate) * np.log1p(-rate))
    difference_N = log_losses(found.labels_N, full[1]).mean(0) - log_losses(found.labels_N, full[0]).mean(0)
    std = examples_std(difference_N, counted_N, found.clusters_N, entropy)
    (expected,) = gains(ne_S[0], ne_S[1][None, :], np.array([std]), 49)
    (gain,) = found.gains(base, [better])
    assert found.ne(base) == pytest.approx(ne_S[0])
    for name in ("pct", "low_pct", "high_pct", "p", "examples_std_pct", "examples_freedom"):
        assert getattr(gain, name) == pytest.approx(getattr(expected, name)), name
    assert found.gains(base, []) == ()


def test_a_model_of_fewer_seeds_is_paired_with_the_first_of_the_other() -> None:
    found = rows()
    base, whole, short = probs(found, 0.3, 1), probs(found, 0.6, 2), probs(found, 0.6, 3)[:2]
    both = found.gains(base, [whole, short])
    (alone,) = found.gains(base[:2], [short])
    for name in ("pct", "low_pct", "high_pct", "p", "orders", "examples_std_pct"):
        assert getattr(both[1], name) == pytest.approx(getattr(alone, name)), name
    assert [gain.orders for gain in both] == [SEEDS, 2]


def test_rows_of_one_cluster_have_each_their_own_luck() -> None:
    one = rows(clusters=1)
    apart = ScoredRows(one.labels_N, one.weights_N, np.arange(ROWS, dtype=np.int32))
    base, other = probs(one, 0.3, 1), probs(one, 0.5, 2)
    assert one.gains(base, [other]) == apart.gains(base, [other])
    assert one.gains(base, [other])[0].examples_freedom == ROWS - 1


def test_a_part_is_a_set_of_its_own() -> None:
    found = rows(kept=0.5)
    first_N = np.arange(ROWS) < 200
    part = found.part(first_N)
    base = probs(found, 0.3, 1)
    assert len(part) == 200
    assert part.negatives_kept == 0.5
    assert part.ne(base[:, first_N]) == pytest.approx(
        [ne(found.labels_N[:200], p_N[:200], negatives_kept=0.5) for p_N in base]
    )


def test_ne_needs_both_classes() -> None:
    found = rows()
    assert found.both_classes
    assert not found.part(found.labels_N == 0).both_classes
    assert not found.part(found.labels_N == 1).both_classes
    assert not found.part(np.zeros(ROWS, bool)).both_classes
    assert np.isnan(found.part(found.labels_N == 1).ne(probs(found, 0.3, 1)[:, found.labels_N == 1])).all()
