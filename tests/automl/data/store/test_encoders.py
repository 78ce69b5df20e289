"""Encoders for serving against what the log's own encoding made of the same rows: equal bit for bit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from automl.data.describe.tables import DataConfig
from automl.data.encode.log import encode_log
from automl.data.store.encoder_files import encoders_of, read_served, write_served
from automl.data.store.encoders import (
    Encoders,
    ServedTime,
    SideColumns,
)
from automl.data.store.log import EncodedLog
from automl.data.store.side_table import SideTable
from automl.files.parts import Parts
from search_spaces.errors import InputError
from tests.automl.data.conftest import DAY_MS, SPLIT, START_MS
from tests.automl.data.encode.test_kuairand import description, frame_of

TIME = ServedTime("time_ms", "ms", "UTC")


def pair(encoders: Encoders, table: pa.Table) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Ids and dense numbers."""
    found = encoders.encode(table)
    return found.ids_BF, found.dense_BD


def as_rows(ids: NDArray[np.int32], dense: NDArray[np.float32], times: NDArray[np.int64]) -> NDArray[Any]:
    """Ids, bits of the dense numbers and times side by side, in an order of their own: the log sorts rows its way."""
    rows = np.column_stack([times, ids.astype(np.int64), np.ascontiguousarray(dense).view(np.int32).astype(np.int64)])
    return rows[np.lexsort(rows.T)]


def assert_equal(log: EncodedLog, encoders: Encoders, table: pa.Table, times_ns: NDArray[np.int64]) -> None:
    assert log.times_N is not None
    mine = as_rows(*pair(encoders, table), times_ns)
    theirs = as_rows(np.asarray(log.ids_NF), np.asarray(log.dense_ND), np.asarray(log.times_N))
    np.testing.assert_array_equal(mine, theirs)


def through_a_file(encoders: Encoders) -> Encoders:
    held = BytesIO()
    with ZipFile(held, "w") as file:
        write_served(encoders, Parts(file))
    with ZipFile(held) as file:
        return read_served(file)


def test_kuairand_encodes_as_it_was_encoded(kuairand: Path, tmp_path: Path) -> None:
    log = encode_log(description("is_click"), kuairand, tmp_path)
    encoders = encoders_of(log.folder, ServedTime("time_ms", "ms", "Asia/Shanghai"))
    frame = frame_of(kuairand).drop(columns=["day", "@hour"])
    table = pa.Table.from_pandas(frame[list(encoders.columns)], preserve_index=False)
    assert len(table) == len(log)
    assert_equal(log, through_a_file(encoders), table, frame["time_ms"].to_numpy() * 10**6)


def test_kuairand_joined_by_us(kuairand: Path, tmp_path: Path) -> None:
    log = encode_log(description("is_click"), kuairand, tmp_path)
    encoders = encoders_of(log.folder, ServedTime("time_ms", "ms", "Asia/Shanghai"))
    frame = frame_of(kuairand)
    rows = pq.read_table(kuairand / "log.parquet", columns=["user_id", "video_id", "tab", "time_ms", "duration_ms"])
    rows = rows.filter(pa.array(np.isin(rows["time_ms"].to_numpy(), frame["time_ms"].to_numpy()))).slice(0, 20_000)
    for key, name in (("user_id", "user_features"), ("video_id", "video_features_basic")):
        side = SideTable(key, pq.read_table(kuairand / f"{name}.parquet"), name)
        rows = side.join(rows, encoders.columns)
    ids, dense = pair(encoders, rows)
    known = as_rows(np.asarray(log.ids_NF), np.asarray(log.dense_ND), np.asarray(log.times_N))
    mine = as_rows(ids, dense, rows["time_ms"].to_numpy() * 10**6)
    assert {row.tobytes() for row in mine} <= {row.tobytes() for row in known}


# ---------------------------------------------------------------- any log

