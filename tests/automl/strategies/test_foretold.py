"""Forecasts are told with the width that earlier ones turned out to need."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from automl.strategies import strategy_of
from automl.strategies.foretold import Width, width_of
from automl.study.history import Forecast, History
from automl.testing import made_up as world
from predictors.conformal import FIRST, NORMAL


@pytest.fixture(scope="module")
def played() -> History:
    return world.Search.start(world.small_space()).play(strategy_of("random"), 40, 20, seed=3)


def off_by(history: History, times: float, widened: float = 1.0) -> History:
    """Every forecast is off by a normal error; its width claims so many times less, after it was widened."""
    rng, trials = np.random.default_rng(0), []
    for trial in history.trials:
        assert trial.measurement is not None
        ne = trial.measurement.ne + 0.01 * float(rng.normal())
        trials.append(replace(trial, forecast=Forecast(ne, 0.01 * widened / times, 1.0, widened)))
    return replace(history, trials=tuple(trials))


def test_without_forecasts_a_width_is_widened_as_elsewhere(played: History) -> None:
    assert width_of(played) == Width(played.noise_pct, FIRST)


@pytest.mark.parametrize("times", [0.5, 1.0, 4.0])
def test_widths_are_widened_by_what_forecasts_were_off(played: History, times: float) -> None:
    """Whatever the forecasts had been widened by before."""
    found = width_of(off_by(played, times)).widened
    assert found == pytest.approx(times, rel=0.5)
    assert width_of(off_by(played, times, widened=3.0)).widened == pytest.approx(found)


def test_a_trainings_luck_is_part_of_what_will_be_measured() -> None:
    assert Width(luck=0.3, widened=2.0).std(np.array([0.0, 0.4])) == pytest.approx([0.6, 1.0])


def test_nine_in_ten_of_what_is_measured_lies_within_the_width_that_was_told() -> None:
    """Forecasts of a search, those of the first round left out, which no past one could correct."""
    search = world.Search.start(world.small_space(), noise=0.002)
    trials = search.play(strategy_of("controller"), 60, 12, seed=2).trials
    told = [(t.measurement.ne - t.forecast.ne, t.forecast.ne_std) for t in trials if t.forecast and t.measurement]
    error, std = np.array(told).T
    late = slice(12, None)
    assert 0.75 <= float(np.mean(np.abs(error[late]) <= NORMAL * std[late])) <= 1.0
    assert all(t.forecast.widened != 1.0 for t in trials if t.forecast)
