"""Encoded columns against what pandas makes of the same log."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from automl.data.describe.tables import DataConfig
from automl.data.encode.log import encode_log, encode_plan
from automl.data.encode.plan import make_plan
from automl.data.store.log import EncodedLog, open_log
from automl.data.store.told import Note
from search_spaces.errors import InputError

Describe = Callable[..., DataConfig]
Write = Callable[..., Path]
WINDOWS = ("train", "validate", "test")


def sorted_frame(columns: dict[str, Any]) -> pd.DataFrame:
    frame = pa.table(columns).to_pandas()
    frame["day"] = (frame["time_ms"] - 1_704_067_200_000) // 86_400_000
    return frame.sort_values("time_ms", kind="stable").reset_index(drop=True)


def same(a: EncodedLog, b: EncodedLog) -> bool:
    pairs = [
        (getattr(a, name), getattr(b, name)) for name in ("ids_NF", "dense_ND", "labels_N", "weights_N", "times_N")
    ]
    return a.windows == b.windows and all(np.array_equal(x, y) for x, y in pairs)


def test_ids_count_down_and_dense_is_standard(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    write(columns)
    log = encode_log(describe(weight="weight"), tmp_path, tmp_path / "cache")
    frame = sorted_frame(columns)
    train = frame[frame["day"] < 4]
    assert log.windows == {
        "train": slice(0, len(train)),
        "validate": slice(len(train), len(train) + int((frame["day"] == 4).sum())),
        "test": slice(int((frame["day"] <= 4).sum()), len(frame)),
    }
    np.testing.assert_array_equal(log.times_N, frame["time_ms"] * 10**6)
    np.testing.assert_array_equal(log.labels_N, frame["click"])
    np.testing.assert_allclose(log.weights_N, frame["weight"], rtol=1e-6)
    for k, name in enumerate(log.fields):
        counts = train[name].value_counts()
        by_rank = sorted(counts.index, key=lambda value: (-counts[value], value))
        expected = frame[name].map({value: rank for rank, value in enumerate(by_rank, 1)}).fillna(0)
        np.testing.assert_array_equal(log.ids_NF[:, k], expected)
        assert log.inputs.id_counts[k] == tuple(counts[value] for value in by_rank)
    price = ((frame["price"] - train["price"].mean()) / train["price"].std(ddof=0)).fillna(0)
    np.testing.assert_allclose(log.dense_ND[:, 0], price, rtol=1e-5, atol=1e-6)
    assert (log.ids_NF.dtype, log.dense_ND.dtype, log.labels_N.dtype) == (np.int32, np.float32, np.float32)
    assert log.inputs.train_rows == len(train)
    rate = np.average(train["click"], weights=train["weight"])
    assert log.base_rates["train"] == pytest.approx(rate, rel=1e-6)


def test_the_log_transform_keeps_the_sign(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    columns["price"] = np.random.default_rng(1).normal(size=len(columns["click"])) * 100
    write(columns)
    features = {"categorical": {"user": {}}, "dense": {"price": {"transform": "log"}}}
    log = encode_log(describe(features=features), tmp_path, tmp_path / "cache")
    frame = sorted_frame(columns)
    logs = np.sign(frame["price"]) * np.log1p(frame["price"].abs())
    train = logs[frame["day"] < 4]
    np.testing.assert_allclose(log.dense_ND[:, 0], (logs - train.mean()) / train.std(ddof=0), rtol=1e-4, atol=1e-5)


def test_only_the_fit_windows_are_learned_from(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    """Whatever is in later days, the encoding of the training window stays."""
    write(columns)
    before = encode_log(describe(), tmp_path, tmp_path / "cache")
    late = np.asarray(columns["time_ms"]) >= 1_704_067_200_000 + 4 * 86_400_000
    columns["user"] = np.where(late, 10_000 + np.arange(len(late)), columns["user"])
    columns["price"] = np.where(late, 1e6, np.asarray(columns["price"].fill_null(1.0)))
    write(columns, "new/log.parquet")
    columns["price"] = np.where(late, 1.0, columns["price"])
    write(columns, "other/log.parquet")
    logs = [encode_log(describe(), tmp_path / folder, tmp_path / "cache") for folder in ("new", "other")]
    train = before.windows["train"]
    np.testing.assert_array_equal(before.ids_NF[train], logs[0].ids_NF[train])
    np.testing.assert_array_equal(logs[0].dense_ND[train], logs[1].dense_ND[train])
    assert not logs[0].ids_NF[logs[0].windows["test"], 0].any()
    both = encode_log(describe(), tmp_path, tmp_path / "cache", fit=("train", "validate"))
    assert both.inputs.train_rows == both.windows["validate"].stop
    assert both.fingerprint != before.fingerprint


def test_min_count_is_a_prefix(tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe) -> None:
    write(columns)
    full = encode_log(describe(), tmp_path, tmp_path / "cache")
    features = {"categorical": {"user": {"min_count": 5}, "word": {}}, "dense": {"price": {}}}
    cut = encode_log(describe(features=features), tmp_path, tmp_path / "cache")
    kept = full.inputs.table_rows(5)[0] - 1
    assert cut.inputs.id_counts[0] == full.inputs.id_counts[0][:kept]
    ids = np.asarray(full.ids_NF[:, 0])
    np.testing.assert_array_equal(cut.ids_NF[:, 0], np.where(ids <= kept, ids, 0))


def test_one_label_given_another(tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe) -> None:
    clicked = np.asarray(columns["click"]) == 1
    columns["buy"] = pa.array(columns["buy"], mask=~clicked)  # unknown where nobody clicked
    write(columns)
    config = describe(label={"column": "buy", "given": "click", "name": "cvr"})
    log = encode_log(config, tmp_path, tmp_path / "cache")
    frame = sorted_frame(columns)
    np.testing.assert_array_equal(log.labels_N, frame.loc[frame["click"] == 1, "buy"])
    assert log.label == "cvr"


def test_joined_columns_and_keys_that_are_not_there(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    write(columns)
    users = np.arange(1, 200)
    write(
        {"user": users.astype(np.int32), "city": [f"c{k % 7}" for k in users], "age": users % 50 + 0.5}, "users.parquet"
    )
    features = {"categorical": {"user": {}, "city": {}}, "dense": {"age": {}}}
    log = encode_log(
        describe(join=[{"path": "users.parquet", "on": "user"}], features=features), tmp_path, tmp_path / "cache"
    )
    user = sorted_frame(columns)["user"].to_numpy()
    missing = user >= 200
    assert missing.any()
    assert not log.ids_NF[missing, 1].any()
    assert not log.dense_ND[missing, 0].any()
    pairs = {(int(u) % 7, int(i)) for u, i in zip(user[~missing], log.ids_NF[~missing, 1], strict=True)}
    assert len(pairs) == 7  # one id a city
    assert np.corrcoef(user[~missing] % 50, log.dense_ND[~missing, 0])[0, 1] == pytest.approx(1.0)
    assert any(f"{missing.sum()} rows have no user in users.parquet" in note.text for note in log.notes)


def test_local_hours_days_and_clusters(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    write(columns)
    features = {"categorical": {"user": {}, "@hour": {}, "@weekday": {}}}
    time = {"column": "time_ms", "unit": "ms", "timezone": "Asia/Kolkata"}
    log = encode_log(describe(time=time, features=features, cluster="@day"), tmp_path, tmp_path / "cache")
    local = pd.DatetimeIndex(np.asarray(log.times_N), tz="UTC").tz_convert("Asia/Kolkata")
    days = {name: set(local[span].strftime("%Y-%m-%d")) for name, span in log.windows.items()}
    assert days == {
        "train": {f"2024-01-0{k}" for k in (1, 2, 3, 4)},
        "validate": {"2024-01-05"},
        "test": {"2024-01-06"},
    }
    for values, column in ((local.hour, 1), (local.day_of_week, 2)):
        pairs = pd.DataFrame({"value": values, "id": log.ids_NF[:, column]})
        train = pairs[: log.windows["train"].stop]
        assert train.groupby("id")["value"].nunique().max() == 1
    assert pd.Series(local.date).groupby(np.asarray(log.clusters_N)).nunique().max() == 1
    assert len(set(log.clusters_N)) == 6
    assert any("lie outside of the windows" in note.text for note in log.notes)  # Kolkata's 7 January has begun


@pytest.mark.parametrize("rows", [64, 1000])
def test_duplicates_are_dropped_wherever_they_lie(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe, rows: int
) -> None:
    once = pa.table(columns)
    rng = np.random.default_rng(5)
    twice = pa.concat_tables([once, once.take(rng.integers(0, len(once), 300))]).take(rng.permutation(len(once) + 300))
    pq.write_table(twice, tmp_path / "log.parquet", row_group_size=rows)
    write(columns, "once/log.parquet")
    dropped = encode_log(describe(drop_duplicates=True), tmp_path, tmp_path / "cache")
    clean = encode_log(describe(drop_duplicates=True), tmp_path / "once", tmp_path / "cache")
    assert same(dropped, clean)
    assert any("300 of 900 rows are exact duplicates" in note.text for note in dropped.notes)
    kept = encode_log(describe(), tmp_path, tmp_path / "cache")
    assert len(kept) == 900


def test_form_and_order_of_the_files_do_not_matter(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    columns["time_ms"] = np.unique(columns["time_ms"])  # no ties, so that one order is right
    count = len(columns["time_ms"])
    table = pa.table({name: values[:count] for name, values in columns.items()})
    one = tmp_path / "one"
    one.mkdir()
    pq.write_table(table, one / "log.parquet")
    expected = encode_log(describe(), one, tmp_path / "cache")
    shuffled = table.take(np.random.default_rng(0).permutation(count))
    many = tmp_path / "many" / "log"
    for k in range(3):
        (many / f"part{k}").mkdir(parents=True)
        pq.write_table(
            shuffled.slice(k * count // 3, -(-count // 3)), many / f"part{k}" / "x.parquet", row_group_size=50
        )
    (many / "_SUCCESS").write_text("")
    by_hour = (tmp_path / "hive" / "log").as_posix()
    ds.write_dataset(shuffled, by_hour, format="parquet", partitioning=["word"], partitioning_flavor="hive")
    assert same(expected, encode_log(describe(path="many/log"), tmp_path, tmp_path / "cache"))
    assert same(expected, encode_log(describe(path="many/log/part*/*.parquet"), tmp_path, tmp_path / "cache"))
    assert same(expected, encode_log(describe(path="hive/log"), tmp_path, tmp_path / "cache"))
    assert same(expected, encode_log(describe(path=f"file://{one}/log.parquet"), tmp_path, tmp_path / "cache"))


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz", "log.tsv"])
def test_csv_gives_the_same_as_parquet(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe, name: str
) -> None:
    write(columns)
    frame = pa.table(columns).to_pandas()
    frame.to_csv(tmp_path / name, index=False, sep="\t" if name.endswith("tsv") else ",")
    parquet = encode_log(describe(), tmp_path, tmp_path / "cache")
    assert same(parquet, encode_log(describe(path=name), tmp_path, tmp_path / "cache"))


@pytest.mark.parametrize("form", ["s", "us", "timestamp", "wall", "text", "seconds as float", "told by size"])
def test_any_form_of_time_gives_the_same(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe, form: str
) -> None:
    columns["time_ms"] = np.asarray(columns["time_ms"]) // 1000 * 1000
    write(columns)
    zone = "America/New_York"
    expected = encode_log(
        describe(time={"column": "time_ms", "unit": "ms", "timezone": zone}), tmp_path, tmp_path / "cache"
    )
    ms = columns["time_ms"]
    stamps = pd.to_datetime(ms, unit="ms", utc=True)
    made = {
        "s": ms // 1000,
        "us": ms * 1000,
        "timestamp": pa.array(ms, pa.timestamp("ms", tz="Asia/Tokyo")),
        "wall": pa.array(stamps.tz_convert(zone).tz_localize(None)),
        "text": [stamp.isoformat() for stamp in stamps],
        "seconds as float": ms / 1000,
        "told by size": ms,
    }
    unit = {"s": "s", "us": "us", "seconds as float": "s"}.get(form)
    write({**columns, "time_ms": made[form]}, "other/log.parquet")
    config = describe(time={"column": "time_ms", "unit": unit, "timezone": zone})
    log = encode_log(config, tmp_path / "other", tmp_path / "cache")
    assert same(expected, log)
    assert any("told by its size" in note.text for note in log.notes) == (form == "told by size")


def test_a_random_split_without_time(tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe) -> None:
    del columns["time_ms"]
    write(columns)
    shares = {"random": {"train": 0.6, "validate": 0.2, "test": 0.1, "seed": 3}}
    config = describe(time=None, split=shares)
    log = encode_log(config, tmp_path, tmp_path / "cache")
    assert log.times_N is None
    sizes = [log.windows[name].stop - log.windows[name].start for name in WINDOWS]
    np.testing.assert_allclose(np.array(sizes) / 600, [0.6, 0.2, 0.1], atol=0.07)
    again = encode_log(config, tmp_path, tmp_path / "cache2")
    np.testing.assert_array_equal(log.ids_NF, again.ids_NF)
    other = encode_log(
        describe(time=None, split={"random": {**shares["random"], "seed": 4}}), tmp_path, tmp_path / "cache"
    )
    assert other.windows != log.windows


def test_copies_of_a_row_never_fall_in_two_windows(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    del columns["time_ms"]
    once = pa.table(columns)
    pq.write_table(pa.concat_tables([once, once]), tmp_path / "log.parquet")
    shares = {"random": {"train": 0.6, "validate": 0.2, "test": 0.2}}
    log = encode_log(describe(time=None, split=shares, drop_duplicates=True), tmp_path, tmp_path / "cache")
    assert len(log) == len(once)


def test_encoded_once_and_opened_from_anywhere(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    write(columns)
    first = encode_log(describe(), tmp_path, tmp_path / "cache")
    stamp = (first.folder / "ids.npy").stat().st_mtime_ns
    moved = write(columns, "elsewhere/log.parquet")
    second = encode_log(describe(), moved.parent, tmp_path / "cache")
    assert second.folder == first.folder
    assert (second.folder / "ids.npy").stat().st_mtime_ns == stamp
    assert same(first, pickle.loads(pickle.dumps(first)))
    assert len(pickle.dumps(first)) < 1000
    assert same(first, open_log(first.folder))
    columns["click"] = 1 - np.asarray(columns["click"])
    write(columns, "elsewhere/log.parquet")
    assert encode_log(describe(), moved.parent, tmp_path / "cache").fingerprint != first.fingerprint


def swapped(folder: Path) -> None:
    labels = np.load(folder / "labels.npy")
    np.save(folder / "labels.npy", labels[::-1])


def cut(folder: Path) -> None:
    file = folder / "ids.npy"
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize(("damage", "named"), [(swapped, "labels.npy"), (cut, "ids.npy")])
def test_a_log_that_is_not_what_was_encoded_is_encoded_anew(
    tmp_path: Path,
    columns: dict[str, Any],
    write: Write,
    describe: Describe,
    damage: Callable[[Path], None],
    named: str,
) -> None:
    write(columns)
    expected = encode_log(describe(), tmp_path, tmp_path / "other")
    plan, cache, told = make_plan(describe(), tmp_path), tmp_path / "cache", list[str]()
    folder = encode_plan(plan, cache, fit=("train",), told=told.append).folder
    assert not told
    damage(folder)
    assert same(encode_plan(plan, cache, fit=("train",), told=told.append), expected)
    assert told == [f"{folder}: {named} is not what was written there; it is encoded anew"]
    encode_plan(plan, cache, fit=("train",), told=told.append)
    assert len(told) == 1


def test_what_a_killed_run_left_is_swept(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    write(columns)
    cache = tmp_path / "cache"
    fingerprint = encode_log(describe(), tmp_path, tmp_path / "other").fingerprint
    (cache / f"{fingerprint}.part" / "spill").mkdir(parents=True)
    (cache / fingerprint).mkdir()  # without facts: not whole
    log = encode_log(describe(), tmp_path, cache)
    assert len(log) == 600
    assert sorted(path.name for path in cache.iterdir() if path.is_dir()) == [fingerprint]


@pytest.mark.parametrize("size", [1000, 10])
def test_many_small_batches_and_buckets_give_the_same(
    tmp_path: Path,
    columns: dict[str, Any],
    write: Write,
    describe: Describe,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
) -> None:
    write(columns, row_group_size=37)
    expected = encode_log(describe(), tmp_path, tmp_path / "cache")
    monkeypatch.setattr("automl.data.encode.spill._BUCKET_BYTES", size)
    monkeypatch.setattr("automl.data.encode.rows._LEAST_ROWS", 20)
    monkeypatch.setattr("automl.data.encode.rows._RUN_BYTES", 1)
    small = encode_log(describe(), tmp_path, tmp_path / "small")
    np.testing.assert_array_equal(expected.times_N, small.times_N)
    np.testing.assert_array_equal(expected.labels_N, small.labels_N)
    np.testing.assert_array_equal(expected.ids_NF, small.ids_NF)
    np.testing.assert_allclose(expected.dense_ND, small.dense_ND, rtol=1e-5, atol=1e-6)
    for one, other in zip(expected.features, small.features, strict=True):
        assert (one.missing, one.unknown) == (other.missing, other.unknown)


def test_columns_of_every_kind(tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe) -> None:
    rng = np.random.default_rng(0)
    rows = len(columns["click"])
    number = rng.integers(0, 9, rows)
    columns |= {
        "none": pa.nulls(rows),
        "flag": pa.array(number > 4),
        "labelled": pa.array(rng.choice(["a", "b"], rows), mask=number == 0).dictionary_encode(),
        "stamp": pa.array(number * 10**9, pa.timestamp("ns")),
        "decimal": pa.array(number).cast(pa.decimal128(21, 2)),
        "large": number + 2**60,
        "real": pa.array(np.where(number == 8, np.nan, number / 2)),
    }
    write(columns)
    names = ("none", "flag", "labelled", "stamp", "decimal", "large", "real")
    features = {"categorical": {name: {} for name in names}, "dense": {"flag": {}, "decimal": {}, "real": {}}}
    log = encode_log(describe(features=features, drop_duplicates=True), tmp_path, tmp_path / "cache")
    assert [len(counts) for counts in log.inputs.id_counts] == [0, 2, 2, 9, 9, 9, 8]
    np.testing.assert_allclose(log.dense_ND[log.windows["train"]].std(axis=0)[:2], 1.0, rtol=1e-4)
    assert Note("none has no value in the fit windows", "feature", ("features", "categorical", "none")) in log.notes


def test_many_features_that_say_nothing_are_told_in_one_note(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    flat = {f"flat_{k}": np.ones(len(columns["user"])) for k in range(9)}
    write({**columns, **flat})
    config = describe(features={"categorical": {"user": {}}, "dense": list(flat)})
    log = encode_log(config, tmp_path, tmp_path / "cache")
    assert [str(note) for note in log.notes] == ["flat_0, flat_1, flat_2 and 6 more are constant in the fit windows"]


LABELS = {"ctr": "click", "cvr": {"column": "buy", "given": "click"}}


def test_several_labels_are_columns_that_are_missing_where_they_are_not_given(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    clicked = np.asarray(columns["click"]) == 1
    columns["buy"] = pa.array(columns["buy"], mask=~clicked)
    write(columns)
    log = encode_log(describe(label=None, labels=LABELS, weight="weight"), tmp_path, tmp_path / "cache")
    frame = sorted_frame(columns)
    assert log.labels_NT is not None
    assert (log.tasks, log.given, log.inputs.given) == (("ctr", "cvr"), (None, 0), (None, 0))
    np.testing.assert_array_equal(log.labels_NT, frame[["click", "buy"]])
    np.testing.assert_array_equal(log.labels_N, frame["click"])
    about = pickle.loads(pickle.dumps(log.about("cvr")))
    np.testing.assert_array_equal(about.labels_N, frame["buy"])
    assert (log.label, about.label, about.primary, log.about("ctr")) == ("ctr", "cvr", 1, log)
    train = frame[(frame["day"] < 4) & (frame["click"] == 1)]
    assert about.base_rates["train"] == pytest.approx(np.average(train["buy"], weights=train["weight"]), rel=1e-6)
    alone = encode_log(describe(weight="weight"), tmp_path, tmp_path / "cache")
    assert same(replace(log, labels_NT=None), alone), "what models read does not hang on the labels"
    assert log.base_rates == alone.base_rates


def test_the_order_of_several_labels_is_part_of_what_a_log_is(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    columns["buy"] = np.where(columns["click"] == 1, np.arange(len(columns["click"])) % 2, 0)
    write(columns)
    labels = {"ctr": {"column": "click"}, "cvr": {"column": "buy", "given": "click"}}
    for told in (labels, dict(reversed(labels.items()))):
        log = encode_log(describe(label=None, labels=told), tmp_path, tmp_path / "cache")
        assert (list(log.tasks), log.label) == (list(told), next(iter(told))), "`ne` is that of the first"


def test_a_row_without_any_label_is_no_example(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    columns["seen"] = np.arange(len(columns["click"])) % 3 == 0
    write(columns)
    labels = {"a": {"column": "buy", "given": "click"}, "b": {"column": "buy", "given": "seen"}}
    log = encode_log(describe(label=None, labels=labels), tmp_path, tmp_path / "cache")
    frame = sorted_frame(columns)
    kept = frame[(frame["click"] == 1) | frame["seen"]]
    assert (len(log), log.given) == (len(kept), (None, None))
    assert Note(f"{len(frame) - len(kept)} rows are no examples: neither click nor seen is 1") in log.notes


def test_each_of_several_labels_must_have_both_classes(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    columns["buy"] = np.where(columns["click"] == 1, 0, 1)
    write(columns)
    with pytest.raises(InputError) as caught:
        encode_log(describe(label=None, labels=LABELS), tmp_path, tmp_path / "cache")
    expected = {f"the {name} window must hold both classes of buy" for name in WINDOWS}
    assert {mistake.must for mistake in caught.value.mistakes} == expected


def test_a_wrong_value_of_one_of_several_labels_is_told_at_its_place(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    columns["buy"] = pa.array(columns["buy"], mask=np.arange(len(columns["buy"])) < 7)
    columns["click"] = np.ones(len(columns["click"]), int)
    columns["click"][7:] = np.arange(len(columns["click"]) - 7) % 2
    write(columns)
    with pytest.raises(InputError, match=r"data\.labels\.cvr\.column: buy must be 0 or 1"):
        encode_log(describe(label=None, labels=LABELS), tmp_path, tmp_path / "cache")


def test_leaks_are_looked_for_by_each_label(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    columns = {
        name: np.tile(np.asarray(values), 4) for name, values in columns.items() if name not in ("word", "price")
    }
    rng = np.random.default_rng(5)
    columns["click"], columns["buy"] = (rng.integers(0, 2, len(columns["user"])) for _ in range(2))
    columns["dwell"] = 10.0 * columns["buy"] + rng.random(len(columns["buy"]))
    write(columns)
    features = {"categorical": {"user": {}}, "dense": {"dwell": {}}}
    log = encode_log(describe(label=None, labels=LABELS, features=features), tmp_path, tmp_path / "cache")
    leaks = [note.text for note in log.notes if note.kind == "leak"]
    assert [text.split(":")[0] for text in leaks] == ["of `cvr`"], leaks
    assert "dwell" in leaks[0]
