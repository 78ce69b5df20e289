"""`automl check` of an ExFM file: what is known of a run before anything trains."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from automl.cli import automl
from automl.commands.init import EXFM_FILES, template_text
from automl.data.simulated.stream import simulate_stream
from automl.exfm.check import exfm_lines
from search_spaces.errors import InputError
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


@pytest.mark.parametrize("late", [False, True])
def test_labels_that_never_arrive_teach_nobody(folder: Path, late: bool) -> None:
    log = pq.read_table(folder / "log" / "log.parquet")
    times = pc.add(log["time_ms"], 30 * 86_400_000) if late else pa.nulls(len(log), log["label_time_ms"].type)
    place = log.column_names.index("label_time_ms")
    pq.write_table(log.set_column(place, "label_time_ms", times), folder / "log" / "log.parquet")
    with pytest.raises(InputError) as told:
        exfm_lines(read(folder / "exfm.yaml"), folder / "run")
    (first, *_) = told.value.mistakes
    assert first.must == "labels click of both classes must arrive for large_domain before the last window begins"
    assert first.found.startswith("0 that do, ")
    assert first.position.line > 0
    assert all(mistake.found.endswith(" later and 0 never") is late for mistake in told.value.mistakes)


def test_a_run_has_no_pilot(folder: Path) -> None:
    done = CliRunner().invoke(automl, ["check", str(folder / "exfm.yaml"), "--pilot"])
    assert "must be a study to have a pilot" in str(done.exception)
