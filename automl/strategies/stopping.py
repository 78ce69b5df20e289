"""When a trial is not worth its end: when it is sure to stay behind another that is at least as fast.

A rule on NE alone would kill the fast end of the front. What decides is NE on a part of the validation window at each
of its stops: not NE of the training rows, which on a log whose labels overlap (bought again within a month) ranks
nothing. What others at the same share came to at their end tells what this one will, and how sure that is; where the
shares have not ranked the ends, no trial is stopped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from automl.strategies.early import SPEED_SLACK, Early, foreseen, std_of
from automl.study.history import CurvePoint, Trial
from predictors.curves import Foreseen

STOPS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
# Replayed on 350 and 590 trials that were trained to their end (KuaiRand, Complete Journey; experiments/LOG.md), three
# checks in a row at 1.5 standard deviations save 17% and 12% of the training and lose 0.0% and 0.3% of hypervolume; at
# one, 22% and 17%, but a live search then stopped nearly all that it proposed near its front. Two checks at two lose
# 1.3% and 0.3%, one loses 1% and 4%. Successive halving saves 61% and 68% and loses 22% and 36%. In searches that learn
# from what is stopped, a rule that saves more has lost more than fewer trials do (search_benchmark.cut_short).
IN_A_ROW = 3
SURE = 1.5  # standard deviations
MIN_PEERS = 10  # that were trained to their end in the same kind of order
MIN_TAU = 0.2  # of their levels with their ends
NEAR = 0.15  # of the rows of a check: as far as another's may be from it
CHECK_ROWS, CHECK_SHARE = 8192, 1 / 32  # most rows of a check, at most so many of those that are trained on


def check_rows(train_rows: int) -> int:
    """Of the validation window, that are scored at each stop."""
    return min(CHECK_ROWS, int(CHECK_SHARE * train_rows))


def should_stop(trial: Trial, curve: Sequence[CurvePoint], qps_ratio: float, others: Sequence[Trial]) -> bool:
    """Whether IN_A_ROW checks say, the last one among them, that it ends worse than the best of the others that are as
    fast. `others`: the baseline among them."""
    done = [Early.of(other, math.nan) for other in others if other.number != trial.number]
    rivals = [other.ne for other in done if other.ended and other.ratio >= SPEED_SLACK * qps_ratio]
    latest = _checks(curve)[-IN_A_ROW:]
    if not rivals or len(latest) < IN_A_ROW:
        return False
    best = min(rivals)
    return all(_behind(_foreseen(trial, point, others, MIN_PEERS), best) for point in latest)


def extrapolated_ne(trial: Trial, curve: Sequence[CurvePoint], others: Sequence[Trial]) -> float:
    """NE on the validation window that a stopped trial would have reached; NaN where nothing tells."""
    checks = _checks(curve)
    found = _foreseen(trial, checks[-1], others, 1) if checks else None
    return math.nan if found is None else found.ne


def _behind(found: Foreseen | None, best: float) -> bool:
    return found is not None and found.tau >= MIN_TAU and found.ne - SURE * std_of(found) > best


def _foreseen(trial: Trial, point: CurvePoint, others: Sequence[Trial], fewest: int) -> Foreseen | None:
    """What a check leads one to expect, from trials of the same kind of order that were checked after about as many
    rows; None where too few of them came to their end."""
    able = [other for other in others if other.number != trial.number and _same_kind(trial, other)]
    levels = [(other, _level(other.curve, point.rows)) for other in able]
    peers = [Early.of(other, level) for other, level in levels if level is not None]
    return None if point.check_ne is None else foreseen(point.check_ne, peers, fewest)


def _level(curve: Sequence[CurvePoint], rows: int) -> float | None:
    """NE of the check that was nearest to so many rows, if it was near: where a batch is large, stops lie apart."""
    nearest = min(_checks(curve), key=lambda point: abs(point.rows - rows), default=None)
    return None if nearest is None or abs(nearest.rows - rows) > NEAR * rows else nearest.check_ne


def _checks(curve: Sequence[CurvePoint]) -> list[CurvePoint]:
    return [point for point in curve if point.check_ne is not None]


def _same_kind(trial: Trial, other: Trial) -> bool:
    mine, theirs = trial.candidate.model.train, other.candidate.model.train
    return (mine.order, mine.epochs) == (theirs.order, theirs.epochs)
