"""A baseline with silly rates is tuned before the search: killed in between, it comes to the same model."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from pathlib import Path

import automl as toolkit
from search_spaces.space import load_model
from tests.worlds.commands import automl, automl_here, start, write_study


def silly_study(folder: Path) -> Path:
    folder.mkdir()
    file = write_study(folder, rows=5_000)
    baseline = folder / "baseline.yaml"
    baseline.write_text(baseline.read_text().replace("lr: 0.05", "lr: 0.002").replace("0.003", "0.0002"))
    file.write_text(file.read_text().replace("batch: 4", "batch: 4, tune_baseline: 12"))
    return file


def test_tuned_killed_and_resumed(tmp_path: Path) -> None:
    whole, cut = silly_study(tmp_path / "whole"), silly_study(tmp_path / "cut")
    done = automl("search", whole, "--trials", "2", "--workers", "2")
    assert done.returncode == 0, done.stderr
    line = done.stdout.splitlines()[0]
    assert line.startswith("baseline   as brought NE ")
    assert "embedding lr 0.002 → " in line

    process = start("search", cut, "--trials", "2", "--workers", "2")
    while trainings(cut.parent) < 4:
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    done = automl("search", cut, "--trials", "2", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == line

    first, second = (toolkit.open_study(file.parent) for file in (whole, cut))
    brought = load_model(whole.parent / "baseline.yaml")
    assert first.facts.tuned == second.facts.tuned != brought
    assert first.facts.baseline_key == brought.key
    assert first.history.baseline.candidate.model == first.facts.tuned
    assert first.history.baseline.ne == second.history.baseline.ne
    assert len(first.history.trials) == 2, "the tuning's trainings are no trials"

    finals = first.finals(seeds=2, top=1, workers=1)
    assert finals.parts is not None
    assert finals.parts.tuned_gain_pct < 0, "the model as brought is trained beside the picks, and is none of them"
    assert [pick.trial for pick in finals.parts.picks] == [pick.trial for pick in finals.picks]
    assert "Every gain on this page is against the tuned baseline." in first.report().read_text("utf-8")

    text = whole.read_text()
    whole.write_text(text.replace("tune_baseline: 12", "tune_baseline: 13"))
    refused = automl_here("search", whole, "--trials", "2", "--workers", "2")
    assert refused.returncode == 2
    assert "another `search: {tune_baseline}`" in refused.stderr


def trainings(folder: Path) -> int:
    try:
        with sqlite3.connect(f"file:{folder / 'study.db'}?mode=ro", uri=True, timeout=5) as db:
            row = db.execute("select value_json from study_user_attributes where key = 'tuning'").fetchone()
            return 0 if row is None else len(json.loads(row[0]))
    except sqlite3.OperationalError:
        return 0
