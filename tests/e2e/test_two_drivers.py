"""Two drivers of one search on a record in PostgreSQL, one of them killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.postgres import missing, server
from experiments.two_drivers import record, run, write_pair


@pytest.mark.skipif(missing() is not None, reason=missing() or "")
def test_what_a_killed_driver_leaves_another_ends(tmp_path: Path) -> None:
    with server() as database:
        folders = write_pair(tmp_path, database.url)
        found = run(folders, 12, 1, kill=True)
        assert found["budget_kept"]
        assert found["ended_before_the_kill"] >= 1, "of the baseline at least"
        assert (found["models_twice"], found["begun_again"]) == (0, 0)
        assert [trial.number for trial in record(folders[0]).trials] == list(range(1, 13))
