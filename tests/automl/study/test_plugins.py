"""Strategies and trainings of a plug-in stand in the tables of the study file, under names that were free."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from automl.strategies import strategy_of
from automl.study.config import STRATEGIES, TRAININGS
from automl.study.plugins import files, plug_in, plug_in_files
from search_spaces import plugins
from search_spaces.errors import InputError
from search_spaces.source import read
from tests.worlds.studies import study_config

PLUGIN = """\
def propose(space, history, count, seed):
    return []


def plug(tables):
    tables.strategy("nothing", f"{__name__}:propose")
    tables.training("quick", f"{__name__}:propose")
"""


@pytest.fixture(autouse=True)
def unplugged() -> Iterator[None]:
    """Every test begins and ends with the tables as they are in the package."""
    before = dict(STRATEGIES), dict(TRAININGS)
    known = plugins.loaded()
    yield
    for plugged in plugins.loaded():
        if plugged not in known:
            plugins.unload(plugged)
    for table, names in zip((STRATEGIES, TRAININGS), before, strict=True):
        table.clear()
        table.update(names)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "nothing_new.py"
    path.write_text(PLUGIN)
    return path


def test_what_a_study_may_name(file: Path) -> None:
    with pytest.raises(ValueError, match=r"must be controller, .* or tpe"):
        study_config(search={"strategy": "nothing"})
    with pytest.raises(ValueError, match="must be standard"):
        study_config(trial={"training": "quick"})
    (file.parent / "study.yaml").write_text("plugins: [nothing_new.py]\n")
    plug_in(read(file.parent / "study.yaml"))
    config = study_config(search={"strategy": "nothing"}, trial={"training": "quick"})
    assert TRAININGS[config.trial.training] == "nothing_new:propose"
    assert strategy_of("nothing").__module__ == "nothing_new"
    assert str(file) in files()


def test_a_record_loads_them_by_their_files(file: Path) -> None:
    for _ in range(2):
        plug_in_files([str(file)])
    assert STRATEGIES["nothing"] == "nothing_new:propose"
    with pytest.raises(InputError, match=r"gone\.py: plug-in gone\.py must be a file, but found nothing there"):
        plug_in_files([str(file.with_name("gone.py"))])


def test_a_taken_name_adds_nothing_and_may_be_mended(file: Path) -> None:
    file.write_text(PLUGIN.replace('"quick"', '"standard"'))
    with pytest.raises(InputError, match="the training `standard` must have a name of its own"):
        plug_in_files([str(file)])
    assert "nothing" not in STRATEGIES
    file.write_text(PLUGIN)
    plug_in_files([str(file)])
    assert "nothing" in STRATEGIES
