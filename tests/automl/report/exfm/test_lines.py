"""A run in the terminal: a line a student, whatever is missing."""

from __future__ import annotations

import re

import pytest

from automl.report.exfm import exfm_lines
from automl.study.exfm_figures import RecipeGain
from tests.worlds.report_exfm import make_exfm, poor_runs, with_recipe, with_student


def test_lines_of_the_terminal() -> None:
    found = make_exfm(2, gain_pct=-0.5, headroom_pct=-1.0)
    gain = RecipeGain.single(pct=-0.5, low_pct=-0.7, high_pct=-0.3, p=0.001).corrected(0.002)
    whole = with_recipe(found.students["v1"].all, "none", ne=0.8634)
    whole = with_recipe(whole, "auto", gain=gain, transfer_ratio=0.5)
    (first, second) = exfm_lines(with_student(found, "v1", all=whole))
    shown = "v1 NE 0.8634 auto -0.50% [-0.70, -0.30] p 0.002 headroom -1.00% transfer 50% better"
    assert " ".join(first.split()) == shown
    assert first.isascii()
    assert second.startswith("v2  NE ")


@pytest.mark.parametrize("name", poor_runs())
def test_poor_runs_have_lines(name: str) -> None:
    found = poor_runs()[name]
    lines = exfm_lines(found)
    assert len(lines) == len(found.students)
    assert not [line for line in lines if re.search(r"\b(nan|None|inf)\b", line)]
