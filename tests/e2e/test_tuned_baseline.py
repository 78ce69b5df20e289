"""A baseline with silly rates is tuned before the search, which is killed in between."""

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
    file = write_study(folder, rows=5_000)
    baseline = folder / "baseline.yaml"
    baseline.write_text(baseline.read_text().replace("lr: 0.05", "lr: 0.002").replace("0.003", "0.0002"))
    file.write_text(file.read_text().replace("batch: 4", "batch: 4, tune_baseline: 12"))
    return file


def test_tuned_killed_and_resumed(tmp_path: Path) -> None:
    file = silly_study(tmp_path)
    process = start("search", file, "--trials", "2", "--workers", "2")
    while len(tunings(tmp_path)) < 4:
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    had = tunings(tmp_path)
    done = automl("search", file, "--trials", "2", "--workers", "1")
    assert done.returncode == 0, done.stderr
    line = done.stdout.splitlines()[0]
    assert line.startswith("baseline   as brought NE ")
    assert "embedding lr 0.002 → " in line

    study = toolkit.open_study(tmp_path)
    assert tunings(tmp_path)[: len(had)] == had, "what had ended is not trained again"
    brought = load_model(tmp_path / "baseline.yaml")
    assert study.facts.tuned != brought
    assert study.facts.baseline_key == brought.key
    assert study.history.baseline.candidate.model == study.facts.tuned
    assert len(study.history.trials) == 2, "the tuning's trainings are no trials"

    finals = study.finals(seeds=2, top=1, workers=1)
    assert finals.parts is not None
    assert finals.parts.tuned_gain_pct < 0, "the model as brought is trained beside the picks, and is none of them"
    assert [pick.trial for pick in finals.parts.picks] == [pick.trial for pick in finals.picks]
    assert "Every gain on this page is against the tuned baseline." in study.report().read_text("utf-8")

    text = file.read_text()
    file.write_text(text.replace("tune_baseline: 12", "tune_baseline: 13"))
    refused = automl_here("search", file, "--trials", "2", "--workers", "2")
    assert refused.returncode == 2
    assert "another `search: {tune_baseline}`" in refused.stderr


def tunings(folder: Path) -> list[object]:
    """As the record holds them, also while a search writes it."""
    try:
        with sqlite3.connect(f"file:{folder / 'study.db'}?mode=ro", uri=True, timeout=5) as db:
            row = db.execute("select value_json from study_user_attributes where key = 'tuning'").fetchone()
            return [] if row is None else list(json.loads(row[0]))
    except sqlite3.OperationalError:
        return []
