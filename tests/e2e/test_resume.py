"""An interrupted search goes on by the same command, and nothing that ended is lost or changed.

One that is killed: tests/experiments/test_faults.py.
"""

from __future__ import annotations

import sqlite3
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import automl as toolkit
from tests.worlds.commands import automl, interrupt, left_behind, start, write_study
from tests.worlds.processes import PATIENCE_S


def test_ctrl_c_stops_cleanly_and_can_be_resumed(tmp_path: Path) -> None:
    file = write_study(tmp_path, rows=20_000)
    process = start("search", file, "--trials", "1000", "--workers", "2")
    _wait_for(process, tmp_path, 2)
    interrupt(process)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, errors
    assert "stopping: what runs is ended, the same command goes on" in errors
    assert "Traceback" not in errors
    assert left_behind(tmp_path) == []
    kept = _check_kept(tmp_path, {})
    done = automl("search", file, "--trials", str(sum(isinstance(n, int) for n in kept) + 2), "--workers", "2")
    assert done.returncode == 0, done.stderr
    _check_kept(tmp_path, kept)


def _wait_for(process: subprocess.Popen[str], folder: Path, ended: int) -> None:
    while _ended(folder) < ended:
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)


def _ended(folder: Path) -> int:
    try:
        with sqlite3.connect(f"file:{folder / 'study.db'}?mode=ro", uri=True, timeout=5) as db:
            (count,) = db.execute("select count(*) from trial_user_attributes where key = 'outcome'").fetchone()
            return int(count)
    except sqlite3.OperationalError:
        return 0


def _check_kept(folder: Path, before: dict[int | str, str]) -> dict[int | str, str]:
    trials = toolkit.open_study(folder).history.trials
    ended = {trial.number: repr(replace(trial, repeats=())) for trial in trials if trial.ended}
    ended |= {f"{t.number} on {r.order}": repr(r) for t in trials for r in t.repeats}
    assert {number: ended.get(number) for number in before} == before
    return ended
