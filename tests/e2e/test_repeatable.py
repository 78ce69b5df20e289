"""Same seed, same study: the same proposals and the same NE, bit for bit."""

from __future__ import annotations

from pathlib import Path

import automl as toolkit
from tests.worlds.commands import automl, write_study


def test_two_runs_with_one_worker_agree_bit_for_bit(tmp_path: Path) -> None:
    found = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        file = write_study(tmp_path / name, clock="analytic")
        done = automl("search", file, "--trials", "16", "--workers", "1")
        assert done.returncode == 0, done.stderr
        found.append(toolkit.open_study(tmp_path / name).trials_dataframe())
    columns = ["trial", "key", "origin", "state", "round", "ne", "auc", "qps_ratio", "forecast_ne"]
    first, second = (frame[columns].astype(str) for frame in found)
    assert first.equals(second), first.compare(second)
