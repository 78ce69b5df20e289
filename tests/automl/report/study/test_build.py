"""From a study on disk to the report's data."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.data.store.log import EncodedLog
from automl.data.store.told import Note
from automl.report.study.build import MIN_FOR_IMPORTANCE, bayes_ne, report_data
from automl.report.study.data import ReportData
from automl.report.study.derived import View
from automl.report.study.page import write_report
from automl.study import file as study_file
from automl.study.config import StudyConfig
from automl.study.history import Origin, Proposal, State, Trial
from automl.study.record import Study
from automl.study.results import read_finals, write_finals
from automl.study.storage import open_study
from search_spaces.errors import InputError
from search_spaces.source import read_text
from search_spaces.space import Candidate, SearchSpace, space_of
from tests.worlds.report_studies import (
    HUMAN,
    LIMITS,
    complete,
    make_baseline,
    make_finals,
    rich_history,
    small_space,
)
from tests.worlds.studies import study_facts

STUDY = """\
name: feed
data:
  path: log/log.parquet
  time: time_ms
  label: click
  features: {categorical: {user_id: {}, item_id: {}}, dense: [price]}
  split:
    train: [2024-03-04, 2024-03-09]
    validate: [2024-03-10, 2024-03-10]
    test: [2024-03-11, 2024-03-11]
