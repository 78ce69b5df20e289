"""A run that has ended, from Python."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from automl.exfm.handle import open_exfm
from automl.exfm.lock import LOCK
from automl.study.exfm_json import write_exfm
from search_spaces.errors import InputError
from tests.worlds.report_exfm import make_exfm


def test_what_a_run_found_is_read_as_values(tmp_path: Path) -> None:
    made = make_exfm(2)
    write_exfm(tmp_path, made)
    run = open_exfm(tmp_path)
    assert run.result.students["v1"].gain == made.students["v1"].gain
    assert [line.split()[0] for line in run.summary().splitlines()] == ["v1", "v2"]
    assert run.report() == tmp_path / "exfm.html"


def test_a_run_that_has_not_ended_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no exfm\.json$"):
        open_exfm(tmp_path)
    (tmp_path / LOCK).write_text("{}")
    with pytest.raises(InputError, match="automl exfm run goes on"):
        open_exfm(tmp_path)


def test_a_student_needs_the_file_of_its_run(tmp_path: Path) -> None:
    write_exfm(tmp_path, make_exfm(1))
    with pytest.raises(InputError, match=r"must hold exfm\.lock\.json"):
        open_exfm(tmp_path).export(tmp_path / "v1.automl", student="v1")


def test_figures_of_another_run_in_the_folder_are_not_shown(tmp_path: Path) -> None:
    lock = {"config": {}, "stream": "s", "teacher": "t", "students": {}, "file": "a.yaml"}
    (tmp_path / LOCK).write_text(json.dumps(lock))
    write_exfm(tmp_path, replace(make_exfm(1), stream="s"))
    assert open_exfm(tmp_path).result.stream == "s"
    write_exfm(tmp_path, replace(make_exfm(1), stream="r"))
    with pytest.raises(InputError, match=r"must be of the stream that exfm\.lock\.json tells of \(s\), but found r"):
        open_exfm(tmp_path)


def test_a_run_that_kept_nothing_says_what_to_do(tmp_path: Path) -> None:
    write_exfm(tmp_path, make_exfm(1))
    lock = {"config": {}, "stream": "s", "teacher": "t", "students": {}, "file": "/a.yaml"}
    (tmp_path / LOCK).write_text(json.dumps(lock))
    with pytest.raises(InputError, match=r"must hold what v1 needs to be served, but found nothing\n.*automl exfm run"):
        open_exfm(tmp_path).export(tmp_path / "v1.automl", student="v1")


def test_a_run_whose_plug_in_is_gone_says_so_before_its_models_are_read(tmp_path: Path) -> None:
    write_exfm(tmp_path, make_exfm(1))
    lock = {"config": {}, "stream": "s", "teacher": "t", "students": {}, "file": "/a.yaml"}
    (tmp_path / LOCK).write_text(json.dumps({**lock, "plugins": [str(tmp_path / "gone.py")]}))
    with pytest.raises(InputError, match=r"plug-in gone\.py must be a file, but found nothing there"):
        open_exfm(tmp_path)


def test_a_handle_that_is_kept_tells_of_the_run_as_it_is(tmp_path: Path) -> None:
    lock = {"config": {}, "stream": "s", "teacher": "t", "students": {}, "file": "a.yaml"}
    (tmp_path / LOCK).write_text(json.dumps(lock))
    write_exfm(tmp_path, replace(make_exfm(1, seeds=2), stream="s"))
    run = open_exfm(tmp_path)
    first = run.result
    assert run.result is first, "read anew only where it has changed"
    write_exfm(tmp_path, replace(make_exfm(2, seeds=3), stream="s"))
    assert run.result.seeds == 3
    assert [line.split()[0] for line in run.summary().splitlines()] == ["v1", "v2"]
    (tmp_path / LOCK).write_text(json.dumps({**lock, "stream": "another"}))
    for ask in (run.summary, run.report, lambda: run.export(tmp_path / "v1.automl", student="v1")):
        with pytest.raises(InputError, match="must be of the stream that"):
            ask()
    (tmp_path / "exfm.json").unlink()
    with pytest.raises(InputError, match=r"no exfm\.json\n.*automl exfm run goes on"):
        run.summary()
