"""A study on disk: what goes from its folder to data asks first whether the files are still those of its record."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

import automl.commands.export
import automl.commands.finals
from automl.api import open_study
from automl.runtime.lock import hold, locked
from automl.study.history import Origin, Proposal
from automl.study.problem import FINALS_FIT, Problem, encode
from automl.study.record import Study
from automl.study.results import SpokenOf, write_finals
from automl.study.storage import load_newest, load_started
from search_spaces.errors import InputError
from tests.worlds.commands import automl_here
from tests.worlds.recorded import STUDY, copied, search_over, write_searched
from tests.worlds.report_studies import make_finals, rich_history
from tests.worlds.studies import complete

WINDOWS = STUDY[STUDY.index("  split:") : STUDY.index("space:")]
SHOWN = "can be told from chance in these finals"
LATER = (
    "  split: {train: [2024-03-04, 2024-03-07], validate: [2024-03-08, 2024-03-08], test: [2024-03-09, 2024-03-09]}\n"
)
DAYS = {
    "train": ["2024-03-04", "2024-03-08"],
    "validate": ["2024-03-09", "2024-03-09"],
    "test": ["2024-03-10", "2024-03-11"],
}


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("searched") / "study"
    folder.mkdir()
    write_searched(folder)
    return folder


@pytest.fixture
def study(searched: Path, tmp_path: Path) -> Path:
    """A copy to edit: its study file."""
    return copied(searched, tmp_path / "study")


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[Problem]:
    """The problems that came through to training; nothing is trained."""
    found: list[Problem] = []

    def stop(problem: Problem, *_: Any, **__: Any) -> None:
        found.append(problem)
        raise InterruptedError

    monkeypatch.setattr(automl.commands.finals, "run_finals", stop)
    monkeypatch.setattr(automl.commands.export, "export_spec", stop)
    return found


def asked(folder: Path) -> None:
    """Both that train what the study holds."""
    for ask in (lambda: open_study(folder).finals(), lambda: open_study(folder).export(folder / "m", trial=1)):
        with pytest.raises(InterruptedError):
            ask()


def refused(folder: Path, what: str) -> None:
    for ask in (lambda: open_study(folder).finals(), lambda: open_study(folder).export(folder / "m", trial=1)):
        with pytest.raises(InputError, match=what):
            ask()


EDITS = {
    "other data (other windows)": (WINDOWS, LATER),
    "other data (another description of it)": ("label: click", "label: {column: click, name: clicked}"),
    "another seed": ("seed: 5", "seed: 6"),
    "another `qps`": ("batch_rows: 64", "batch_rows: 128"),
    "another `search: {tune_baseline}`": ("seed: 5", "seed: 5\nsearch: {tune_baseline: 12}"),
    "other `constraints`": ("seed: 5", "seed: 5\nconstraints: [qps >= 0.9 * baseline.qps]"),
    "another name": ("name: small", "name: large"),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edited_study_file_is_refused_by_all_that_trains(study: Path, reached: list[Problem], what: str) -> None:
    before, after = EDITS[what]
    study.write_text(study.read_text().replace(before, after))
    refused(study.parent, what.replace("(", r"\(").replace(")", r"\)"))
    assert reached == []


def test_the_command_refuses_with_a_sentence(study: Path, reached: list[Problem]) -> None:
    study.write_text(study.read_text().replace(WINDOWS, LATER))
    done = automl_here("finals", study.parent)
    assert done.returncode == 2
    assert f"must be the study that {study.parent} holds" in done.stderr


def test_an_edited_baseline_is_refused(study: Path, reached: list[Problem]) -> None:
    (study.parent / "baseline.yaml").write_text("embedding: {dim: 2, lr: 0.05}\ndeep: [{mlp: {width: 4}}]\n")
    refused(study.parent, "another baseline")


def test_what_decides_nothing_may_be_edited(study: Path, reached: list[Problem]) -> None:
    study.write_text("# ours\n" + study.read_text().replace("margin_pct: 0.3", "margin_pct: 0.2"))
    asked(study.parent)
    assert [problem.config.finals.margin_pct for problem in reached] == [0.2, 0.2]


def test_the_space_is_that_of_the_record(study: Path, reached: list[Problem]) -> None:
    recorded = open_study(study.parent).space.to_yaml()
    study.write_text(study.read_text().replace("space: ctr-small", "space: dhen-small"))
    asked(study.parent)
    assert {problem.space.to_yaml() for problem in reached} == {recorded}


def test_a_space_that_is_gone_is_that_of_the_record(study: Path, reached: list[Problem]) -> None:
    study.write_text(study.read_text().replace("space: ctr-small", "space: space.yaml"))
    recorded = open_study(study.parent).space.to_yaml()
    asked(study.parent)
    assert {problem.space.to_yaml() for problem in reached} == {recorded}


def test_a_limit_on_cost_that_was_added_is_refused_until_a_search_takes_it_over(
    study: Path, reached: list[Problem]
) -> None:
    study.write_text(study.read_text().replace("seed: 5", "seed: 5\nconstraints: [params <= 100M]"))
    refused(study.parent, "(?s)other `constraints`.*the same `automl search` takes the new ones over")
    search_over(study)
    study.write_text(study.read_text().replace("params <= 100M", "params  <=  100M"))
    asked(study.parent)


def test_a_log_that_grows_while_a_command_runs_is_found_out(study: Path, reached: list[Problem]) -> None:
    asked(study.parent)
    log = study.parent / "log" / "log.parquet"
    rows = pq.read_table(log)
    pq.write_table(pa.concat_tables([rows, rows.slice(0, 1)]), log)
    with pytest.raises(InputError, match="must stay as it was when the command started"):
        encode(reached[0], FINALS_FIT)
    refused(study.parent, r"other data \(other rows\)")


# ---------------------------------------------------------------- copied and moved


def test_a_copy_runs_with_its_own_file(searched: Path, study: Path, reached: list[Problem]) -> None:
    study.write_text(study.read_text().replace("seeds: 2", "seeds: 7"))
    asked(study.parent)
    assert {(problem.file, problem.folder) for problem in reached} == {(study, study.parent)}
    assert [problem.config.finals.seeds for problem in reached] == [7, 7]


def test_a_study_that_was_moved_goes_on(study: Path, tmp_path: Path, reached: list[Problem]) -> None:
    moved = study.parent.rename(tmp_path / "elsewhere")
    asked(moved)
    assert reached[0].file == moved / "study.yaml"
    assert len(search_over(moved / "study.yaml").trials) == 2


def test_a_file_that_is_not_there_is_told_with_the_way_on(
    searched: Path, study: Path, tmp_path: Path, reached: list[Problem]
) -> None:
    file = study.rename(tmp_path / "ours.yaml")
    refused(study.parent, rf"no such file\n.*automl search FILE --out {study.parent}")
    for name in ("log", "baseline.yaml"):
        (study.parent / name).rename(tmp_path / name)
    search_over(file, study.parent)
    asked(study.parent)
    assert open_study(study.parent).facts.study_file == "../ours.yaml"


@pytest.mark.parametrize("gone", [True, False])
def test_a_record_with_absolute_paths_is_read_as_the_copy_that_it_is_in(
    study: Path, searched: Path, tmp_path: Path, reached: list[Problem], gone: bool
) -> None:
    """An older release wrote it, in a folder that may still be there."""
    before = tmp_path / "before" / "study.yaml" if gone else searched / "study.yaml"
    record = load_newest(study.parent)
    record.set_user_attr("study_file", str(before))
    study.write_text("# ours\n" + study.read_text())  # the text of the record is that of the original
    asked(study.parent)
    assert {problem.file for problem in reached} == {study}


def test_a_file_beside_a_folder_of_its_name_is_its_own(study: Path, searched: Path, reached: list[Problem]) -> None:
    folder = study.parent.rename(study.parent.with_name("ads"))
    for name in ("study.yaml", "log", "baseline.yaml"):
        (folder / name).rename(folder.with_name("ads.yaml" if name == "study.yaml" else name))
    load_newest(folder).set_user_attr("study_file", str(searched / "ads.yaml"))
    asked(folder)
    assert {problem.file for problem in reached} == {folder.with_name("ads.yaml")}


def test_finals_of_another_study_in_the_folder_are_not_shown(study: Path) -> None:
    """The folder was used again, under another name and with other windows."""
    folder = study.parent
    first = open_study(folder)
    numbers = {trial.number: trial.candidate.key for trial in first.history.trials}
    pick = replace(make_finals(rich_history(), ("better",)).picks[0], trial=1)
    of = SpokenOf(
        data=first.facts.data, finals_data="f", baseline=first.facts.baseline_key, models=numbers, predictions={}
    )
    write_finals(folder, replace(make_finals(rich_history(), ("better",)), picks=(pick,), trials=2, of=of))
    assert SHOWN in open_study(folder).report().read_text()
    study.write_text(study.read_text().replace(WINDOWS, LATER).replace("name: small", "name: again"))
    search_over(study)
    page = open_study(folder).report().read_text()
    assert "finals.json is of other data" in page
    assert SHOWN not in page


def test_the_truth_of_another_log_is_not_told(study: Path) -> None:
    folder = study.parent
    truth = {"windows": DAYS, "bayes_ne": {"click": {"test": 0.8123}}}
    (folder / "log" / "truth.json").write_text(json.dumps(truth))
    assert "0.8123" in open_study(folder).report().read_text()
    rows = pq.read_table(folder / "log" / "log.parquet")
    pq.write_table(rows.slice(0, rows.num_rows - 1), folder / "log" / "log.parquet")
    assert "0.8123" not in open_study(folder).report().read_text()


def test_labels_that_are_not_the_log_s_are_never_tested_on(study: Path, reached: list[Problem]) -> None:
    folder = study.parent
    labels = folder / "data" / open_study(folder).facts.data / "labels.npy"
    expected = np.load(labels)
    heard = StringIO()
    console = Console(file=heard)
    np.save(labels, expected[::-1])
    with pytest.raises(InputError, match="not what was encoded"):
        open_study(folder).replay()
    with pytest.raises(InterruptedError):
        open_study(folder, console=console).finals(console=console)
    np.testing.assert_array_equal(reached[-1].log.labels_N, expected)
    assert "labels.npy is not what was written there; it is encoded anew" in heard.getvalue()


# ---------------------------------------------------------------- a handle that is kept


def goes_on(folder: Path, count: int, ne: float) -> None:
    """Another process searches on."""
    stored, space, _ = load_started(folder)
    record = Study(stored, space)
    near = Proposal(space.random(np.random.default_rng(count)), Origin.RANDOM)
    for trial in record.begin([near] * count, 2):
        record.end(complete(trial, ne=ne, ratio=1.2))


def test_a_handle_that_is_kept_speaks_of_the_record_as_it_is(study: Path, reached: list[Problem]) -> None:
    kept = open_study(study.parent)
    assert "2 complete" in kept.status()
    before = kept.history
    assert kept._now() is kept._now(), "read anew only where somebody has written"
    goes_on(study.parent, 2, ne=0.8)
    assert "4 complete" in kept.status()
    assert "4 complete" in kept.summary()
    assert (len(before.trials), len(kept.history.trials), len(kept.trials_dataframe())) == (2, 4, 7)
    newest = kept.history.trials[-1]
    assert kept.best("accurate").key == newest.candidate.key
    assert newest.candidate.key in {kept._model(4).key}
    with pytest.raises(InterruptedError):
        kept.export(study.parent / "m", trial=4)
    page = kept.report()
    assert len(pq.read_table(page.with_name("trials.parquet"))) == 7


def test_finals_of_a_handle_that_is_kept_are_of_the_record_under_the_lock(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []

    def judged(problem: Problem, record: Study, **_: Any) -> None:
        found.append(len(record.trials))
        with pytest.raises(InputError, match="must not be in use"):
            locked(problem.folder)

    monkeypatch.setattr(automl.commands.finals, "run_finals", judged)
    kept = open_study(study.parent)
    with hold(study.parent), pytest.raises(InputError, match="must not be in use"):
        kept.finals()
    goes_on(study.parent, 3, ne=0.8)
    kept.finals()
    assert found == [5]


def test_a_handle_does_not_speak_of_another_study_that_was_searched_in_its_folder(study: Path) -> None:
    kept = open_study(study.parent)
    study.write_text(study.read_text().replace("name: small", "name: large"))
    search_over(study)
    with pytest.raises(
        InputError, match="must hold the study that was opened, but found another one that was searched"
    ):
        kept.status()
    assert "2 complete" in open_study(study.parent).status()
