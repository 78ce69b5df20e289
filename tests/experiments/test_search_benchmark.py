"""What the search benchmark says of a search, on lines that are made up."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from automl.stats import pareto
from automl.strategies import strategy_of
from automl.study.history import CurvePoint, Measurement, Origin, Speed, State, Trial
from automl.testing import made_up as world
from experiments.search_benchmark.cut_short import halving
from experiments.search_benchmark.play import Answer, baseline_of, play
from experiments.search_benchmark.rivals import RIVALS, rival_of
from experiments.search_benchmark.table import digest_of
from experiments.search_benchmark.told import (
    Course,
    course_of,
    forecasts_of,
    ideal_volume,
    paired_p,
    ratio_interval,
    trials_to_match,
)
from experiments.search_benchmark.warmed import reached
from search_spaces.space import Candidate
from tests.worlds.studies import HUMAN


def line(*trials: tuple[float, float, float]) -> dict[str, Any]:
    """True gain, seen gain, log2 of the QPS ratio."""
    return {"trials": [[*trial, "random", None, None] for trial in trials]}


def test_a_front_is_chosen_by_what_was_seen_and_judged_by_what_is_true() -> None:
    """The second looks better than the first, and is worse."""
    course = course_of(line((-0.2, -0.2, 0.0), (0.5, -0.3, 0.0), (0.0, 0.1, 2.0)))
    assert course.volume_N.tolist() == [
        pareto.hypervolume(np.array(points)) for points in ([(-0.2, 0.0)], [(0.5, 0.0)], [(0.5, 0.0), (0.0, -2.0)])
    ]
    assert course.best_N.tolist() == [-0.2, 0.5, 0.5]


def test_the_baseline_stands_on_every_front() -> None:
    course = course_of(line((3.0, 3.0, -1.0), (0.4, 0.4, 0.5)))
    assert course.volume_N[0] == 1.0
    assert course.best_N.tolist() == [0.0, 0.0]


def test_a_failed_trial_adds_nothing() -> None:
    told = line((-0.2, -0.2, 0.0))
    told["trials"].append([None, None, None, "random", None, None])
    assert course_of(told).volume_N.tolist() == [1.2, 1.2]
    assert ideal_volume([told]) == pytest.approx(1.2)


def test_trials_to_match_are_of_the_mean() -> None:
    courses = [Course(np.array(volumes), np.zeros(3)) for volumes in ([0.0, 1.0, 2.0], [0.0, 2.0, 2.0])]
    assert trials_to_match(courses, 1.5) == 2
    assert trials_to_match(courses, 2.5) is None


def test_ratios_and_p_are_paired() -> None:
    theirs = np.linspace(1.0, 2.0, 20)
    mean, low, high = ratio_interval(0.5 * theirs, theirs, np.random.default_rng(0))
    assert mean == low == high == pytest.approx(0.5)
    assert paired_p(0.5 * theirs, theirs) < 1e-4
    assert paired_p(theirs, theirs) == 1.0


def test_forecasts_are_judged_by_round() -> None:
    rows = [[0.0, 0.1 * n, 0.0, "controller", 0.1 * n, 0.01] for n in range(20)]
    rows[0][4] = 5.0
    found = forecasts_of([{"trials": rows}], 10)
    assert found["tau"]["2"] == 1.0 > found["tau"]["1"]
    assert found["coverage_of_90"] == {"1": 0.9, "2": 1.0}


def test_a_digest_is_of_what_was_trained_and_not_of_its_order() -> None:
    lines = {("a", 0): {"ne": [0.9, 0.8]}, ("b", 1): {"ne": []}}
    assert digest_of(lines) == digest_of(dict(reversed(lines.items())))
    assert digest_of(lines) != digest_of({**lines, ("a", 0): {"ne": [0.9, 0.81]}})


@pytest.mark.parametrize("name", [name for name in RIVALS if not name.startswith(("smac", "ax", "gp"))])
def test_every_rival_searches(name: str) -> None:
    """Those of libraries that CI has: a whole small search, all of it new and the same again. (A Gaussian process of
    Optuna takes minutes.)"""
    space, model = world.small_space(), world.HUMAN

    def train(candidate: Candidate, order: int) -> Answer:
        ratio = world.true_qps_ratio(candidate.model)
        speed = Speed(qps_ratio=ratio, qps_ratio_low=ratio, qps_ratio_high=ratio)
        ne = world.true_ne(candidate.model)
        return Answer(
            Measurement(ne=ne, auc=None, calibration=None, speed=speed, params=1, flops=1, activation_bytes=1)
        )

    baseline = baseline_of(model, [train(Candidate({}, model), order) for order in range(3)])
    histories = [play(space, baseline, rival_of(name), train, trials=24, batch=8, seed=3) for _ in range(2)]
    keys = [[trial.candidate.key for trial in history.trials] for history in histories]
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == len(keys[0]) == 24
    assert all(math.isfinite(baseline.mean_gain_pct(trial)) for trial in histories[0].trials)
    assert strategy_of("random") is rival_of("random")


def test_halving_stops_whoever_is_behind_the_best_third() -> None:
    others = [_checked(n, 0.90 + 0.01 * n) for n in range(10)]
    assert not halving(_checked(99, 0.91), _checked(99, 0.91).curve, 1.0, tuple(others))
    assert halving(_checked(99, 0.98), _checked(99, 0.98).curve, 1.0, tuple(others))
    assert not halving(_checked(99, 0.98), _checked(99, 0.98).curve[:1], 1.0, tuple(others)), "no rung there"


def test_trials_are_saved_by_what_a_search_without_an_old_study_takes_longer() -> None:
    assert reached([1.0, 2.0, 2.5, 3.0], 2.5) == 3
    assert reached([1.0, 2.0], 9.0) == 100, "never"


def _checked(number: int, ne: float) -> Trial:
    begun = Trial(number=number, candidate=Candidate({}, HUMAN), origin=Origin.RANDOM, state=State.RUNNING)
    return replace(begun, curve=tuple(CurvePoint(5000 * k, 0.9, 0.9, ne) for k in (1, 2)))
