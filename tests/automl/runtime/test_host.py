from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from automl.runtime.host import PACKAGES, hold, locked, machine, versions
from search_spaces.errors import InputError
from tests.worlds.processes import PATIENCE_S

ENDS = """
import os, sys
from pathlib import Path
from automl.runtime.host import locked
held = locked(Path(sys.argv[1]))
os._exit(0)
"""


def test_a_folder_has_one_driver(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with hold(folder):
        with pytest.raises(InputError, match="must not be in use, but found another run that holds it"):
            locked(folder)
        with hold(tmp_path / "other"):
            pass
    locked(folder).release()


def test_a_driver_that_ends_lets_go(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", ENDS, str(tmp_path)], check=True, timeout=PATIENCE_S)
    locked(tmp_path).release()


def test_what_a_run_was_made_with_is_told() -> None:
    assert set(versions()) == set(PACKAGES)
    assert versions()["numpy"][0].isdigit()
    assert "cores" in machine()
