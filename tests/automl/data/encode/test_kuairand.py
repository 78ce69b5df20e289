"""The real log, encoded against pandas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.data.describe.tables import DataConfig
from automl.data.encode.log import encode_log
from experiments.kuairand import DAYS, FEATURES, SPLIT, TABLES


def description(label: object) -> DataConfig:
    """Some of its features: what can be told apart in pandas."""
    categorical = ["user_id", "video_id", "author_id", "tab", "tag", "onehot_feat4", "user_active_degree", "@hour"]
    features = {"categorical": {name: {} for name in categorical}, "dense": FEATURES["dense"]}
    return DataConfig.model_validate({**TABLES, "label": label, "features": features, "split": SPLIT})


def frame_of(folder: Path) -> pd.DataFrame:
    log = pd.read_parquet(folder / "log.parquet").drop_duplicates()
    log = log.merge(pd.read_parquet(folder / "user_features.parquet"), on="user_id", how="left")
    log = log.merge(pd.read_parquet(folder / "video_features_basic.parquet"), on="video_id", how="left")
    local = pd.to_datetime(log["time_ms"], unit="ms", utc=True).dt.tz_convert("Asia/Shanghai")
    log["day"], log["@hour"] = local.dt.strftime("%Y-%m-%d"), local.dt.hour
    return log[log["day"].between(*DAYS)]


def test_clicks_are_those_of_pandas(kuairand: Path, tmp_path: Path) -> None:
    log, frame = encode_log(description("is_click"), kuairand, tmp_path), frame_of(kuairand)
    for name, (first, last) in SPLIT.items():
        rows = frame[frame["day"].between(first, last)]
        span = log.windows[name]
        assert span.stop - span.start == len(rows)
        assert log.labels_N[span].sum() == rows["is_click"].sum()
        assert log.base_rates[name] == pytest.approx(rows["is_click"].mean(), rel=1e-6)
    assert bool((np.diff(np.asarray(log.times_N)) >= 0).all())
    train = frame[frame["day"] <= SPLIT["train"][1]]
    for k, name in enumerate(log.fields):
        counts = train[name].value_counts().to_numpy()
        np.testing.assert_array_equal(np.sort(log.inputs.id_counts[k]), np.sort(counts))
        ids = np.asarray(log.ids_NF[log.windows["train"], k])
        assert (ids == 0).sum() == train[name].isna().sum()
    assert len(set(log.clusters_N)) == frame["user_id"].nunique()


def test_likes_given_a_click(kuairand: Path, tmp_path: Path) -> None:
    log = encode_log(description({"column": "is_like", "given": "is_click"}), kuairand, tmp_path)
    frame = frame_of(kuairand)
    clicked = frame[frame["is_click"] == 1]
    assert len(log) == len(clicked)
    assert log.labels_N.sum() == clicked["is_like"].sum()
    assert 0.02 < log.base_rates["train"] < 0.05
