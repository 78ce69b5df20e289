"""Broken files, each with the whole text of what is said about it. REWRITE_GOLDEN=1 writes the texts anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from search_spaces.errors import InputError
from search_spaces.source import read_text
from search_spaces.space import load_model, load_space, space_of

FOLDER = Path(__file__).parent / "golden"
BROKEN = sorted(FOLDER.glob("*.yaml"))


def message(path: Path) -> str:
    load = load_model if path.name.startswith("model-") else load_space
    with pytest.raises(InputError) as caught:
        load(path)
    return str(caught.value).replace(f"{FOLDER}{os.sep}", "") + "\n"


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_says_what_is_wrong(path: Path) -> None:
    found = message(path)
    expected = path.with_suffix(".txt")
    if os.environ.get("REWRITE_GOLDEN"):
        expected.write_text(found, "utf-8")
    assert found == expected.read_text("utf-8")


def test_every_mistake_has_a_place() -> None:
    for path in BROKEN:
        for line in path.with_suffix(".txt").read_text("utf-8").splitlines():
            if not line.startswith(" "):
                place = line.split(" ", 1)[0]
                assert place.count(":") == 3 or path.stem in ("space-empty", "space-nothing-open"), line


@pytest.mark.parametrize(
    "text",
    ["a" * 250_000, "!" * 250_000, "[" * 250_000, '"' + "x" * 200_000, "a\n" * 100_000, "%TAG ! x\n" * 9999,
     "embedding: {min_count: {int: [1, 999999999999999]}}", "embedding: {min_count: " + "9" * 399 + "}",
     "embedding: {min_count: {choice: [1, " + "9" * 350 + "]}}", "train: {batch_size: {log: [1, " + "9" * 30 + "]}}"],
    ids=lambda text: text[:12].strip(),
)  # fmt: skip
@pytest.mark.timeout(60)
def test_absurd_files_are_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        space_of(read_text(text, "absurd.yaml"))
    assert len(str(caught.value)) < 1000


def test_there_are_enough_of_them() -> None:
    assert len(BROKEN) >= 30
