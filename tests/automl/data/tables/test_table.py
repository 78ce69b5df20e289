from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from automl.data.tables.table import Table, open_table
from search_spaces.errors import InputError, Position

AT = Position("study.yaml", 3, 9)


def write(folder: Path, *names: str) -> None:
    """A table of one row each, which holds the number of its file."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.table({"number": [number]})
        (pacsv.write_csv if path.suffix == ".csv" else pq.write_table)(table, path)


def numbers(table: Table) -> list[int]:
    return [value for batch in table.batches(["number"]) for value in batch.column(0).to_pylist()]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("log", [2, 0, 1]),
        ("log/*.parquet", [0, 1]),
        ("log/**/*.parquet", [2, 0, 1]),
        ("log/[bc].parquet", [0, 1]),
        ("log/?.parquet", [0, 1]),
        ("log/b.parquet", [0]),
        ("l*", [2, 0, 1]),
    ],
)
def test_files_are_in_the_order_of_their_paths_and_hidden_ones_left_out(
    tmp_path: Path, path: str, wanted: list[int]
) -> None:
    write(tmp_path, "log/b.parquet", "log/c.parquet", "log/a/z.parquet", "log/_old.parquet", "log/.tmp/x.parquet")
    assert numbers(open_table(path, tmp_path, AT)) == wanted


def test_partitions_are_columns(tmp_path: Path) -> None:
    write(tmp_path, "log/day=1/x.parquet", "log/day=2/x.parquet")
    table = open_table("log", tmp_path, AT)
    assert set(table.columns) == {"number", "day"}
    assert [batch.column(0).to_pylist() for batch in table.batches(["day"])] == [[1], [2]]


@pytest.mark.parametrize(
    ("names", "path", "words"),
    [
        ((), "log", "log must exist, but found nothing at"),
        (("log/a.parquet", "log/b.csv"), "log", "must hold Parquet files .* but found csv and parquet"),
        (("log/a.parquet",), "other://log", "must be an address that pyarrow or fsspec opens"),
    ],
)
def test_what_is_no_table_is_told_at_its_place(tmp_path: Path, names: tuple[str, ...], path: str, words: str) -> None:
    write(tmp_path, *names)
    with pytest.raises(InputError, match=words) as caught:
        open_table(path, tmp_path, AT)
    assert str(caught.value).startswith("study.yaml:3:9: ")


def test_a_file_that_is_cut_off_is_told(tmp_path: Path) -> None:
    write(tmp_path, "log.parquet")
    (tmp_path / "log.parquet").write_bytes((tmp_path / "log.parquet").read_bytes()[:40])
    with pytest.raises(InputError, match=r"log\.parquet must be readable"):
        open_table("log.parquet", tmp_path, AT)


def test_a_table_is_read_by_row_groups_in_order(tmp_path: Path) -> None:
    pq.write_table(pa.table({"number": list(range(10))}), tmp_path / "log.parquet", row_group_size=3)
    table = open_table("log.parquet", tmp_path, AT)
    assert [batch.num_rows for batch in table.batches(["number"], rows=2)] == [2, 1, 2, 1, 2, 1, 1]
    assert numbers(table) == list(range(10))