space: ctr-small
baseline: baseline.yaml
constraints: [qps >= 0.25 * baseline.qps]
search: {strategy: controller}
finals: {margin_pct: 0.15}
seed: 7
"""
WINDOWS = {
    "train": ["2024-03-04", "2024-03-09"],
    "validate": ["2024-03-10", "2024-03-10"],
    "test": ["2024-03-11", "2024-03-11"],
}
SPLIT = STUDY[STUDY.index("    train:") : STUDY.index("space:")]


def config_of(text: str = STUDY) -> StudyConfig:
    return study_file.config_of(read_text(text, "study.yaml"))


def make_study(folder: Path, trials: tuple[Trial, ...], space: SearchSpace | None = None, repeats: int = 3) -> Study:
    study = open_study(folder, "feed", space or small_space(), LIMITS)
    facts = study_facts(
        study_file=str(folder / "study.yaml"),
        config_text=STUDY,
        command="automl search study.yaml --trials 40",
        baseline_qps=141_000.0,
        baseline_seeds=3,
        wall_seconds=120.0,
        trials_wanted=40,
    )
    study.note(facts)
    for trial in make_baseline().trials[:repeats]:
        study.baselines.add_repeat(Proposal(Candidate({}, HUMAN), Origin.BASELINE), trial)
    for trial in trials:
        study.copy(trial, trial.candidate.values)
    return study


def make_log(**changes: Any) -> EncodedLog:
    none = np.zeros(100, dtype=np.int32)
    log = EncodedLog(
        folder=Path("data"), fields=("user_id", "item_id"), dense=("price",),
        windows={"train": slice(0, 80), "validate": slice(80, 90), "test": slice(90, 100)},
        base_rates={"train": 0.442, "validate": 0.4, "test": 0.5}, fit=("train",), label="click", negatives_kept=None,
        fingerprint="f" * 32, timezone="UTC", notes=(Note("time `time_ms`: read as ms, by its size"),), features=(),
        ids_NF=none[:, None],        dense_ND=none[:, None].astype(np.float32), labels_N=none.astype(np.float32),
        weights_N=none.astype(np.float32), clusters_N=none, times_N=None,
    )  # fmt: skip
    return replace(log, **changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("feed")


@pytest.fixture(scope="module")
def study(folder: Path) -> Study:
    return make_study(folder, rich_history().trials[:30])


@pytest.fixture(scope="module")
def data(study: Study, folder: Path) -> ReportData:
    return report_data(study, small_space(), make_log(), config_of(), folder)


def test_a_study_becomes_a_report(data: ReportData, study: Study, folder: Path) -> None:
    assert data.history.trials == rich_history().trials[:30]
    facts, size = data.facts, small_space().size()
    assert facts.name == "feed"
    assert facts.space == f"ctr-small, {size.knobs} knobs"
    assert facts.space_size.endswith(f" discrete combinations x {size.continuous} continuous knobs")
    assert float(facts.space_size.split()[0]) == pytest.approx(size.discrete, rel=0.05)
    assert facts.data == "log/log.parquet, 100 rows, 2 id fields, 1 dense, label click"
    assert facts.split_days["train"] == "2024-03-04 to 2024-03-09, 80 rows, 44.2% positive"
    assert facts.split_days["test"] == "2024-03-11, 10 rows, 50.0% positive"
    assert facts.data_notes == ("time `time_ms`: read as ms, by its size",)
    assert facts.qps_conditions == "PyTorch, float32, 1 thread, batches of 512 rows, CPU time"
    assert (facts.seed, facts.strategy, facts.margin_pct) == (7, "controller", 0.15)
    assert facts.run == study.facts
    assert facts.command == facts.run.command
    used = [t.cpu_seconds or 0.0 for t in (*data.history.trials, *data.history.baseline.trials)]
    assert facts.core_seconds == pytest.approx(sum(used))
    page = write_report(data, folder)
    assert "Promising, not proven" in page.read_text(encoding="utf-8")


def test_of_several_labels_a_window_tells_which_is_positive_in_how_many_rows(study: Study, folder: Path) -> None:
    labels_NT = np.zeros((100, 2), np.float32)
    labels_NT[30:80, 1] = np.nan
    log = make_log(label="cvr", labels_NT=labels_NT, labels_N=labels_NT[:, 1], tasks=("ctr", "cvr"), primary=1)
    days = report_data(study, small_space(), log, config_of(), folder).facts.split_days
    assert days["train"].endswith(", 80 rows, cvr 44.2% positive in the 30 rows that have it")
    assert days["test"].endswith(", 10 rows, cvr 50.0% positive")


def test_picks_come_with_the_gain_that_is_expected_of_them(data: ReportData) -> None:
    assert data.picks
    assert set(data.expected) == set(data.picks.values())
    view = View(data)
    eligible = {t.number for t in data.history.trials if view.history.eligible(t)}
    assert set(data.picks.values()) <= eligible
    assert all(math.isfinite(gain) for gain in data.expected.values())


def test_importances_are_shares_of_knobs_that_are_always_asked(data: ReportData) -> None:
    assert set(data.importances) == {"ne", "qps"}
    for shares in data.importances.values():
        assert sum(shares.values()) == pytest.approx(1.0)
        assert {"embedding.dim", "train.batch_size"} <= set(shares)


def test_a_log_that_is_gone_is_not_needed(study: Study, folder: Path) -> None:
    text = STUDY.replace(SPLIT, "    random: {train: 0.7, validate: 0.1, test: 0.2, seed: 3}\n")
    text = text.replace("  time: time_ms\n", "") + "qps: {clock: analytic, batch_rows: 1024}\n"
    facts = report_data(study, small_space(), None, config_of(text), folder).facts
    assert facts.data == "log/log.parquet, label click"
    assert facts.data_notes == ()
    assert facts.split_days["train"] == "70% of the rows, at random"
    assert facts.qps_conditions.endswith("batches of 1,024 rows, derived from FLOPs and bytes, not timed")


def test_finals_are_read_where_they_were_run(data: ReportData, tmp_path: Path) -> None:
    assert read_finals(tmp_path) is None
    finals = make_finals(rich_history(), ("no better",))
    write_finals(tmp_path, finals)
    page = write_report(replace(data, finals=read_finals(tmp_path)), tmp_path)
    assert "No better than the baseline." in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "label", "known"),
    [
        ({}, "click", True),
        ({"label: click": "label: {column: convert, given: click}"}, "convert", True),
        ({"label: click": "labels: {ctr: click}"}, "click", True),  # a name of one's own
        ({"label: click": "label: convert"}, "convert", False),  # its truth is that of clicked rows
        ({"label: click": "label: {column: click, given: shown}"}, "click", False),
        ({"label: click": "label: other"}, "click", False),
        ({"label: click": "label: click\n  weight: w"}, "click", False),
        ({"label: click": "label: click\n  negatives_kept: 0.1"}, "click", False),
        ({"2024-03-09": "2024-03-08"}, "click", False),  # windows of one's own
        ({"path: log/log.parquet": "path: elsewhere/log.parquet"}, "click", False),
    ],
)
def test_best_possible_ne_is_told_only_where_it_holds(
    tmp_path: Path, change: dict[str, str], label: str, known: bool
) -> None:
    truth = {"click": {"validate": 0.81, "test": 0.82}, "convert": {"validate": 0.71, "test": 0.72}}
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "truth.json").write_text(json.dumps({"windows": WINDOWS, "bayes_ne": truth}))
    text = STUDY
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new)
    assert bayes_ne(tmp_path, config_of(text).data) == (truth[label] if known else {})


def test_a_study_without_its_baseline_has_no_report(tmp_path: Path) -> None:
    study = make_study(tmp_path, (), repeats=2)
    with pytest.raises(InputError, match="measured baseline, but found 2 of 3 seeds"):
        report_data(study, small_space(), None, config_of(), tmp_path)


def test_a_study_without_a_complete_trial_has_a_report(tmp_path: Path) -> None:
    trials = tuple(t for t in rich_history().trials if t.state is not State.COMPLETE)[:3]
    data = report_data(make_study(tmp_path, trials), small_space(), None, config_of(), tmp_path)
    assert not data.picks
    assert not data.importances
    assert "Nothing to ship" in write_report(data, tmp_path).read_text(encoding="utf-8")


def test_a_knob_of_no_effect_does_not_stop_a_report(tmp_path: Path) -> None:
    text = "deep: {mlp: {width: 64, dropout: {float: [0.1, 0.1005]}}}\n"
    space = space_of(read_text(text, "one.yaml"))
    trials = []
    for number in range(1, MIN_FOR_IMPORTANCE + 3):
        candidate = space.random(np.random.default_rng(number))
        trials.append(replace(complete(number, gain=0.0, ratio=1.0), candidate=candidate))
    data = report_data(make_study(tmp_path, tuple(trials), space), space, None, config_of(), tmp_path)
    assert set(data.importances) == {"ne", "qps"}
    assert data.facts.space_size == "1 discrete combination x 1 continuous knob"
    assert "What moves NE" in write_report(data, tmp_path).read_text(encoding="utf-8")
