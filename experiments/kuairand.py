"""KuaiRand-Pure (Gao et al., CIKM 2022; CC BY-SA 4.0), described once, and study files over it.

The data is read where it lies, never copied.

Windows: train 2022-04-25..05-04, validate 05-05..05-06, test 05-07..05-08 (Asia/Shanghai). Ids, user, video and context
features; histories where they are asked for. Left out: all feedback columns but the label (known after the click), play
time, and the monthly video statistics (they look into the future).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from experiments.studies import write_files
from search_spaces.errors import InputError

_USER = (
    "user_active_degree is_live_streamer is_video_author follow_user_num_range fans_user_num_range "
    "friend_user_num_range register_days_range " + " ".join(f"onehot_feat{k}" for k in range(18))
).split()
_VIDEO = ["author_id", "video_type", "upload_type", "music_id", "music_type", "tag"]

TABLES: Mapping[str, Any] = {
    "path": "log.parquet",
    "join": [
        {"path": "user_features.parquet", "on": "user_id"},
        {"path": "video_features_basic.parquet", "on": "video_id"},
    ],
    "time": {"column": "time_ms", "unit": "ms", "timezone": "Asia/Shanghai"},
    "drop_duplicates": True,
    "cluster": "user_id",
}
FEATURES: Mapping[str, Any] = {
    "categorical": {name: {} for name in ("user_id", "video_id", "tab", "@hour", "@weekday", *_USER, *_VIDEO)},
    "dense": {"duration_ms": {"transform": "log"}},
}
HISTORY = {"path": "user_history_before_0425.parquet", "on": "user_id"}
SEQUENCES: Mapping[str, Any] = {
    "watched": {"of": "video_id", "by": "user_id", "actions": ["is_click", "long_view", "is_like"], "max_len": 50},
    "before": {"of": "video_id", "column": "watch_seq", "max_len": 50},
}
DAYS = ["2022-04-25", "2022-05-08"]
SPLIT = {
    "train": ["2022-04-25", "2022-05-04"],
    "validate": ["2022-05-05", "2022-05-06"],
    "test": ["2022-05-07", "2022-05-08"],
}
WEEK = {
    "train": ["2022-04-25", "2022-05-01"],
    "validate": ["2022-05-02", "2022-05-03"],
    "test": ["2022-05-04", "2022-05-08"],
}
CTR = "is_click"
CVR = {"column": "long_view", "given": "is_click"}

# Tuned on the grid of experiments/baseline_grid.py (validation window).
BASELINE = """\
embedding: {{dim: 16, lr: {embedding_lr}, min_count: 2}}
interaction: [{{cross: {{rank: 32}}}}, {{cross: {{rank: 32}}}}]
deep: [{{mlp: {{width: 256, dropout: 0.1}}}}, {{mlp: {{width: 128, dropout: 0.1}}}}]
train: {{batch_size: {batch_size}, dense_lr: {dense_lr}}}
"""
TUNED = {"embedding_lr": 0.05, "dense_lr": 0.001, "batch_size": 512}
TUNED_CVR = {"embedding_lr": 0.05, "dense_lr": 0.0005, "batch_size": 1024}


def kuairand_folder() -> Path:
    """Where the data lies: $AUTOML_SHARED/data/kuairand_pure_14d, or ../shared beside the checkout.

    Raises:
        InputError: where it does not.
    """
    shared = Path(os.environ.get("AUTOML_SHARED", Path(__file__).parents[2] / "shared"))
    folder = (shared / "data" / "kuairand_pure_14d").absolute()
    if not (folder / "log.parquet").exists():
        raise InputError.of(str(folder), "must hold KuaiRand-Pure (log.parquet)", "no such file", "set AUTOML_SHARED")
    return folder


def sequences(*names: str, delay: str = "0s") -> dict[str, Any]:
    """Some of SEQUENCES, those built from the log with a delay until what a user did is known."""
    return {name: {**SEQUENCES[name], **({"delay": delay} if "by" in SEQUENCES[name] else {})} for name in names}


def data_text(
    *, counters: Sequence[Mapping[str, Any]] = (), sequence: Mapping[str, Any] | None = None, **rest: Any
) -> str:
    """The `data:` part of a file over the log: its tables where they lie, its features, and the rest as it is given."""
    folder = kuairand_folder()
    sides = [*TABLES["join"], *([HISTORY] if "before" in (sequence or {}) else [])]
    joined = [{**side, "path": f"{folder}/{side['path']}"} for side in sides]
    features = {
        **FEATURES,
        **({"counters": list(counters)} if counters else {}),
        **({"sequence": dict(sequence)} if sequence else {}),
    }
    tree = {**TABLES, "path": f"{folder}/{TABLES['path']}", "join": joined, **rest, "features": features}
    out = StringIO()
    YAML().dump({"data": tree}, out)
    return out.getvalue()


def write_study(
    name: str,
    *,
    label: str | Mapping[str, str] = CTR,
    labels: Mapping[str, Any] | None = None,
    space: str = "ctr-small",
    baseline: Mapping[str, float] = TUNED,
    strategy: str = "controller",
    seed: int = 7,
    tune_baseline: int = 0,
    split: Mapping[str, Sequence[str]] = SPLIT,
    counters: Sequence[Mapping[str, Any]] = (),
    sequence: Mapping[str, Any] | None = None,
    reads: str = "",
    rest: str = "",
) -> Path:
    """Write studies/NAME/study.yaml and its baseline, over one label or several; the study file's path. `counters` are
    blocks of features, `sequence` lists of events (`sequences`), `reads` how the baseline reads them."""
    return write_files(
        name,
        data=data_text(
            split=split,
            counters=counters,
            sequence=sequence,
            **({"label": label} if labels is None else {"labels": labels}),
        ),
        baseline=BASELINE.format(**baseline) + (f"history: {reads}\n" if reads else ""),
        space=space,
        strategy=strategy,
        seed=seed,
        tune_baseline=tune_baseline,
        rest=rest,
    )
