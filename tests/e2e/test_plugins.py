"""A block, a strategy and a training from a file outside the package, through the real commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worlds.commands import automl, left_behind
from tests.worlds.plugged import NAME, write_plugged_study

TRIALS = 4


def hostile(folder: Path) -> dict[str, str]:
    """A cluster that is not ours, a home that cannot be written, a place for files that no socket fits in."""
    place = folder / ("long" * 30)
    place.mkdir()
    return {"RAY_ADDRESS": "198.51.100.7:6379", "HOME": "/proc/none", "TMPDIR": str(place)}


@pytest.mark.timeout(240)
def test_what_a_file_plugs_in_goes_through_every_command(tmp_path: Path) -> None:
    file = write_plugged_study(tmp_path)
    checked = automl("check", file)
    assert checked.returncode == 0, checked.stderr
    searched = automl("search", file, "--trials", TRIALS, "--workers", "2", **hostile(tmp_path))
    assert searched.returncode == 0, searched.stderr
    assert f"{TRIALS} complete" in searched.stdout
    finals = automl("finals", tmp_path, "--trial", "1", "--seeds", "2", "--workers", "1")
    assert finals.returncode == 0, finals.stderr
    trained = {note.parent for note in (tmp_path / "data").glob("*/trained-by-plug-in")}
    assert len(trained) == 2, "the search's log, and the finals'"
    exported = automl("export", tmp_path, "--trial", "1", "--to", tmp_path / "model.automl")
    assert exported.returncode == 0, exported.stderr
    report = automl("report", tmp_path)
    assert report.returncode == 0, report.stderr
    assert "scale" in (tmp_path / "report.html").read_text()
    assert left_behind(tmp_path) == []


def test_a_record_whose_plug_in_is_gone_says_so(tmp_path: Path) -> None:
    file = write_plugged_study(tmp_path)
    (tmp_path / "own" / f"{NAME}.py").unlink()
    done = automl("check", file)
    assert done.returncode == 2
    assert f"study.yaml:2:11: plug-in {NAME}.py must be a file, but found nothing there" in done.stderr
