"""A small made-up study: candidates of ctr-small, trials of every state, a baseline and its record in a folder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from automl.stats.seeds import trial_seeds
from automl.study.baselines import summarize_baseline
from automl.study.config import StudyConfig
from automl.study.facts import Facts
from automl.study.history import (
    Baseline,
    CurvePoint,
    Failure,
    History,
    Limit,
    Measurement,
    Origin,
    PartNE,
    Proposal,
    Speed,
    State,
    Trial,
)
from automl.study.record import Study
from automl.study.storage import open_study
from automl.testing import made_up
from search_spaces.blocks import Cross, Mlp
from search_spaces.model import Embedding, InputShape, Layer, ModelSpec, Train
from search_spaces.space import Candidate, SearchSpace

INPUTS = InputShape(id_counts=((50, 20, 5, 1), (30, 10, 2)), dense=2, train_rows=10_000)
HUMAN = ModelSpec(
    embedding=Embedding(dim=16, lr=0.02),
    interaction=(Layer((Cross(rank=32),)),),
    deep=(Mlp(width=128, dropout=0.1),),
    train=Train(batch_size=1024, dense_lr=1e-3),
)
STUDY_SEED = 7
BASELINE_NE, BASELINE_STD, BASELINE_QPS, BASELINE_TRAIN_QPS = 0.90, 0.001, 100_000.0, 40_000.0


@cache
def small_space() -> SearchSpace:
    return made_up.small_space().with_inputs(INPUTS)


def candidates(count: int, seed: int = 0, space: SearchSpace | None = None) -> list[Candidate]:
    """Different ones."""
    rng = np.random.default_rng(seed)
    found: dict[str, Candidate] = {}
    while len(found) < count:
        candidate = (space or small_space()).random(rng)
        found.setdefault(candidate.key, candidate)
    return list(found.values())


def proposals(count: int, seed: int = 0, space: SearchSpace | None = None) -> list[Proposal]:
    return [Proposal(candidate, Origin.RANDOM) for candidate in candidates(count, seed, space)]


def running(number: int, candidate: Candidate, *, round_: int = 1) -> Trial:
    return Trial(number=number, candidate=candidate, origin=Origin.RANDOM, state=State.RUNNING, round=round_)


def measured(
    candidate: Candidate, *, ne: float, ratio: float = 1.0, train_qps: float | None = BASELINE_TRAIN_QPS
) -> Measurement:
    cost = candidate.model.cost(INPUTS)
    return Measurement(
        ne=ne,
        auc=None if math.isnan(ne) else 0.75,
        calibration=None if math.isnan(ne) else 1.0,
        speed=Speed(qps_ratio=ratio, qps_ratio_low=0.98 * ratio, qps_ratio_high=1.02 * ratio, train_qps=train_qps),
        params=cost.params,
        flops=cost.flops,
        activation_bytes=cost.bytes,
        seconds={"build": 0.1, "time": 0.5, "train": 2.0, "score": 0.2},
    )


def curve(*window_ne: float, rows: int = 500) -> tuple[CurvePoint, ...]:
    """A point every `rows` rows."""
    points, total = [], 0.0
    for count, ne in enumerate(window_ne, 1):
        total += ne
        points.append(CurvePoint(rows * count, ne, total / count))
    return tuple(points)


def checked(*check_ne: float, rows: int = 500) -> tuple[CurvePoint, ...]:
    """A point every `rows` rows, each a stop with a check."""
    points = curve(*[0.95] * len(check_ne), rows=rows)
    return tuple(replace(point, check_ne=ne) for point, ne in zip(points, check_ne, strict=True))


def complete(trial: Trial, *, ne: float = BASELINE_NE, ratio: float = 1.0, **changes: Any) -> Trial:
    found = measured(trial.candidate, ne=ne, ratio=ratio)
    return replace(
        trial, **{"state": State.COMPLETE, "measurement": found, "started_at": 10.0, "ended_at": 13.0, **changes}
    )


def stopped(trial: Trial, *, ne: float = 0.95, ratio: float = 1.0) -> Trial:
    found = replace(measured(trial.candidate, ne=ne, ratio=ratio), auc=None, calibration=None)
    return replace(trial, state=State.STOPPED, measurement=found, curve=curve(1.0, 0.99))


def parked(trial: Trial, *, ne: float = 0.91, every: int = 8) -> Trial:
    """Trained on a part of the rows, and waiting."""
    ended = stopped(trial, ne=ne)
    assert ended.measurement is not None
    return replace(ended, curve=(), measurement=replace(ended.measurement, parts=(PartNE(every, ne + 0.02),)))


def pilot(trial: Trial, *, every: int = 8) -> Trial:
    """Trained on a part of the rows and on all of them."""
    ended = complete(trial)
    assert ended.measurement is not None
    return replace(ended, measurement=replace(ended.measurement, parts=(PartNE(every, 0.93),), pilot=True))


def failed(trial: Trial, kind: str = "error", reason: str = "RuntimeError: it fell over") -> Trial:
    return replace(trial, state=State.FAILED, failure=Failure(kind, reason))


def baseline_repeat(repeat: int, ne: float, *, model: ModelSpec = HUMAN) -> Trial:
    trial = Trial(number=0, candidate=Candidate({}, model), origin=Origin.BASELINE, state=State.RUNNING)
    return complete(trial, ne=ne, seeds=trial_seeds(STUDY_SEED, repeat))


def baseline(ne: float = BASELINE_NE, std: float = BASELINE_STD) -> Baseline:
    """Three repeats with exactly this mean and spread."""
    repeats = [baseline_repeat(repeat, ne + shift) for repeat, shift in enumerate((-std, 0.0, std))]
    return summarize_baseline(repeats, BASELINE_QPS)


def history(trials: Sequence[Trial], *, std: float = BASELINE_STD, limits: Sequence[Limit] = ()) -> History:
    return History(baseline(std=std), tuple(trials), tuple(limits))


def study_facts(**changes: Any) -> Facts:
    """What is written of a study when it starts."""
    facts = Facts(
        study_file="study.yaml",
        config_text="name: ads\n",
        data="d" * 32,
        baseline_key=HUMAN.key,
        baseline_qps=BASELINE_QPS,
        baseline_seeds=2,
        workers=2,
        command="automl search study.yaml",
        versions={"python": "3.11.2"},
        machine="Linux, 2 cores",
        started_at=1.7e9,
    )
    return replace(facts, **changes)


def add_baseline(study: Study, seeds: int = 2) -> None:
    """What the driver writes before the first trial."""
    study.note(study_facts(baseline_seeds=seeds))
    for repeat in range(seeds):
        trial = baseline_repeat(repeat, BASELINE_NE + BASELINE_STD * repeat)
        study.baselines.add_repeat(Proposal(trial.candidate, Origin.BASELINE), trial)


def begun_study(
    folder: Path, *, name: str = "ads", space: SearchSpace | None = None, limits: Sequence[Limit] = ()
) -> Study:
    """A study whose baseline is measured, without a trial."""
    study = open_study(folder, name, space or small_space(), limits)
    add_baseline(study)
    return study


def study_tree(**changes: Any) -> dict[str, Any]:
    """A study file as plain data; None removes a key."""
    tree: dict[str, Any] = {
        "name": "ads",
        "data": {
            "path": "log/log.parquet",
            "time": {"column": "time_ms", "unit": "ms"},
            "label": "click",
            "features": {"categorical": {"user_id": {}, "item_id": {}}},
            "split": {
                "train": ["2024-03-04", "2024-03-09"],
                "validate": ["2024-03-10", "2024-03-10"],
                "test": ["2024-03-11", "2024-03-11"],
            },
        },
        "space": "ctr-small",
        "baseline": "baseline.yaml",
        "baseline_seeds": 2,
        "search": {"strategy": "random", "batch": 4},
        "qps": {"clock": "analytic"},
        "seed": STUDY_SEED,
        **changes,
    }
    return {key: value for key, value in tree.items() if value is not None}


def study_config(**changes: Any) -> StudyConfig:
    return StudyConfig.model_validate(study_tree(**changes))


def key_of(trials: Sequence[Trial]) -> Mapping[int, str]:
    """Number to key."""
    return {trial.number: trial.candidate.key for trial in trials}
