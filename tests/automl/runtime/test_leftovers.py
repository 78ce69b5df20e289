"""Leftovers of a killed run are found by the marks that all its processes inherit, and nothing else is touched."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from automl.runtime.leftovers import FOLDER, OWNER, reap, scratch_folder, watched
from tests.worlds.processes import PATIENCE_S, is_gone, sleeper

ROOT = Path(__file__).parents[3]


def test_only_processes_of_this_folder_are_ended(tmp_path: Path) -> None:
    with ExitStack() as stack:
        ours = [stack.enter_context(sleeper(str(tmp_path))) for _ in range(2)]
        others = [stack.enter_context(sleeper(mark)) for mark in (None, str(tmp_path / "other"), str(tmp_path)[:-1])]
        assert reap(tmp_path) == 2
        assert all(is_gone(process) for process in ours)
        assert all(process.poll() is None for process in others)
        assert reap(tmp_path) == 0


def test_the_caller_itself_is_spared(tmp_path: Path) -> None:
    code = f"from pathlib import Path; from automl.runtime.leftovers import reap; print(reap(Path({str(tmp_path)!r})))"
    environment = {**os.environ, FOLDER: str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


def test_scratch_of_killed_runs_over_a_folder_goes_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with ExitStack() as killed, scratch_folder() as unknown:
        monkeypatch.setenv(FOLDER, "/studies/one")
        left = killed.enter_context(scratch_folder())
        (left / "note.json").write_text("[]")
        monkeypatch.setenv(FOLDER, "/studies/other")
        with scratch_folder() as other:
            assert set(tmp_path.iterdir()) == {unknown, left, other}
        monkeypatch.setenv(FOLDER, "/studies/one")
        with scratch_folder() as new:
            assert set(tmp_path.iterdir()) == {unknown, new}
            assert list(new.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


SLEEPER = """
import subprocess, sys, time
from automl.runtime.leftovers import watched
with watched():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(child.pid, flush=True)
    time.sleep(float(sys.argv[1]))
"""


@pytest.mark.parametrize("killed", [True, False])
def test_a_watcher_ends_what_a_killed_driver_has_started(killed: bool) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, "600" if killed else "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert driver.stdout is not None
    child = psutil.Process(int(driver.stdout.readline()))
    driver.stdout.close()
    if killed:
        driver.kill()
        driver.wait()
        psutil.wait_procs([child], timeout=PATIENCE_S)
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    else:
        driver.wait()
        assert child.is_running(), "a driver that ends in order looks after its own"
        child.kill()


def test_the_environment_is_as_before() -> None:
    before = os.environ.get(OWNER)
    with watched():
        assert os.environ[OWNER] != before
    assert os.environ.get(OWNER) == before
