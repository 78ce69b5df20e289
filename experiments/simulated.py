"""A study over the click simulator's log, beside a DCN-V2 by hand: nothing but its number of rows is to be chosen."""

from __future__ import annotations

import json
from pathlib import Path

from experiments.large_log import simulated
from experiments.studies import STUDIES, write_files

WINDOWS = {"train": (1, 10), "validate": (11, 12), "test": (13, 14)}  # days of the log
_DATA = """\
data:
  path: {folder}/log.parquet
  join:
    - {{path: {folder}/users.parquet, on: user_id}}
    - {{path: {folder}/items.parquet, on: item_id}}
  time: {{column: time_ms, unit: ms, timezone: UTC}}
  label: click
  cluster: user_id
  features:
    categorical:
      user_id: {{min_count: 2}}
      item_id: {{min_count: 2}}
      author_id: {{min_count: 2}}
      tab: {{}}
      age_band: {{}}
      city: {{}}
      segment: {{}}
      device: {{}}
      category: {{}}
      tag: {{}}
      format: {{}}
      "@hour": {{}}
    dense: {{weeks_since_signup: {{}}, duration_ms: {{transform: log}}, price: {{transform: log}}}}
  split: {split}
"""
_BASELINE = """\
embedding: {dim: 16, lr: 0.05, min_count: 2}
interaction: [{cross: {rank: 32}}, {cross: {rank: 32}}]
deep: [{mlp: {width: 256}}, {mlp: {width: 128}}]
train: {batch_size: 1024, dense_lr: 0.001}
"""


def write_study(name: str, *, rows: int, space: str, strategy: str = "controller", seed: int = 1) -> Path:
    """Write studies/NAME/study.yaml and its baseline, and the log where it is not there; the study file's path."""
    folder = STUDIES / f"simulated-{rows}"
    folder.mkdir(parents=True, exist_ok=True)
    log = simulated(folder, rows).parent
    split = {
        window: [f"2024-03-{4 + first - 1:02d}", f"2024-03-{4 + last - 1:02d}"]
        for window, (first, last) in WINDOWS.items()
    }
    data = _DATA.format(folder=log.absolute(), split=json.dumps(split))
    return write_files(
        name, data=data, baseline=_BASELINE, space=space, strategy=strategy, seed=seed, tune_baseline=0, rest=""
    )
