"""What is served is read as the log was: the same rows encode equal however they are written, or a column is named."""

from __future__ import annotations

import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl.commands.log_encoders import log_encoders
from automl.commands.served_tables import tables_as_logged
from automl.data.describe.tables import DataConfig
from automl.data.encode.log import encode_plan
from automl.data.encode.plan import make_plan
from automl.data.store.encoder_files import read_served, write_served
from automl.data.store.encoders import Encoders
from automl.files.parts import Parts
from search_spaces.errors import InputError
from tests.automl.data.conftest import DAY_MS, SPLIT, START_MS
from tests.automl.data.encode.test_any_file import pandas_frame, write_json

COLUMNS: dict[str, tuple[st.SearchStrategy[Any], pa.DataType]] = {
    "user": (st.one_of(st.none(), st.integers(-3, 9)), pa.int64()),
    "huge": (st.sampled_from([None, 0, 2**64 - 1]), pa.uint64()),
    "code": (st.sampled_from([None, "7", "007", "NA", "x,y"]), pa.string()),
    "flag": (st.sampled_from([None, True, False]), pa.bool_()),
    "half": (st.sampled_from([None, 0.5, 7.0]), pa.float64()),
    "day": (st.sampled_from([None, 19_000, 19_001]), pa.date32()),
}
DENSE: dict[str, tuple[st.SearchStrategy[Any], pa.DataType]] = {
    "price": (st.one_of(st.none(), st.floats(-1e6, 1e6, allow_subnormal=False)), pa.float64()),
    "score": (st.one_of(st.none(), st.floats(-1e3, 1e3, width=32, allow_subnormal=False)), pa.float32()),
    "count": (st.one_of(st.none(), st.integers(0, 99)), pa.int32()),
}


