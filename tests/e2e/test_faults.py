"""One bad trial never ends a search; a search of nothing but bad trials says why."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import automl as toolkit
from tests.worlds.commands import PATIENCE_S, ROOT, left_behind, write_study
from tests.worlds.faults import FAULTS

TRIALS = 14  # the last ones are proposed by what has seen trials fail


def _search(file: Path, work: str, trials: int) -> subprocess.CompletedProcess[str]:
    """The Python API with other work in the workers, in a process of its own, with the command's exit codes."""
    script = (
        "import functools, sys, automl.cli as cli, automl.commands.search_source as source\n"
        f"source.TrainModel = functools.partial(source.TrainModel, work='tests.worlds.faults:{work}')\n"
        f"sys.argv = ['automl', 'search', {str(file)!r}, '--trials', '{trials}', '--workers', '2']\n"
        "cli.main()\n"
    )
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE_S, cwd=ROOT)


def test_search_ends_with_its_budget_whatever_trials_do(tmp_path: Path) -> None:
    file = write_study(tmp_path, timeout="10s", stop_early=False)
    done = _search(file, "faulty", TRIALS)
    assert done.returncode == 0, done.stderr
    frame = toolkit.open_study(tmp_path).trials_dataframe()
    frame = frame[frame["trial"] > 0].set_index("trial")
    assert len(frame) == TRIALS
    assert Counter(frame["state"]) == {"failed": len(FAULTS), "complete": TRIALS - len(FAULTS)}
    failed = frame[frame["state"] == "failed"]
    assert sorted(failed["failure_kind"]) == sorted(FAULTS.values())
    assert any("a block fell over" in reason for reason in failed["failure_reason"])
    page = (tmp_path / "report.html").read_text()
    assert "a block fell over" in page
    assert left_behind(tmp_path) == []


def test_search_in_which_every_trial_is_too_slow_fails_with_the_reason(tmp_path: Path) -> None:
    done = _search(write_study(tmp_path, timeout="5s"), "slow", 2)
    assert done.returncode == 1
    assert "every trial failed (2)" in done.stderr
    assert "took longer than its limit of 5 s" in done.stderr
    assert "Traceback" not in done.stderr
    assert left_behind(tmp_path) == []
