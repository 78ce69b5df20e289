"""A search on a Ray cluster whose machines see nothing of the driver's files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import automl as toolkit
from automl.runtime.carried import HOME
from experiments.raylets import Raylets, can_hide
from tests.worlds.commands import AUTOML, ROOT, write_study
from tests.worlds.processes import PATIENCE_S

PLUG_IN = '''
"""A training of one's own that says where it was trained."""
import os
from pathlib import Path
from automl.runtime.work import train_and_score

def plug(tables):
    tables.training("told", "told:told")

def told(asked):
    with (Path(os.environ["AUTOML_CARRIED"]) / "trained").open("a") as file:
        file.write(f"{Path(__file__).parent}\\n")
    yield from train_and_score(asked)
'''


@pytest.mark.skipif(not can_hide(), reason="this process may not give another a view of its own of the file system")
def test_workers_need_not_see_the_study(tmp_path: Path) -> None:
    world, copies = tmp_path / "world", tmp_path / "copies"
    file = write_study(world, stop_early=False)
    (world / "told.py").write_text(PLUG_IN)
    file.write_text(file.read_text().replace("trial: {", "plugins: [told.py]\ntrial: {training: told, "))
    (world / "tmp").mkdir()
    with Raylets() as ray:
        ray.add(2, hide=world, environment={HOME: str(copies)})
        words = [AUTOML, "search", file, "--trials", "2", "--workers", "2", "--address", ray.address]
        environment = {**ray.environment, "TMPDIR": str(world / "tmp")}
        done = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    frame = toolkit.open_study(world).trials_dataframe()
    assert set(frame["state"]) == {"complete"}, frame["failure_reason"].tolist()
    assert len((copies / "trained").read_text().splitlines()) >= 4, "two of the baseline, two trials"
    assert str(world) not in (copies / "trained").read_text()
    fetched = [line.split(" ", 1) for line in (copies / "fetched.log").read_text().splitlines()]
    (log,) = (folder for folder in world.rglob("*") if (folder / "ids.npy").exists() and copies not in folder.parents)
    size = sum(part.stat().st_size for part in log.rglob("*") if part.is_file())
    assert sorted(fetched, key=lambda line: line[1]) == sorted(
        [[str(size), str(log)], [str(len(PLUG_IN)), str(world / "told.py")]], key=lambda line: line[1]
    ), "each once"
    assert list((world / "finals").rglob("*.npy")), "what the baseline predicts on a further order"
    assert not list(world.rglob("*.part"))
