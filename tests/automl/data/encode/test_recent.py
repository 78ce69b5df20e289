"""What is recent in a study's log, against a double loop; what a row saw does not change with what comes later."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from automl.data.describe.tables import DataConfig
from automl.data.encode.log import encode_log
from search_spaces.errors import InputError
from tests.automl.data.conftest import DAY_MS, START_MS
from tests.automl.data.past.test_recent import naive

Describe = Callable[..., DataConfig]
Write = Callable[..., Path]
COUNTED = {"keys": ["user"], "labels": ["click"], "every": "day"}


def features(**recent: Any) -> dict[str, Any]:
    return {"categorical": {"user": {}, "word": {}}, "dense": ["price"], "recent": recent}


def test_a_log_has_them_standardised_after_its_dense_features(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    write(columns)
    told = features(keys=["user", ["user", "word"]], within="2d")
    log = encode_log(describe(features=told), tmp_path, tmp_path / "cache")
    names = ("@since(user)", "@seen(user)", "@since(user x word)", "@seen(user x word)")
    assert log.dense == ("price", *names)
    order = np.argsort(columns["time_ms"], kind="stable")
    user, time = np.asarray(columns["user"])[order].tolist(), np.asarray(columns["time_ms"])[order].tolist()
    wanted = naive([u + 1 for u in user], time, 2 * 86_400)
    train = log.windows["train"]
    for k, of_rows in enumerate(wanted, 1):
        of_train = of_rows[train]
        expected = (of_rows - of_train.mean()) / of_train.std()
        np.testing.assert_allclose(np.asarray(log.dense_ND)[:, k], expected, atol=1e-4)
    assert [feature.kind for feature in log.features[2:]] == ["dense", *["counter"] * 4]


def test_later_rows_change_nothing_of_what_earlier_ones_saw(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    told = describe(features=features(keys=["user"], within="3d"))
    early = np.asarray(columns["time_ms"]) < START_MS + 5 * DAY_MS
    kept = early | (np.arange(len(early)) % 3 > 0)
    both = []
    for name, rows in (("all", np.ones(len(early), bool)), ("fewer", kept)):
        (tmp_path / name).mkdir()
        write({key: pa.array(values).filter(pa.array(rows)) for key, values in columns.items()}, f"{name}/log.parquet")
        log = encode_log(told, tmp_path / name, tmp_path / name / "cache")
        both.append(np.asarray(log.dense_ND)[: log.windows["validate"].stop])
    np.testing.assert_array_equal(*both)


@pytest.mark.parametrize("given", [None, "click"])
def test_rows_that_are_no_examples_are_past_too(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe, given: str | None
) -> None:
    """Before the windows, between them, and where no label is given."""
    write(columns)
    told = describe(
        features={**features(keys=["user"], within="5d"), "dense": [], "counters": COUNTED},
        label={"column": "buy", "given": given},
        split={
            "train": ["2024-01-02", "2024-01-03"],
            "validate": ["2024-01-05", "2024-01-05"],
            "test": ["2024-01-06", "2024-01-06"],
        },
    )
    log = encode_log(told, tmp_path, tmp_path / "cache")
    order = np.argsort(columns["time_ms"], kind="stable")
    sorted_columns = {name: np.asarray(values)[order] for name, values in columns.items() if name != "word"}
    days = (sorted_columns["time_ms"] - START_MS) // DAY_MS
    kept = np.isin(days, (1, 2, 4, 5)) & (sorted_columns["click"] == 1 if given else True)
    user, time = sorted_columns["user"].tolist(), sorted_columns["time_ms"].tolist()
    seen = naive([u + 1 for u in user], time, 5 * 86_400)[1]
    count = np.array(
        [math.log1p(((sorted_columns["user"] == u) & (days < day)).sum()) for u, day in zip(user, days, strict=True)]
    )
    train = np.isin(days[kept], (1, 2))
    for name, of_rows in (("@seen(user)", seen[kept]), ("@count(user)", count[kept])):
        expected = (of_rows - of_rows[train].mean()) / of_rows[train].std()
        np.testing.assert_allclose(np.asarray(log.dense_ND)[:, log.dense.index(name)], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"features": features(keys=["nobody"])}, r"features\.recent\.keys\.0: nobody must be a column"),
        ({"features": features(keys=["click"])}, "a feature must be known before the label is; click is the label"),
    ],
)
def test_a_key_that_is_no_column_is_told(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe, changes: dict[str, Any], words: str
) -> None:
    write(columns)
    with pytest.raises(InputError, match=words):
        encode_log(describe(**changes), tmp_path, tmp_path / "cache")


def test_rows_drawn_at_random_have_no_past() -> None:
    with pytest.raises(ValueError, match="recent must have a split by days"):
        DataConfig.model_validate(
            {
                "path": "log.parquet",
                "label": "click",
                "features": {"categorical": {"user": {}}, "recent": {"keys": ["user"]}},
                "split": {"random": {"train": 0.8, "validate": 0.1, "test": 0.1}},
            }
        )
