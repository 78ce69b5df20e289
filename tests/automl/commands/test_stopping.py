"""A trial is judged only by its equals: at least as fast, the same kind of training, the same share of it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.commands.stopping import MIN_PEERS, SPEED_SLACK, STOPS, extrapolated_ne, should_stop
from automl.runtime.jobs import CURVE_POINTS
from automl.study.history import CurvePoint, State, Trial
from search_spaces.space import Candidate
from tests.worlds.studies import HUMAN, complete, curve, failed, running, stopped

GOOD, BAD = curve(0.91, 0.90, 0.89, 0.88), curve(0.99, 0.98, 0.97, 0.96)
CANDIDATE = Candidate({}, HUMAN)
ME = running(100, CANDIDATE)


def peers(count: int, *, ratio: float = 1.0, points: tuple[CurvePoint, ...] = GOOD, first: int = 1) -> list[Trial]:
    return [complete(running(n, CANDIDATE), ratio=ratio, curve=points) for n in range(first, first + count)]


def trained(**settings: object) -> Candidate:
    return Candidate({}, replace(HUMAN, train=replace(HUMAN.train, **settings)))  # type: ignore[arg-type]


def test_the_worse_half_is_stopped_and_the_better_is_not() -> None:
    others = peers(MIN_PEERS) + peers(MIN_PEERS, points=curve(0.95, 0.95), first=50)
    assert should_stop(ME, curve(0.99, 0.97), 1.0, others)
    assert not should_stop(ME, curve(0.92, 0.91), 1.0, others)


def test_at_a_quarter_only_the_hopeless_are_stopped_from_half_on_the_worse_half() -> None:
    """Peers at 0.80, 0.81, ... 0.99, level all the way."""
    others = [peers(1, points=flat(0.80 + 0.01 * n, CURVE_POINTS), first=n)[0] for n in range(20)]
    quarter, half = CURVE_POINTS // 4, CURVE_POINTS // 2
    assert STOPS == (0.25, 0.5)
    for level, early, late in ((0.855, False, False), (0.905, False, True), (0.945, False, True), (0.965, True, True)):
        assert should_stop(ME, flat(level, quarter), 1.0, others) is early, level
        assert should_stop(ME, flat(level, half), 1.0, others) is late, level


def flat(level: float, points: int) -> tuple[CurvePoint, ...]:
    return curve(*[level] * points)


@settings(deadline=None)
@given(st.lists(st.floats(0.1, 8.0), max_size=40), st.floats(0.1, 8.0))
def test_a_fast_trial_is_never_judged_against_slower_ones(ratios: list[float], mine: float) -> None:
    """However bad its curve: slower trials, be they ever so many and good, do not stop it."""
    others = [peers(1, ratio=ratio, first=n)[0] for n, ratio in enumerate(ratios, 1)]
    equals = [trial for trial in others if ratio_of(trial) >= SPEED_SLACK * mine]
    assert should_stop(ME, BAD, mine, others) is (len(equals) >= MIN_PEERS)
    assert should_stop(ME, BAD, mine, others) == should_stop(ME, BAD, mine, equals)


def ratio_of(trial: Trial) -> float:
    assert trial.measurement is not None
    return trial.measurement.speed.qps_ratio


def test_few_peers_judge_nobody() -> None:
    assert not should_stop(ME, BAD, 1.0, peers(MIN_PEERS - 1))
    assert should_stop(ME, BAD, 1.0, peers(MIN_PEERS))


@pytest.mark.parametrize("other", [{"order": "time"}, {"epochs": 2}])
def test_only_the_same_kind_of_training_is_compared(other: dict[str, object]) -> None:
    others = [replace(trial, candidate=trained(**other)) for trial in peers(2 * MIN_PEERS)]
    assert not should_stop(ME, BAD, 1.0, others)
    assert should_stop(replace(ME, candidate=trained(**other)), BAD, 1.0, others)


def test_it_is_compared_at_the_same_share_of_the_training() -> None:
    """Peers end at 0.88, but at this point they were no better than 1.0."""
    late = curve(1.02, 1.00, 0.90, 0.88)
    assert not should_stop(ME, curve(0.99, 0.98), 1.0, peers(MIN_PEERS, points=late))
    assert should_stop(ME, curve(0.99, 0.98, 0.98, 0.98), 1.0, peers(MIN_PEERS, points=late))
    assert not should_stop(ME, BAD, 1.0, peers(MIN_PEERS, points=late[:2])), "none of them came as far"


def test_one_hard_stretch_of_the_log_does_not_decide() -> None:
    assert not should_stop(ME, curve(0.88, 0.88, 0.92), 1.0, peers(MIN_PEERS, points=curve(0.90, 0.90, 0.90)))


def test_itself_and_what_has_no_number_are_no_peers() -> None:
    same = [replace(trial, number=ME.number) for trial in peers(2 * MIN_PEERS)]
    assert not should_stop(ME, BAD, 1.0, same)
    unknown = peers(2 * MIN_PEERS, points=curve(math.nan, math.nan, math.nan, math.nan))
    assert not should_stop(ME, BAD, 1.0, unknown)
    assert not should_stop(ME, curve(math.nan), 1.0, peers(MIN_PEERS)), "NaN ends a trial elsewhere, with its reason"


def test_running_trials_without_a_curve_are_no_peers() -> None:
    assert not should_stop(ME, BAD, 1.0, [running(n, CANDIDATE) for n in range(1, 30)])


def test_stopped_and_failed_trials_count_as_far_as_they_came() -> None:
    mixed = [*peers(4), *(stopped(running(n, CANDIDATE)) for n in range(20, 24))]
    assert should_stop(ME, curve(1.2, 1.2), 1.0, mixed)
    assert not should_stop(ME, curve(1.2, 1.2, 1.2), 1.0, mixed), "the stopped ones ended before"
    assert not should_stop(ME, BAD, 1.0, [failed(trial) for trial in [running(n, CANDIDATE) for n in range(30)]])


def test_extrapolation_adds_the_drop_that_others_still_made() -> None:
    points = curve(0.95, 0.93, 0.91, 0.90)
    others = [complete(running(n, CANDIDATE), ne=0.88, curve=points) for n in range(1, 4)]
    found = extrapolated_ne(curve(0.97, 0.95), others)
    assert found == pytest.approx((0.97 + 0.95) / 2 + (0.88 - (0.95 + 0.93) / 2))


def test_nothing_to_learn_from_gives_nan() -> None:
    assert math.isnan(extrapolated_ne(curve(0.9), []))
    assert math.isnan(extrapolated_ne((), peers(3)))
    assert math.isnan(extrapolated_ne(curve(math.nan), peers(3)))
    assert math.isnan(extrapolated_ne(curve(0.9), [stopped(running(1, CANDIDATE))])), "a guess is not built on guesses"
    assert math.isnan(extrapolated_ne(curve(0.9), peers(3, points=curve(0.9, rows=10**6)))), "none starts so early"
    assert [t.state for t in peers(1)] == [State.COMPLETE]
