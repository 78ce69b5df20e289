"""docs/space.md and the language say the same."""

from __future__ import annotations

import re

import pytest

from automl.data.columns.quantiles import BLOCK_ROWS, BLOCKS
from search_spaces.blocks import INTERACTION_BLOCKS, Mlp
from search_spaces.dense_forms import DENSE_FORMS
from search_spaces.distill import HEADS, READ_BY
from search_spaces.domains import KINDS
from search_spaces.errors import InputError
from search_spaces.extends import library, resolve
from search_spaces.history import HISTORIES
from search_spaces.knobs import Checked, Knob, knobs_of
from search_spaces.model import Distill, Embedding, Tasks, Train
from search_spaces.schema import MAX_LAYERS
from search_spaces.source import read_text
from search_spaces.space import model_of, space_of
from search_spaces.tasks import READ_BY as TASKS_READ_BY
from search_spaces.terms import COSTS
from tests.docs.pages import Fence, fences, names, page, rows, section

SECTIONS: dict[str, type[Checked]] = {
    "Embedding": Embedding,
    "Layers of the deep tower": Mlp,
    "Training": Train,
    "Distillation": Distill,
    "Several labels": Tasks,
}


def _check(knob: Knob, default: str, allowed: str, meaning: str) -> None:
    words = allowed.replace(",", "").split()
    if knob.kind is bool:
        assert default == str(knob.default).lower()
        assert set(words) == {"true", "false"}
    else:
        assert default == (f"{knob.default:g}" if isinstance(knob.default, int | float) else knob.default)
    if knob.choices:
        assert tuple(words) == knob.choices
    for bound in (knob.ge, knob.above, knob.le):
        assert bound is None or f"{bound:.15g}" in words
    assert meaning


def _is_knob(row: list[str]) -> bool:
    return len(row) == 4 and row[1] != "default"


@pytest.mark.parametrize("title", SECTIONS)
def test_knobs_of_a_part_are_those_of_its_table(title: str) -> None:
    knobs = knobs_of(SECTIONS[title])
    table = {names(row[0])[0]: row[1:] for row in rows(section(page("space.md"), title)) if _is_knob(row)}
    assert list(table) == list(knobs)
    for name, cells in table.items():
        _check(knobs[name], *cells)


def test_blocks_and_their_knobs_are_those_of_the_table() -> None:
    block, found = "", dict[str, dict[str, list[str]]]()
    for first, knob, *cells in rows(section(page("space.md"), "Blocks of an interaction layer")):
        if len(cells) != 3 or not (names(first) or names(knob)):
            continue  # the table of formulas, and headings
        block = names(first)[0] if names(first) else block
        found.setdefault(block, {})
        if names(knob):
            found[block][names(knob)[0]] = cells
    assert {name: list(knobs) for name, knobs in found.items()} == {
        name: list(knobs_of(spec)) for name, spec in sorted(INTERACTION_BLOCKS.items())
    }
    for name, knobs in found.items():
        for knob, cells in knobs.items():
            _check(knobs_of(INTERACTION_BLOCKS[name])[knob], *cells)


def test_ways_to_read_a_history_and_their_knobs_are_those_of_the_table() -> None:
    table = rows(section(page("space.md"), "Histories"))
    way, found = "", dict[str, dict[str, list[str]]]()
    for first, knob, *cells in (row for row in table if len(row) == 5 and row[1] != "knob"):
        way = first or way
        found.setdefault(way, {})
        if names(knob):
            found[way][names(knob)[0]] = cells
    common = found.pop("all but `none`")
    told = {names(way)[0]: {**({} if way == "`none`" else common), **knobs} for way, knobs in found.items()}
    assert {name: set(knobs) for name, knobs in told.items()} == {
        name: set(knobs_of(spec)) for name, spec in HISTORIES.items()
    }
    for name, knobs in told.items():
        for knob, cells in knobs.items():
            _check(knobs_of(HISTORIES[name])[knob], *cells)
    formulas = {names(row[0])[0] for row in table if len(row) == 3 and names(row[0])}
    assert formulas == set(HISTORIES)


