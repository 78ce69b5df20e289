"""What is trained beside the finals, and how a gain is told in parts."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from automl.commands.parts import further_models, parts_of, with_training_of
from automl.stats.compared import ScoredRows
from automl.stats.verdicts import Verdict
from automl.study.results import Finals
from search_spaces.model import ModelSpec
from tests.automl.commands.test_tuning import problem_in
from tests.worlds.report_studies import make_finals, rich_history
from tests.worlds.studies import HUMAN, candidates

TUNED = replace(HUMAN, train=replace(HUMAN.train, dense_lr=3e-3))


@pytest.fixture
def found() -> Finals:
    """Two picks, the first better."""
    finals = make_finals(rich_history())
    better, other = (p for p in finals.picks if p.verdict in (Verdict.BETTER, Verdict.NO_BETTER))
    return replace(finals, picks=(replace(better, trial=1), replace(other, trial=2)), days=())


def models() -> dict[str, ModelSpec]:
    return {str(number): candidate.model for number, candidate in enumerate(candidates(2), 1)}


def test_a_better_pick_lends_its_training_knobs_to_the_tuned_baseline(found: Finals, tmp_path: Path) -> None:
    problem, picked = problem_in(tmp_path), models()
    further = further_models(problem.against(TUNED), found, picked)
    assert further == {"brought": HUMAN, "as1": with_training_of(TUNED, picked["1"])}
    between = further["as1"]
    assert (between.train, between.embedding.lr) == (picked["1"].train, picked["1"].embedding.lr)
    kept = replace(between, train=TUNED.train, embedding=TUNED.embedding)
    assert kept == TUNED
    assert between.embedding.dim == TUNED.embedding.dim


def test_where_the_model_as_brought_stays_it_is_not_trained_twice(found: Finals, tmp_path: Path) -> None:
    problem = problem_in(tmp_path)
    assert list(further_models(problem.against(HUMAN), found, models())) == ["as1"]
    none = replace(found, picks=found.picks[1:])
    assert further_models(problem, none, models()) == {}


def test_the_parts_add_up_and_are_paired(found: Finals) -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random(4000) < 0.3).astype(np.float64)
    window = ScoredRows(labels, np.ones(4000), np.zeros(4000, dtype=np.int32))

    def skilled(skill: float, orders: int = 3) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        logits = -0.9 + skill * (labels - 0.3) + rng.normal(0, 0.02, (orders, 4000))
        return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float64)

    probs = {
        "brought": skilled(0.1),
        "baseline": skilled(0.3, orders=5),
        "as1": skilled(0.35),
        "1": skilled(0.5, orders=5),
        "2": skilled(0.31, orders=2),
    }
    parts = parts_of(window, found, probs)
    assert parts.brought_ne == pytest.approx(window.ne(probs["brought"]).mean())
    assert parts.tuned_ci_low_pct < parts.tuned_gain_pct < parts.tuned_ci_high_pct < 0
    first, second = parts.picks
    assert (first.trial, second.trial) == (1, 2)
    assert first.brought_gain_pct < parts.tuned_gain_pct
    product = (1 + first.training_gain_pct / 100) * (1 + first.architecture_gain_pct / 100)
    direct = window.gains(probs["baseline"][:3], [probs["1"][:3]])[0].pct
    assert 100 * (product - 1) == pytest.approx(direct, abs=0.02)
    assert math.isnan(second.architecture_gain_pct)
    assert math.isfinite(second.brought_gain_pct)
    alone = parts_of(window, found, {name: probs[name] for name in ("baseline", "as1", "1", "2")})
    assert math.isnan(alone.brought_ne)
    assert math.isnan(alone.tuned_gain_pct)
    assert alone.picks[0].architecture_gain_pct == first.architecture_gain_pct
