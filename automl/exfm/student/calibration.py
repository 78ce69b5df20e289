"""Two numbers that make a teacher's logits fit fresh labels: scale and shift, kept up to date window by window."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]
_STEPS = 20


@dataclass(slots=True)
class Calibrator:
    """Online logistic regression (Laplace): a Gaussian over (scale, shift), forgetting by `discount` a window.

    It starts as the identity, held as firmly as a few dozen labels would.
    """

    discount: float = 0.8
    mean: Floats = field(default_factory=lambda: np.array([1.0, 0.0]))
    precision: Floats = field(default_factory=lambda: np.eye(2) * 10.0)

    def logits(self, logits_N: NDArray[np.floating]) -> Floats:
        """Calibrated by what was seen so far."""
        scale, shift = self.mean.tolist()
        calibrated: Floats = scale * logits_N.astype(np.float64) + shift
        return calibrated

    def see(self, logits_N: NDArray[np.floating], labels_N: Floats) -> None:
        """Learn from a window: Newton's steps on its cross entropy and the distance from what was known."""
        x_N2 = np.stack([logits_N.astype(np.float64), np.ones(len(logits_N))], 1)
        prior, mean = self.discount * self.precision, self.mean.copy()
        for _ in range(_STEPS):
            p_N = expit(x_N2 @ mean)
            gradient = x_N2.T @ (p_N - labels_N) + prior @ (mean - self.mean)
            curvature = (x_N2 * (p_N * (1 - p_N))[:, None]).T @ x_N2 + prior
            step = np.linalg.solve(curvature, gradient)
            mean -= np.clip(step, -1.0, 1.0)  # far from the optimum a full step may overshoot
            if np.abs(step).max() < 1e-6:
                break
        p_N = expit(x_N2 @ mean)
        self.precision = (x_N2 * (p_N * (1 - p_N))[:, None]).T @ x_N2 + prior
        self.mean = mean
