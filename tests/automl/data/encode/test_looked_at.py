"""What the finder of leaks is given of a log on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from automl.data.describe.tables import DataConfig
from automl.data.encode import log as encoding
from automl.data.encode.log import encode_log
from automl.data.leaks.sample import Sample
from automl.data.store.told import Note
from tests.automl.data.conftest import START_MS, columns_of

Describe = Callable[..., DataConfig]
Write = Callable[..., Path]
HOUR_NS = 3_600 * 10**9


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[Sample]:
    """Every sample that the finder is given."""
    seen: list[Sample] = []

    def find(sample: Sample) -> list[Note]:
        seen.append(sample)
        return []

    monkeypatch.setattr(encoding, "find_leaks", find)
    return seen


def test_the_training_window_in_order_with_what_is_missing(
    tmp_path: Path, write: Write, describe: Describe, looked_at: list[Sample]
) -> None:
    columns = columns_of(4000)
    write(columns)
    features = {"categorical": {"user": {"min_count": 9}, "word": {}, "@hour": {}}, "dense": {"price": {}}}
    time = {"column": "time_ms", "unit": "ms", "timezone": "Asia/Shanghai"}
    encode_log(describe(features=features, time=time, cluster="user"), tmp_path, tmp_path / "cache")
    (sample,) = looked_at
    local = columns["time_ms"] + 8 * 3_600_000 - START_MS
    rows = np.flatnonzero(local < 4 * 86_400_000)
    rows = rows[np.argsort(columns["time_ms"][rows], kind="stable")]
    np.testing.assert_array_equal(sample.positive_N, columns["click"][rows] == 1)
    assert sample.times_N is not None
    assert sample.days_N is not None
    np.testing.assert_array_equal(sample.times_N, columns["time_ms"][rows] * 10**6)
    day = local[rows] // 86_400_000
    np.testing.assert_array_equal(sample.days_N - sample.days_N[0], day - day[0])
    user, word, hour, price = sample.columns
    assert [column.name for column in sample.columns] == ["user", "word", "@hour", "price"]
    assert user.codes.all(), "rare ids are told apart"
    assert user.word(int(user.codes[0])) == str(columns["user"][rows[0]])
    np.testing.assert_array_equal(word.codes == 0, np.asarray(columns["word"].is_null())[rows])
    np.testing.assert_array_equal(price.numbers, np.asarray(columns["price"].fill_null(np.nan))[rows])
    assert not any(column.joined for column in sample.columns)
    assert len(np.unique(hour.codes)) == 24
    (by_user,) = sample.keys
    assert by_user.name == "user"
    same = columns["user"][rows[1:]] == columns["user"][rows[:-1]]
    np.testing.assert_array_equal(by_user.codes_N[1:] == by_user.codes_N[:-1], same)


def test_the_last_rows_where_there_are_many(
    tmp_path: Path, write: Write, describe: Describe, looked_at: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = columns_of(4000)
    write(columns)
    monkeypatch.setattr(encoding, "ROWS", 1000)
    log = encode_log(describe(), tmp_path, tmp_path / "cache")
    (sample,) = looked_at
    train = log.windows["train"]
    assert log.times_N is not None
    np.testing.assert_array_equal(sample.times_N, log.times_N[train.stop - 1000 : train.stop])
    np.testing.assert_array_equal(sample.positive_N, log.labels_N[train.stop - 1000 : train.stop] == 1)


def test_ids_and_pairs_that_rows_go_by(
    tmp_path: Path, write: Write, describe: Describe, looked_at: list[Sample]
) -> None:
    columns = columns_of(6000)
    rng = np.random.default_rng(0)
    item = rng.integers(0, 150, 6000)
    columns |= {"item": item, "author": item // 1, "session": np.arange(6000), "user": rng.integers(0, 200, 6000)}
    write(columns)
    write({"item": np.arange(150), "weight_kg": rng.random(150)}, "items.parquet")
    names = ("user", "item", "author", "session", "word")
    features = {"categorical": {name: {} for name in names}, "dense": {"weight_kg": {}}}
    join = [{"path": "items.parquet", "on": "item"}]
    encode_log(describe(features=features, join=join), tmp_path, tmp_path / "cache")
    (sample,) = looked_at
    assert [key.name for key in sample.keys] == ["user", "item", "author", "user x item"]
    assert [column.name for column in sample.columns if column.joined] == ["weight_kg"]
    both = sample.keys[-1].codes_N
    assert len(np.unique(both)) == len(set(zip(sample.keys[0].codes_N, sample.keys[1].codes_N, strict=True)))


def test_a_log_without_a_time(tmp_path: Path, write: Write, describe: Describe, looked_at: list[Sample]) -> None:
    columns = columns_of(4000)
    write(columns)
    split = {"random": {"train": 0.8, "validate": 0.1, "test": 0.1}}
    encode_log(describe(time=None, split=split), tmp_path, tmp_path / "cache")
    (sample,) = looked_at
    assert sample.times_N is None
    assert sample.days_N is None


def test_notes_of_leaks_are_notes_of_the_log(tmp_path: Path, write: Write, describe: Describe) -> None:
    columns = columns_of(4000)
    rng = np.random.default_rng(0)
    columns["dwell_ms"] = pa.array(np.where(columns["click"] == 1, rng.gamma(2.0, 900.0, 4000), 0.0))
    write(columns)
    features = {"categorical": {"user": {}, "word": {}}, "dense": {"price": {}, "dwell_ms": {}}}
    log = encode_log(describe(features=features), tmp_path, tmp_path / "cache")
    (note,) = [note for note in log.notes if note.kind == "leak"]
    assert note.at == ("features", "dense", "dwell_ms")
    assert note.text.startswith("dwell_ms tells the label almost alone: rows above 0 are positive in 100%")
