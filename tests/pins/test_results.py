"""Finals and the figures of an ExFM student, worked out again from recorded predictions."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.commands.judge import Trained, judge
from automl.commands.repeats import BASELINE
from automl.exfm.scores import Scored, corrected, figures
from automl.stats.compared import ScoredRows
from automl.strategies.picks import Pick
from automl.study.exfm_figures import PartFigures
from automl.study.exfm_results import ModelCost, StudentResult
from automl.study.history import Origin, Proposal
from automl.study.problem import FINALS_FIT, encode, load_problem
from tests.pins.pinned import hold_numbers
from tests.worlds.judged import write_judged_study
from tests.worlds.studies import begun_study, candidates, complete, running

SKILLS = (0.15, 0.02, -0.15)  # how much more than the baseline a pick knows of the label


def _finals() -> Any:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        problem = load_problem(write_judged_study(folder))
        log = encode(problem, FINALS_FIT)
        study = begun_study(folder, space=problem.space)
        found = candidates(len(SKILLS), space=problem.space)
        trials = [running(number, one) for number, one in enumerate(found, 1)]
        begun = study.begin([Proposal(trial.candidate, Origin.RANDOM) for trial in trials], 1)
        for trial in begun:
            study.end(complete(trial, ne=0.89 + 0.001 * trial.number))
        labels_N = np.asarray(log.labels_N[log.windows["test"]], dtype=np.float64)
        rng = np.random.default_rng(0)
        probs = {
            name: 1 / (1 + np.exp(1 - (0.3 + skill) * (labels_N - 0.25) - rng.normal(0, 0.02, (5, len(labels_N)))))
            for name, skill in zip((BASELINE, *(str(trial.number) for trial in trials)), (0.0, *SKILLS), strict=True)
        }
        chosen = [Pick(t.number, role, -0.1) for t, role in zip(trials, ("accurate", "fast", "balanced"), strict=True)]
        found = judge(problem, log, Trained(probs), chosen, study, seeds=5).to_json()
        del found["version"]  # a name of the form, not a figure
        return json.loads(json.dumps(found))


def _student(name: str, seed: int) -> StudentResult:
    rng = np.random.default_rng(seed)
    rows, seeds = 3000, 3
    truth_N = rng.normal(size=rows) - 1
    labels_N = (rng.random(rows) < 1 / (1 + np.exp(-truth_N))).astype(float)
    noise_SN = rng.normal(size=(seeds, rows))
    probs = {
        recipe: 1 / (1 + np.exp(-(truth_N + noise * noise_SN)))
        for recipe, noise in {"none": 0.8, "plain": 0.7, "auto": 0.5, "auxiliary": 0.9}.items()
    }
    teacher_N = 1 / (1 + np.exp(-truth_N))
    teacher_N[: rows // 4] = np.nan
    compared = ScoredRows(labels_N, np.ones(rows), rng.integers(0, 300, rows).astype(np.int32))
    scored = Scored(compared, np.arange(rows) // 1000, probs, teacher_N)
    return StudentResult(
        name=name,
        label="click",
        own="auto",
        rows=rows,
        cost=ModelCost(1, 1),
        all=figures(scored),
        windows=tuple(figures(scored.part(scored.windows_N == k), str(k)) for k in range(3)),
        segments={},
        runs={},
    )


def _exfm() -> Any:
    students = corrected([_student(name, seed) for seed, name in enumerate(("home", "feed"))])
    return {
        student.name: {
            "own": student.own,
            "all": _recorded(student.all, whole=True),
            "windows": [{"name": part.name, **_recorded(part, whole=False)} for part in student.windows],
        }
        for student in students
    }


def _recorded(part: PartFigures, *, whole: bool) -> dict[str, Any]:
    """The figures as they were recorded: only those of all rows are corrected, and set against the headroom."""
    shown: dict[str, Any] = {}
    for name, recipe in part.recipes.items():
        gain = recipe.gain
        shown[name] = {"ne": recipe.ne, "ne_by_seed": list(recipe.ne_by_seed), "calibration": recipe.calibration}
        kept = ("pct", "low_pct", "high_pct", "p", *(["p_corrected"] if whole else []))
        shown[name]["gain"] = {key: getattr(gain, key) for key in kept} if gain else None
        if whole and gain:
            shown[name]["transfer_ratio"] = recipe.transfer_ratio
    return {"rows": part.rows, "base_rate": part.base_rate, "teacher": asdict(part.teacher), "recipes": shown}


RESULTS: Mapping[str, Callable[[], object]] = {"finals": _finals, "students": _exfm}


@pytest.mark.parametrize("name", RESULTS)
def test_recorded_predictions_are_worth_what_they_were(name: str) -> None:
    hold_numbers(name, RESULTS[name]())
