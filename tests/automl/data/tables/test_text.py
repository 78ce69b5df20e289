"""Text files: every value as it stands, a line a row, however they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.fs as pafs
import pytest

from automl.data.describe.text import CsvConfig
from automl.data.tables.formats import Format
from automl.data.tables.text import TextFile
from search_spaces.errors import InputError, Position


def rows(folder: Path, content: str | bytes, told: Format = Format.CSV, **csv: Any) -> list[dict[str, str | None]]:
    path = folder / "log"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    file = TextFile(pafs.LocalFileSystem(), str(path), "log", told, None, CsvConfig(**csv), Position("study.yaml", 3))
    columns = tuple(file.schema().names)
    return [row for batch in file.batches(columns) for row in batch.to_pylist()]


@pytest.mark.parametrize(
    ("content", "told", "csv", "wanted"),
    [
        ("a,b\n007,NA\n1,\n", Format.CSV, {}, [("007", "NA"), ("1", None)]),
        ('a,b\n1,""\n2,\\N\n', Format.CSV, {}, [("1", ""), ("2", None)]),
        ("a,b\n1,NA\n2,\n", Format.CSV, {"null": ["NA"]}, [("1", None), ("2", "")]),
        ("a,b\n1,x\n\n2,y", Format.CSV, {}, [("1", "x"), ("2", "y")]),
        ("\ufeffa,b\r\n1,x\r\n", Format.CSV, {}, [("1", "x")]),
        ('a,b\n1,"x,""y"""\n', Format.CSV, {}, [("1", 'x,"y"')]),
        ('a,b\n1,"x\ny"\n2,z\n', Format.CSV, {"newlines_in_values": True}, [("1", "x\ny"), ("2", "z")]),
        ('a\tb\n1\t"x\n2\ty"\n', Format.TSV, {}, [("1", '"x'), ("2", 'y"')]),
        ('a\tb\n1\t"x\ty"\n', Format.TSV, {"quote": '"'}, [("1", "x\ty")]),
        ("a;b\n1;2,5\n", Format.CSV, {"separator": ";"}, [("1", "2,5")]),
        ("a\x01b\n1\x012\n", Format.CSV, {"separator": "\x01", "quote": None}, [("1", "2")]),
        ("a,b\n1,x\\,y\n", Format.CSV, {"escape": "\\", "quote": None}, [("1", "x,y")]),
        ("a,b\n1,\\N\n\\N,N\n2,x\\Ny", Format.CSV, {"escape": "\\"}, [("1", None), (None, "N"), ("2", "xNy")]),
        ("a,b\n1,\xe9\n".encode("latin-1"), Format.CSV, {"encoding": "latin-1"}, [("1", "\xe9")]),
        ('{"a": 7, "b": 7.0}\n\n{"b": true, "a": null}\n', Format.JSON, {}, [("7", "7.0"), (None, "true")]),
        ("a,b\n", Format.CSV, {}, []),
    ],
)
def test_values_are_what_stands_there(
    tmp_path: Path, content: str | bytes, told: Format, csv: dict[str, Any], wanted: list[tuple[str | None, ...]]
) -> None:
    assert [(row["a"], row["b"]) for row in rows(tmp_path, content, told, **csv)] == wanted


@pytest.mark.parametrize(
    ("content", "told", "words"),
    [
        ('a,b\n1,"x\n2,y"\n3,z\n', Format.CSV, "log must have a line a row, but found 2 rows in 3 lines; line 2 opens"),
        ("a,b\n1\n", Format.CSV, r"log must be readable, but found CSV parse error: Row #2: Expected 2 columns"),
        (b"a,b\n1,\xe9\n", Format.CSV, "csv: {encoding: ...}"),
        ("", Format.CSV, "log must be readable"),
        ('[{"a": 1}]\n', Format.JSON, "must hold one JSON object a line, but found .* in line 1"),
        ('{"a": {"b": 1}}\n', Format.JSON, "a of log must hold one value a row"),
        ('{"a": 1}\n{"a": [1]}\n', Format.JSON, "a of log must hold one value a row, but found ..1.."),
        ('{"a": [1]}\n{"a": 1}\n', Format.JSON, "a of log must hold a list in every row, but found .1."),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, content: str | bytes, told: Format, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        rows(tmp_path, content, told)
    assert caught.value.mistakes[0].position == Position("study.yaml", 3)


def test_many_open_quotes_in_a_tsv_take_no_lines(tmp_path: Path) -> None:
    lines = [f"{k}\t{chr(34) if k % 7 == 0 else ''}word {k}" for k in range(50_000)]
    found = rows(tmp_path, "\n".join(["a\tb", *lines]) + "\n", Format.TSV)
    assert [f"{row['a']}\t{row['b']}" for row in found] == lines


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xda,b\n1,2\n", Format.CSV),
        (b"a,b\n1,\xda\n", Format.CSV),
        (b"a\t\xff\n1\t2\n", Format.TSV),
        (b'{"a": 1}\n{"a": "\xda"}\n', Format.JSON),
        (b'{"a": ' + b"[" * 100_000, Format.JSON),
        (b'{"a": 1' + b"0" * 5_000 + b"}\n[]", Format.JSON),
    ],
)
def test_bytes_that_are_no_text_are_told(tmp_path: Path, content: bytes, told: Format) -> None:
    with pytest.raises(InputError, match="log must"):
        rows(tmp_path, content, told)
