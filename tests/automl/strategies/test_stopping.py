"""A trial is stopped where it is sure to stay behind one that is as fast, told by those that came to their end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.strategies.stopping import (
    CHECK_ROWS,
    IN_A_ROW,
    MIN_PEERS,
    SPEED_SLACK,
    check_rows,
    extrapolated_ne,
    should_stop,
)
from automl.study.history import CurvePoint, State, Trial
from search_spaces.space import Candidate
from tests.worlds.studies import HUMAN, baseline_repeat, checked, complete, failed, running, stopped

CANDIDATE = Candidate({}, HUMAN)
ME = running(100, CANDIDATE)
DROP = 0.05


def peers(levels: Sequence[float], *, ratio: float = 1.0, first: int = 1, checks: int = 5) -> list[Trial]:
    """Trials that stand at a level at each check and end lower by DROP."""
    return [
        complete(running(n, CANDIDATE), ne=level - DROP, ratio=ratio, curve=checked(*[level] * checks))
        for n, level in enumerate(levels, first)
    ]


def at(level: float, checks: int = IN_A_ROW) -> tuple[CurvePoint, ...]:
    return checked(*[level] * checks)


SPREAD = [0.93 + 0.005 * n for n in range(MIN_PEERS)]
BAD, GOOD = 0.99, 0.92


def trained(**changes: object) -> Candidate:
    return Candidate({}, replace(HUMAN, train=replace(HUMAN.train, **changes)))  # type: ignore[arg-type]


def test_who_is_sure_to_stay_behind_is_stopped() -> None:
    assert should_stop(ME, at(BAD), 1.0, peers(SPREAD))
    assert not should_stop(ME, at(GOOD), 1.0, peers(SPREAD))
    assert not should_stop(ME, at(min(SPREAD)), 1.0, peers(SPREAD)), "as good as the best"


def test_so_many_checks_in_a_row_must_say_so() -> None:
    assert not should_stop(ME, at(BAD, IN_A_ROW - 1), 1.0, peers(SPREAD))
    for good in range(IN_A_ROW):
        levels = [BAD] * (IN_A_ROW + 1)
        levels[1 + good] = GOOD
        assert not should_stop(ME, checked(*levels), 1.0, peers(SPREAD)), good
    assert should_stop(ME, checked(GOOD, *[BAD] * IN_A_ROW), 1.0, peers(SPREAD))


def test_points_between_the_checks_do_not_count() -> None:
    between = [point for check in at(BAD) for point in (replace(check, check_ne=None), check)]
    theirs = [
        replace(peer, curve=tuple(point for check in peer.curve for point in (replace(check, check_ne=None), check)))
        for peer in peers(SPREAD)
    ]
    assert should_stop(ME, between, 1.0, theirs)
    assert not should_stop(ME, [replace(point, check_ne=None) for point in at(BAD)], 1.0, peers(SPREAD))


@settings(deadline=None)
@given(st.lists(st.floats(0.1, 8.0), max_size=40), st.floats(0.1, 8.0))
def test_a_fast_trial_is_never_judged_against_slower_ones(ratios: list[float], mine: float) -> None:
    """However bad its checks: slower trials, be they ever so good, do not stop it. They still tell what becomes of a
    level."""
    others = [peers([0.93 + 0.001 * (n % 9)], ratio=ratio, first=n)[0] for n, ratio in enumerate(ratios, 1)]
    as_fast = any(ratio >= SPEED_SLACK * mine for ratio in ratios)
    enough = len(ratios) >= MIN_PEERS
    assert should_stop(ME, at(1.2), mine, others) is (as_fast and enough)


def test_the_baseline_is_a_rival_and_tells_too() -> None:
    human = replace(baseline_repeat(0, 0.87), curve=checked(*[0.92] * 5))
    slow = peers(SPREAD[: MIN_PEERS - 1], ratio=0.2)
    assert not should_stop(ME, at(BAD), 1.0, slow)
    assert should_stop(ME, at(BAD), 1.0, [human, *slow])


def test_few_peers_judge_nobody() -> None:
    assert not should_stop(ME, at(BAD), 1.0, peers(SPREAD[: MIN_PEERS - 1]))
    assert not should_stop(ME, at(BAD), 1.0, [])


def test_checks_that_ranked_nothing_stop_nobody() -> None:
    """Ends rise where levels fall."""
    others = [replace_end(peer, 0.90 - 0.003 * n) for n, peer in enumerate(peers(SPREAD))]
    assert not should_stop(ME, at(1.2), 1.0, others)


def replace_end(trial: Trial, ne: float) -> Trial:
    assert trial.measurement is not None
    return replace(trial, measurement=replace(trial.measurement, ne=ne))


def test_what_luck_may_turn_is_not_stopped() -> None:
    """Ends follow levels to the last digit, but a tenth of a percent is within the luck of a training."""
    assert not should_stop(ME, at(min(SPREAD) + 0.001), 1.0, peers(SPREAD))
    assert should_stop(ME, at(min(SPREAD) + 0.003), 1.0, peers(SPREAD))


def test_ends_that_scatter_stop_fewer() -> None:
    """A level 3% behind the best one: enough where ends follow levels, not where they scatter by as much."""
    scattered = [
        replace_end(peer, 0.9 + (0.02 if n % 3 else -0.02)) for n, peer in enumerate(peers(sorted(SPREAD * 2)))
    ]
    assert should_stop(ME, at(0.96), 1.0, peers(sorted(SPREAD * 2)))
    assert not should_stop(ME, at(0.96), 1.0, scattered)


@pytest.mark.parametrize("other", [{"order": "time"}, {"epochs": 2}])
def test_only_the_same_kind_of_training_tells(other: dict[str, object]) -> None:
    others = [replace(trial, candidate=trained(**other)) for trial in peers(SPREAD)]
    assert not should_stop(ME, at(BAD), 1.0, others)
    assert should_stop(replace(ME, candidate=trained(**other)), at(BAD), 1.0, others)


def test_only_trials_that_ended_tell() -> None:
    itself = [replace(trial, number=ME.number) for trial in peers(SPREAD)]
    under_way = [running(n, CANDIDATE) for n in range(1, 30)]
    cut = [stopped(trial) for trial in under_way]
    broken = [failed(trial) for trial in under_way]
    unchecked = [replace(trial, curve=()) for trial in peers(SPREAD)]
    for others in (itself, under_way, cut, broken, unchecked):
        assert not should_stop(ME, at(BAD), 1.0, others)


def test_a_stopped_trial_has_the_end_that_is_to_be_expected() -> None:
    assert extrapolated_ne(ME, at(0.97), peers(SPREAD)) == pytest.approx(0.97 - DROP)
    assert extrapolated_ne(ME, at(0.97), peers(SPREAD[:3])) == pytest.approx(0.97 - DROP), "by their median drop"


def test_nothing_to_learn_from_gives_nan() -> None:
    for curve, others in (
        (at(0.9), []),
        ((), peers(SPREAD)),
        (tuple(replace(point, check_ne=None) for point in at(0.9)), peers(SPREAD)),
        (at(0.9), [stopped(running(1, CANDIDATE))]),
    ):
        assert math.isnan(extrapolated_ne(ME, curve, others))
    assert all(trial.state is State.COMPLETE for trial in peers(SPREAD))


def test_a_check_is_a_small_part_of_the_training() -> None:
    assert check_rows(32_000) == 1000
    assert check_rows(10**8) == CHECK_ROWS


def test_peers_are_compared_after_as_many_rows() -> None:
    """A large batch has fewer points: its second may be where the sixth of others is."""
    small = [
        complete(running(n, CANDIDATE), ne=0.90 + 0.005 * n, curve=checked(*[0.99] * 5, 0.92 + 0.005 * n))
        for n in range(1, 13)
    ]
    assert math.isnan(extrapolated_ne(ME, checked(0.95, rows=700), small)), "between the first and the second check"
    assert extrapolated_ne(ME, checked(0.95, rows=3000), small) == pytest.approx(0.93), "at the sixth"
