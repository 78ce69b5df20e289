"""A search from Python in a process that is connected to a Ray of its own, as a notebook is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.worlds.commands import ROOT, write_study
from tests.worlds.processes import PATIENCE_S

NOTEBOOK = """
import sys
import time
import ray
ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
mine = ray.put("mine")
import automl
print(len(automl.search(sys.argv[1], trials=1, workers=1).history.trials))
end = time.monotonic() + 60  # Ray's books are some seconds late
while ray.available_resources().get("CPU") != 2 and time.monotonic() < end:
    time.sleep(0.1)
print(ray.get(mine), ray.available_resources()["CPU"])
"""


def test_the_ray_of_a_notebook_is_used_and_stays_up(tmp_path: Path) -> None:
    file = write_study(tmp_path, rows=3000, strategy="random", stop_early=False)
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, file],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["1", "mine 2.0"], "its objects live on, and all it had is given back"
