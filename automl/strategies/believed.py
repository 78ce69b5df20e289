"""What is believed of the trials' NE gains: a run may be lucky, so each is drawn towards what was expected of it.

A training's figure is model + order of the data + luck. A model's gain is expected to be its forecast, made before it
was trained (the middle of the others where there was none), give or take the spread of such forecasts; orders are told
apart by what was trained on several of them, first of all the baseline, whose gain is 0. All trainings together give a
mean and a standard deviation of each gain. None is left out, also not the one for which a trial was chosen to be
trained again: that is what keeps the luck of the choice from flattering it. N trials.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl.study.history import History, Trial

Floats = NDArray[np.float64]
ROUNDS = 3  # of fitting orders to the spread around what was expected, and back
OUTSIDE = 4.0  # standard deviations from what was expected, beyond which a trial tells nothing of an order
MIN_EXPECTED = 8  # forecasts from which their spread can be told
MOST_LUCK = 2.0  # standard errors: what is further from what was expected than luck goes is not drawn further
LEAST_SPREAD = 0.25  # of what is expected, in standard deviations of a training's luck


@dataclass(frozen=True, slots=True)
class Belief:
    """Mean and standard deviation of NE gains in percent, and the standard deviation of one training's luck."""

    mean_N: Floats
    std_N: Floats
    level_N: Floats  # means of the trainings, the orders' part taken out, not drawn towards anything
    count_N: Floats  # trainings
    noise: float
    spread_N: Floats  # standard deviation of the gain around what was expected

    def weights(self) -> Floats:
        """(N,): what its mean is worth to a predictor, against a single training: inverse variance around what was
        expected, which is luck and what no forecast saw."""
        one, all_ = (self.spread_N**2 + self.noise**2 / count for count in (1.0, self.count_N))
        return np.where(all_ > 0, one / np.maximum(all_, 1e-30), 1.0)


def believe(history: History, trials: Sequence[Trial]) -> Belief:
    """Of trials that were trained to their end, at least one training each."""
    noise, count = (
        history.noise_pct / math.sqrt(2.0),
        len(trials),
    )  # a gain has the luck of the trial and the baseline's
    if not count:
        none = np.empty(0)
        return Belief(none, none, none, none, noise, none)
    row, order, gain = _observed(history, trials)
    told = np.array([_forecast(history, trial) for trial in trials])
    known = np.isfinite(told) & (np.isfinite(told).sum() >= MIN_EXPECTED)
    expected = np.where(known, np.nan_to_num(told), 0.0)
    counts = np.bincount(row, minlength=count + 1)[:count].astype(np.float64)
    ours = row == count  # the baseline
    shift = np.bincount(order[ours], gain[ours], 1 + order.max()) / np.maximum(
        np.bincount(order[ours], minlength=1 + order.max()), 1
    )
    for _ in range(ROUNDS):
        level = np.bincount(row, gain - shift[order], count + 1)[:count] / counts
        middle, spread = _around(level - expected, known, noise, counts)
        away = level - expected - middle
        plain = np.append(np.abs(away) <= OUTSIDE * np.sqrt(spread**2 + noise**2 / counts), True)[row]
        target = gain - np.append(expected, 0.0)[row]
        shift = _orders(
            row[plain], order[plain], target[plain], np.append(known, False), np.append(spread, 0.0), noise, shift
        )
    level = np.bincount(row, gain - shift[order], count + 1)[:count] / counts
    middle, spread = _around(level - expected, known, noise, counts)
    error = noise / np.sqrt(counts)
    luck = (level - expected - middle) * error**2 / np.maximum(spread**2 + error**2, 1e-30)
    mean = level - np.clip(luck, -MOST_LUCK * error, MOST_LUCK * error)
    return Belief(mean, _std(spread, counts, noise), level, counts, noise, spread)


def _around(left_N: Floats, known_N: NDArray[np.bool_], noise: float, count_N: Floats) -> tuple[Floats, Floats]:
    """The middle and the spread of what the expectations left, of those with a forecast and of the others."""
    middle_N, spread_N = np.zeros(len(left_N)), np.zeros(len(left_N))
    for group_N in (known_N, ~known_N):
        if group_N.any():
            middle_N[group_N] = middle = float(np.median(left_N[group_N]))
            wide = (1.4826 * float(np.median(np.abs(left_N[group_N] - middle)))) ** 2
            wide -= noise**2 * float((1.0 / count_N[group_N]).mean())
            spread_N[group_N] = math.sqrt(max(wide, (LEAST_SPREAD * noise) ** 2))
    return middle_N, spread_N


def _orders(
    row: NDArray[np.intp],
    order: NDArray[np.intp],
    gain: Floats,
    known: NDArray[np.bool_],
    spread: Floats,
    noise: float,
    before: Floats,
) -> Floats:
    """What each order does to every model: generalised least squares over all trainings, those trained once too. They
    tell how far down a trial stood when it was chosen to be trained again."""
    if noise == 0:
        return before
    ours = row == len(known) - 1
    groups = np.column_stack([known[row] & ~ours, ~known[row] & ~ours])
    asked = np.column_stack([np.eye(len(before))[order][:, 1:], groups[:, groups.any(axis=0)]])
    weighed = weighed_by_luck(asked, row, spread, noise).T
    found = np.linalg.lstsq(weighed @ asked, weighed @ gain, rcond=None)[0]
    return np.concatenate([[0.0], found[: len(before) - 1]])


def weighed_by_luck(asked: Floats, row: NDArray[np.intp], spread: Floats, noise: float) -> Floats:
    """The inverse of the trainings' covariance times `asked`, a row for each training.

    Trainings of one model share its spread, every one has its own luck: a block for each model, whose inverse is closed
    (Sherman and Morrison 1950). As one matrix, a thousand trials take seconds for each training that ends.
    """
    trainings = np.bincount(row, minlength=len(spread))
    drawn = np.square(spread) / (noise**2 + trainings * np.square(spread))
    sums = np.column_stack([np.bincount(row, column, len(spread)) for column in asked.T])
    return np.asarray((asked - drawn[row, None] * sums[row]) / noise**2, dtype=np.float64)


def _observed(history: History, trials: Sequence[Trial]) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """A row, an order and a gain for each training. The baseline is the last row, and order 0 is one it was not on."""
    baseline = history.baseline
    known = [seed for seed in {trial.seeds.get("order"): None for trial in baseline.trials} if seed is not None]
    place = {seed: k for k, seed in enumerate(known, 1)}
    found = [
        (row, place.get(seed, 0) if seed is not None else 0, baseline.gain_pct(ne))
        for row, trial in enumerate(trials)
        for seed, ne in trial.trainings
    ]
    found += [
        (len(trials), place[seed], baseline.gain_pct(ne))
        for trial in baseline.trials
        for seed, ne in trial.trainings
        if seed is not None
    ]
    rows, orders, gains = zip(*found, strict=True)
    return np.array(rows, dtype=np.intp), np.array(orders, dtype=np.intp), np.array(gains, dtype=np.float64)


def _forecast(history: History, trial: Trial) -> float:
    return float("nan") if trial.forecast is None else history.baseline.gain_pct(trial.forecast.ne)


def _std(spread_N: Floats, count_N: Floats, noise: float) -> Floats:
    luck = noise**2 / count_N
    return np.sqrt(spread_N**2 * luck / np.maximum(spread_N**2 + luck, 1e-30))
