"""A small study on a simulated log, whose baseline is cheap to train and to export."""

from __future__ import annotations

from pathlib import Path

from automl.data.simulated.log import simulate
from automl.study.problem import Problem, load_problem

BASELINE = "embedding: {dim: 8, lr: 0.05}\ninteraction: [{cross: {rank: 4}}]\ndeep: [{mlp: {width: 32, norm: batch}}]\n"


def problem_of(folder: Path, study: str) -> Problem:
    """The text of a study file whose log is log/log.parquet, with that log."""
    simulate(folder / "log", rows=12_000, users=300, items=80, seed=3)
    (folder / "study.yaml").write_text(study)
    (folder / "baseline.yaml").write_text(BASELINE)
    return load_problem(folder / "study.yaml")