@st.composite
def logs(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(12, 30))
    days = [k % 6 for k in range(rows)]
    return pa.table(
        {
            **{
                name: pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), kind)
                for name, (values, kind) in {**COLUMNS, **DENSE}.items()
            },
            "time_ms": pa.array([START_MS + DAY_MS * day + 3_600_000 * k for k, day in enumerate(days)]),
            "click": pa.array([(k // 6) % 2 for k in range(rows)]),
        }
    )


def encoders_of(folder: Path, name: str, **changes: Any) -> Encoders:
    config = DataConfig.model_validate(
        {
            "path": name,
            "time": {"column": "time_ms", "unit": "ms"},
            "label": "click",
            "features": {"categorical": {**{name: {} for name in COLUMNS}, "@hour": {}}, "dense": list(DENSE)},
            "split": SPLIT,
            **changes,
        }
    )
    plan = make_plan(config, folder)
    return log_encoders(encode_plan(plan, folder / "cache", fit=("train",)).folder, plan)


def encoded(encoders: Encoders, file: Path, *joins: str) -> tuple[list[list[int]], list[list[int]]]:
    """Ids, and the bits of the dense values."""
    parts = [encoders.encode(part, file.name) for part in tables_as_logged(encoders, str(file), joins)]
    ids, dense = np.concatenate([part.ids_BF for part in parts]), np.concatenate([part.dense_BD for part in parts])
    return ids.tolist(), dense.view(np.int32).tolist()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(logs())
def test_a_log_of_parquet_serves_the_same_rows_written_otherwise(table: pa.Table) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pq.write_table(table, folder / "log.parquet")
        encoders = encoders_of(folder, "log.parquet")
        expected = encoded(encoders, folder / "log.parquet")
        pandas_frame(table).to_csv(folder / "pandas.csv", index=False)
        pacsv.write_csv(table, folder / "arrow.csv")
        write_json(table.set_column(5, "day", table["day"].cast(pa.string())), folder / "lines.jsonl")
        feather.write_feather(table, folder / "table.feather")
        for other in ("pandas.csv", "arrow.csv", "lines.jsonl", "table.feather"):
            assert encoded(encoders, folder / other) == expected, other


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(logs())
def test_a_log_of_csv_serves_parquet_or_names_the_column(table: pa.Table) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pq.write_table(table, folder / "log.parquet")
        pacsv.write_csv(table, folder / "log.csv")
        categorical = {"user": {}, "huge": {}, "code": {}, "@hour": {}}
        encoders = encoders_of(folder, "log.csv", features={"categorical": categorical, "dense": list(DENSE)})
        assert encoded(encoders, folder / "log.parquet") == encoded(encoders, folder / "log.csv")
        encoders = encoders_of(folder, "log.csv", features={"categorical": {"half": {}}, "dense": ["price"]})
        if table["half"].null_count < len(table) and len(encoders.values[0]):
            with pytest.raises(InputError, match="half must hold words as the log did, but found double"):
                encoded(encoders, folder / "log.parquet")


@pytest.fixture
def table() -> pa.Table:
    rows = 60
    return pa.table(
        {
            "user": pa.array(np.arange(rows) % 7),
            "huge": pa.array(np.arange(rows) % 3, pa.uint64()),
            "code": [["7", "007"][k % 2] for k in range(rows)],
            "flag": [k % 2 == 0 for k in range(rows)],
            "half": [0.5] * rows,
            "day": pa.array([19_000] * rows, pa.date32()),
            "price": np.linspace(0, 1, rows),
            "score": pa.array(np.linspace(0, 1, rows), pa.float32()),
            "count": pa.array(np.arange(rows) % 5, pa.int32()),
            "time_ms": [START_MS + DAY_MS * (k % 6) for k in range(rows)],
            "click": [(k // 6) % 2 for k in range(rows)],
        }
    )


@pytest.fixture
def encoders(tmp_path: Path, table: pa.Table) -> Encoders:
    pq.write_table(table, tmp_path / "log.parquet")
    return encoders_of(tmp_path, "log.parquet")


def test_times_in_another_unit_are_refused(tmp_path: Path, table: pa.Table, encoders: Encoders) -> None:
    seconds = pa.array([time // 1000 for time in table["time_ms"].to_pylist()])
    pq.write_table(table.set_column(table.column_names.index("time_ms"), "time_ms", seconds), tmp_path / "s.parquet")
    with pytest.raises(InputError, match=r"time_ms must lie near the log \(2024-01-01 to 2024-01-06\).*1970-01-20"):
        encoded(encoders, tmp_path / "s.parquet")


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("user", ["x7"] * 60, "user must hold numbers as the log did, but found 'x7'"),
        ("price", ["1,5"] * 60, "price must be numeric, but found '1,5'"),
        ("price", ["1e39"] * 60, r"price must be within float32 \(up to 3.4e\+38\), but found 1e\+39"),
    ],
)
def test_a_text_that_is_nothing_of_the_kind_is_told(
    tmp_path: Path, table: pa.Table, encoders: Encoders, column: str, values: list[str], words: str
) -> None:
    pacsv.write_csv(table.set_column(table.column_names.index(column), column, pa.array(values)), tmp_path / "t.csv")
    with pytest.raises(InputError, match=words):
        encoded(encoders, tmp_path / "t.csv")


def test_keys_of_two_kinds_are_refused_and_text_files_have_any(tmp_path: Path, table: pa.Table) -> None:
    users = pa.table({"user": list(range(7)), "age": [20.0 + k for k in range(7)]})
    pq.write_table(users, tmp_path / "users.parquet")
    pq.write_table(table, tmp_path / "log.parquet")
    features = {"categorical": {"code": {}}, "dense": ["age"]}
    encoders = encoders_of(tmp_path, "log.parquet", features=features, join=[{"path": "users.parquet", "on": "user"}])
    expected = encoded(encoders, tmp_path / "log.parquet", f"user={tmp_path / 'users.parquet'}")
    pacsv.write_csv(users, tmp_path / "users.csv")
    pacsv.write_csv(table, tmp_path / "log.csv")
    for log, side in (("log.parquet", "users.csv"), ("log.csv", "users.parquet"), ("log.csv", "users.csv")):
        assert encoded(encoders, tmp_path / log, f"user={tmp_path / side}") == expected
    pq.write_table(users.set_column(0, "user", users["user"].cast(pa.string())), tmp_path / "words.parquet")
    with pytest.raises(InputError, match=r"user must be of one kind in .*log\.parquet and .*words\.parquet"):
        encoded(encoders, tmp_path / "log.parquet", f"user={tmp_path / 'words.parquet'}")


def test_a_table_is_written_as_the_study_says_the_log_was(tmp_path: Path, table: pa.Table) -> None:
    options = pacsv.WriteOptions(delimiter=";")
    pacsv.write_csv(table, tmp_path / "log.csv", write_options=options)
    told = {"csv": {"separator": ";", "null": ["-"]}, "types": {"user": "integer"}}
    encoders = encoders_of(tmp_path, "log.csv", features={"categorical": {"user": {}}, "dense": ["price"]}, **told)
    held = BytesIO()
    with ZipFile(held, "w") as file:
        write_served(encoders, Parts(file))
    with ZipFile(held) as file:
        served = read_served(file)
    assert encoded(served, tmp_path / "log.csv") == encoded(encoders, tmp_path / "log.csv")
    assert np.array(encoded(served, tmp_path / "log.csv")[0]).all(), "every user is known"


def test_ids_that_doubles_do_not_hold_are_refused(tmp_path: Path, table: pa.Table) -> None:
    big = pa.array([2**60 + k % 7 for k in range(len(table))])
    pq.write_table(table.set_column(0, "user", big), tmp_path / "log.parquet")
    encoders = encoders_of(tmp_path, "log.parquet", features={"categorical": {"user": {}}, "dense": ["price"]})
    pq.write_table(table.set_column(0, "user", big.cast(pa.float64(), safe=False)), tmp_path / "doubles.parquet")
    with pytest.raises(InputError, match="user must hold whole numbers as the log did; as doubles they"):
        encoded(encoders, tmp_path / "doubles.parquet")


@pytest.mark.parametrize(
    ("log", "served", "fits"),
    [
        (pa.timestamp("ms", "UTC"), pa.timestamp("ms"), False),
        (pa.timestamp("ms"), pa.timestamp("ms", "UTC"), False),
        (pa.int64(), pa.timestamp("ms"), False),
        (pa.int64(), pa.timestamp("us", "Asia/Tokyo"), True),
        (pa.timestamp("us"), pa.timestamp("ms"), True),
    ],
)
def test_times_with_a_zone_and_without_do_not_mix(
    tmp_path: Path, table: pa.Table, log: pa.DataType, served: pa.DataType, fits: bool
) -> None:
    def written(kind: pa.DataType, name: str) -> Path:
        place = table.column_names.index("time_ms")
        ms = table["time_ms"]
        times = ms if kind == pa.int64() else ms.cast(pa.timestamp("ms", kind.tz)).cast(kind)
        pq.write_table(table.set_column(place, "time_ms", times), tmp_path / name)
        return tmp_path / name

    written(log, "log.parquet")
    time = {"column": "time_ms", "unit": "ms" if log == pa.int64() else None}
    encoders = encoders_of(tmp_path, "log.parquet", time=time)
    other = written(served, "served.parquet")
    if fits:
        assert encoded(encoders, other) == encoded(encoders, tmp_path / "log.parquet")
    else:
        with pytest.raises(InputError, match="where the log had them"):
            encoded(encoders, other)
