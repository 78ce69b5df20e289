"""Gains of students over no teacher, corrected over all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.exfm.scores import Scored, correct, figures
from automl.stats.compared import ScoredRows
from automl.stats.metrics import NESums

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
    shown = figures(scored({"plain": 0.0}))
    gain = shown["recipes"]["plain"]["gain"]
    assert (gain["pct"], gain["low_pct"], gain["high_pct"], gain["p"]) == (0, 0, 0, 1)
    assert shown["recipes"]["none"]["gain"] is None
    assert shown["recipes"]["plain"]["ne"] == shown["recipes"]["none"]["ne"]


def test_a_gain_is_of_the_mean_ne() -> None:
    part = scored({"plain": 0.4, "worse": -0.4})
    shown = figures(part)
    for name in ("none", "plain", "worse"):
        by_seed = [NESums.of(part.rows.labels_N, p_N).ne for p_N in part.probs_SN[name]]
        assert shown["recipes"][name]["ne_by_seed"] == by_seed
    gain = shown["recipes"]["plain"]["gain"]
    ne = {name: shown["recipes"][name]["ne"] for name in shown["recipes"]}
    assert gain["pct"] == pytest.approx(100 * (ne["plain"] / ne["none"] - 1))
    assert gain["low_pct"] < gain["pct"] < gain["high_pct"] < 0
    assert shown["recipes"]["worse"]["gain"]["low_pct"] > 0


def test_the_teachers_headroom_is_on_the_rows_that_it_scored() -> None:
    part = scored({})
    part.teacher_N[: ROWS // 2] = np.nan
    shown = figures(part)["teacher"]
    half = part.part(np.arange(ROWS) >= ROWS // 2)
    student = np.mean([NESums.of(half.rows.labels_N, p_N).ne for p_N in half.probs_SN["none"]])
    assert shown["coverage"] == 0.5
    assert shown["ne"] == NESums.of(half.rows.labels_N, half.teacher_N).ne
    assert shown["headroom_pct"] == pytest.approx(100 * (shown["ne"] / student - 1))
    assert shown["headroom_pct"] < 0
    silent = figures(scored({}, teacher=None))["teacher"]
    assert silent == {"coverage": 0.0, "ne": None, "calibration": None, "headroom_pct": None}


def test_of_one_class_only_the_rows_are_shown() -> None:
    part = scored({"plain": 0.2})
    assert figures(part.part(part.rows.labels_N == 0)) == {"rows": int((part.rows.labels_N == 0).sum())}
    assert figures(part.part(np.zeros(ROWS, bool))) == {"rows": 0}


def test_parts_are_scored_as_sets_of_their_own() -> None:
    part = scored({"plain": 0.3})
    window = part.part(part.windows_N == 1)
    shown = figures(window)
    assert shown["rows"] == 1000
    assert shown["base_rate"] == pytest.approx(window.rows.labels_N.mean())
    one_user = part.part(part.rows.clusters_N == part.rows.clusters_N[0])
    if one_user.rows.both_classes:
        assert np.isfinite(figures(one_user)["recipes"]["plain"]["gain"]["pct"])


def student(p: dict[str, float], headroom: float | None = -2.0) -> dict[str, Any]:
    recipes: dict[str, Any] = {name: {"gain": {"pct": -1.0, "p": value}} for name, value in p.items()}
    return {
        "own": "auto",
        "all": {"recipes": {"none": {"gain": None}, **recipes}, "teacher": {"headroom_pct": headroom}},
    }


def test_holm_is_over_what_was_named_before_and_apart_over_what_was_compared() -> None:
    students = {"a": student({"plain": 0.01, "auto": 0.04}), "b": student({"plain": 0.02, "auto": 0.03}, 0.5)}
    correct(students)
    found = {
        (s, name): students[s]["all"]["recipes"][name]["gain"]["p_corrected"]
        for s in ("a", "b")
        for name in ("plain", "auto")
    }
    assert found == {
        ("a", "plain"): pytest.approx(0.02),
        ("b", "plain"): pytest.approx(0.02),
        ("a", "auto"): pytest.approx(0.06),
        ("b", "auto"): pytest.approx(0.06),
    }
    assert students["a"]["all"]["recipes"]["plain"]["transfer_ratio"] == pytest.approx(0.5)
    assert students["b"]["all"]["recipes"]["plain"]["transfer_ratio"] is None  # nothing to transfer
    alone = {"a": student({})}
    correct(alone)
    correct({"a": {"own": "auto", "all": {"rows": 3}}})
