"""What is said of a teacher's pass outlives the process."""

from __future__ import annotations

import json
from pathlib import Path

from automl.exfm.das.counts import Counts
from automl.exfm.teacher.taught import TEACHING, Taught, read_taught, write_taught
from automl.study.exfm_results import Refusal


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    taught = Taught(
        counts=Counts(examples=3, scored=2, ages=tuple(range(12)), seconds=0.25),
        refusals=(Refusal(7, "its calibration is 9.1"),),
        train_seconds=1.5,
        ticks=9,
    )
    assert read_taught(tmp_path) is None
    write_taught(tmp_path, taught)
    assert read_taught(tmp_path) == taught
    assert [path.name for path in tmp_path.iterdir()] == [TEACHING]
    assert set(json.loads((tmp_path / TEACHING).read_text())) == {"counts", "refusals", "train_seconds", "ticks"}
