"""Broken files, each with the whole text of what is said about it. REWRITE_GOLDEN=1 writes the texts anew."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from search_spaces.errors import InputError
from search_spaces.space import load_model, load_space

FOLDER = Path(__file__).parent / "golden"
BROKEN = sorted(FOLDER.glob("*.yaml"))


def message(path: Path) -> str:
    load = load_model if path.name.startswith("model-") else load_space
    with pytest.raises(InputError) as caught:
        load(path)
    return str(caught.value).replace(f"{FOLDER}{os.sep}", "") + "\n"


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_says_what_is_wrong(path: Path) -> None:
    started = time.process_time()
    found = message(path)
    assert time.process_time() - started < 10, "a broken file must be refused within seconds"
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


def test_there_are_enough_of_them() -> None:
    assert len(BROKEN) >= 30