WORDS = st.one_of(st.none(), st.sampled_from(["", "a", "b", "ä", "0", "None"]))
KINDS: Mapping[str, tuple[st.SearchStrategy[Any], pa.DataType]] = {
    "small": (st.one_of(st.none(), st.integers(-3, 3)), pa.int8()),
    "large": (st.sampled_from([None, 0, -(2**62), 2**62, 2**62 + 1]), pa.int64()),
    "unsigned": (st.sampled_from([None, 0, 2**64 - 1]), pa.uint64()),
    "float": (st.sampled_from([None, float("nan"), 0.0, -0.0, 0.1, 1e300]), pa.float64()),
    "half": (st.sampled_from([None, 0.1, 1.0]), pa.float32()),
    "yes": (st.sampled_from([None, False, True]), pa.bool_()),
    "word": (WORDS, pa.string()),
    "long": (WORDS, pa.large_string()),
    "coded": (WORDS, pa.dictionary(pa.int32(), pa.string())),
    "day": (st.sampled_from([None, 0, 19000]), pa.date32()),
    "raw": (st.sampled_from([None, b"", b"\x00"]), pa.binary()),
}
NUMBERS = st.one_of(st.none(), st.just(float("nan")), st.floats(-1e12, 1e12, allow_subnormal=False))


