"""Intervals, models and what serves, in words."""

from __future__ import annotations

from dataclasses import replace

from automl.report.exfm.words import interval, serving, students_words
from automl.study.exfm_figures import RecipeGain
from search_spaces.model import Embedding
from tests.worlds.report_exfm import SMALL, make_exfm, one_class, with_student


def test_an_interval_has_both_ends() -> None:
    assert interval(RecipeGain.single(pct=-0.2, low_pct=-0.46, high_pct=0.02, p=0.1)) == "−0.46% to +0.02%"


def test_of_auto_the_arms_of_its_seeds_serve() -> None:
    student = make_exfm(1).students["v1"]
    assert serving(student).startswith("auto: plain-averaged (1 seed), calibrated-averaged (1 seed)")
    same = tuple(replace(run, serving="plain") for run in student.runs["auto"])
    assert serving(replace(student, runs={"auto": same})) == "auto: plain"
    assert serving(replace(student, own="plain")) == "plain"
    assert serving(one_class(make_exfm(1), "v1", None).students["v1"]) == "–"


def test_students_of_one_model_are_told_together() -> None:
    found = make_exfm(3)
    runs = found.students["v2"].runs
    larger = replace(SMALL, embedding=Embedding(dim=32))
    other = {name: tuple(replace(run, spec=larger) for run in each) for name, each in runs.items()}
    assert list(students_words(with_student(found, "v2", runs=other))) == ["v1 and v3", "v2"]
