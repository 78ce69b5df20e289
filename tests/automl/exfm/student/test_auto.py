"""The choice among arms: by what was seen, never by what comes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.exfm.student.auto import Chooser
from automl.exfm.student.recipes import ARMS
from automl.study.exfm_figures import NONE

ROWS = 400


def losses(seed: int, **better: float) -> dict[str, np.ndarray]:
    """Of all arms; those named are better by so much."""
    base = np.random.default_rng(seed).gamma(1.0, 0.5, ROWS)
    noise = np.random.default_rng([seed, 1])
    return {arm: base - better.get(arm.replace("-", "_"), 0.0) + 0.02 * noise.normal(size=ROWS) for arm in ARMS}


def teacher(seen: dict[str, np.ndarray], better: float) -> np.ndarray:
    return seen[NONE] - better


def test_none_serves_until_something_is_known() -> None:
    chooser = Chooser(ARMS)
    assert chooser.choice == NONE
    assert chooser.muted
    with pytest.raises(ValueError, match="must hold none"):
        Chooser(("plain-averaged",))


def test_the_arm_that_helps_serves_and_hopeless_ones_are_dropped() -> None:
    chooser = Chooser(ARMS)
    for seed in range(8):
        seen = losses(seed, auxiliary_averaged=0.01, plain_averaged=-0.05)
        chooser.see({arm: seen[arm] for arm in chooser.alive}, teacher(seen, 0.03))
    assert chooser.choice == "auxiliary-averaged"
    assert not chooser.muted
    assert "plain-averaged" not in chooser.alive
    assert {NONE, "auxiliary-averaged"} <= set(chooser.alive)


def test_a_teacher_no_better_than_its_student_is_heard_one_that_is_clearly_worse_is_not() -> None:
    for better, muted in ((-0.001, False), (-0.02, True)):
        chooser = Chooser(ARMS)
        for seed in range(5):
            seen = losses(seed)
            chooser.see(seen, teacher(seen, better))
        assert chooser.muted is muted


def test_none_serves_where_every_arm_harms_and_is_never_dropped() -> None:
    chooser = Chooser(ARMS)
    for seed in range(20):
        seen = losses(seed, auxiliary_averaged=-0.01, plain_averaged=-0.05, plain=-0.02)
        chooser.see({arm: seen[arm] for arm in chooser.alive}, teacher(seen, -0.05))
        assert chooser.choice == NONE
        assert chooser.muted
    assert chooser.alive[0] == NONE
    chooser = Chooser(ARMS)
    for seed in range(20):
        seen = losses(seed, auxiliary_averaged=0.05)
        chooser.see({arm: seen[arm] for arm in chooser.alive}, teacher(seen, 0.05))
    assert NONE in chooser.alive


def test_falls_back_when_the_teacher_turns() -> None:
    """Good for ten windows, then bad: none serves again soon."""
    chooser = Chooser(ARMS)
    for seed in range(10):
        seen = losses(seed, auxiliary_averaged=0.01, plain_averaged=0.01, calibrated_averaged=0.01)
        chooser.see(seen, teacher(seen, 0.03))
    assert chooser.choice != NONE
    for seed in range(10, 16):
        bad = dict.fromkeys(("auxiliary_averaged", "plain_averaged", "calibrated_averaged"), -0.02)
        seen = losses(seed, **bad)
        chooser.see({arm: seen[arm] for arm in chooser.alive}, teacher(seen, -0.06))
    assert chooser.choice == NONE
    assert chooser.muted


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 8))
def test_what_comes_later_changes_nothing_before(seed: int, window: int) -> None:
    first, second = Chooser(ARMS), Chooser(ARMS)
    for k in range(8):
        assert k > window or (first.choice, first.muted, first.alive) == (second.choice, second.muted, second.alive)
        one, other = losses(seed + k), losses(seed + k + (1000 if k >= window else 0))
        first.see({arm: one[arm] for arm in first.alive}, None)
        second.see({arm: other[arm] for arm in second.alive}, None)


def test_windows_without_rows_and_silent_teachers_tell_nothing() -> None:
    chooser = Chooser(ARMS)
    chooser.see({arm: np.zeros(0) for arm in ARMS}, np.zeros(0))
    seen = losses(0)
    chooser.see(seen, np.full(ROWS, np.nan))
    assert chooser.muted
    half = np.where(np.arange(ROWS) % 2, np.nan, teacher(seen, 0.1))
    chooser.see(seen, half)
    assert not chooser.muted


def test_an_arm_that_broke_never_serves() -> None:
    chooser = Chooser(("auxiliary-averaged", "plain-averaged", NONE))
    for seed in range(8):
        seen = losses(seed, plain_averaged=0.01)
        seen["auxiliary-averaged"] = np.full(ROWS, np.nan)
        chooser.see({arm: seen[arm] for arm in chooser.alive}, None)
        assert chooser.choice != "auxiliary-averaged"
    assert chooser.choice == "plain-averaged"
    assert "auxiliary-averaged" not in chooser.alive
