"""What the results of an ExFM run say of themselves: the chosen recipe, what Holm's correction is over."""

from __future__ import annotations

from dataclasses import replace

from search_spaces.distill import Distill
from tests.worlds.report_exfm import SMALL, make_exfm, one_class, with_student


def test_the_answer_is_of_the_own_recipe_or_of_the_best() -> None:
    student = make_exfm(1, recipes=("none", "auto", "plain")).students["v1"]
    assert student.taught == ("auto", "plain")
    assert student.chosen is student.all.recipes["auto"]
    assert student.verdict == "better"
    best = min(("auto", "plain"), key=lambda name: student.all.recipes[name].ne)
    for own in ("none", "own"):  # to have no teacher; a recipe without figures
        assert replace(student, own=own).chosen is student.all.recipes[best]
    bare = one_class(make_exfm(1), "v1", None).students["v1"]
    assert (bare.taught, bare.chosen, bare.gain, bare.verdict) == ((), None, None, "not measured")


def test_the_model_is_shown_without_what_taught_it() -> None:
    student = make_exfm(1).students["v1"]
    (run, *_) = student.runs["none"]
    taught = replace(run, spec=replace(SMALL, distill=Distill(heads="plain")))
    assert replace(student, runs={"own": (taught,)}).model == SMALL
    assert replace(student, runs={}).model is None


def test_a_run_knows_what_its_students_have() -> None:
    found = make_exfm(3, recipes=("none", "plain", "auto"))
    assert found.recipes == ("auto", "plain")
    assert found.segments == ("new user", "heavy user", "new video")
    assert found.compared == 3
    assert with_student(found, "v2", own="none", segments={}).compared == 2
    assert found.fm_core_seconds == 54.0
