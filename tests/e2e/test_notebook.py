"""A search from Python in a process that is connected to a Ray of its own, as a notebook is.

And the same search once more, as a command: same seed, same study, bit for bit, whoever starts it and on whichever Ray.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import automl as toolkit
from tests.worlds.commands import ROOT, automl, write_study
from tests.worlds.processes import PATIENCE_S

TRIALS = 16
NOTEBOOK = """
import sys
import time
import ray
ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
mine = ray.put("mine")
import automl
print(len(automl.search(sys.argv[1], trials=int(sys.argv[2]), workers=1).history.trials))
end = time.monotonic() + 60  # Ray's books are some seconds late
while ray.available_resources().get("CPU") != 2 and time.monotonic() < end:
    time.sleep(0.1)
print(ray.get(mine), ray.available_resources()["CPU"])
"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The folder that was searched in, and what the process said."""
    folder = tmp_path_factory.mktemp("notebook")
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, write_study(folder, clock="analytic"), str(TRIALS)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    return folder, done


def test_the_ray_of_a_notebook_is_used_and_stays_up(
    notebook: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    said = notebook[1].stdout.splitlines()
    assert said[-2:] == [str(TRIALS), "mine 2.0"], "its objects live on, and all it had is given back"


def test_two_runs_with_one_worker_agree_bit_for_bit(
    notebook: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    file = write_study(tmp_path, clock="analytic")
    done = automl("search", file, "--trials", str(TRIALS), "--workers", "1")
    assert done.returncode == 0, done.stderr
    columns = ["trial", "key", "origin", "state", "round", "ne", "auc", "qps_ratio", "forecast_ne"]
    first, second = (
        toolkit.open_study(folder).trials_dataframe()[columns].astype(str) for folder in (notebook[0], tmp_path)
    )
    assert first.equals(second), first.compare(second)
