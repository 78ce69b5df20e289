"""Extrapolation of stopped curves."""

from __future__ import annotations

import numpy as np
import pytest

from predictors.curves import Curve, extrapolate

ROWS = np.linspace(5_000, 100_000, 20)


def curve(floor: float, drop: float, difficulty: np.ndarray, points: int = 20) -> Curve:
    ne = floor + drop / np.sqrt(ROWS / 5_000) + difficulty
    return Curve(ROWS[:points], ne[:points])


def test_a_stopped_curve_ends_near_its_truth() -> None:
    rng = np.random.default_rng(0)
    difficulty = 0.02 * rng.normal(size=20)  # of the stretches of the log, the same for every trial
    floors, drops = rng.uniform(0.86, 0.92, 40), rng.uniform(0.05, 0.15, 40)
    curves = [curve(f, d, difficulty) for f, d in zip(floors, drops, strict=True)]
    finals = floors + drops / np.sqrt(21)
    errors = []
    for i in range(30, 40):
        stopped = Curve(curves[i].rows[:8], curves[i].window_ne[:8])
        prediction = extrapolate(stopped, curves[:30], finals[:30])
        assert prediction.mean.shape == (1, 1)
        errors.append(prediction.mean[0, 0] - finals[i])
    assert np.abs(errors).mean() < 0.01 < np.abs(finals[30:] - [c.window_ne[7] for c in curves[30:]]).mean()


def test_one_complete_trial_gives_its_drop() -> None:
    complete = curve(0.9, 0.1, np.zeros(20))
    stopped = Curve(ROWS[:5], complete.window_ne[:5] + 0.01)
    assert extrapolate(stopped, [complete], np.array([0.93])).mean[0, 0] == pytest.approx(0.94)


def test_a_curve_that_looks_extreme_is_drawn_back() -> None:
    rng = np.random.default_rng(1)
    truth = rng.uniform(0.86, 0.88, 30)
    noisy = [Curve(ROWS[:5], np.full(5, t + 0.05) + rng.normal(0, 0.01)) for t in truth]
    luckiest = int(np.argmin([c.window_ne[0] for c in noisy]))
    others = [i for i in range(30) if i != luckiest]
    found = extrapolate(noisy[luckiest], [noisy[i] for i in others], truth[others]).mean[0, 0]
    assert found > noisy[luckiest].window_ne[0] - 0.05 + 0.003  # its level less the usual drop would be too good


def test_nothing_to_learn_from_is_refused() -> None:
    stopped = curve(0.9, 0.1, np.zeros(20), 5)
    with pytest.raises(ValueError, match="complete curves"):
        extrapolate(stopped, [], np.empty(0))
    with pytest.raises(ValueError, match="finite points"):
        extrapolate(Curve(ROWS[:2], np.full(2, np.nan)), [stopped], np.array([0.9]))
    with pytest.raises(ValueError, match="must hold points"):
        Curve(np.empty(0), np.empty(0))