@st.composite
def logs(draw: st.DrawFn) -> tuple[pa.Table, DataConfig]:
    rows = draw(st.integers(12, 40))
    names = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=4, unique=True))
    columns = {
        name: pa.array(draw(st.lists(KINDS[name][0], min_size=rows, max_size=rows)), KINDS[name][1]) for name in names
    }
    dense = draw(st.sampled_from([(), ("x",), ("x", "y")]))
    columns |= {name: pa.array(draw(st.lists(NUMBERS, min_size=rows, max_size=rows)), pa.float64()) for name in dense}
    seconds = draw(st.lists(st.integers(0, 86_399), min_size=rows, max_size=rows))
    days = [k % 6 for k in range(rows)]  # every window holds rows, and both classes
    table = pa.table(
        {
            **columns,
            "time_ms": pa.array([START_MS + DAY_MS * day + 1000 * s for day, s in zip(days, seconds, strict=True)]),
            "click": pa.array([(k // 6) % 2 for k in range(rows)]),
        }
    )
    categorical: dict[str, Any] = {name: {"min_count": draw(st.integers(1, 3))} for name in names}
    for part in categorical.values():
        if part["min_count"] > 1 and draw(st.booleans()):
            part["buckets"] = draw(st.integers(2, 5))
    if draw(st.booleans()):
        categorical["@hour"] = {}
    transforms = {name: {"transform": draw(st.sampled_from(["standardize", "log"]))} for name in dense}
    tree = {
        "path": "log.parquet",
        "time": {"column": "time_ms", "unit": "ms"},
        "label": "click",
        "features": {"categorical": categorical, "dense": transforms},
        "split": SPLIT,
    }
    return table, DataConfig.model_validate(tree)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(logs())
def test_any_log_encodes_as_it_was_encoded(drawn: tuple[pa.Table, DataConfig]) -> None:
    table, config = drawn
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pq.write_table(table, folder / "log.parquet")
        log = encode_log(config, folder, folder / "cache")
        encoders = through_a_file(encoders_of(log.folder, TIME))
        assert_equal(log, encoders, table, table["time_ms"].to_numpy() * 10**6)
        one = pa.concat_tables([table.slice(k, 1) for k in range(table.num_rows)])
        for whole, by_row in zip(pair(encoders, table), pair(encoders, one), strict=True):
            np.testing.assert_array_equal(whole, by_row)


# ---------------------------------------------------------------- what is told of a table that does not fit


@pytest.fixture
def encoders(write: Callable[..., Path], describe: Callable[..., DataConfig], columns: dict[str, Any]) -> Encoders:
    folder = write(columns).parent
    features = {"categorical": {"user": {}, "word": {}, "@hour": {}}, "dense": {"price": {"transform": "log"}}}
    log = encode_log(describe(features=features), folder, folder / "cache")
    return encoders_of(log.folder, TIME, [SideColumns("user", ("word",))])


def test_columns_are_those_of_the_features_and_the_time(encoders: Encoders) -> None:
    assert encoders.columns == ("user", "word", "price", "time_ms")
    assert encoders.select(["word"], []).columns == ("word",)


def test_all_that_is_wrong_with_a_table_is_told_at_once(encoders: Encoders, columns: dict[str, Any]) -> None:
    table = pa.table({"prices": columns["price"], "user": ["x"] * 600, "time_ms": columns["time_ms"]})
    with pytest.raises(InputError) as caught:
        encoders.encode(table, "new.parquet")
    text = str(caught.value)
    assert "new.parquet: must have a column price" in text
    assert "did you mean prices?" in text
    assert "--join user=PATH" in text
    assert "user must hold numbers as the log did, but found string" in text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"price": [float("inf")] * 600}, "price must be finite or missing"),
        ({"price": ["1,5"] * 600}, "price must be numeric, but found '1,5'"),
        ({"time_ms": pa.array([None] * 600, pa.int64())}, "time_ms must hold a time in every row"),
        ({"time_ms": ["soon"] * 600}, "time_ms must hold a time in every row"),
    ],
)
def test_values_that_no_log_holds(
    encoders: Encoders, columns: dict[str, Any], changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        encoders.encode(pa.table({**columns, **changes}))


def test_unknown_and_missing_ids_are_0(encoders: Encoders, columns: dict[str, Any]) -> None:
    table = pa.table({**columns, "user": pa.array([None] * 300 + [10**9] * 300), "word": pa.nulls(600)})
    ids, _ = pair(encoders, table)
    assert not ids[:, :2].any()


def test_a_cut_gives_row_0_to_what_a_model_leaves_out(encoders: Encoders, columns: dict[str, Any]) -> None:
    ids, _ = pair(encoders, pa.table(columns))
    cut, _ = pair(through_a_file(encoders.cut((5, 2, 1))), pa.table(columns))
    np.testing.assert_array_equal(cut, np.where(ids < np.array([5, 2, 1]), ids, 0))


def test_what_is_unknown_shares_the_rows_of_buckets(
    write: Callable[..., Path], describe: Callable[..., DataConfig], columns: dict[str, Any]
) -> None:
    """In the log and served, by whatever type; a cut-off of the model leaves them as they are."""
    folder, least = write(columns).parent, 3
    features = {"categorical": {"word": {}, "user": {"min_count": least, "buckets": 7}}}
    log = encode_log(describe(features=features), folder, folder / "cache")
    encoders = through_a_file(encoders_of(log.folder, TIME))
    assert encoders.buckets == (0, 7)
    _, counts = log.inputs.id_counts
    assert counts[:7] == (1 << 30,) * 7
    assert log.inputs.table_rows(10**6)[1] == 8
    assert min(counts) >= least
    strange = pa.table({"user": pa.array([10**9, 10**9 + 1, 10**9 + 2, None]), "word": ["a"] * 4})
    ids = pair(encoders, strange)[0][:, 1]
    assert set(ids[:3].tolist()) <= set(range(1, 8))
    assert ids[3] == 0
    of_floats = strange.set_column(0, "user", strange["user"].cast(pa.float64()))
    np.testing.assert_array_equal(pair(encoders, of_floats)[0][:, 1], ids)
    table = pa.table(columns)
    np.testing.assert_array_equal(pair(encoders.cut((3, 10)), table)[0][:, 1], pair(encoders, table)[0][:, 1])
    alone = encoders.select(["user"], [])
    np.testing.assert_array_equal(pair(alone, strange)[0][:, 0], ids)
    assert (np.asarray(log.ids_NF[:, 1]) > 0).all()
    assert set(range(1, 8)) <= set(np.asarray(log.ids_NF[:, 1]).tolist())


def test_side_tables_of_other_forms_are_refused() -> None:
    side = pa.table({"user": [1, 2, None], "word": ["a", "b", "c"]})
    rows = pa.table({"user": [2, 3, None]})
    joined = SideTable("user", side, "users").join(rows, ["word"])
    assert joined["word"].to_pylist() == ["b", None, None]
    with pytest.raises(InputError, match="user must be unique in users"):
        SideTable("user", pa.table({"user": [1, 1]}), "users")
    with pytest.raises(InputError, match="users: must have a column user"):
        SideTable("user", pa.table({"item": [1]}), "users")
    with pytest.raises(InputError, match="word must be a column of one table"):
        SideTable("user", side, "users").join(joined, ["word"])
    with pytest.raises(InputError, match="table: must have a column user"):
        SideTable("user", side, "users").join(pa.table({"item": [1]}), ["word"])


def test_a_folder_without_encoders_and_a_time_that_is_not_told(encoders: Encoders, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must hold an encoded log"):
        encoders_of(tmp_path / "nothing")
    folder = next(path.parent for path in tmp_path.rglob("dense.json"))
    with pytest.raises(InputError, match="@hour must have a time to be made from"):
        encoders_of(folder)
