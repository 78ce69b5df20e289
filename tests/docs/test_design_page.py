"""docs/design.md names what there is: every room, every verb with its files, words that the code uses."""

from __future__ import annotations

import re

import click
import pytest

from automl.cli import automl
from tests.docs.pages import ROOT, names, page, rows, section

PAGE = page("design.md")
ROOMS = [names(row[0]) for row in rows(section(PAGE, "Rooms"))[1:]]
VERBS = rows(section(PAGE, "From verb to file"))[1:]
WORDS = rows(section(PAGE, "Words"))[1:]


def verbs(group: click.Group, above: str = "") -> list[str]:
    """Every command by its words."""
    found = []
    for name, command in group.commands.items():
        found += verbs(command, f"{above}{name} ") if isinstance(command, click.Group) else [f"{above}{name}"]
    return found


def test_every_room_has_its_row() -> None:
    told = {room.rstrip("/") for row in ROOMS for room in row}
    packages = {str(file.parent.relative_to(ROOT)) for file in (ROOT / "automl").rglob("__init__.py")}
    inner = {room.rpartition("/")[0] for room in told}  # a folder of rooms needs none of its own
    written = {str(path.parent.parent.relative_to(ROOT)) for path in (ROOT / "automl").rglob("*/*.yaml")}
    assert packages - told - inner - written - {"automl/commands/templates"} == set()
    assert {room for room in told if not (ROOT / room).exists()} == set()


def test_every_verb_has_its_row() -> None:
    assert sorted(names(row[0])[0] for row in VERBS) == sorted(verbs(automl))


@pytest.mark.parametrize("row", VERBS, ids=lambda row: row[0])
def test_a_verb_is_found_where_the_page_says(row: list[str]) -> None:
    assert [name for name in names(row[1]) if not (ROOT / name).is_file()] == []
    assert [name for name in names(row[2]) if not (ROOT / "automl" / name).exists()] == []


@pytest.mark.parametrize("row", WORDS, ids=lambda row: row[0])
def test_a_word_is_one_that_the_code_uses(row: list[str]) -> None:
    code = "\n".join(file.read_text("utf-8") for folder in ("automl", "search_spaces") for file in
                     (ROOT / folder).rglob("*.py"))  # fmt: skip
    for word in re.sub(r"\(.*\)", "", row[0]).split(","):
        assert re.search(rf"\b{word.strip()}", code, re.IGNORECASE), word
