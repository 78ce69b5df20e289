"""What a space asks of a log's sequences, told at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.study.fits import lengths_alike
from search_spaces.source import read
from search_spaces.space import load_space

SPACE = "interaction: {fm: {}}\ndeep: {mlp: {width: 8}}\nhistory:\n  "


@pytest.mark.parametrize(
    ("history", "told"),
    [
        ("din: {length: {choice: [5, 9, 30, 100], default: 9}}", ["9, 30, 100 4:9"]),
        ("one_of: {none: {}, mean: {length: {int: [4, 12]}}}", ["all from 9 on 4:29"]),
        ("one_of: {din: {length: {choice: [5, 9], default: 9}}, mean: {length: 50}}", []),
    ],
)
def test_lengths_that_are_one_model(tmp_path: Path, history: str, told: list[str]) -> None:
    (tmp_path / "space.yaml").write_text(f"{SPACE}{history}\n")
    (tmp_path / "study.yaml").write_text("space: space.yaml\n")
    space = load_space(tmp_path / "space.yaml")
    found = lengths_alike(read(tmp_path / "study.yaml"), space, 9)
    ends = " are one model, as no sequence has a max_len above 9"
    assert [f"{text.partition('.length: ')[2].removesuffix(ends)} {at.line}:{at.column}" for at, text in found] == told
