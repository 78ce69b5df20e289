"""A run's folder is of one file: it is held against whoever goes on with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from automl.exfm.lock import LOCK, RunLock, read_lock

BEFORE = RunLock(config={"name": "a", "score_from": 1}, stream="s", teacher="t", students={"v": "m"}, file="/a.yaml")


@pytest.mark.parametrize(
    ("change", "conflicts"),
    [
        ({}, ()),
        ({"file": "/elsewhere/a.yaml", "plugins": ("/elsewhere/b.py",)}, ()),
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
