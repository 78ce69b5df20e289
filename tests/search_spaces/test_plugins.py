"""Blocks from a file: spaces and models that name it have them, and what is wrong is told where it is named."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from search_spaces import plugins
from search_spaces.blocks import INTERACTION_BLOCKS
from search_spaces.encoding import rows
from search_spaces.errors import InputError
from search_spaces.model import InputShape
from search_spaces.space import load_model, load_space

PLUGIN = """\
from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks import BlockSpec, Cost, Fields
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn(BlockSpec):
    name: ClassVar[str] = "turn"
    module: ClassVar[str] = f"{__name__}:Turn"
    by: int = knob(1, ge=0, le=9)

    def out_shape(self, fields: Fields) -> Fields:
        return fields

    def cost(self, fields: Fields) -> Cost:
        return Cost(params=self.by)


def plug(tables):
    tables.block(Turn)
"""
SPACE = "interaction: [{turn: {by: {int: [1, 3]}}}]\n"


@pytest.fixture(autouse=True)
def unplugged() -> Iterator[None]:
    """Every test begins and ends without plug-ins."""
    before = dict(INTERACTION_BLOCKS)
    yield
    for plugged in plugins.loaded():
        plugins.unload(plugged)
    assert before == INTERACTION_BLOCKS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "turning.py").write_text(PLUGIN)
    return tmp_path


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


def refused(file: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_space(file)
    return str(caught.value).removeprefix(f"{file.parent}/")


def test_a_space_and_a_model_have_the_blocks_of_their_file(folder: Path) -> None:
    space = load_space(write(folder, "space.yaml", f"plugins: [turning.py]\n{SPACE}"))
    assert [decision.path for decision in space.decisions] == ["interaction[0].turn.by"]
    model = load_model(write(folder, "model.yaml", "plugins: [turning.py]\ninteraction: [{turn: {by: 2}}]\n"))
    assert space.locate(model) is not None
    assert "plugins" not in space.to_yaml()


def test_what_predictors_and_limits_read_knows_the_block(folder: Path) -> None:
    text = f"plugins: [turning.py]\nwhere: [params <= 115]\n{SPACE}"
    inputs = InputShape(id_counts=((5, 3), (9,)), dense=0, train_rows=17)
    space = load_space(write(folder, "space.yaml", text), inputs)
    answers_ND = np.array([[1.0], [3.0]])
    features_NF, names = rows(space, answers_ND)
    assert features_NF[:, names.index("count(turn)")].tolist() == [1.0, 1.0]
    costs = [space.candidate(answers).model.cost(inputs).params for answers in answers_ND]
    assert costs == [114, 116]
    assert space.allowed(answers_ND).tolist() == [True, False]


def test_without_the_file_the_block_is_not_known(folder: Path) -> None:
    assert "unknown key `turn`" in refused(write(folder, "space.yaml", SPACE))


def test_a_space_takes_the_plug_ins_of_what_it_extends(folder: Path) -> None:
    """Paths are relative to the file that names them, and a block of one's own is a form of layer."""
    base = write(folder, "base.yaml", "plugins: [turning.py]\ninteraction: {repeat: {int: [0, 2]}, turn: {by: 1}}\n")
    over = write(folder / "far", "over.yaml", "extends: ../base.yaml\ninteraction: {cross: {rank: 8}}\n")
    assert "turn" not in load_space(over).to_yaml()
    assert "turn" in load_space(base).to_yaml()


def test_a_file_is_loaded_once(folder: Path) -> None:
    text = "from pathlib import Path\nPath(__file__).with_suffix('.log').touch(exist_ok=False)\n"
    (folder / "turning.py").write_text(text + PLUGIN)
    for name in ("one.yaml", "two.yaml"):
        load_space(write(folder, name, f"plugins: [turning.py, ./turning.py]\n{SPACE}"))
    assert (folder / "turning.log").exists()


def test_what_was_unloaded_may_be_mended(folder: Path) -> None:
    file = write(folder, "space.yaml", f"plugins: [turning.py]\n{SPACE}")
    load_space(file)
    for plugged in plugins.loaded():
        plugins.unload(plugged)
    (folder / "turning.py").write_text(PLUGIN.replace("le=9", "le=2"))
    assert "at most 2" in refused(file)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def plug(tables:\n", "must load, but found SyntaxError: '(' was never closed (turning.py, line 1)"),
        ("import sys\n\nsys.exit(3)\n", "must load, but found SystemExit: 3 (turning.py:3)"),
        ("plug = 3\n", "must have a function plug(tables), but found none"),
        ("def plug(tables):\n    tables.blok(3)\n",
         "must run its plug(tables), but found AttributeError: 'Plugins' object has no attribute 'blok' (turning.p"),
        (PLUGIN.replace('"turn"', '"mlp"'), "the block `mlp` must have a name of its own, but found one that is taken"),
        (PLUGIN.replace("    def cost", "    def price"), "the block Turn must have out_shape and cost"),
        (PLUGIN.replace('f"{__name__}:Turn"', '"turning"'), "which cannot be called"),
    ],
    ids=lambda text: text[:24],
)  # fmt: skip
def test_what_is_wrong_is_told_where_it_is_named(folder: Path, text: str, told: str) -> None:
    (folder / "turning.py").write_text(text)
    found = refused(write(folder, "space.yaml", f"plugins:\n  - turning.py\n{SPACE}"))
    assert found.startswith("space.yaml:2:5: plug-in turning.py")
    assert told in found
    assert "turn" not in INTERACTION_BLOCKS
    assert importlib.util.find_spec("turning") is None


def test_two_files_of_one_name_are_told_apart(folder: Path) -> None:
    load_space(write(folder, "space.yaml", f"plugins: [turning.py]\n{SPACE}"))
    write(folder / "other", "turning.py", PLUGIN.replace("turn", "spin"))
    found = refused(write(folder, "two.yaml", f"plugins: [other/turning.py]\n{SPACE}"))
    assert "must have a name of its own, but found a module turning of another file" in found
