"""A run's folder is of one file: it is held against whoever goes on with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from automl.exfm.lock import LOCK, RunLock, hold_plugins, lock_run, read_lock
from automl.exfm.problem import ExfmProblem
from search_spaces.errors import InputError

BEFORE = RunLock(config={"name": "a", "score_from": 1}, stream="s", teacher="t", students={"v": "m"}, file="/a.yaml")


@pytest.mark.parametrize(
    ("change", "conflicts"),
    [
        ({}, ()),
        ({"file": "/elsewhere/a.yaml", "plugins": {"/elsewhere/b.py": "1"}}, ()),
        ({"upgrade": "u"}, ()),  # an older lock does not know it
        ({"config": {"name": "a", "score_from": 2}}, ("config",)),
        ({"teacher": "u", "students": {}}, ("teacher", "students")),
        ({"stream": "r"}, ("stream",)),
    ],
)
def test_all_but_the_place_of_the_file_is_held(change: dict[str, object], conflicts: tuple[str, ...]) -> None:
    assert replace(BEFORE, **change).conflicts(BEFORE) == conflicts


def test_a_lock_is_read_back(tmp_path: Path) -> None:
    assert read_lock(tmp_path) is None
    keys = ("config", "stream", "teacher", "students", "file")
    (tmp_path / LOCK).write_text(json.dumps({key: getattr(BEFORE, key) for key in keys}))
    assert read_lock(tmp_path) == BEFORE
    told = {key: getattr(BEFORE, key) for key in keys}
    (tmp_path / LOCK).write_text(json.dumps({**told, "plugins": ["/b.py"]}))
    assert read_lock(tmp_path) == replace(BEFORE, plugins={"/b.py": ""}), "as older releases wrote them"


def test_another_upgrade_is_another_run() -> None:
    assert replace(BEFORE, upgrade="u").conflicts(replace(BEFORE, upgrade="v")) == ("upgrade of the teacher",)


def test_a_plug_in_of_another_content_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.py").write_text("def plug(tables): pass\n")
    file = str(tmp_path / "own.py")
    monkeypatch.setattr("automl.study.plugins.digests", lambda: {file: "2"})
    hold_plugins(replace(BEFORE, plugins={"own.py": "2"}), tmp_path)
    hold_plugins(replace(BEFORE, plugins={"own.py": ""}), tmp_path)
    with pytest.raises(InputError, match=rf"{file}: must be the plug-in that {tmp_path} was run with"):
        hold_plugins(replace(BEFORE, plugins={"own.py": "1"}), tmp_path)


@pytest.mark.parametrize(
    "left", ["teaching.json", "snapshots/0/snapshot.json", "das/scored/_delta_log", "students/v.none.seed-0/facts.json"]
)
def test_what_a_run_has_left_is_of_no_run_without_its_lock(
    tmp_path: Path, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = cast(ExfmProblem, SimpleNamespace(folder=tmp_path, file=tmp_path / "exfm.yaml"))
    monkeypatch.setattr(RunLock, "of", lambda problem: BEFORE)
    for own in ("students/model.yaml", "data/1/facts.json", "snapshots/notes.txt"):
        (tmp_path / own).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / own).touch()
    lock_run(problem)
    assert read_lock(tmp_path) == BEFORE, "a folder of its user's own files can be taken"
    (tmp_path / left).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / left).touch()
    lock_run(problem)
    (tmp_path / LOCK).unlink()
    with pytest.raises(
        InputError, match=rf"must tell what the run .* since it has left {left}, but found none"
    ) as told:
        lock_run(problem)
    assert "no lock of a process: put it back, or use another --out" in str(told.value)
    assert not (tmp_path / LOCK).exists()
