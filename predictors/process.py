"""A Gaussian process for tens of rows: what is smooth and nearly linear, trees need many rows to say.

One length and one level of noise for all features, those of largest marginal likelihood on a small grid; the scale is
then in closed form (Rasmussen and Williams 2006, 5.4). Matern kernel of order 3/2 on standardised features, NaN as the
mean with a flag of its own. Shapes: N rows, F features, K rows that were fitted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.base import Floats, Prediction, checked

LENGTHS = (4.0, 6.0, 9.0, 13.0, 20.0, 30.0)  # in standard deviations of the features, all of them together
NOISES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # variance of the noise over that of the function
FARTHEST = 3.0  # standard deviations from the mean: what lies further out counts as there
FLAG = 0.5
MOST_ROWS = 500  # the newest ones: the work grows with their cube


@dataclass(frozen=True, slots=True)
class Scale:
    """Standardised features."""

    middle_F: Floats
    spread_F: Floats
    flagged: NDArray[np.intp]  # the features that some rows do not have

    @classmethod
    def of(cls, rows: Floats) -> Scale:
        known = np.isfinite(rows)
        ever = np.where(known.any(axis=0), rows, 0.0)
        spread = np.nanstd(ever, axis=0)
        return cls(np.nanmean(ever, axis=0), np.where(spread > 0, spread, 1.0), np.flatnonzero(~known.all(axis=0)))

    def __call__(self, rows: Floats) -> Floats:
        scaled = np.clip((rows - self.middle_F) / self.spread_F, -FARTHEST, FARTHEST)
        return np.hstack([np.nan_to_num(scaled), FLAG * np.isnan(rows[:, self.flagged])])


@dataclass(frozen=True, slots=True)
class Process:
    """A fitted process; one objective."""

    scale: Scale
    rows_KF: Floats
    weights_K: Floats
    inverse_KK: Floats  # of the kernel and the noise
    length: float
    middle: float
    variance: float

    def mean(self, rows: Floats) -> Floats:
        """(N,)."""
        return np.asarray(self.middle + self._kernel(rows) @ self.weights_K, dtype=np.float64)

    def predict(self, rows: Floats) -> Prediction:
        """Mean and standard deviation of the function, without the noise of a measurement."""
        kernel_NK = self._kernel(rows)
        left = 1.0 - np.einsum("nk,kl,nl->n", kernel_NK, self.inverse_KK, kernel_NK, optimize=True)
        std = np.sqrt(self.variance * np.maximum(left, 0.0))
        return Prediction((self.middle + kernel_NK @ self.weights_K)[:, None], std[:, None])

    def _kernel(self, rows: Floats) -> Floats:
        return matern(distances(self.scale(rows), self.rows_KF), self.length)


def fit_process(rows: Floats, targets: Floats, weights: Floats | None = None) -> Process:
    """Fit; a row of weight w has 1 / w of the noise.

    Raises:
        ValueError: where the training set is not sound.
    """
    rows, targets, weights = checked(rows, targets, weights)
    rows, targets, weights = rows[-MOST_ROWS:], targets[-MOST_ROWS:], weights[-MOST_ROWS:]
    scale = Scale.of(rows)
    scaled, middle = scale(rows), float(targets.mean())
    noise_K = weights.mean() / np.maximum(weights, 1e-9)
    away, root_K = distances(scaled, scaled), np.sqrt(noise_K)
    best = (-math.inf, LENGTHS[0], NOISES[0])
    for length in LENGTHS:
        # with the noise made even, one decomposition answers for all its levels
        values, vectors = np.linalg.eigh(matern(away, length) / np.outer(root_K, root_K))
        seen = (vectors.T @ ((targets - middle) / root_K)) ** 2
        for noise in NOISES:
            spread = np.maximum(values, 0.0) + noise
            likelihood = -0.5 * (len(targets) * math.log(max((seen / spread).mean(), 1e-30)) + np.log(spread).sum())
            best = max(best, (float(likelihood), length, noise))
    _, length, noise = best
    inverse = np.asarray(np.linalg.inv(matern(away, length) + noise * np.diag(noise_K)), dtype=np.float64)
    weights_K = inverse @ (targets - middle)
    variance = float((targets - middle) @ weights_K) / len(targets)
    return Process(scale, scaled, weights_K, inverse, length, middle, max(variance, 0.0))


def distances(one_NF: Floats, other_KF: Floats) -> Floats:
    """(N, K), by products: the controller asks for them thousands of times."""
    squares = np.square(one_NF).sum(axis=1)[:, None] + np.square(other_KF).sum(axis=1) - 2.0 * one_NF @ other_KF.T
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)), dtype=np.float64)


def matern(away: Floats, length: float) -> Floats:
    """Kernel of order 3/2 of distances; 1 at none."""
    near = math.sqrt(3.0) * away / length
    return np.asarray((1.0 + near) * np.exp(-near), dtype=np.float64)
