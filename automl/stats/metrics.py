"""Metrics of predicted probabilities: normalised entropy, log loss, AUC, calibration. All weighted, sums in float64.

CE = sum w (-y log p - (1 - y) log(1 - p));  NE = CE / (-P log m - N log(1 - m)), P = sum w y, N = sum w (1 - y),
m = P / (P + N) the base rate of the same rows. What is not defined for a one-class set is NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

_EDGE = 1e-15  # probabilities are kept this far from 0 and 1, so that one sure mistake costs 34.5 nats and not all
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NESums:
    """Four sums that give NE, log loss and calibration; of two sets they add up to those of the union."""

    cross_entropy: float = 0.0
    positive: float = 0.0
    negative: float = 0.0
    predicted: float = 0.0

    @classmethod
    def of(
        cls,
        labels: ArrayLike,
        probabilities: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        negatives_kept: float | None = None,
    ) -> Self:
        """Sums of a set. With `negatives_kept`, probabilities are those of a model of the down-sampled log, and are
        brought back to the full one by q = p / (p + (1 - p) / r); kept negatives then count 1 / r times.

        Raises:
            ValueError: where lengths differ, a label is not 0 or 1, or a probability or weight is out of its range.
        """
        y, p, w = _checked(labels, probabilities, weights)
        if negatives_kept is not None:
            p = undo_sampling(p, negatives_kept)
            w = np.where(y == 1, w, w / negatives_kept)
        kept = np.clip(p, _EDGE, 1.0 - _EDGE)
        loss = -np.log(np.where(y == 1, kept, 1.0 - kept))
        return cls(float(w @ loss), float(w @ y), float(w @ (1.0 - y)), float(w @ p))

    def __add__(self, other: NESums) -> NESums:
        return NESums(
            self.cross_entropy + other.cross_entropy,
            self.positive + other.positive,
            self.negative + other.negative,
            self.predicted + other.predicted,
        )

    @property
    def weight(self) -> float:
        return self.positive + self.negative

    @property
    def base_rate(self) -> float:
        return self.positive / self.weight if self.weight > 0 else math.nan

    @property
    def log_loss(self) -> float:
        return self.cross_entropy / self.weight if self.weight > 0 else math.nan

    @property
    def entropy(self) -> float:
        """What NE divides by: the loss of the base rate, summed over the rows; NaN where there is one class only."""
        if self.positive <= 0 or self.negative <= 0:
            return math.nan
        rate = self.base_rate
        return -(self.positive * math.log(rate) + self.negative * math.log1p(-rate))

    @property
    def ne(self) -> float:
        """Normalised entropy: 1 is no better than the base rate; NaN where there is one class only."""
        return self.cross_entropy / self.entropy

    @property
    def calibration(self) -> float:
        """Predicted over seen positives: 1 is right, above 1 promises too much."""
        return self.predicted / self.positive if self.positive > 0 else math.nan


def ne(
    labels: ArrayLike,
    probabilities: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    negatives_kept: float | None = None,
) -> float:
    """Normalised entropy of a set."""
    return NESums.of(labels, probabilities, weights, negatives_kept=negatives_kept).ne


def log_loss(
    labels: ArrayLike,
    probabilities: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    negatives_kept: float | None = None,
) -> float:
    """Mean cross entropy of a set, in nats."""
    return NESums.of(labels, probabilities, weights, negatives_kept=negatives_kept).log_loss


def calibration(
    labels: ArrayLike,
    probabilities: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    negatives_kept: float | None = None,
) -> float:
    """Sum of the probabilities over the sum of the labels."""
    return NESums.of(labels, probabilities, weights, negatives_kept=negatives_kept).calibration


def auc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Area under the ROC curve: the weighted share of (positive, negative) pairs in the right order, ties count half.

    A kept rate of negatives does not move it: it weighs all negatives alike.
    """
    y = _labels(labels)
    s = np.asarray(scores, np.float64)
    w = _weights(weights, len(y))
    if s.shape != y.shape or np.isnan(s).any():
        raise ValueError("scores must be one number a label and none of them NaN")
    order = np.argsort(s, kind="stable")
    s, positive = s[order], (w * y)[order]
    negative = (w * (1.0 - y))[order]
    ends = np.flatnonzero(np.append(s[1:] != s[:-1], True)) if len(s) else np.zeros(0, np.int64)
    positive_upto, negative_upto = np.cumsum(positive)[ends], np.cumsum(negative)[ends]
    if not len(ends) or positive_upto[-1] <= 0 or negative_upto[-1] <= 0:
        return math.nan
    positive_tied = np.diff(positive_upto, prepend=0.0)
    negative_tied = np.diff(negative_upto, prepend=0.0)
    below = negative_upto - negative_tied
    right = positive_tied @ (below + 0.5 * negative_tied)
    return float(right / (positive_upto[-1] * negative_upto[-1]))


def undo_sampling(probabilities: ArrayLike, negatives_kept: float) -> Floats:
    """Probabilities learned on a log that kept a share r of its negatives, for the full log: p / (p + (1 - p) / r)."""
    if not 0 < negatives_kept <= 1:
        raise ValueError(f"negatives_kept must be above 0 and at most 1, but found {negatives_kept!r}")
    p = np.asarray(probabilities, np.float64)
    corrected: Floats = p / (p + (1.0 - p) / negatives_kept)
    return corrected


def _checked(labels: ArrayLike, probabilities: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    y = _labels(labels)
    p = np.asarray(probabilities, np.float64)
    if p.shape != y.shape:
        raise ValueError(f"probabilities must be one a label, but found {p.shape} for {y.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("probabilities must be from 0 to 1")
    return y, p, _weights(weights, len(y))


def _labels(labels: ArrayLike) -> Floats:
    y = np.asarray(labels, np.float64)
    if y.ndim != 1 or not ((y == 0) | (y == 1)).all():
        raise ValueError("labels must be a row of 0 and 1")
    return y


def _weights(weights: ArrayLike | None, count: int) -> Floats:
    if weights is None:
        return np.ones(count)
    w = np.asarray(weights, np.float64)
    if w.shape != (count,) or not (np.isfinite(w) & (w >= 0)).all():
        raise ValueError("weights must be one a label, finite and not negative")
    return w
