"""What a space asks of a log's sequences, told at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.study.fits import cuts_alike, lengths_alike
from search_spaces.model import InputShape
from search_spaces.source import read
from search_spaces.space import load_space

WIDTHS = "interaction: {fm: {}}\ndeep: {mlp: {width: {choice: [8, 16]}}}\n"
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


@pytest.mark.parametrize(
    ("min_count", "told"),
    [
        ("{choice: [1, 2, 5], default: 2}", ["1, 2 are one model"]),
        ("{int: [1, 6], default: 2}", ["1, 2, 3 are one model", "4, 5 are one model"]),
        ("{choice: [3, 5, 9], default: 5}", []),
        ("2", []),
    ],
)
def test_cuts_that_tell_the_same_ids_apart(tmp_path: Path, min_count: str, told: list[str]) -> None:
    """Ids that were seen 9, 3, 7 and 5 times."""
    (tmp_path / "space.yaml").write_text(f"embedding: {{min_count: {min_count}}}\n{WIDTHS}")
    (tmp_path / "study.yaml").write_text("space: space.yaml\n")
    found = cuts_alike(
        read(tmp_path / "study.yaml"), load_space(tmp_path / "space.yaml"), InputShape(((9, 3), (7, 5)), 0, 30)
    )
    start, end = "embedding.min_count: ", ", as they tell the same ids apart"
    assert [text.removeprefix(start).removesuffix(end) for _, text in found] == told
    assert {(at.line, at.column) for at, _ in found} <= {(1, 13)}
