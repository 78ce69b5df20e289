"""Gains of students over no teacher, corrected over all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from automl.exfm.scores import Scored, corrected, figures
from automl.stats.compared import ScoredRows
from automl.stats.metrics import NESums
from automl.study.exfm_figures import PartFigures, RecipeFigures, RecipeGain, TeacherFigures
from automl.study.exfm_results import ModelCost, StudentResult

ROWS, SEEDS = 3000, 3


def scored(better: dict[str, float], *, seed: int = 0, teacher: float | None = 1.0) -> Scored:
    """Recipes whose logits are the truth and noise, less of it for those that are better."""
    rng = np.random.default_rng(seed)
    truth_N = rng.normal(size=ROWS) - 1
    labels_N = (rng.random(ROWS) < 1 / (1 + np.exp(-truth_N))).astype(float)
    noise_SN = rng.normal(size=(SEEDS, ROWS))
    probs = {
        name: 1 / (1 + np.exp(-(truth_N + (0.8 - less) * noise_SN))) for name, less in {"none": 0.0, **better}.items()
    }
    told_N = np.full(ROWS, np.nan) if teacher is None else 1 / (1 + np.exp(-teacher * truth_N))
    rows = ScoredRows(labels_N, np.ones(ROWS), rng.integers(0, 300, ROWS).astype(np.int32))
    return Scored(rows, np.arange(ROWS) // 1000, probs, told_N)


def test_equal_predictions_gain_nothing() -> None:
    recipes = figures(scored({"plain": 0.0})).recipes
    gain = recipes["plain"].gain
    assert gain is not None
    assert (gain.pct, gain.low_pct, gain.high_pct, gain.p, gain.verdict) == (0, 0, 0, 1, "not proven")
    assert recipes["none"].gain is None
    assert recipes["plain"].ne == recipes["none"].ne


def test_a_gain_is_of_the_mean_ne() -> None:
    part = scored({"plain": 0.4, "worse": -0.4})
    recipes = figures(part).recipes
    for name in ("none", "plain", "worse"):
        assert recipes[name].ne_by_seed == tuple(NESums.of(part.rows.labels_N, p_N).ne for p_N in part.probs_SN[name])
    better, worse = recipes["plain"].gain, recipes["worse"].gain
    assert better is not None
    assert worse is not None
    assert better.pct == pytest.approx(100 * (recipes["plain"].ne / recipes["none"].ne - 1))
    assert better.low_pct < better.pct < better.high_pct < 0
    assert worse.low_pct > 0
    assert (better.verdict, worse.verdict) == ("better", "worse")


def test_the_teachers_headroom_is_on_the_rows_that_it_scored() -> None:
    part = scored({})
    part.teacher_N[: ROWS // 2] = np.nan
    teacher = figures(part).teacher
    half = part.part(np.arange(ROWS) >= ROWS // 2)
    student = np.mean([NESums.of(half.rows.labels_N, p_N).ne for p_N in half.probs_SN["none"]])
    assert teacher.coverage == 0.5
    assert teacher.ne == NESums.of(half.rows.labels_N, half.teacher_N).ne
    assert teacher.headroom_pct == pytest.approx(100 * (teacher.ne / student - 1))
    assert teacher.headroom_pct < 0
    silent = figures(scored({}, teacher=None)).teacher
    assert silent.coverage == 0.0
    assert np.isnan([silent.ne, silent.calibration, silent.headroom_pct]).all()


def test_of_one_class_only_the_rows_are_known() -> None:
    part = scored({"plain": 0.2})
    negatives_N = part.rows.labels_N == 0
    for rows_N in (negatives_N, np.zeros(ROWS, bool)):
        found = figures(part.part(rows_N), "monday")
        assert (found.name, found.rows, found.recipes, found.without) == ("monday", rows_N.sum(), {}, None)
        assert np.isnan([found.base_rate, found.teacher.coverage, found.teacher.headroom_pct]).all()


def test_parts_are_scored_as_sets_of_their_own() -> None:
    part = scored({"plain": 0.3})
    window = part.part(part.windows_N == 1)
    found = figures(window)
    assert found.rows == 1000
    assert found.base_rate == pytest.approx(window.rows.labels_N.mean())
    one_user = part.part(part.rows.clusters_N == part.rows.clusters_N[0])
    if one_user.rows.both_classes:
        gain = figures(one_user).recipes["plain"].gain
        assert gain is not None
        assert np.isfinite(gain.pct)


def student(name: str, p: dict[str, float], headroom: float = -2.0) -> StudentResult:
    gains = {recipe: RecipeGain.single(pct=-1.0, low_pct=-2.0, high_pct=-0.5, p=value) for recipe, value in p.items()}
    recipes = {
        recipe: RecipeFigures(name=recipe, ne=0.9, ne_by_seed=(), calibration=1.0, gain=gains.get(recipe))
        for recipe in ("none", *p)
    }
    whole = PartFigures(name="all", rows=9, teacher=TeacherFigures(headroom_pct=headroom), recipes=recipes)
    cost = ModelCost(1, 1)
    return StudentResult(
        name=name, label="click", own="auto", rows=9, cost=cost, all=whole, windows=(), segments={}, runs={}
    )


def test_holm_is_over_what_was_named_before_and_apart_over_what_was_compared() -> None:
    students = (student("a", {"plain": 0.01, "auto": 0.04}), student("b", {"plain": 0.02, "auto": 0.03}, 0.5))
    first, second = corrected(students)
    found = {
        (one.name, name): (recipe.gain.p, recipe.gain.p_corrected, recipe.gain.verdict)
        for one in (first, second)
        for name, recipe in one.all.recipes.items()
        if recipe.gain is not None
    }
    assert found == {
        ("a", "plain"): (0.01, pytest.approx(0.02), "better"),
        ("b", "plain"): (0.02, pytest.approx(0.02), "better"),
        ("a", "auto"): (0.04, pytest.approx(0.06), "not proven"),
        ("b", "auto"): (0.03, pytest.approx(0.06), "not proven"),
    }
    assert first.all.recipes["plain"].transfer_ratio == pytest.approx(0.5)
    assert np.isnan(second.all.recipes["plain"].transfer_ratio), "nothing to transfer"
    assert np.isnan(first.all.recipes["none"].transfer_ratio)
    alone = student("a", {})
    assert corrected([alone]) == (alone,)
    assert corrected([replace(alone, all=PartFigures(name="all", rows=3))])[0].all.recipes == {}
