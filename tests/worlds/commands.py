"""A small study on a simulated log, and the real commands, in processes of their own where that is what matters."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from automl.cli import main
from automl.data.simulated.log import simulate
from automl.runtime.leftovers import FOLDER, marked
from experiments.small_study import BASELINE, SPACE
from tests.worlds.processes import PATIENCE_S

AUTOML = Path(sys.executable).with_name("automl")
ROOT = Path(__file__).parents[2]

STUDY = """\
name: small
data:
  path: log/log.parquet
  join:
    - {path: log/users.parquet, on: user_id}
    - {path: log/items.parquet, on: item_id}
  time: {column: time_ms, unit: ms, timezone: UTC}
  label: click
  cluster: user_id
  features:
    categorical: {user_id: {}, item_id: {}, category: {}, tab: {}, device: {}}
    dense: [price]
  split:
    train: [2024-03-04, 2024-03-%(train)02d]
    validate: [2024-03-%(validate)02d, 2024-03-%(validate)02d]
    test: [2024-03-%(test)02d, 2024-03-11]
space: space.yaml
baseline: baseline.yaml
search: {strategy: %(strategy)s, batch: 4, stop_early: %(stop_early)s}
trial: {timeout: %(timeout)s, memory: 2GiB}
qps: {clock: %(clock)s}
baseline_seeds: 2
finals: {margin_pct: 0.5, seeds: 2, repeats: 2}
seed: 3
"""


def write_study(
    folder: Path,
    *,
    rows: int = 6000,
    strategy: str = "controller",
    timeout: str = "60s",
    clock: str = "analytic",
    stop_early: bool = True,
    test_days: int = 1,
) -> Path:
    """A study that runs in seconds; its file. Its windows end with the log, 2024-03-11."""
    simulate(folder / "log", rows=rows, users=300, items=100, seed=1)
    (folder / "space.yaml").write_text(SPACE)
    (folder / "baseline.yaml").write_text(BASELINE)
    file = folder / "study.yaml"
    file.write_text(
        STUDY % {"strategy": strategy, "timeout": timeout, "clock": clock, "stop_early": str(stop_early).lower(),
                 "train": 10 - test_days, "validate": 11 - test_days, "test": 12 - test_days}
    )  # fmt: skip
    return file


def automl(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in a process of its own, whose environment has these variables too."""
    command, environment = [AUTOML, *map(str, words)], {**os.environ, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, cwd=ROOT)


def automl_here(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in this process: one that starts no other, and is told apart by what it says."""
    out, errors = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(errors):
        patch.setattr(sys, "argv", ["automl", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    assert isinstance(ended.value.code, int)
    return subprocess.CompletedProcess(words, ended.value.code, out.getvalue(), errors.getvalue())


def start(*words: str | Path) -> subprocess.Popen[str]:
    """Start a command as the leader of a process group of its own, as a shell does."""
    return subprocess.Popen(
        [AUTOML, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )


def interrupt(process: subprocess.Popen[str]) -> None:
    """What Ctrl-C does: SIGINT to the whole process group."""
    os.killpg(process.pid, signal.SIGINT)


def left_behind(folder: Path, patience: float = 60.0) -> list[str]:
    """Processes of runs over this folder that are still alive after a little patience."""
    deadline = time.monotonic() + patience
    while True:
        alive = [" ".join(process.cmdline()[:3]) for process in marked(FOLDER, str(folder))]
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(0.2)
