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
    assert [batch.column(0).to_pylist() for batch in table.batches(["day"])] == [["1"], ["2"]]


@pytest.mark.parametrize(
    ("names", "path", "words"),
    [
        ((), "log", "log must exist, but found nothing at"),
        (
            ("log/a.parquet", "log/b.csv"),
            "log",
            "files with types or text files, not both, but found CSV",
        ),
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


def parquet(folder: Path, name: str, column: pa.Array) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"number": column}), folder / name)


def test_a_path_that_is_there_is_no_glob(tmp_path: Path) -> None:
    write(tmp_path, "log1.parquet", "log[1].parquet")
    assert numbers(open_table("log[1].parquet", tmp_path, AT)) == [1]


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    write(tmp_path, "log/a.parquet", "log/b.parquet")
    (tmp_path / "log/b.parquet").rename(tmp_path / "log/b.parquet.gzip")
    assert numbers(open_table("log", tmp_path, AT)) == [0, 1]


def test_what_is_left_out_of_a_folder_is_told(tmp_path: Path) -> None:
    write(tmp_path, "log/a.parquet", "log/_old.parquet")
    (tmp_path / "log/README").write_text("about")
    (tmp_path / "log/_SUCCESS").touch()
    assert open_table("log", tmp_path, AT).notes == (
        "log: _old.parquet is left out: hidden by its name",
        "log: README is left out: neither Parquet, Arrow, CSV, TSV nor JSON lines",
    )


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        (pa.array([None], pa.null()), pa.array(["x"]), [None, "x"]),
        (pa.array([1], pa.int64()), pa.array([0.5], pa.float32()), [1.0, 0.5]),
        (pa.array([True]), pa.array([2], pa.int8()), [1, 2]),
    ],
)
def test_each_file_is_read_in_its_own_type(
    tmp_path: Path, first: pa.Array, second: pa.Array, wanted: list[object]
) -> None:
    for names in (("a", "b"), ("b", "a")):
        parquet(tmp_path, f"{names[0]}/a.parquet", first)
        parquet(tmp_path, f"{names[0]}/b.parquet", second)
        table = open_table(names[0], tmp_path, AT)
        assert [value for batch in table.batches(["number"]) for value in batch.column(0).to_pylist()] == wanted


def test_a_column_that_a_file_lacks_is_missing_there(tmp_path: Path) -> None:
    parquet(tmp_path, "log/a.parquet", pa.array([7]))
    pq.write_table(pa.table({"other": [1, 2]}), tmp_path / "log/b.parquet")
    table = open_table("log", tmp_path, AT)
    assert [batch.column(0).to_pylist() for batch in table.batches(["number"])] == [[7], [None, None]]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (
            pa.array([0], pa.timestamp("us")),
            pa.array([0], pa.timestamp("us", "UTC")),
            "timestamp\\[us\\] in a.parquet and ",
        ),
        (pa.array(["x"]), pa.array([0.5]), "string in a.parquet and double in b.parquet"),
        (pa.array([2**53 + 1]), pa.array([0.5]), f"number of a.parquet must hold numbers.*found {2**53 + 1}"),
        (pa.array([-1]), pa.array([2**64 - 1], pa.uint64()), "number of a.parquet must hold whole numbers.*found -1"),
    ],
)
def test_types_that_nothing_holds_are_refused_with_both_files(
    tmp_path: Path, first: pa.Array, second: pa.Array, words: str
) -> None:
    parquet(tmp_path, "log/a.parquet", first)
    parquet(tmp_path, "log/b.parquet", second)
    table = open_table("log", tmp_path, AT)
    with pytest.raises(InputError, match=words):
        list(table.batches(["number"]))


def test_a_clash_of_a_column_that_nobody_reads_is_no_matter(tmp_path: Path) -> None:
    for name, other in (("a", pa.array(["x"])), ("b", pa.array([0.5]))):
        (tmp_path / "log").mkdir(exist_ok=True)
        pq.write_table(pa.table({"number": [1], "other": other}), tmp_path / f"log/{name}.parquet")
    assert numbers(open_table("log", tmp_path, AT)) == [1, 1]


@pytest.mark.parametrize("name", ["a.parquet~", "a.parquet.bak", "a.parquet.tmp", "a.parquet.old.gz", "b.parquet.part"])
def test_copies_and_files_that_are_not_whole_are_left_out(tmp_path: Path, name: str) -> None:
    write(tmp_path, "log/a.parquet")
    (tmp_path / "log" / name).write_bytes((tmp_path / "log/a.parquet").read_bytes())
    table = open_table("log", tmp_path, AT)
    assert numbers(table) == [0]
    assert table.notes == (f"log: {name} is left out: a copy, or not whole yet, by its name",)
    assert numbers(open_table(f"log/{name}", tmp_path, AT)) == [0], "where it is asked for by name, it is read"


def test_an_empty_file_among_others_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log/a.csv").write_text("number\n7\n")
    (tmp_path / "log/b.csv").write_text("\n")
    table = open_table("log", tmp_path, AT)
    assert table.notes == ("log: b.csv is left out: empty",)
    assert [batch.column(0).to_pylist() for batch in table.batches(["number"])] == [["7"]]