def test_forms_of_numbers_and_their_knobs_are_those_of_the_table() -> None:
    table = rows(section(page("space.md"), "Numbers"))
    form, found = "", dict[str, dict[str, list[str]]]()
    for first, knob, *cells in (row for row in table if len(row) == 5 and row[1] != "knob"):
        form = first or form
        found.setdefault(form, {})
        if names(knob):
            found[form][names(knob)[0]] = cells
    common = found.pop("all but `linear`")
    told = {names(form)[0]: {**({} if form == "`linear`" else common), **knobs} for form, knobs in found.items()}
    assert {name: list(knobs) for name, knobs in told.items()} == {
        name: list(knobs_of(spec)) for name, spec in DENSE_FORMS.items()
    }
    for name, knobs in told.items():
        for knob, cells in knobs.items():
            _check(knobs_of(DENSE_FORMS[name])[knob], *cells)
    assert [names(row[0])[0] for row in table if len(row) == 3 and names(row[0])] == list(DENSE_FORMS)
    assert f"({BLOCKS * BLOCK_ROWS:,} of them" in section(page("space.md"), "Numbers")


def test_heads_and_what_they_read_are_told() -> None:
    table = rows(section(page("space.md"), "Distillation"))
    assert [row[0] for row in table if len(row) == 3][1:] == list(HEADS)
    told = {name: cells for first, *cells in (row for row in table if len(row) == 2) for name in names(first)}
    assert {name: tuple(cell.replace(",", "").split()) for name, (cell,) in told.items()} == READ_BY


def test_what_reads_a_knob_of_several_labels_is_told() -> None:
    table = [row for row in rows(section(page("space.md"), "Several labels")) if len(row) == 2 and names(row[0])]
    told = {name: cell for first, cell in table for name in names(first)}
    assert set(told) == set(TASKS_READ_BY)
    for name, (gate, answers) in TASKS_READ_BY.items():
        words = f"of {answers[0]} or more" if gate == "tower_layers" else ", ".join(map(str, answers))
        assert told[name] == f"`{gate}` {words}"


def test_every_block_has_its_formula_and_source() -> None:
    table = rows(section(page("space.md"), "Blocks of an interaction layer"))
    formulas = {names(row[0])[0]: row for row in table if len(row) == 4 and names(row[0])}
    assert set(formulas) == set(INTERACTION_BLOCKS)


def test_words_of_the_language_are_told() -> None:
    text = page("space.md")
    written = {word for row in rows(text) for word in names(row[0])}
    assert all(any(word.startswith(f"{{{kind}:") for word in written) for kind in KINDS)
    top = {names(row[0])[0] for row in rows(section(text, "Keys at the top"))[1:]}
    assert top == {
        "plugins",
        "extends",
        "features",
        "embedding",
        "dense",
        "history",
        "interaction",
        "wiring",
        "deep",
        "members",
        "tasks",
        "train",
        "distill",
        "where",
    }
    assert {names(row[0])[0] for row in rows(section(text, "Constraints: where"))[1:]} == set(COSTS)
    assert {names(row[0])[0] for row in rows(section(text, "The library"))[1:]} == set(library())
    assert f"0 to {MAX_LAYERS}" in section(text, "Stacks")


@pytest.mark.parametrize("fence", fences("yaml", "space"), ids=lambda fence: fence.place)
def test_spaces_in_the_pages_load(fence: Fence) -> None:
    assert space_of(resolve(read_text(fence.text, fence.place))).decisions


@pytest.mark.parametrize("fence", fences("yaml", "model"), ids=lambda fence: fence.place)
def test_models_in_the_pages_load(fence: Fence) -> None:
    assert model_of(read_text(fence.text, fence.place)).key


def test_the_refused_example_is_answered_as_shown() -> None:
    text = page("space.md")
    shown = re.search(r"For this file\n\n```yaml\n(.*?)```.*?check bad.yaml\n(.*?)```", text, re.DOTALL)
    assert shown is not None
    with pytest.raises(InputError) as caught:
        space_of(read_text(shown[1], "bad.yaml"))
    assert str(caught.value) == shown[2].rstrip()
