"""What is said of a log that cannot be read: every word of it, as a person sees it.

REWRITE_GOLDEN=1 writes the texts anew.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from automl.data.describe.tables import DataConfig
from automl.data.encode.log import encode_log
from search_spaces.errors import InputError
from tests.automl.data.conftest import DAY_MS, SPLIT, START_MS, columns_of

GOLDEN = Path(__file__).parent / "golden"
Changes = dict[str, Any]
Case = Callable[[Path], Changes]
CASES: dict[str, Case] = {}
TIMED = {"column": "time_ms"}


def case(write: Case) -> Case:
    CASES[write.__name__.replace("_", "-")] = write
    return write


def table(**changes: Any) -> pa.Table:
    columns = {**columns_of(60), **changes}
    columns["click"] = changes.get("click", np.arange(60) % 2)
    columns["time_ms"] = changes.get("time_ms", START_MS + DAY_MS * (np.arange(60) % 6))
    return pa.table({name: column for name, column in columns.items() if column is not None})


def two(folder: Path, first: pa.Table, second: pa.Table) -> Changes:
    (folder / "log").mkdir()
    pq.write_table(first, folder / "log" / "a.parquet")
    pq.write_table(second, folder / "log" / "b.parquet")
    return {"path": "log"}


def one(folder: Path, **changes: Any) -> None:
    pq.write_table(table(**changes), folder / "log.parquet")


def text(folder: Path, content: str | bytes, name: str = "log.csv") -> Changes:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return {"path": name}


def lines(folder: Path, **changes: Any) -> str:
    pacsv.write_csv(table(**changes), folder / "written.csv")
    return (folder / "written.csv").read_text()


@case
def a_zone_in_one_file(folder: Path) -> Changes:
    naive = pa.array(START_MS + DAY_MS * (np.arange(60) % 6)).cast(pa.timestamp("ms"))
    return {**two(folder, table(time_ms=naive), table(time_ms=naive.cast(pa.timestamp("ms", "UTC")))), "time": TIMED}


@case
def words_in_one_file(folder: Path) -> Changes:
    return two(folder, table(), table(price=["dear"] * 60))


@case
def more_than_a_float_holds(folder: Path) -> Changes:
    return two(folder, table(user=np.full(60, 0.5)), table(user=np.full(60, 2**53 + 1)))


@case
def an_open_quote(folder: Path) -> Changes:
    return text(folder, lines(folder).replace('"a"', '"a', 1).replace('"a"', 'a"', 1))


@case
def another_separator(folder: Path) -> Changes:
    return text(folder, lines(folder).replace(",", ";"))


@case
def no_header(folder: Path) -> Changes:
    return text(folder, lines(folder).split("\n", 1)[1])


@case
def another_encoding(folder: Path) -> Changes:
    return text(folder, lines(folder).replace('"b"', '"\xe4"').encode("latin-1"))


@case
def a_header_without_rows(folder: Path) -> Changes:
    return text(folder, lines(folder).split("\n", 1)[0] + "\n")


@case
def broken_gzip(folder: Path) -> Changes:
    return text(folder, gzip.compress(lines(folder).encode())[:-200], "log.csv.gz")


@case
def several_objects_a_line(folder: Path) -> Changes:
    return text(folder, '{"user": 1} {"user": 2}\n', "log.jsonl")


@case
def parquet_beside_csv(folder: Path) -> Changes:
    (folder / "log").mkdir()
    pq.write_table(table(), folder / "log" / "a.parquet")
    text(folder, lines(folder), "log/b.csv")
    return {"path": "log"}


@case
def two_units(folder: Path) -> Changes:
    seconds = table(time_ms=START_MS // 1000 + 86_400 * (np.arange(60) % 6))
    return {**two(folder, table(), seconds), "time": TIMED}


@case
def days_as_numbers(folder: Path) -> Changes:
    one(folder, time_ms=20240101 + np.arange(60) % 6)
    return {"time": TIMED}


@case
def another_unit(folder: Path) -> Changes:
    one(folder)
    return {"time": {"column": "time_ms", "unit": "us"}}


@case
def a_time_that_is_none(folder: Path) -> Changes:
    one(folder, time_ms=["2024-01-01"] * 59 + ["yesterday"])
    return {"time": TIMED}


@case
def a_row_without_time(folder: Path) -> Changes:
    one(folder, time_ms=pa.array([START_MS] * 59 + [None]))
    return {}


@case
def a_label_of_three(folder: Path) -> Changes:
    one(folder, click=np.arange(60) % 3)
    return {}


@case
def a_label_with_gaps(folder: Path) -> Changes:
    one(folder, click=pa.array([0, 1, None] * 20))
    return {}


@case
def a_label_of_words(folder: Path) -> Changes:
    one(folder, click=["yes", "no"] * 30)
    return {}


@case
def a_label_in_one_file(folder: Path) -> Changes:
    return two(folder, table(), table(click=np.arange(60) % 3))


@case
def a_price_in_one_file(folder: Path) -> Changes:
    (folder / "log").mkdir()
    for name, price in (("a", None), ("b", "dear"), ("c", "cheap")):
        text(folder, lines(folder, **({} if price is None else {"price": [price] * 60})), f"log/{name}.csv")
    return {"path": "log"}


@case
def weights_of_words(folder: Path) -> Changes:
    one(folder, weight=["high"] * 60)
    return {"weight": "weight"}


@case
def weights_of_nothing(folder: Path) -> Changes:
    one(folder, weight=np.where(np.arange(60) % 2, 0.0, 1.0))
    return {"weight": "weight"}


@case
def beyond_float32(folder: Path) -> Changes:
    one(folder, price=np.where(np.arange(60) == 7, -1.7e308, 1.0))
    return {}


@case
def decimal_commas(folder: Path) -> Changes:
    rows = "".join(f"{START_MS + DAY_MS * (k % 6)};{k % 2};{k};w;1,5\n" for k in range(60))
    return {**text(folder, "time_ms;click;user;word;price\n" + rows), "csv": {"separator": ";"}}


@case
def money(folder: Path) -> Changes:
    one(folder, price=["$12"] * 60)
    return {}


@case
def whole_numbers_asked_of_words(folder: Path) -> Changes:
    one(folder)
    return {"types": {"word": "integer"}}


@case
def types_of_nothing(folder: Path) -> Changes:
    one(folder)
    return {"types": {"wrod": "text"}}


@case
def a_list_as_an_id(folder: Path) -> Changes:
    one(folder, word=[[1.0, 2.0]] * 60)
    return {}


@case
def vectors_of_two_lengths(folder: Path) -> Changes:
    one(folder, word=[[1.0, 2.0]] * 58 + [[1.0]] * 2)
    return {"features": {"categorical": {"user": {}}, "vectors": {"word": {}}}}


@case
def vectors_of_another_width(folder: Path) -> Changes:
    one(folder, word=[[1.0, 2.0]] * 60)
    return {"features": {"categorical": {"user": {}}, "vectors": {"word": {"width": 8}}}}


@case
def a_key_of_another_kind(folder: Path) -> Changes:
    one(folder)
    pq.write_table(pa.table({"user": [f"u{k}" for k in range(9)], "age": range(9)}), folder / "users.parquet")
    return {"join": [{"path": "users.parquet", "on": "user"}]}


@case
def a_key_in_two_rows(folder: Path) -> Changes:
    one(folder)
    pq.write_table(pa.table({"user": [1, 2, 2], "age": [3, 4, 5]}), folder / "users.parquet")
    return {"join": [{"path": "users.parquet", "on": "user"}]}


@case
def a_key_that_no_row_has(folder: Path) -> Changes:
    one(folder)
    pq.write_table(pa.table({"user": [-1, -2], "age": [3, 4]}), folder / "users.parquet")
    features = {"categorical": {"user": {}}, "dense": ["age"]}
    return {"join": [{"path": "users.parquet", "on": "user"}], "features": features}


@case
def a_window_without_rows(folder: Path) -> Changes:
    one(folder)
    return {"split": {**SPLIT, "test": ["2024-03-01", "2024-03-02"]}}


@case
def a_window_of_one_class(folder: Path) -> Changes:
    one(folder, click=(np.arange(60) % 6 < 5) & (np.arange(60) // 6 % 2))
    return {}


def said(folder: Path, config: DataConfig) -> str:
    with pytest.raises(InputError) as caught:
        encode_log(config, folder, folder / "cache")
    return str(caught.value).replace(f"{folder}{os.sep}", "") + "\n"


@pytest.mark.parametrize("name", CASES)
def test_says_what_is_wrong(name: str, tmp_path: Path, describe: Callable[..., DataConfig]) -> None:
    found = said(tmp_path, describe(**CASES[name](tmp_path)))
    expected = GOLDEN / f"{name}.txt"
    if os.environ.get("REWRITE_GOLDEN"):
        expected.parent.mkdir(exist_ok=True)
        expected.write_text(found, "utf-8")
    assert found == expected.read_text("utf-8")


def test_there_is_a_text_for_every_case_and_no_other() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(CASES)
