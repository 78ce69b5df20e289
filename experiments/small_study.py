"""A small study on a simulated log, for experiments in which what matters is not what the search finds."""

from __future__ import annotations

from pathlib import Path

from automl.data.simulated.log import simulate

_STUDY = """\
name: small
{plugins}data:
  path: log/log.parquet
  join:
    - {{path: log/users.parquet, on: user_id}}
    - {{path: log/items.parquet, on: item_id}}
  time: {{column: time_ms, unit: ms, timezone: UTC}}
  label: click
  cluster: user_id
  features:
    categorical: {{user_id: {{}}, item_id: {{}}, category: {{}}, tab: {{}}, device: {{}}}}
    dense: [price]
  split:
    train: [2024-03-04, 2024-03-09]
    validate: [2024-03-10, 2024-03-10]
    test: [2024-03-11, 2024-03-11]
space: space.yaml
baseline: baseline.yaml
search: {{batch: 4, stop_early: false}}
trial: {{training: {training}, timeout: {timeout}, memory: {memory}}}
qps: {{clock: analytic}}
baseline_seeds: 2
finals: {{margin_pct: 0.5, seeds: 3, repeats: 2}}
seed: 3
"""
SPACE = """\
embedding: {dim: {choice: [2, 4, 8]}, lr: {log: [0.01, 0.3], default: 0.05}}
interaction:
  repeat: {int: [0, 2]}
  one_of:
    cross: {rank: {choice: [2, 4]}}
    fm: {}
    linear: {}
deep: {repeat: 1, mlp: {width: {choice: [8, 16, 32]}, dropout: {float: [0, 0.2]}}}
train: {batch_size: {choice: [64, 128]}, dense_lr: {log: [0.001, 0.01]}}
"""
BASELINE = """\
embedding: {dim: 8, lr: 0.05}
interaction: [{cross: {rank: 4}}]
deep: [{mlp: {width: 32}}]
train: {batch_size: 128, dense_lr: 0.003}
"""


def write_small_study(
    folder: Path,
    *,
    rows: int = 6000,
    plugin: Path | None = None,
    training: str = "standard",
    timeout: str = "10m",
    memory: str = "2GiB",
) -> Path:
    """The study, its space, baseline and log; its file. A trial takes about a second."""
    simulate(folder / "log", rows=rows, users=300, items=100, seed=1)
    (folder / "space.yaml").write_text(SPACE)
    (folder / "baseline.yaml").write_text(BASELINE)
    plugins = "" if plugin is None else f"plugins: [{plugin}]\n"
    file = folder / "study.yaml"
    file.write_text(_STUDY.format(plugins=plugins, training=training, timeout=timeout, memory=memory))
    return file
