"""Speed from shapes: seconds a row = a non-negative combination of analytic costs, times a LightGBM residual.

log2 speed is predicted, so errors are relative. Costs are columns such as 1, FLOPs, activation bytes and blocks; the
combination is fitted by non-negative least squares on relative errors and so goes on sensibly outside the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from predictors.base import Floats, Prediction, checked
from predictors.gbdt import Bag, BagConfig, fit_bag

MIN_RESIDUAL_ROWS = 20
_RESIDUAL = BagConfig(members=1, trees=60, rate=0.1)


@dataclass(frozen=True, slots=True)
class SpeedModel:
    """A fitted speed; one objective, log2 of it."""

    weights: Floats
    residual: Bag | None
    std: float

    def predict(self, costs: Floats, rows: Floats) -> Prediction:
        """log2 speed of candidates, from their costs (n, c) and feature rows (n, d)."""
        mean = -np.log2(np.maximum(costs @ self.weights, np.finfo(np.float64).tiny))
        if self.residual is not None:
            mean = mean + self.residual.predict(rows).mean[:, 0]
        return Prediction(mean[:, None], np.full((len(mean), 1), self.std))


def fit_speed(costs: Floats, rows: Floats, log2_speed: Floats, *, seed: int) -> SpeedModel:
    """Fit on measured speeds. With fewer than MIN_RESIDUAL_ROWS rows the analytic part stands alone.

    Raises:
        ValueError: where the training set is not sound.
    """
    rows, log2_speed, _ = checked(rows, log2_speed, None)
    costs = np.asarray(costs, dtype=np.float64)
    weights = _fit_analytic(costs, np.exp2(-log2_speed))
    analytic = -np.log2(np.maximum(costs @ weights, np.finfo(np.float64).tiny))
    left = log2_speed - analytic
    if len(rows) < MIN_RESIDUAL_ROWS:
        return SpeedModel(weights, None, _spread(left))
    half = np.arange(len(rows)) % 2 == 0  # the spread is that of rows the residual has not seen
    trained = fit_bag(rows[half], left[half], seed=seed, config=_RESIDUAL)
    unseen = left[~half] - trained.predict(rows[~half]).mean[:, 0]
    return SpeedModel(weights, fit_bag(rows, left, seed=seed, config=_RESIDUAL), _spread(unseen))


def _fit_analytic(costs: Floats, seconds: Floats) -> Floats:
    scale = costs.max(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    relative = costs / scale / seconds[:, None]
    ridge = 1e-3 * np.sqrt(len(costs)) * np.eye(costs.shape[1]) * relative.mean()
    solution, _ = nnls(np.vstack([relative, ridge]), np.concatenate([np.ones(len(costs)), np.zeros(costs.shape[1])]))
    return np.asarray(solution / scale, dtype=np.float64)


def _spread(errors: Floats) -> float:
    return float(max(np.sqrt(np.mean(errors**2)), 0.01))
