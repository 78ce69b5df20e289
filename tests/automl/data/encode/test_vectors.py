"""Vectors of a log and of a joined table: encoded, judged, and the same when they are served."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from automl.commands.served_tables import tables_as_logged
from automl.data.describe.tables import DataConfig
from automl.data.encode.log import encode_log
from automl.data.encode.plan import make_plan
from automl.data.store.encoders import Encoders
from automl.data.store.log import EncodedLog
from search_spaces.errors import InputError
from tests.automl.data.conftest import DAY_MS, START_MS
from tests.automl.data.encode.test_log import same

Describe = Callable[..., DataConfig]
Write = Callable[..., Path]
JOIN = [{"path": "users.parquet", "on": "user"}]
COUNTED = {"keys": ["user"], "labels": ["click"]}


def told(**vectors: Any) -> dict[str, Any]:
    return {"categorical": {"user": {}, "word": {}}, "dense": {"price": {}}, "vectors": vectors}


@pytest.fixture
def log(columns: dict[str, Any], write: Write) -> dict[str, Any]:
    """With a vector in the log, of which a tenth are missing, and one of each user but the first hundred."""
    rng = np.random.default_rng(1)
    rows = len(columns["user"])
    title = rng.normal(3.0, 2.0, (rows, 4)).astype(np.float32)
    columns["title"] = pa.array(list(title), pa.list_(pa.float32()), mask=rng.random(rows) < 0.1)
    write(columns)
    taste = rng.normal(size=(300, 3))
    write(
        {"user": np.arange(1, 301), "taste": pa.FixedSizeListArray.from_arrays(pa.array(taste.ravel()), 3)},
        "users.parquet",
    )
    return columns


def encoded(folder: Path, config: DataConfig) -> EncodedLog:
    return encode_log(config, folder, folder / "cache")


def test_its_numbers_stand_last_standardised_each_on_its_own(
    tmp_path: Path, log: dict[str, Any], describe: Describe
) -> None:
    features = {**told(title={}, taste={"width": 3}), "counters": COUNTED}
    found = encoded(tmp_path, describe(features=features, join=JOIN))
    places = [*(f"@title[{k}]" for k in range(4)), *(f"@taste[{k}]" for k in range(3))]
    assert found.dense == ("price", "@rate(click | user)", "@count(user)", *places)
    assert found.vectors == {"title": slice(3, 7), "taste": slice(7, 10)}
    assert (found.inputs.dense, found.inputs.vectors) == (10, (4, 3))
    train = np.asarray(found.dense_ND[found.windows["train"]])
    given = train[:, 3:7].any(1)
    assert 0.85 < given.mean() < 0.95
    np.testing.assert_allclose(train[given, 3:7].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(train[given, 3:7].std(0), 1, atol=1e-5)
    feature = next(feature for feature in found.features if feature.name == "title")
    assert feature.kind == "vector"
    assert feature.missing["train"] == pytest.approx(1 - given.mean())
    np.testing.assert_allclose(feature.spread["train"], 1, atol=1e-6)


def test_it_is_the_same_however_it_is_written(tmp_path: Path, log: dict[str, Any], describe: Describe) -> None:
    expected = encoded(tmp_path, describe(features=told(title={})))
    table = pq.read_table(tmp_path / "log.parquet")
    half = len(table) // 2
    rows = table.to_pylist()
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for name, mark in (("log.csv", ","), ("log.tsv", "\t")):
        lines = [mark.join(table.column_names)]
        for row in rows:
            cells = ["" if value is None else str(value) for value in row.values()]
            lines.append(mark.join(f'"{cell}"' if mark in cell else cell for cell in cells))
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    (tmp_path / "two").mkdir()
    wide = table["title"].cast(pa.large_list(pa.float64()))
    pq.write_table(table.slice(0, half), tmp_path / "two" / "a.parquet")
    pq.write_table(table.set_column(7, "title", wide).slice(half), tmp_path / "two" / "b.parquet")
    for path in ("log.jsonl", "log.csv", "log.tsv", "two"):
        assert same(expected, encoded(tmp_path, describe(path=path, features=told(title={})))), path


def test_what_is_served_is_encoded_alike(tmp_path: Path, log: dict[str, Any], describe: Describe) -> None:
    from automl.commands.export import log_encoders

    config = describe(features=told(title={}, taste={}), join=JOIN)
    found = encoded(tmp_path, config)
    encoders: Encoders = log_encoders(found.folder, make_plan(config, tmp_path))
    assert {"title", "taste", "price", "user"} <= set(encoders.columns)
    joins = [f"user={tmp_path / 'users.parquet'}"]
    parts = [encoders.encode(part) for part in tables_as_logged(encoders, str(tmp_path / "log.parquet"), joins)]
    times = np.argsort(log["time_ms"], kind="stable")
    served = np.concatenate([part.dense_BD for part in parts])[times]
    np.testing.assert_array_equal(served, np.concatenate([found.dense_ND[found.windows[w]] for w in found.windows]))


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        (
            {"title": {"width": 5}},
            "data.features.vectors.title: title must hold vectors of 5 numbers, but found 4 in log",
        ),
        ({"word": {}}, "word must hold vectors"),
        ({"price": {}}, "data.features.vectors.price: price must hold vectors: lists of numbers, but found double"),
        ({"titel": {}}, "did you mean title?"),
        ({"@hour": {}}, "data.features.vectors.@hour: @hour must be a column of the log or of a joined table"),
        ({"taste": {}}, "taste must be a column of the log or of a joined table"),
    ],
)
def test_what_is_no_vector_is_told(
    tmp_path: Path, log: dict[str, Any], describe: Describe, vectors: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError) as caught:
        encoded(tmp_path, describe(features=told(**vectors)))
    assert any(word in str(caught.value) for word in words.split("|"))


def test_rows_of_another_length_are_counted(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    write({**columns, "title": [[1.0, 2.0]] + [[1.0, 2.0, 3.0]] * 2 + [[1.0, 2.0]] * 597})
    with pytest.raises(InputError, match=r"title must hold vectors of 2 numbers, but found 3 numbers \(2 rows\)"):
        encoded(tmp_path, describe(features=told(title={})))


def test_a_file_without_the_column_has_none(tmp_path: Path, log: dict[str, Any], describe: Describe) -> None:
    table = pq.read_table(tmp_path / "log.parquet")
    (tmp_path / "two").mkdir()
    pq.write_table(table.slice(0, 300), tmp_path / "two" / "a.parquet")
    pq.write_table(table.slice(300).drop_columns(["title"]), tmp_path / "two" / "b.parquet")
    found = encoded(tmp_path, describe(path="two", features=told(title={})))
    missing = next(feature.missing["train"] for feature in found.features if feature.name == "title")
    assert 0.4 < missing < 0.65


def test_a_list_as_an_id_is_pointed_to_vectors(tmp_path: Path, log: dict[str, Any], describe: Describe) -> None:
    with pytest.raises(InputError, match=r"title must hold one value a row, but found list.*\n.*name it under vectors"):
        encoded(tmp_path, describe(features={"categorical": {"user": {}, "title": {}}}))


def test_one_that_ends_before_validate_is_noted(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    late = columns["time_ms"] >= START_MS + 4 * DAY_MS
    vector = pa.array([[1.0 + k, 2.0] for k in range(600)], pa.list_(pa.float64()), mask=late)
    write({**columns, "title": vector})
    found = encoded(tmp_path, describe(features=told(title={})))
    notes = [note for note in found.notes if note.kind == "drift"]
    assert [note.at for note in notes] == [("features", "vectors", "title")]
    assert "title is missing in 100% of the validate rows and 100% of the test rows" in str(notes[0])
