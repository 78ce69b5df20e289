"""Lines survive whoever wrote them."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments import json_lines


@pytest.mark.parametrize("half", ['{"b": [1, ', '{"b": "é', "", "7"])
def test_half_a_line_is_none_and_its_place_is_taken(half: str, tmp_path: Path) -> None:
    file = tmp_path / "there" / "lines.jsonl"
    assert json_lines.read(file) == []
    json_lines.append(file, {"a": 1})
    with file.open("ab") as out:
        out.write(half.encode()[:-1] if half.endswith("é") else half.encode())
    assert json_lines.read(file) == [{"a": 1}]
    json_lines.append(file, {"b": "é"})
    assert json_lines.read(file) == [{"a": 1}, {"b": "é"}]
