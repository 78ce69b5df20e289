"""What is trained again: the two ends of what may ship."""

from __future__ import annotations

from dataclasses import replace

import pytest

from automl.stats.seeds import trial_seeds
from automl.strategies.again import again
from automl.study.history import Failure, History, Limit, Metric, Repeat, Trial
from tests.worlds.studies import (
    BASELINE_NE,
    STUDY_SEED,
    baseline,
    candidates,
    complete,
    measured,
    running,
    stopped,
)

CANDIDATES = candidates(12, seed=4)


def trial(number: int, gain: float, ratio: float, repeats: int = 0) -> Trial:
    candidate = CANDIDATES[number]
    ne = BASELINE_NE * (1 + gain / 100)
    found = measured(candidate, ne=ne, ratio=ratio)
    seeds = [trial_seeds(STUDY_SEED, order) for order in range(4)]
    more = tuple(Repeat(order=r, measurement=found, seeds=seeds[r]) for r in range(1, repeats + 1))
    return replace(complete(running(number, candidate), ne=ne, ratio=ratio, seeds=seeds[0]), repeats=more)


def past(*trials: Trial, limits: tuple[Limit, ...] = ()) -> History:
    return History(baseline(std=0.0001), trials, limits)


FIELD = (trial(1, 3.0, 1.5), trial(2, -2.0, 1.2), trial(3, -1.0, 4.0), trial(4, -3.0, 0.5), trial(5, 2.0, 9.0))


def test_the_accurate_end_comes_first_then_the_fast_one() -> None:
    assert again(past(*FIELD), 2, 0.2) == 2
    told = {n: trial(n, gain, ratio, repeats=1) for n, gain, ratio in ((2, -2.0, 1.2), (3, -1.0, 4.0))}
    assert again(past(*FIELD[:1], told[2], *FIELD[2:]), 2, 0.2) == 3, "the one that was trained less"
    both = past(*FIELD[:1], told[2], told[3], *FIELD[3:])
    assert again(both, 2, 0.2) == 2
    assert again(both, 1, 0.2) is None, "no trial more often than that"


def test_what_runs_again_waits() -> None:
    assert again(past(*FIELD), 2, 0.2, frozenset({2})) == 3
    assert again(past(*FIELD), 2, 0.2, frozenset({2, 3})) is None


def test_a_leader_that_falls_back_makes_room_for_the_next() -> None:
    lucky = trial(2, -1.2, 1.2)
    worse = measured(lucky.candidate, ne=BASELINE_NE * 0.994, ratio=1.2)
    seeds = trial_seeds(STUDY_SEED, 1)
    fallen = replace(lucky, repeats=(Repeat(order=1, measurement=worse, seeds=seeds),))
    assert again(past(FIELD[0], lucky, *FIELD[2:]), 2, 0.2) == 2
    assert again(past(FIELD[0], fallen, *FIELD[2:]), 2, 0.2) == 3


@pytest.mark.parametrize(
    ("changed", "limits"),
    [
        (stopped(running(2, CANDIDATES[2]), ne=0.5), ()),
        (replace(trial(2, -2.0, 1.2), repeats=(Repeat(order=1, failure=Failure("diverged", "NaN")),)), ()),
        (trial(2, -2.0, 1.2), (Limit(Metric.QPS_RATIO, low=1.4),)),
    ],
)
def test_what_cannot_ship_is_not_trained_again(changed: Trial, limits: tuple[Limit, ...]) -> None:
    assert again(past(FIELD[0], changed, *FIELD[2:], limits=limits), 2, 0.2) == 3


def test_where_nothing_may_ship_nothing_is_trained_again() -> None:
    assert again(past(trial(1, 3.0, 1.5), trial(2, 4.0, 9.0), trial(3, -3.0, 0.5)), 2, 0.2) is None
    assert again(past(), 2, 0.2) is None
