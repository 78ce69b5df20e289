"""The answer in words: no surer than the figures, and what must be said beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from automl.report.exfm.verdict import answer, notes, shipping
from automl.study.exfm_figures import RecipeGain
from tests.worlds.report_exfm import make_exfm, with_recipe


@pytest.mark.parametrize(
    ("change", "headline", "tone"),
    [
        ({"students": 1}, "The teacher helps v1: NE 0.4", "good"),
        ({"gain_pct": 0.5}, "The teacher harms 2 of 2 students: NE 0.5", "bad"),
        ({"students": 1, "gain_pct": 0.5}, "The teacher harms v1: NE 0.5", "bad"),
        ({"half_width_pct": 2.0}, "No gain proven yet: NE 0.4", "plain"),
        ({"p": 0.04}, "No gain proven yet: NE 0.4", "plain"),  # corrected, it is 0.08
        ({"half_width_pct": 2.0, "headroom_pct": 0.1}, "No gain: the teacher knows no more", "plain"),
        ({"recipes": ("none",)}, "Nothing to say of the teacher yet.", "plain"),
        ({"students": 20}, "The teacher helps 7 and harms 5 of 20 students: NE", "plain"),
    ],
)
def test_headline_is_no_surer_than_the_figures(change: dict[str, Any], headline: str, tone: str) -> None:
    found = answer(make_exfm(**change))
    assert found.headline.startswith(headline)
    assert found.tone == tone


def test_without_auto_the_best_recipe_is_named_and_said_to_flatter() -> None:
    result = make_exfm(1, recipes=("none", "plain", "auxiliary"))
    student = result.students["v1"]
    assert student.chosen is not None
    assert student.chosen.ne == min(recipe.ne for recipe in student.all.recipes.values())
    assert "known afterwards, it flatters" in answer(result).lead


def test_nothing_ships_that_loses_calibration_or_a_segment() -> None:
    good = make_exfm(1).students["v1"]
    assert shipping(good).decision == "yes"
    found = shipping(replace(good, all=with_recipe(good.all, "auto", calibration=1.3)))
    assert (found.decision, "→ 1.300" in found.why) == ("look first", True)
    worse = RecipeGain.single(pct=0.5, low_pct=0.2, high_pct=0.8, p=0.01)
    new_user = with_recipe(good.segments["new user"], "auto", gain=worse)
    found = shipping(replace(good, segments={**good.segments, "new user": new_user}))
    assert (found.decision, "Worse for new user." in found.why) == ("look first", True)
    assert shipping(make_exfm(1, gain_pct=0.5).students["v1"]).badge == "bad"


def test_notes_warn_only_where_there_is_something_to_warn_of() -> None:
    assert notes(make_exfm(2)) == ()
    told = " ".join(notes(make_exfm(2, headroom_pct=0.2, half_width_pct=2.0, muted=True)))
    assert "Nothing to teach: on the rows of v1 and v2" in told
    assert "auto did not hear the teacher any more at the end of the stream: v1 and v2." in told
    assert "3 seeds leave wide intervals" in told
    found = make_exfm(2, headroom_pct=-0.05)
    das = replace(found.das, coverage=0.8, calls_per_example=1.2, late=20_000)
    told = " ".join(notes(replace(found, das=das)))
    assert "Little to teach" in told
    assert "Only 80% of the examples have a prediction" in told
    assert "called 1.20 times an example" in told
    assert "12% of the labels came after the horizon." in told
