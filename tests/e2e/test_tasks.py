"""Clicks, and conversions given a click, by one model: from the study file to predictions of both."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.worlds.commands import automl, automl_here, write_study

MORE = """\
objectives: {ne.cvr: minimize, qps: maximize}
constraints: [ne.ctr <= 1.2 * baseline.ne.ctr]
"""

TASKS = """\
tasks:
  sharing: {choice: [mmoe, shared, ple], default: mmoe}
  width: 8
  tower_layers: {int: [0, 1]}
  esmm: {choice: [true, false]}
  weight: {log: [0.3, 3]}
"""


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    file = write_study(folder, rows=3000)
    labels = "labels: {ctr: click, cvr: {column: convert, given: click}}"
    file.write_text(file.read_text().replace("label: click", labels) + MORE)
    space = folder / "space.yaml"
    space.write_text(f"{space.read_text()}{TASKS}")
    done = automl("search", file, "--trials", "3", "--workers", "2")
    assert done.returncode == 0, done.stderr
    return folder


def test_a_search_measures_both_and_trades_the_one_that_is_named(searched: Path) -> None:
    frame = pd.read_parquet(searched / "trials.parquet")
    done = frame[frame["state"] == "complete"]
    assert list(done["ne"]) == list(done["ne.cvr"])
    assert done["ne.ctr"].between(0.3, 1.5).all()
    assert (done["ne.ctr"] != done["ne.cvr"]).all()
    assert frame["knob.tasks.sharing"].notna().any()
    shown = automl_here("status", searched)
    assert "NE of ctr " in shown.stdout, shown.stderr
    page = (searched / "report.html").read_text()
    assert "labels ctr (click), cvr (convert given click); NE is that of cvr" in page


def test_finals_export_and_predictions(searched: Path) -> None:
    done = automl("finals", searched, "--seeds", "2", "--workers", "2")
    assert done.returncode == 0, done.stderr
    model, out = searched / "m.automl", searched / "out.parquet"
    done = automl_here("export", searched, "--trial", "1", "--to", model)
    assert done.returncode == 0, done.stderr
    joins = [word for name in ("user", "item") for word in ("--join", f"{name}_id={searched}/log/{name}s.parquet")]
    done = automl_here("predict", model, searched / "log" / "log.parquet", *joins, "--out", out)
    assert done.returncode == 0, done.stderr
    told = pd.read_parquet(out)
    assert list(told.columns) == ["probability_ctr", "probability_cvr"]
    log = pd.read_parquet(searched / "log" / "log.parquet")
    assert told["probability_ctr"].mean() == pytest.approx(log["click"].mean(), rel=0.25)
    assert told["probability_cvr"][log["click"] == 1].mean() == pytest.approx(
        log["convert"][log["click"] == 1].mean(), rel=0.25
    )
    found = json.loads((searched / "finals.json").read_text())
    assert set(found["baseline"]["nes"]) == {"ctr", "cvr"}
    assert found["baseline"]["nes"]["cvr"] == pytest.approx(found["baseline"]["ne"])
    assert [[one["task"] for one in pick["tasks"]] for pick in found["picks"]] == [["ctr"]] * len(found["picks"])


def test_another_objective_is_another_study(searched: Path) -> None:
    file = searched / "study.yaml"
    text = file.read_text()
    try:
        file.write_text(text.replace("ne.cvr: minimize", "ne.ctr: minimize"))
        done = automl_here("search", file, "--trials", "4")
    finally:
        file.write_text(text)
    assert done.returncode == 2
    assert "but found other `objectives`" in done.stderr
