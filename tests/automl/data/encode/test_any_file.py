"""One table, written in every way: the same windows, ids and values, or an error that names the column."""

from __future__ import annotations

import bz2
import gzip
import json
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl.data.describe.tables import DataConfig
from automl.data.encode.log import encode_log
from automl.data.store.log import EncodedLog
from tests.automl.data.conftest import DAY_MS, SPLIT, START_MS
from tests.automl.data.encode.test_log import same

WORDS = st.one_of(
    st.none(),
    st.sampled_from(["a", "007", "7", "NA", "null", "ä", "x,y", 'say "so"', "true", "1e5", "-3", "2.50"]),
)
NUMBERS = st.one_of(st.none(), st.floats(-1e9, 1e9, allow_subnormal=False), st.integers(-5, 5).map(float))


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """An id that is a number, one that is text, one up to the last unsigned, a dense number; times in any order."""
    rows = draw(st.integers(12, 40))

    def column(values: st.SearchStrategy[Any], kind: pa.DataType) -> pa.Array:
        return pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), kind)

    seconds = draw(st.lists(st.integers(0, 86_399), min_size=rows, max_size=rows, unique=True))
    days = [k % 6 for k in range(rows)]
    return pa.table(
        {
            "user": column(st.one_of(st.none(), st.integers(-3, 300)), pa.int64()),
            "word": column(WORDS, pa.string()),
            "huge": column(st.sampled_from([None, 0, 2**63, 2**64 - 1]), pa.uint64()),
            "price": column(NUMBERS, pa.float64()),
            "time_ms": pa.array([START_MS + DAY_MS * d + 1000 * s for d, s in zip(days, seconds, strict=True)]),
            "click": pa.array([(k // 6) % 2 for k in range(rows)]),
        }
    )


def in_two(table: pa.Table, folder: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Two files, the second in other types."""
    half = len(table) // 2
    folder.mkdir()
    pq.write_table(table.slice(0, half), folder / "a.parquet")
    pq.write_table(change(table.slice(half)), folder / "b.parquet")


def cast_to(**kinds: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        for name, kind in kinds.items():
            table = table.set_column(table.column_names.index(name), name, table[name].cast(kind))
        return table

    return change


def pandas_frame(table: pa.Table) -> pd.DataFrame:
    return table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}.get)


def write_csv(table: pa.Table, path: Path) -> None:
    pandas_frame(table).to_csv(path, index=False)


def write_json(table: pa.Table, path: Path) -> None:
    path.write_text("\n".join(json.dumps(row) for row in table.to_pylist()))


def write_partitions(table: pa.Table, folder: Path) -> None:
    pq.write_to_dataset(table, str(folder), partition_cols=["user"])


def write_gz(table: pa.Table, path: Path) -> None:
    write_csv(table, path.with_suffix(""))
    path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))


def write_unnamed_bz2(table: pa.Table, path: Path) -> None:
    """Compressed, and its name does not say so."""
    write_csv(table, path)
    path.write_bytes(bz2.compress(path.read_bytes()))


WAYS: Mapping[str, Callable[[pa.Table, Path], Any]] = {
    "pandas.csv": write_csv,
    "arrow.csv": lambda table, path: pacsv.write_csv(table, path),
    "pandas.csv.gz": write_gz,
    "unnamed.csv": write_unnamed_bz2,
    "lines.jsonl": write_json,
    "arrow.feather": lambda table, path: feather.write_feather(table, path, compression="lz4"),
    "other.parquet.gzip": lambda table, path: pq.write_table(table, path, compression="gzip", row_group_size=5),
    "views.parquet": lambda table, path: pq.write_table(cast_to(word=pa.string_view())(table), path),
    "categories.parquet": lambda table, path: pq.write_table(
        cast_to(word=pa.dictionary(pa.int32(), pa.string()))(table), path
    ),
    "narrow": lambda table, path: in_two(
        table, path, cast_to(user=pa.int32(), click=pa.bool_(), word=pa.large_string())
    ),
    "floats": lambda table, path: in_two(table, path, cast_to(user=pa.float64())),
    "decimals": lambda table, path: in_two(table, path, cast_to(huge=pa.decimal128(20, 0))),
    "partitions": write_partitions,
}


def description(path: str) -> DataConfig:
    return DataConfig.model_validate(
        {
            "path": path,
            "time": {"column": "time_ms", "unit": "ms"},
            "label": "click",
            "features": {"categorical": {"user": {}, "word": {}, "huge": {}}, "dense": ["price"]},
            "split": SPLIT,
        }
    )


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(tables())
def test_a_table_is_the_same_however_it_is_written(table: pa.Table) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pq.write_table(table, folder / "log.parquet")
        expected = encode_log(description("log.parquet"), folder, folder / "cache")
        for way, write in WAYS.items():
            write(table, folder / way)
            found = encode_log(description(way), folder, folder / "cache")
            assert same(expected, found), way


def encoded(folder: Path, columns: dict[str, Any], **changes: Any) -> EncodedLog:
    pq.write_table(pa.table(columns), folder / "log.parquet")
    config = description("log.parquet").model_dump(mode="json", by_alias=True, exclude_unset=True)
    return encode_log(DataConfig.model_validate({**config, **changes}), folder, folder / "cache")


@pytest.fixture
def plain() -> dict[str, Any]:
    rng = np.random.default_rng(3)
    rows = 120
    return {
        "user": rng.integers(0, 9, rows),
        "word": rng.choice(["a", "b"], rows),
        "huge": rng.integers(0, 9, rows),
        "price": rng.normal(size=rows),
        "time_ms": START_MS + DAY_MS * (np.arange(rows) % 6) + rng.integers(0, DAY_MS, rows),
        "click": (np.arange(rows) // 6) % 2,
    }


@pytest.mark.parametrize(("form", "scale"), [("%Y%m%d", 1), ("%y%m%d%H", 100)])
def test_days_as_numbers_are_read_by_their_format(tmp_path: Path, plain: dict[str, Any], form: str, scale: int) -> None:
    stamps = pd.to_datetime(plain["time_ms"], unit="ms")
    written = {**plain, "time_ms": stamps.strftime(form).astype("int64")}
    log = encoded(tmp_path, written, time={"column": "time_ms", "format": form})
    assert log.times_N is not None
    whole = stamps.floor("D") if scale == 1 else stamps.floor("h")
    np.testing.assert_array_equal(np.sort(log.times_N), np.sort(whole.astype("datetime64[ns]").astype("int64")))


def test_numbers_asked_for_are_read_from_text(tmp_path: Path, plain: dict[str, Any]) -> None:
    expected = encoded(tmp_path, plain)
    written = {**plain, "price": [repr(float(p)) for p in plain["price"]], "user": [f"0{u}" for u in plain["user"]]}
    assert same(expected, encoded(tmp_path, written, types={"price": "number", "user": "integer"}))


@pytest.mark.parametrize("side", [True, False])
def test_a_key_of_categories_is_joined_by_its_values(tmp_path: Path, plain: dict[str, Any], side: bool) -> None:
    """A dictionary has an order of its own, and values of no row."""
    names = [f"u{k}" for k in plain["user"]]
    users = {"user": [f"u{k}" for k in range(9)], "age": [20.0 + k for k in range(9)]}
    coded = pa.DictionaryArray.from_arrays(
        pa.array(range(9), pa.int32()), pa.array([*(f"u{k}" for k in range(9)), "nobody"])
    )
    mixed = coded.take(pa.array([4, 2, 8, 0, 6, 1, 3, 5, 7]))
    ages = [20.0 + k for k in (4, 2, 8, 0, 6, 1, 3, 5, 7)]
    told = {
        "join": [{"path": "users.parquet", "on": "user"}],
        "features": {"categorical": {"word": {}}, "dense": ["age"]},
    }
    found = []
    for table in (users, {"user": mixed, "age": ages} if side else users):
        pq.write_table(pa.table(table), tmp_path / "users.parquet")
        text = pa.array(names)
        log = {**plain, "user": text if side or not found else text.dictionary_encode()}
        found.append(encoded(tmp_path, log, **told))
    assert same(*found)
    assert np.asarray(found[0].dense_ND).std() > 0.5


@pytest.mark.parametrize("types", [{}, {"user": "integer"}])
def test_an_id_that_one_file_writes_as_a_float_is_named(
    tmp_path: Path, plain: dict[str, Any], types: dict[str, str]
) -> None:
    (tmp_path / "two").mkdir()
    table = pd.DataFrame(plain)
    table[:60].to_csv(tmp_path / "two" / "a.csv", index=False)
    table[60:].assign(user=table["user"][60:].astype(float)).to_csv(tmp_path / "two" / "b.csv", index=False)
    log = encoded(tmp_path, plain, path="two", types=types)
    notes = [str(note) for note in log.notes if note.kind == "feature"]
    if types:
        assert notes == []
        assert len(log.inputs.id_counts[0]) == 9
    else:
        assert len(notes) == 1
        assert re.match(r"user holds (\d) and \1\.0, which are two ids: data: {types: {user: integer}}", notes[0])
