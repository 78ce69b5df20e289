"""A small study on a simulated log whose finals can be judged: on one test day or three, clustered by user."""

from __future__ import annotations

from pathlib import Path

from automl.data.simulated.log import simulate
from automl.testing.made_up import SPACE

JUDGED_STUDY = """\
name: small
data:
  path: log/log.parquet
  time: {column: time_ms, unit: ms}
  label: click
  cluster: user_id
  features: {categorical: {user_id: {}, item_id: {}, tab: {}}}
  split: {train: [2024-03-04, 2024-03-09], validate: [2024-03-10, 2024-03-10], test: [2024-03-11, 2024-03-11]}
space: space.yaml
baseline: baseline.yaml
qps: {clock: analytic, batch_rows: 64}
finals: {margin_pct: 0.3, seeds: 3}
trial: {timeout: 10s}
seed: 5
"""
JUDGED_BASELINE = "embedding: {dim: 32, lr: 0.05}\ninteraction: [{cross: {rank: 16}}]\ndeep: [{mlp: {width: 256}}]\n"


LAST_DAY = (
    "split: {train: [2024-03-04, 2024-03-09], validate: [2024-03-10, 2024-03-10], test: [2024-03-11, 2024-03-11]}"
)
THREE_DAYS = (
    "split: {train: [2024-03-04, 2024-03-07], validate: [2024-03-08, 2024-03-08], test: [2024-03-09, 2024-03-11]}"
)


def write_judged_study(folder: Path, *, three_days: bool = False) -> Path:
    """The log, the study and its baseline; the study file. `three_days`: of test, in place of one."""
    simulate(folder / "log", rows=16_000, users=400, items=80, seed=3)
    (folder / "baseline.yaml").write_text(JUDGED_BASELINE)
    (folder / "space.yaml").write_text(SPACE)
    file = folder / "study.yaml"
    file.write_text(JUDGED_STUDY.replace(LAST_DAY, THREE_DAYS) if three_days else JUDGED_STUDY)
    return file
