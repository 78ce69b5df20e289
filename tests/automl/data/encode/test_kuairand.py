"""The real log, encoded against pandas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from automl.commands.log_encoders import log_encoders, log_pasts
from automl.commands.served_tables import rows_to_count, tables_as_logged
from automl.data.describe.tables import DataConfig
from automl.data.encode.log import encode_log, encode_plan
from automl.data.encode.plan import make_plan
from automl.data.store.history import History
from automl.data.store.served_lists import EncodedLists
from experiments.kuairand import DAYS, FEATURES, HISTORY, SEQUENCES, SPLIT, TABLES


def description(label: object) -> DataConfig:
    """Some of its features: what can be told apart in pandas."""
    categorical = ["user_id", "video_id", "author_id", "tab", "tag", "onehot_feat4", "user_active_degree", "@hour"]
    features = {"categorical": {name: {} for name in categorical}, "dense": FEATURES["dense"]}
    return DataConfig.model_validate({**TABLES, "label": label, "features": features, "split": SPLIT})


def bytes_of(lists: History | EncodedLists, stop_N: NDArray[np.int64], count_N: NDArray[np.int32]) -> list[bytes]:
    """Of each row its list: ids, times and actions."""
    columns = [np.asarray(one) for one in (lists.ids_P, lists.times_P, lists.actions_P) if one is not None]
    spans = zip((stop_N - count_N).tolist(), stop_N.tolist(), strict=True)
    return [b"|".join(column[start:stop].tobytes() for column in columns) for start, stop in spans]


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


def test_the_test_days_are_served_from_the_evening_before(kuairand: Path, tmp_path: Path) -> None:
    """Every id, number and list of 28,749 rows, with eight features and a sequence that are made of earlier rows, and a
    sequence of a side table; the log has duplicates."""
    features = {
        "categorical": {"user_id": {}, "video_id": {}, "@hour": {}},
        "dense": FEATURES["dense"],
        "counters": {"keys": ["user_id", "author_id", ["user_id", "tag"]], "labels": ["is_click"]},
        "recent": {"keys": [["user_id", "author_id"]], "within": "3d"},
        "sequence": SEQUENCES,
    }
    config = DataConfig.model_validate(
        {**TABLES, "join": [*TABLES["join"], HISTORY], "label": "is_click", "features": features, "split": SPLIT}
    )
    plan = make_plan(config, kuairand)
    log = encode_plan(plan, tmp_path, fit=("train", "validate"))
    encoders, test = log_encoders(log.folder, plan), log.windows["test"]
    assert log.times_N is not None
    cut, last = int(log.times_N[test.start]), int(log.times_N[test.stop - 1])
    (past,) = log_pasts(plan, encoders, log.fingerprint, tmp_path, [cut])

    table = pq.read_table(kuairand / "log.parquet")
    times = table["time_ms"].to_numpy() * 10**6
    pq.write_table(table.filter(pa.array((times >= cut) & (times <= last))), tmp_path / "days.parquet")
    sides = (("user_id", "user_features"), ("video_id", "video_features_basic"), ("user_id", HISTORY["path"][:-8]))
    joins = [f"{key}={kuairand}/{name}.parquet" for key, name in sides]
    (tmp_path / "scratch").mkdir()
    made = past.features(rows_to_count(past, str(tmp_path / "days.parquet"), joins), tmp_path / "scratch")
    rows = pa.concat_tables(tables_as_logged(encoders, str(tmp_path / "days.parquet"), joins, ["time_ms"]))
    found = encoders.encode(made.beside(rows))
    served = np.unique(
        np.concatenate([rows["time_ms"].to_numpy()[:, None] * 1.0, found.ids_BF, found.dense_BD], 1), axis=0
    )
    held = np.concatenate([log.times_N[test][:, None] // 10**6 * 1.0, log.ids_NF[test], log.dense_ND[test]], 1)
    np.testing.assert_array_equal(served, np.unique(held, axis=0))
    of_log = [bytes_of(history, history.stop_N[test], history.count_N[test]) for history in log.histories]
    of_rows = [bytes_of(lists, lists.stop_B, lists.count_B) for lists in found.histories]
    times = rows["time_ms"].to_numpy() * 10**6
    assert set(zip(times.tolist(), map(bytes, found.ids_BF), *of_rows, strict=True)) == set(
        zip(log.times_N[test].tolist(), map(bytes, np.asarray(log.ids_NF)[test]), *of_log, strict=True)
    )
