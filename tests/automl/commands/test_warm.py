"""Which studies a search may start warm from, and what it is told of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from automl.commands.warm import FEWEST, precedents_of
from automl.data.store.log import EncodedLog
from automl.study.problem import Problem
from automl.study.record import Study
from automl.study.storage import open_study
from search_spaces.errors import InputError
from search_spaces.source import read_text
from tests.worlds.studies import (
    BASELINE_NE,
    HUMAN,
    INPUTS,
    begun_study,
    complete,
    failed,
    proposals,
    small_space,
    stopped,
    study_config,
    study_facts,
)

LOG = cast(EncodedLog, SimpleNamespace(inputs=INPUTS))


def searched(folder: Path, count: int = FEWEST) -> Study:
    """A study with so many complete trials, each better than the one before, one that was stopped, one that failed."""
    study = begun_study(folder, name=folder.name)
    *good, one, other = study.begin(proposals(count + 2), 1)
    for number, trial in enumerate(good):
        study.end(complete(trial, ne=BASELINE_NE * (1 - 0.001 * number), ratio=1.0 + number))
    study.end(stopped(one))
    study.end(failed(other))
    return study


def problem(folder: Path, *names: str) -> Problem:
    folder.mkdir(exist_ok=True)
    document = read_text(f"search:\n  warm_start: [{', '.join(names)}]\n", str(folder / "study.yaml"))
    config = study_config(search={"warm_start": list(names)})
    return Problem(folder / "study.yaml", folder, document, config, small_space(), HUMAN, LOG)


def test_complete_trials_against_their_own_baseline(tmp_path: Path) -> None:
    study = searched(tmp_path / "before")
    found = precedents_of(problem(tmp_path / "now", "../before"))
    assert [one.trial for one in found] == [trial.number for trial in study.trials][:FEWEST]
    assert {one.study for one in found} == {"before"}
    assert [one.model for one in found] == [trial.candidate.model for trial in study.trials][:FEWEST]
    expected = [study.history().baseline.mean_gain_pct(trial) for trial in study.trials][:FEWEST]
    assert [one.ne_gain_pct for one in found] == expected
    assert [one.qps_ratio for one in found] == [1.0 + number for number in range(FEWEST)]


def test_what_was_said_stays_with_the_record(tmp_path: Path) -> None:
    searched(tmp_path / "before")
    said = precedents_of(problem(tmp_path / "now", "../before"))
    study = begun_study(tmp_path / "now")
    study.note(replace(study.facts, warm_start=said))
    again = open_study(tmp_path / "now", "ads", small_space())
    assert again.history().precedents == said
    assert again.facts == study_facts(warm_start=said)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../nowhere", "../nowhere must hold a study (study.db), but found none"),
        ("../few", "../few must hold at least 8 trials that were trained to their end, but found 7"),
        (".", ". must be another study, but found this one"),
        ("../begun", "../begun must hold a measured baseline, but found none yet"),
        ("../plugged", "../plugged must use the plug-ins of this study only, but found blocks.py"),
    ],
)
def test_a_folder_that_says_nothing_is_told_at_its_place(name: str, told: str, tmp_path: Path) -> None:
    searched(tmp_path / "few", FEWEST - 1)
    open_study(tmp_path / "begun", "begun", small_space()).note(study_facts())
    plugged = open_study(tmp_path / "plugged", "plugged", small_space())
    plugged.note(study_facts(plugins={"blocks.py": "ab12"}))
    with pytest.raises(InputError) as caught:
        precedents_of(problem(tmp_path / "now", "../few", name))
    lines = str(caught.value).splitlines()
    assert any(told in line and "study.yaml:2:" in line for line in lines), lines
