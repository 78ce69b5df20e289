"""When a trial is not worth its end. It is compared only with trials at least as fast, at the same share of training:
a rule on NE alone would kill the fast end of the front. Trained on the same rows in the same kind of order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from automl.runtime.jobs import CURVE_POINTS
from automl.study.history import CurvePoint, State, Trial
from predictors.curves import Curve, extrapolate

# Shares of the training. Over 65 trials of a real search trained to their end, NE at a quarter ranked the finals with
# tau .32 (and not at all among the better half), at a half with .61: so the first stop takes only what is hopeless.
STOPS = (0.25, 0.5)
WORSE_THAN_EARLY, WORSE_THAN = 0.8, 0.5  # quantiles of the peers, before half of the training and from there on
MIN_PEERS = 8
SPEED_SLACK = 0.95  # a peer may be slower by the noise of the ratio


def should_stop(trial: Trial, curve: Sequence[CurvePoint], qps_ratio: float, others: Sequence[Trial]) -> bool:
    """Whether a trial is in the worst fifth of its peers so far; from half of the training on, in the worse half."""
    index = len(curve) - 1
    peers = [
        _level(other.curve, index)
        for other in others
        if _is_peer(trial, other) and len(other.curve) > index and _ratio(other) >= SPEED_SLACK * qps_ratio
    ]
    peers = [level for level in peers if np.isfinite(level)]
    quantile = WORSE_THAN if 2 * len(curve) >= CURVE_POINTS else WORSE_THAN_EARLY
    return len(peers) >= MIN_PEERS and _level(curve, index) > float(np.quantile(peers, quantile))


def extrapolated_ne(curve: Sequence[CurvePoint], others: Sequence[Trial]) -> float:
    """NE on the validation window that a stopped trial would have reached; NaN where nothing tells."""
    complete = [t for t in others if t.state is State.COMPLETE and t.curve and t.measurement is not None]
    if not complete or not curve:
        return float("nan")
    finals = np.array([t.measurement.ne for t in complete if t.measurement is not None])
    try:
        found = extrapolate(as_curve(curve), [as_curve(t.curve) for t in complete], finals)
    except ValueError:
        return float("nan")
    return float(found.mean[0, 0])


def as_curve(points: Sequence[CurvePoint]) -> Curve:
    """Points as the predictors read them."""
    return Curve(np.array([float(p.rows) for p in points]), np.array([p.window_ne for p in points]))


def _is_peer(trial: Trial, other: Trial) -> bool:
    mine, theirs = trial.candidate.model.train, other.candidate.model.train
    return other.number != trial.number and (mine.order, mine.epochs) == (theirs.order, theirs.epochs)


def _level(curve: Sequence[CurvePoint], index: int) -> float:
    """Mean window NE of the last points up to `index`, so that one hard stretch of the log does not decide."""
    return float(np.mean([point.window_ne for point in curve[max(0, index - 2) : index + 1]]))


def _ratio(trial: Trial) -> float:
    return trial.measurement.speed.qps_ratio if trial.measurement else 0.0
