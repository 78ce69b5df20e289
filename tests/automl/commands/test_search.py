"""A search whose trials have all ended before: what it writes down of itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from automl.commands.search import search
from automl.data.store.log import EncodedLog
from automl.study.problem import Problem
from automl.study.storage import open_study
from search_spaces.plugins import load_files, loaded, unload
from search_spaces.source import read_text
from tests.worlds.recorded import STUDY, search_over, write_searched
from tests.worlds.studies import (
    HUMAN,
    add_baseline,
    complete,
    proposals,
    small_space,
    study_config,
    study_facts,
    study_tree,
)


def test_a_clock_that_is_put_back_takes_no_time_from_a_search(tmp_path: Path) -> None:
    asked = {"strategy": "random", "repeats": 0}
    text = json.dumps(study_tree(search=asked))
    study = open_study(tmp_path, "ads", small_space())
    add_baseline(study)
    for trial in study.begin(proposals(2), 1):
        study.end(complete(trial))
    study.note(replace(study_facts(config_text=text), wall_seconds=100.0))
    problem = Problem(
        file=tmp_path / "study.yaml",
        folder=tmp_path,
        document=read_text(text, "study.yaml"),
        config=study_config(search=asked),
        space=small_space(),
        baseline=HUMAN,
        log=cast(EncodedLog, SimpleNamespace(folder=tmp_path / "log", fingerprint=study.facts.data, primary=0)),
    )
    moments, seconds = iter((2e9, 1e9)), iter((50.0, 57.0))
    found = search(problem, trials=2, workers=2, clock=lambda: next(moments), timer=lambda: next(seconds))
    assert found.facts.wall_seconds == 107.0


def test_a_record_tells_of_its_own_plug_ins(tmp_path: Path) -> None:
    for name in ("other_studys_plug_in", "own_plug_in"):
        (tmp_path / f"{name}.py").write_text("def plug(tables):\n    pass\n")
    try:
        load_files([str(tmp_path / "other_studys_plug_in.py")])
        (tmp_path / "study").mkdir()
        file = write_searched(tmp_path / "study")
        assert list(search_over(file).facts.plugins) == []
        file.write_text(STUDY + "plugins: [../own_plug_in.py]\n")
        assert list(search_over(file).facts.plugins) == ["../own_plug_in.py"]
        file.write_text(STUDY)
        assert list(search_over(file).facts.plugins) == ["../own_plug_in.py"], "its trials may hold what it adds"
    finally:
        for plugged in loaded():
            if plugged.file.parent == tmp_path.resolve():
                unload(plugged)
