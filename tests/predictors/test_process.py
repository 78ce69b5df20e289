"""The Gaussian process against scikit-learn's, and what it is there for."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from predictors.evaluate import tau
from predictors.gbdt import fit_bag
from predictors.process import LENGTHS, MOST_ROWS, NOISES, distances, fit_process, matern

Floats = NDArray[np.float64]


def drawn(count: int, *, noise: float = 0.3, seed: int = 0) -> tuple[Floats, Floats]:
    """Ten features, of which five count; a tenth of the last one is unknown."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, 10))
    targets = rows[:, :5] @ np.array([1.0, -1.0, 0.5, 0.5, 2.0]) + noise * rng.normal(size=count)
    rows[rng.random(count) < 0.1, 9] = np.nan
    return rows, targets


def test_mean_and_spread_are_those_of_the_formula() -> None:
    rows, targets = drawn(60)
    weights = np.where(np.arange(60) % 2 == 0, 1.0, 0.25)
    found = fit_process(rows, targets, weights)
    scaled, asked = found.scale(rows), drawn(20, seed=1)[0]
    noise = next(
        level
        for level in NOISES
        if np.allclose(
            np.linalg.inv(found.inverse_KK),
            matern(distances(scaled, scaled), found.length) + level * np.diag(weights.mean() / weights),
        )
    )
    exact = GaussianProcessRegressor(
        Matern(found.length, nu=1.5), alpha=noise * weights.mean() / weights, optimizer=None
    ).fit(scaled, targets - targets.mean())
    mean, std = exact.predict(found.scale(asked), return_std=True)
    told = found.predict(asked)
    assert told.mean[:, 0] == pytest.approx(mean + targets.mean(), abs=1e-8)
    assert told.std[:, 0] == pytest.approx(std * np.sqrt(found.variance), rel=1e-4, abs=1e-6)
    assert found.mean(asked) == pytest.approx(told.mean[:, 0])


def test_the_length_and_the_noise_are_those_of_largest_likelihood() -> None:
    rows, targets = drawn(40)
    found = fit_process(rows, targets)
    centred, scaled = targets - targets.mean(), found.scale(rows)

    def likelihood(length: float, noise: float) -> float:
        """With the scale at its best: log of the density of the targets, less what is constant."""
        kernel = matern(distances(scaled, scaled), length) + noise * np.eye(len(rows))
        variance = centred @ np.linalg.solve(kernel, centred) / len(rows)
        return float(-0.5 * (len(rows) * np.log(variance) + np.linalg.slogdet(kernel)[1]))

    best = max((likelihood(length, noise), length, noise) for length in LENGTHS for noise in NOISES)
    assert found.length == best[1]
    kernel = matern(distances(scaled, scaled), best[1]) + best[2] * np.eye(len(rows))
    assert found.inverse_KK == pytest.approx(np.linalg.inv(kernel))


def test_distances_are_euclidean() -> None:
    rng = np.random.default_rng(3)
    one, other = rng.normal(size=(7, 4)), rng.normal(size=(5, 4))
    assert distances(one, other) == pytest.approx(np.linalg.norm(one[:, None] - other[None], axis=2))
    assert distances(one, one).diagonal() == pytest.approx(np.zeros(7), abs=1e-6)


def test_of_thirty_rows_it_learns_what_trees_do_not() -> None:
    asked, true = drawn(300, noise=0.0, seed=2)
    for seed in (4, 5, 6):
        rows, targets = drawn(30, seed=seed)
        trees = fit_bag(rows, targets, seed=seed).predict(asked).mean[:, 0]
        assert tau(fit_process(rows, targets).mean(asked), true) > tau(trees, true) + 0.1


def test_a_row_of_little_weight_says_little() -> None:
    rows, targets = drawn(40)
    wrong = targets.copy()
    wrong[0] += 50.0
    weights = np.ones(40)
    weights[0] = 1e-6
    asked = drawn(50, seed=9)[0]
    right = fit_process(rows[1:], targets[1:]).mean(asked)
    assert np.abs(fit_process(rows, wrong, weights).mean(asked) - right).mean() < 1.0
    assert np.abs(fit_process(rows, wrong).mean(asked) - right).mean() > 1.0


def test_constant_targets_and_features_are_no_trouble() -> None:
    rows = np.ones((9, 3))
    found = fit_process(rows, np.full(9, 2.5)).predict(rows)
    assert found.mean[:, 0] == pytest.approx(np.full(9, 2.5))
    assert np.isfinite(found.std).all()


def test_only_the_newest_rows_are_kept() -> None:
    rows, targets = drawn(MOST_ROWS + 20)
    assert len(fit_process(rows, targets).rows_KF) == MOST_ROWS


def test_an_unsound_training_set_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        fit_process(np.empty((0, 3)), np.empty(0))
    with pytest.raises(ValueError, match="must be finite"):
        fit_process(np.ones((2, 3)), np.array([1.0, np.nan]))
