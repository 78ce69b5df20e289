"""Mean and deviation of dense columns over rows that stream by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Moments:
    """Count, mean and sum of squared differences of each column; NaN is left out."""

    def __init__(self, columns: int) -> None:
        self.count, self.mean, self.spread = (np.zeros(columns) for _ in range(3))

    def add(self, k: int, values: Floats) -> None:
        """Moments of parts to moments of the whole (Chan, Golub, LeVeque 1979): sums of squares would cancel."""
        values = values[~np.isnan(values)]
        if not len(values):
            return
        both = self.count[k] + len(values)
        step = values.mean() - self.mean[k]
        self.spread[k] += ((values - values.mean()) ** 2).sum() + step**2 * self.count[k] * len(values) / both
        self.mean[k] += step * len(values) / both
        self.count[k] = both

    def add_all(self, values_NK: Floats) -> None:
        """The same of every column at once."""
        given_NK = ~np.isnan(values_NK)
        count_K = given_NK.sum(0)
        some_K = np.maximum(count_K, 1)
        mean_K = np.where(given_NK, values_NK, 0.0).sum(0) / some_K
        spread_K = np.where(given_NK, (values_NK - mean_K) ** 2, 0.0).sum(0)
        both_K = np.maximum(self.count + count_K, 1)
        step_K = np.where(count_K > 0, mean_K - self.mean, 0.0)
        self.spread += spread_K + step_K**2 * self.count * count_K / both_K
        self.mean += step_K * count_K / both_K
        self.count += count_K

    def beside(self, other: Moments) -> Moments:
        """Moments of these columns and then of the other's."""
        both = Moments(0)
        both.count, both.mean, both.spread = (
            np.concatenate(pair)
            for pair in zip((self.count, self.mean, self.spread), (other.count, other.mean, other.spread), strict=True)
        )
        return both

    @property
    def scale(self) -> Floats:
        """Standard deviations; 1 for a constant, which then encodes to 0."""
        std = np.sqrt(self.spread / np.maximum(self.count, 1))
        return np.where(std > 1e-12 * np.maximum(np.abs(self.mean), 1e-300), std, 1.0)
