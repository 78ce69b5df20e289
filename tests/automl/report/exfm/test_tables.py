"""All numbers as rows of a table."""

from __future__ import annotations

from automl.report.exfm.tables import rows_of
from tests.worlds.report_exfm import make_exfm, one_class


def test_gains_are_corrected_where_a_correction_is_known() -> None:
    student = make_exfm(1, p=0.01).students["v1"]
    (row, *_) = [row for row in rows_of(student) if row.recipe == "auto"]
    assert (row.part.name, row.p) == ("all", "0.020")
    (row, *_) = [row for row in rows_of(student) if row.recipe == "auto" and row.part.name == "new user"]
    assert row.p == "0.010"


def test_every_recipe_and_the_teacher_has_a_row() -> None:
    student = make_exfm(1).students["v1"]
    parts = ["all", *student.segments]
    found = [(row.part.name, row.recipe) for row in rows_of(student)]
    assert found == [(part, name) for part in parts for name in ("no teacher", "auto", "plain", "teacher")]
    assert rows_of(one_class(make_exfm(1), "v1", None).students["v1"]) == []
