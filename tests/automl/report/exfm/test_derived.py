"""What the page works out from results: means of what is known, shifts, segments that lose, speed of training."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from automl.report.exfm.derived import calibration_shift, harmed, mean, nothing_to_teach, student_seconds, training_of
from automl.study.exfm_figures import RecipeGain
from tests.worlds.report_exfm import make_exfm, one_class, with_recipe

STUDENT = make_exfm(1).students["v1"]
BARE = one_class(make_exfm(1), "v1", None).students["v1"]


def test_a_mean_is_of_what_is_known() -> None:
    assert mean([1.0, math.nan, 3.0]) == 2.0
    assert math.isnan(mean([math.nan]))
    assert math.isnan(mean([]))


def test_calibration_is_compared_by_its_distance_from_one() -> None:
    whole = with_recipe(with_recipe(STUDENT.all, "none", calibration=1.02), "auto", calibration=0.97)
    assert calibration_shift(replace(STUDENT, all=whole)) == pytest.approx(0.01)
    assert math.isnan(calibration_shift(BARE))


def test_a_segment_loses_where_its_whole_interval_is_above_zero() -> None:
    assert harmed(STUDENT) == ()
    segments = dict(STUDENT.segments)
    for name, low in (("new user", 0.1), ("heavy user", -0.1)):
        gain = RecipeGain.single(pct=0.3, low_pct=low, high_pct=0.9, p=0.5)
        segments[name] = with_recipe(segments[name], "auto", gain=gain)
    assert [part.name for part in harmed(replace(STUDENT, segments=segments))] == ["new user"]


def test_a_teacher_that_is_no_better_has_nothing_to_teach() -> None:
    assert not nothing_to_teach(STUDENT)
    assert nothing_to_teach(make_exfm(1, headroom_pct=0.0).students["v1"])
    assert not nothing_to_teach(BARE), "not known"


def test_training_is_timed_by_arm() -> None:
    found = training_of(STUDENT)
    assert found.rows == 50_000
    assert found.rate_without == pytest.approx(50_000 / 0.9)
    assert found.rate_taught == pytest.approx(50_000 / 1.2), "of the arms that heard the teacher"
    assert found.arms == pytest.approx(STUDENT.runs["auto"][0].train_seconds)
    assert found.slowdown == pytest.approx(4.6 / 0.9)
    assert student_seconds(STUDENT) == pytest.approx(3 * (4.6 + 0.9 + 0.9))
    none = training_of(replace(STUDENT, runs={}))
    assert (none.rows, none.arms, none.slowdown) == (0, {}, None)
    assert math.isnan(student_seconds(replace(STUDENT, runs={})))
