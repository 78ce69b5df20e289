"""Every mistake in a data description is told with its place, and those that can be seen together are told together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from automl.data.describe.tables import DataConfig
from automl.data.encode.log import encode_log
from automl.data.store.log import open_log
from search_spaces.errors import InputError, Position

Describe = Callable[..., DataConfig]
Write = Callable[..., Path]

JOIN_USERS = [{"path": "users.parquet", "on": "user"}]
JOIN_FAR = [{"path": "far.parquet", "on": "user"}]
USER = {"categorical": {"user": {}}}
BAD_DESCRIPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "no file": ({"path": "nowhere.parquet"}, "data.path: nowhere.parquet must exist"),
    "no match": ({"path": "*.csv"}, "data.path: *.csv must exist"),
    "wrong kind": ({"path": "notes.txt"}, "must hold Parquet, Arrow, CSV, TSV or JSON lines, but found notes.txt"),
    "broken file": ({"path": "broken.parquet"}, "data.path: broken.parquet must be readable"),
    "empty": ({"path": "empty.parquet"}, "data.path: empty.parquet must hold rows"),
    "label": ({"label": "klick"}, "data.label.column: klick must be a column of log.parquet, but found no such column"),
    "label hint": ({"label": "clik"}, "did you mean click?"),
    "given": ({"label": {"column": "buy", "given": "clic"}}, "data.label.given: clic must be a column"),
    "not binary": ({"label": "price", "features": USER}, "data.label.column: price must be 0 or 1"),
    "a word as label": ({"label": "word", "features": USER}, "data.label.column: word must be 0 or 1"),
    "weight": ({"weight": "wait"}, "data.weight: wait must be a column"),
    "negative weight": ({"weight": "minus"}, "data.weight: minus must be finite and not negative"),
    "time": ({"time": {"column": "time"}}, "data.time.column: time must be a column"),
    "no time": ({"time": {"column": "word"}}, "data.time.column: word must hold times"),
    "timezone": (
        {"time": {"column": "time_ms", "timezone": "Mars/Base"}},
        "data.time.timezone: timezone must be one of the tz database",
    ),
    "unit": ({"time": {"column": "time_ms", "unit": "s"}}, "data.time.column: time_ms must hold times"),
    "feature": ({"features": {"categorical": {"usr": {}}}}, "data.features.categorical.usr: usr must be a column"),
    "made": ({"features": {"categorical": {"@hours": {}}}}, "did you mean @hour?"),
    "day": ({"features": {"categorical": {"@day": {}}}}, "data.features.categorical.@day: @day must not be a feature"),
    "leak": ({"features": {"categorical": {"click": {}}}}, "a feature must be known before the label is"),
    "dense": (
        {"features": {"categorical": {"user": {}}, "dense": {"word": {}}}},
        "data.features.dense.word: word must be numeric, but found string",
    ),
    "infinite": (
        {"features": {"categorical": {"user": {}}, "dense": {"wild": {}}}},
        "data.features.dense.wild: wild must be finite or missing, but found inf (1 row)",
    ),
    "lists": ({"features": {"categorical": {"history": {}}}}, "history must hold one value a row"),
    "cluster": ({"cluster": "nobody"}, "data.cluster: nobody must be a column"),
    "key": ({"join": [{"path": "users.parquet", "on": "usr"}]}, "data.join.0.on: usr must be a column of log.parquet"),
    "key kind": ({"join": [{"path": "users.parquet", "on": "word"}]}, "word must be of one kind"),
    "key twice": ({"join": JOIN_USERS, "features": USER}, "user must be unique in users.parquet, but found 2"),
    "no key found": ({"join": JOIN_FAR, "features": USER}, "user of log.parquet must be found in far.parquet"),
    "two tables": (
        {"join": JOIN_FAR, "features": {"categorical": {"price": {}}}},
        "data.features.categorical.price: price must be a column of one table",
    ),
    "no side table": ({"join": [{"path": "gone.parquet", "on": "user"}]}, "data.join.0.path: gone.parquet must exist"),
    "overlap": (
        {"split": {"train": ["2024-01-01", "2024-01-04"], "validate": ["2024-01-04"] * 2, "test": ["2024-01-06"] * 2}},
        "data.split.validate: validate must start after train ends (2024-01-04)",
    ),
    "backwards": (
        {"split": {"train": ["2024-01-04", "2024-01-01"], "validate": ["2024-01-05"] * 2, "test": ["2024-01-06"] * 2}},
        "data.split.train: train must start before it ends",
    ),
    "empty window": (
        {"split": {"train": ["2024-01-01", "2024-01-04"], "validate": ["2024-01-05"] * 2, "test": ["2025-01-01"] * 2}},
        "data.split.test: the test window must hold examples, but found none",
    ),
    "shares": (
        {"split": {"random": {"train": 0.9, "validate": 0.1, "test": 0.1}}},
        "data.split.random: shares of train, validate and test must sum to at most 1",
    ),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, columns: dict[str, Any], write: Write) -> Path:
    rows = len(columns["click"])
    wild = np.arange(rows, dtype=float)
    wild[5] = np.inf
    columns |= {"wild": wild, "minus": -wild, "history": pa.array([[1, 2]] * rows)}
    write(columns)
    write({"user": [1, 2, 2], "word": [1, 2, 3]}, "users.parquet")
    write({"user": [-1, -2], "price": [1.0, 2.0]}, "far.parquet")
    write({name: pa.table({name: values}).column(0).slice(0, 0) for name, values in columns.items()}, "empty.parquet")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    return tmp_path


@pytest.mark.parametrize("name", BAD_DESCRIPTIONS)
def test_a_bad_description_is_told(folder: Path, describe: Describe, name: str) -> None:
    changes, told = BAD_DESCRIPTIONS[name]
    with pytest.raises(InputError) as error:
        encode_log(describe(**changes), folder, folder / "cache")
    assert told in str(error.value)
    left = [path.name for path in (folder / "cache").glob("*") if path.is_dir()] if (folder / "cache").exists() else []
    assert left == []


def test_a_window_of_one_class_is_told(folder: Path, columns: dict[str, Any], write: Write, describe: Describe) -> None:
    last = np.asarray(columns["time_ms"]) >= 1_704_067_200_000 + 5 * 86_400_000
    write({**columns, "click": np.where(last, 1, columns["click"])})
    with pytest.raises(InputError, match=r"data\.split\.test: the test window must hold both classes of click.*only 1"):
        encode_log(describe(), folder, folder / "cache")


@pytest.mark.parametrize(("column", "must"), [("click", "click must be 0 or 1"), ("time_ms", "time_ms must be given")])
def test_missing_labels_and_times_are_counted(
    folder: Path, columns: dict[str, Any], write: Write, describe: Describe, column: str, must: str
) -> None:
    gaps = np.arange(len(columns[column])) % 100 == 0
    write({**columns, column: pa.array(columns[column], mask=gaps)})
    with pytest.raises(InputError, match=rf"{must}.*\(6 rows\)"):
        encode_log(describe(), folder, folder / "cache")


def test_all_that_can_be_seen_at_once_is_told_at_once(folder: Path, describe: Describe) -> None:
    features = {"categorical": {"usr": {}, "word": {}}, "dense": {"word": {}, "prize": {}}}
    config = describe(label="clik", weight="wait", features=features)
    with pytest.raises(InputError) as error:
        encode_log(config, folder, folder / "cache", where=lambda *path: Position("study.yaml", 7, len(path)))
    assert len(error.value.mistakes) == 5
    assert str(error.value.mistakes[0]).startswith("study.yaml:7:1: ")


def test_a_folder_without_a_log_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must hold an encoded log"):
        open_log(tmp_path)
