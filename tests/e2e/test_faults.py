"""One bad trial never ends a search; a search of nothing but bad trials says why."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import automl as toolkit
from automl.runtime.jobs import TrainModel, job_of
from automl.runtime.work import train_and_score
from automl.study.history import State, Trial
from search_spaces.model import ModelSpec
from tests.worlds.commands import ROOT, automl, left_behind, write_study
from tests.worlds.faults import FAULTS, KILLED_JOB, UNSTEADY

TRIALS = 14  # the last ones are proposed by what has seen trials fail


def _search(folder: Path, training: str, trials: int, **settings: Any) -> subprocess.CompletedProcess[str]:
    """A search whose trials are trained by a plug-in that goes wrong on purpose."""
    file = write_study(folder, **settings)
    text = file.read_text().replace(
        "trial: {", f"plugins: [{ROOT}/tests/worlds/faults.py]\ntrial: {{training: {training}, "
    )
    file.write_text(text.replace("memory: 2GiB", "memory: 1GiB"))
    return automl("search", file, "--trials", str(trials), "--workers", "2")


def test_search_ends_with_its_budget_whatever_trials_do(tmp_path: Path) -> None:
    done = _search(tmp_path, "faulty", TRIALS, timeout="10s", stop_early=False)
    assert done.returncode == 0, done.stderr
    frame = toolkit.open_study(tmp_path).trials_dataframe()
    frame = frame[frame["trial"] > 0].set_index("trial")
    assert len(frame) == TRIALS
    assert Counter(frame["state"]) == {"failed": len(FAULTS), "complete": TRIALS - len(FAULTS)}
    failed = frame[frame["state"] == "failed"]
    assert sorted(failed["failure_kind"]) == sorted(FAULTS.values())
    assert any("a block fell over" in reason for reason in failed["failure_reason"])
    told = failed[failed["failure_kind"] == "memory"]["failure_reason"]
    assert all(re.fullmatch(r"held \d+ MiB, above its limit of 1024 MiB", reason) for reason in told)
    page = (tmp_path / "report.html").read_text()
    assert "a block fell over" in page
    job = json.loads(next(tmp_path.glob(f"data/*/{KILLED_JOB}")).read_text())
    killed = cast(TrainModel, job_of(job).payload)
    (ne,) = [t.measurement.ne for t in _ended(tmp_path) if t.candidate.model == ModelSpec.from_tree(killed.model)]
    undisturbed = list(train_and_score(replace(killed, checkpoint=None, timing=None, stops=(), predictions=None)))
    assert undisturbed[-1].measurement is not None
    assert ne == undisturbed[-1].measurement.ne, "killed in the middle, and gone on from its checkpoint"
    assert not (tmp_path / "checkpoints").exists()
    assert left_behind(tmp_path) == []


def _ended(folder: Path) -> list[Trial]:
    return [trial for trial in toolkit.open_study(folder).history.trials if trial.state is State.COMPLETE]


def test_search_in_which_every_trial_is_too_slow_fails_with_the_reason(tmp_path: Path) -> None:
    done = _search(tmp_path, "slow", 2, timeout="5s")
    assert done.returncode == 1
    assert "every trial failed (2)" in done.stderr
    assert "took longer than its limit of 5 s" in done.stderr
    assert "Traceback" not in done.stderr
    assert left_behind(tmp_path) == []


def test_finals_go_on_without_a_pick_that_diverges_on_one_order(tmp_path: Path) -> None:
    """Of three test days, which are scored one by one."""
    searched = _search(tmp_path, "unsteady", 4, test_days=3, stop_early=False)
    assert searched.returncode == 0, searched.stderr
    first, second = toolkit.open_study(tmp_path).history.trials[:2]
    (tmp_path / UNSTEADY).write_text(json.dumps(first.candidate.model.to_tree()))
    named = [word for trial in (first, second) for word in ("--trial", str(trial.number))]
    done = automl("finals", tmp_path, *named, "--seeds", "3", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert f"#{first.number:<4} named      unfit to ship: diverged on order 2: " in done.stdout
    unfit, judged = json.loads((tmp_path / "finals.json").read_text())["picks"]
    assert (unfit["verdict"], unfit["ne_gain_pct"], unfit["unfit"]["order"]) == ("unfit", None, 2)
    assert judged["ci_low_pct"] < judged["ci_high_pct"]
    assert [day["day"] for day in judged["days"]] == ["2024-03-09", "2024-03-10", "2024-03-11"]
    assert "3 test days, each scored, then trained on" in done.stdout
    assert "Unfit to ship: diverged on order 2" in (tmp_path / "report.html").read_text()
    assert left_behind(tmp_path) == []
