"""The commands as a person types them, one after the other on one study, whose folder has the worst of names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import automl as toolkit
from tests.worlds.commands import automl, automl_here, left_behind, write_study
from tests.worlds.folders import WORST

TRIALS = 14


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / WORST
    file = write_study(folder)
    command = "search", file, "--trials", str(TRIALS), "--workers", "2"
    cut = automl(*command, "--time-budget", "1s")
    told = f"budget     of 1.0 s ended the search: 0 of {TRIALS} trials have ended; the same command goes on"
    assert told in cut.stdout
    assert cut.stdout.endswith("next: the same command\n")
    done = automl(*command)
    assert done.returncode == 0, done.stderr
    assert "next: automl finals" in done.stdout
    assert "ended the search" not in done.stdout
    return folder


@pytest.fixture(scope="module")
def compared(searched: Path) -> dict[str, Any]:
    """What the finals with two seeds have found."""
    done = automl("finals", searched, "--seeds", "2", "--workers", "2")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((searched / "finals.json").read_text())
    return found


def test_search_ends_its_budget_and_leaves_no_process(searched: Path) -> None:
    frame = pd.read_parquet(searched / "trials.parquet")
    trials = frame[frame["trial"] > 0]
    assert sorted(trials["trial"]) == list(range(1, TRIALS + 1))
    assert set(trials["state"]) <= {"complete", "stopped", "failed"}
    assert (frame["trial"] == 0).sum() == 2  # the baseline's repeats, outside the budget
    assert left_behind(searched) == []
    assert "<html" in (searched / "report.html").read_text()


def test_same_command_with_the_same_budget_does_nothing_new(searched: Path) -> None:
    before = toolkit.open_study(searched).trials_dataframe()
    done = automl_here("search", searched / "study.yaml", "--trials", str(TRIALS))
    assert done.returncode == 0, done.stderr
    pd.testing.assert_frame_equal(before, toolkit.open_study(searched).trials_dataframe())


def test_status_and_report(searched: Path) -> None:
    status = automl_here("status", searched)
    assert status.returncode == 0, status.stderr
    assert "baseline   NE" in status.stdout
    assert "best NE" in status.stdout
    report = automl_here("report", searched)
    assert report.returncode == 0, report.stderr
    assert Path(report.stdout.strip()).name == "report.html"


def test_everybody_reads_what_was_written_as_the_umask_says(searched: Path) -> None:
    umask = os.umask(0)
    os.umask(umask)
    for path in searched.rglob("*"):
        wanted = (0o777 if path.is_dir() else 0o666) & ~umask
        assert path.stat().st_mode & 0o777 == wanted, path


def test_nothing_was_written_elsewhere(searched: Path) -> None:
    assert [path.name for path in searched.parent.iterdir()] == [WORST]


def test_export_and_predict(searched: Path) -> None:
    model, out = searched / "m.automl", searched / "out.parquet"
    done = automl_here("export", searched, "--trial", "1", "--to", model)
    assert done.returncode == 0, done.stderr
    joins = [word for name in ("user", "item") for word in ("--join", f"{name}_id={searched}/log/{name}s.parquet")]
    done = automl("predict", model, searched / "log" / "log.parquet", *joins, "--out", out)
    assert done.returncode == 0, done.stderr
    assert len(pd.read_parquet(out)) == len(pd.read_parquet(searched / "log" / "log.parquet"))


def test_init_simulate_and_check(searched: Path) -> None:
    for words in (
        ("simulate", searched / "made", "--rows", "3000", "--users", "60", "--items", "30"),
        ("init", searched / "drafted", "--data", searched / "made" / "log.parquet", "--label", "click"),
        ("check", searched / "drafted" / "space.yaml"),
        ("check", searched / "study.yaml"),
    ):
        done = automl_here(*words)
        assert done.returncode == 0, done.stderr


def test_finals_compare_picks_on_the_test_window(searched: Path, compared: dict[str, Any]) -> None:
    assert compared["seeds"] == 2
    for pick in compared["picks"]:
        assert pick["verdict"] in {"better", "faster", "no better", "worse"}
        assert pick["ci_low_pct"] <= pick["ne_gain_pct"] <= pick["ci_high_pct"]
    assert left_behind(searched) == []


@pytest.mark.usefixtures("compared")
def test_finals_train_nothing_twice(searched: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (searched / "finals").rglob("*.npy")}
    done = automl_here("finals", searched, "--seeds", "3", "--workers", "1")
    assert done.returncode == 0, done.stderr
    after = {path: path.stat().st_mtime_ns for path in (searched / "finals").rglob("*.npy")}
    assert {path: after[path] for path in before} == before
    picks = json.loads((searched / "finals.json").read_text())["picks"]
    assert len(after) == len(before) + len(picks) + 1, "one more seed of each pick and of the baseline"


def test_python_api_gives_the_front_and_a_model(searched: Path, compared: dict[str, Any]) -> None:
    study = toolkit.open_study(searched)
    front = study.pareto()
    assert list(front["ne_gain_pct"]) == sorted(front["ne_gain_pct"])
    for pick in compared["picks"]:
        assert study.best(pick["role"]).key in set(study.trials_dataframe()["key"])


def test_other_data_in_the_same_folder_is_refused(searched: Path) -> None:
    file = searched / "study.yaml"
    text = file.read_text()
    try:
        file.write_text(text.replace("dense: [price]", "dense: [price, duration_ms]"))
        done = automl_here("search", file, "--trials", str(TRIALS + 1))
    finally:
        file.write_text(text)
    assert done.returncode == 2
    assert "must be the study that" in done.stderr
    assert "Traceback" not in done.stderr
