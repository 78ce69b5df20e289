"""A gain of an ExFM student and its verdict."""

from __future__ import annotations

import math

import pytest

from automl.study.exfm_figures import RecipeGain, verdict_of

NAN = math.nan


@pytest.mark.parametrize(
    ("low", "high", "p", "verdict"),
    [
        (-0.5, -0.1, 0.01, "better"),
        (-0.5, -0.1, 0.05, "not proven"),
        (-0.5, 0.0, 0.01, "not proven"),
        (0.1, 0.5, 0.01, "worse"),
        (0.1, 0.5, 0.2, "not proven"),
        (NAN, NAN, 0.01, "not proven"),
        (-0.5, -0.1, NAN, "not proven"),
    ],
)
def test_a_verdict_needs_interval_and_p(low: float, high: float, p: float, verdict: str) -> None:
    assert verdict_of(low, high, p) == verdict


def test_a_corrected_gain_is_judged_by_the_corrected_p() -> None:
    gain = RecipeGain.single(pct=-0.3, low_pct=-0.5, high_pct=-0.1, p=0.03)
    assert (gain.verdict, gain.judged_p) == ("better", 0.03)
    corrected = gain.corrected(0.06)
    assert (corrected.verdict, corrected.judged_p, corrected.p) == ("not proven", 0.06, 0.03)
