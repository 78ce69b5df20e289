"""`automl check` of an ExFM file: what is known of a run before anything trains."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from automl.cli import automl
from automl.commands.init import EXFM_FILES, template_text
from automl.data.simulated.stream import simulate_stream
from automl.exfm.check import exfm_lines
from search_spaces.source import read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    simulate_stream(tmp_path / "log", rows=1200, users=60, items=30, days=6, seed=7)
    for name in EXFM_FILES:
        (tmp_path / name).write_text(template_text("exfm", name))
    return tmp_path


def test_it_is_told_by_window_label_and_model(folder: Path) -> None:
    lines = exfm_lines(read(folder / "exfm.yaml"), folder / "run")
    told = dict(line.split(": ", 1) for line in lines if not line.startswith("note"))
    assert told["stream"].startswith("1,200 rows in 6 windows of 200 to 200, 2024-03-04 to 2024-03-09")
    assert "known by the end of the row's window" in told["label convert"]
    assert told["teacher"].startswith("2 x 0.0")
    assert told["student large_domain"].endswith("none, auto")
    assert told["work"] == "30 runs of students (5 seeds), 75 models in all"


def test_a_run_has_no_pilot(folder: Path) -> None:
    done = CliRunner().invoke(automl, ["check", str(folder / "exfm.yaml"), "--pilot"])
    assert "must be a study to have a pilot" in str(done.exception)
