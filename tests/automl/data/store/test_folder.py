from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.data.store.folder import ColumnWriter, Kind, is_whole, write_columns
from search_spaces.errors import InputError

FIRST: Kind[dict[str, Any]] = Kind("log", "an encoded log")
OTHER: Kind[dict[str, Any]] = Kind("stream", "an encoded stream", "look elsewhere", "make it anew")


def test_columns_are_mapped_by_name_and_facts_come_last(tmp_path: Path) -> None:
    parts = {"ids": np.arange(12, dtype=np.int32).reshape(6, 2), "labels": np.ones(6, np.float32)}
    write_columns(tmp_path, 6, ({n: v[rows] for n, v in parts.items()} for rows in (slice(4), slice(4, 6))))
    assert not is_whole(tmp_path)
    OTHER.write(tmp_path, {"fields": ["user", "item"]})
    assert is_whole(tmp_path)
    found = OTHER.open(tmp_path)
    assert found.facts["fields"] == ["user", "item"]
    ids_NF = found.column("ids", np.int32)
    assert isinstance(ids_NF, np.memmap)
    np.testing.assert_array_equal(ids_NF, parts["ids"])
    with pytest.raises(TypeError, match="labels must be float64, but got float32"):
        found.column("labels", np.float64)


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    first, other = tmp_path / "first", tmp_path / "other"
    for folder, kind in ((first, FIRST), (other, OTHER)):
        folder.mkdir()
        kind.write(folder, {})
    with pytest.raises(InputError, match="must hold an encoded log, but found an encoded stream"):
        FIRST.open(other)
    with pytest.raises(
        InputError, match=r"must hold an encoded stream, but found an encoded log\n    hint: look elsewhere"
    ):
        OTHER.open(first)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must hold an encoded stream, but found none"):
        OTHER.open(tmp_path)
    assert not OTHER.current(tmp_path)
    OTHER.write(tmp_path, {})
    assert OTHER.current(tmp_path)
    facts = tmp_path / "facts.json"
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "format": 0}))
    with pytest.raises(InputError, match=r"of format 1, but found format 0\n    hint: make it anew"):
        OTHER.open(tmp_path)
    assert not OTHER.current(tmp_path)
    facts.write_text("{")
    with pytest.raises(InputError, match="must hold an encoded stream, but found Expecting"):
        OTHER.open(tmp_path)


def test_a_column_has_the_length_that_was_told(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="must write 3 rows, but got 2"),
        ColumnWriter(tmp_path / "x", (3,), "<f4") as x,
    ):
        x.write(np.zeros(2))
