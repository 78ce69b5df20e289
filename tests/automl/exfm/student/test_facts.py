"""What is written down of a student under one recipe and seed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automl.exfm.student.facts import FACTS, read_run, write_run
from automl.study.exfm_results import RunFacts
from search_spaces.distill import Distill
from search_spaces.errors import InputError
from search_spaces.model import ModelSpec


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    run = RunFacts(
        vm="home",
        recipe="plain",
        seed=2000,
        spec=ModelSpec(distill=Distill(heads="plain")),
        serving="plain",
        choices=("plain", "plain"),
        muted=(False, True),
        rows=3,
        train_seconds={"plain": 0.5},
    )
    write_run(tmp_path, run)
    assert read_run(tmp_path) == run
    assert json.loads((tmp_path / FACTS).read_text())["spec"] == run.spec.to_tree()


def test_other_facts_are_an_input_error(tmp_path: Path) -> None:
    (tmp_path / FACTS).write_text("{}")
    with pytest.raises(InputError, match=r"facts\.json: choices: field required"):
        read_run(tmp_path)
