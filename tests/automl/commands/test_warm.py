"""Which studies a search may start warm from, and what it is told of them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from automl.commands.sources import FEWEST
from automl.commands.warm import told_at_start, warm_start_of
from automl.data.store.log import EncodedLog
from automl.study.file import StudyFile, read_study
from automl.study.history import Limit, Metric, Repeat, State
from automl.study.places import RECORD
from automl.study.precedents import WarmStart
from automl.study.problem import Problem
from automl.study.record import Study
from automl.study.storage import open_study
from search_spaces.errors import InputError
from search_spaces.source import read_text
from tests.worlds.studies import (
    BASELINE_NE,
    HUMAN,
    INPUTS,
    begun_study,
    complete,
    failed,
    proposals,
    small_space,
    stopped,
    study_config,
    study_facts,
    study_tree,
)

LOG = cast(EncodedLog, SimpleNamespace(inputs=INPUTS))
TESTED = "2024-03-11"  # of study_tree


def tree(validate: str = "2024-03-10", test: str = TESTED, **changes: Any) -> dict[str, Any]:
    """A study file whose windows are these days, each of a day or from one to another."""
    data = {**study_tree()["data"], **changes.pop("data", {})}
    data["split"] = changes.pop(
        "split", {"train": ["2024-01-01", "2024-01-02"], "validate": days(validate), "test": days(test)}
    )
    return study_tree(data=data, **changes)


def days(words: str) -> list[str]:
    first, _, last = words.partition(" to ")
    return [first, last or first]


def searched(folder: Path, count: int = FEWEST, *, file: dict[str, Any] | None = None, **facts: Any) -> Study:
    """A study with so many complete trials, each better than the one before, one that was stopped, one that failed."""
    study = begun_study(folder, name=folder.name)
    text = json.dumps({**(file or tree()), "name": folder.name})
    study.note(replace(study.facts, config_text=text, **facts))
    *good, one, other = study.begin(proposals(count + 2), 1)
    for number, trial in enumerate(good):
        study.end(complete(trial, ne=BASELINE_NE * (1 - 0.001 * number), ratio=1.0 + number))
    study.end(stopped(one))
    study.end(failed(other))
    return study


def study_file(
    folder: Path, *names: str, file: dict[str, Any] | None = None, strategy: str = "controller"
) -> StudyFile:
    """One that starts warm from these; a list of it stands in its first line."""
    folder.mkdir(exist_ok=True)
    rest = {key: value for key, value in (file or tree()).items() if key != "search"}
    listed = ", ".join(json.dumps(name) for name in names)
    text = f"search: {{strategy: {strategy}, warm_start: [{listed}]}}\n" + "".join(
        f"{key}: {json.dumps(value)}\n" for key, value in rest.items()
    )
    study = read_study(read_text(text, str(folder / "study.yaml")))
    assert not study.mistakes
    return study


def told(folder: Path, *names: str, **file: Any) -> WarmStart:
    return warm_start_of(study_file(folder, *names, **file), folder)


def mistakes(folder: Path, *names: str, **file: Any) -> list[str]:
    """What is said, without the place, which is in the file's first line."""
    with pytest.raises(InputError) as caught:
        told(folder, *names, **file)
    assert all(mistake.position.line == 1 for mistake in caught.value.mistakes)
    assert not (folder / RECORD).exists(), "a refusal leaves nothing behind"
    return [str(mistake).partition(": ")[2] for mistake in caught.value.mistakes]


def test_complete_trials_against_their_own_baseline(tmp_path: Path) -> None:
    study = searched(tmp_path / "before")
    found = told(tmp_path / "now", "../before").precedents
    assert [one.trial for one in found] == [trial.number for trial in study.trials][:FEWEST]
    assert {one.study for one in found} == {"../before"}
    assert [one.model for one in found] == [trial.candidate.model for trial in study.trials][:FEWEST]
    expected = [study.history().baseline.mean_gain_pct(trial) for trial in study.trials][:FEWEST]
    assert [one.ne_gain_pct for one in found] == expected
    assert [one.qps_ratio for one in found] == [1.0 + number for number in range(FEWEST)]


def test_limits_of_the_other_study_say_nothing_and_a_failed_repeat_is_told(tmp_path: Path) -> None:
    file = tree(constraints=["qps >= 100 * baseline.qps", "ne <= 0.5 * baseline.ne"])
    study = searched(tmp_path / "before", file=file)
    history = replace(study.history(), limits=(Limit(Metric.QPS_RATIO, low=100.0),))
    assert not any(history.eligible(trial) for trial in study.trials)
    study.add_repeat(2, Repeat(order=1, failure=failed(study.trials[0]).failure))
    found = told(tmp_path / "now", "../before").precedents
    assert [one.fit for one in found] == [True, False, *[True] * (FEWEST - 2)]


def test_all_editions_of_an_edited_space_are_heard(tmp_path: Path) -> None:
    study = searched(tmp_path / "before", FEWEST + 2)
    costs = sorted(t.candidate.model.cost(INPUTS).params for t in study.trials if t.state is State.COMPLETE)
    edited = small_space().with_where([f"params <= {costs[4]}"])
    after = open_study(tmp_path / "before", "before", edited)
    assert 0 < sum(trial.state is State.COMPLETE for trial in after.trials) < FEWEST
    found = told(tmp_path / "now", "../before").precedents
    assert [one.trial for one in found] == list(range(1, FEWEST + 3))


def test_what_was_said_stays_with_the_record(tmp_path: Path) -> None:
    searched(tmp_path / "before")
    said = told(tmp_path / "now", "../before")
    study = begun_study(tmp_path / "now")
    study.note(replace(study.facts, warm_start=said.precedents, warm_sources=said.sources))
    again = open_study(tmp_path / "now", "ads", small_space())
    assert again.history().precedents == said.precedents
    assert again.facts == study_facts(warm_start=said.precedents, warm_sources=said.sources)


def test_a_problem_that_was_read_without_is_told_all_the_same(tmp_path: Path) -> None:
    searched(tmp_path / "before")
    study = study_file(tmp_path / "now", "../before")
    file, config = tmp_path / "now" / "study.yaml", study_config(search={"warm_start": ["../before"]})
    problem = Problem(file, file.parent, study.document, config, small_space(), HUMAN, LOG)
    assert told_at_start(problem) == told(tmp_path / "now", "../before")
    given = WarmStart(notes=((study.document.at("name"), "words"),))
    assert told_at_start(replace(problem, warm=given)) is given


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../nowhere", "../nowhere must hold a study (study.db), but found none"),
        ("../few", "../few must hold at least 8 trials that were trained to their end, but found 7"),
        (".", ". must be another study, but found this one"),
        ("../begun", "../begun must hold a measured baseline, but found none yet"),
        ("../plugged", "../plugged must use the plug-ins of this study only, but found blocks.py"),
        ("../good/study.yaml", "must be the folder of a study, but found a file\n    hint: name the folder: ../good"),
        ("../good/study.db", "must be the folder of a study, but found a file\n    hint: name the folder: ../good"),
        ("../good.yaml", "must be the folder of a study, but found a file\n    hint: name the folder: ../good"),
        ("", "'' must name the folder of a study\n"),
        (" ", "' ' must name the folder of a study\n"),
        ("n" * 300, "... must hold a record (study.db) that can be read, but found File name too long"),
        ("\ud800", r"'\ud800' must hold a record (study.db) that can be read, but found"),
        ("a\0b", r"'a\x00b' must hold a record (study.db) that can be read, but found"),
        ("../garbage", "../garbage must hold a record (study.db) that can be read, but found file is not a database"),
        ("../empty", "../empty must hold a study (study.db), but found an empty file"),
        ("../folder", "../folder must hold a study (study.db), but found a folder of that name"),
        ("../outcome", "../outcome must hold a record (study.db) that can be read, but found damaged (JSONDecodeError"),
        ("../model", "../model must hold a record (study.db) that can be read, but found damaged (KeyError"),
    ],
)
def test_what_says_nothing_is_told_at_its_place(name: str, said: str, tmp_path: Path) -> None:
    searched(tmp_path / "few", FEWEST - 1)
    open_study(tmp_path / "begun", "begun", small_space()).note(study_facts(config_text=json.dumps(tree())))
    open_study(tmp_path / "plugged", "plugged", small_space()).note(study_facts(plugins={"blocks.py": "ab12"}))
    for folder in ("good", "garbage", "empty", "folder/study.db"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("good/study.yaml", "good/study.db", "good.yaml", "empty/study.db"):
        (tmp_path / file).touch()
    (tmp_path / "garbage" / RECORD).write_text("What is this? " * 999)
    for folder, key, value in (("outcome", "outcome", '"{"'), ("model", "proposal", '"{}"')):
        searched(tmp_path / folder)
        with closing(sqlite3.connect(tmp_path / folder / RECORD)) as record, record:
            record.execute("UPDATE trial_user_attributes SET value_json = ? WHERE key = ?", (value, key))
    before = {file: file.read_bytes() for file in tmp_path.rglob(RECORD) if file.is_file()}
    found = mistakes(tmp_path / "now", "../few", name)
    assert any(said in one for one in found), found
    assert len(found) == 2, "each is told"
    assert {file: file.read_bytes() for file in tmp_path.rglob(RECORD) if file.is_file()} == before


def test_reading_a_source_writes_nothing(tmp_path: Path) -> None:
    searched(tmp_path / "before")
    before = (tmp_path / "before" / RECORD).read_bytes()
    told(tmp_path / "now", "../before")
    assert [path.name for path in (tmp_path / "before").iterdir()] == [RECORD]
    assert (tmp_path / "before" / RECORD).read_bytes() == before


@pytest.mark.parametrize("again", ["../a", "../a/", "../b/../a", "../link"])
def test_a_study_is_named_once(again: str, tmp_path: Path) -> None:
    searched(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "link").symlink_to("a")
    (said,) = mistakes(tmp_path / "now", "../a", again)
    assert said.startswith(f"{again} must be a study that is named once, but found that of ../a")


def test_studies_in_folders_of_one_name_are_two(tmp_path: Path) -> None:
    for week in ("one", "two"):
        searched(tmp_path / week / "ads")
    found = told(tmp_path / "now", "../one/ads", "../two/ads")
    assert dict(found.counts) == {"../one/ads": FEWEST, "../two/ads": FEWEST}


# ------------------------------------------------------------------ what was scored there and is tested here


@pytest.mark.parametrize(
    ("validated", "zone", "refused"),
    [
        ("2024-03-11", "UTC", True),
        ("2024-03-09 to 2024-03-14", "UTC", True),
        ("2024-03-10", "UTC", False),
        ("2024-03-12", "UTC", False),
        ("2024-03-12", "Asia/Tokyo", True),  # begins nine hours earlier
        ("2024-03-10", "America/New_York", True),
    ],
)
def test_rows_that_are_tested_here_must_not_have_chosen_there(
    validated: str, zone: str, refused: bool, tmp_path: Path
) -> None:
    there = tree(validated, "2024-04-01", data={"time": {"column": "time_ms", "timezone": zone}})
    searched(tmp_path / "a", file=there, study_file="../study.yaml")
    shutil.copytree(tmp_path / "a", tmp_path / "b")  # its file lies beside its folder, as this one's does
    names, file = ("../a",), tree(data={"path": "../log/log.parquet"})
    if not refused:
        assert told(tmp_path / "now", *names, file=file).notes == ()
        return
    (said,) = mistakes(tmp_path / "now", *names, file=file)
    must = "must be scored on other rows than those that are tested here"
    assert said.startswith(f"../a {must}, but found {validated} of the same log")
    assert "hint: its trials were chosen by rows that the finals judge by" in said


def test_the_days_of_another_log_are_noted_and_those_of_a_copy_refused(tmp_path: Path) -> None:
    for name, text in (("log", "rows"), ("a/log", "other rows"), ("b/log", "rows")):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "log.parquet").write_text(text)
    for name in ("a", "b"):
        searched(tmp_path / name, file=tree(TESTED, "2024-04-01"))
    file = tree(data={"path": "../log/log.parquet"})
    ((at, note),) = told(tmp_path / "now", "../a", file=file).notes
    assert (at.line, note.partition(", days")[0]) == (1, "../a was scored on 2024-03-11")
    assert f"another log ({tmp_path}/a/log/log.parquet)" in note
    (said,) = mistakes(tmp_path / "now", "../b", file=file)
    assert "found 2024-03-11 of the same log" in said


def test_what_a_source_was_told_itself_is_passed_on(tmp_path: Path) -> None:
    """a chose by the days that c tests; b, which c names, started warm from a."""
    logs = {"path": str(tmp_path / "log.parquet")}
    searched(tmp_path / "a", file=tree(TESTED, "2024-04-01", data=logs))
    between = tree("2024-03-05", "2024-03-06", data=logs)
    said = told(tmp_path / "b", "../a", file=between)
    searched(tmp_path / "b", file=between, warm_start=said.precedents, warm_sources=said.sources)
    shutil.rmtree(tmp_path / "a")
    (refused,) = mistakes(tmp_path / "c", "../b", file=tree(data=logs))
    assert "../b must be scored on other rows" in refused
    assert "found 2024-03-11 of the same log, by a, from which it started warm itself" in refused


def test_an_older_record_that_does_not_tell_it_is_noted(tmp_path: Path) -> None:
    said = told(tmp_path / "b", "../a") if searched(tmp_path / "a") else None
    assert said is not None
    searched(tmp_path / "b", warm_start=said.precedents)
    ((_, note),) = told(tmp_path / "c", "../b").notes
    assert note == "../b started warm itself, and its record does not tell on which rows those studies were scored"


SHARES = {"train": 0.5, "validate": 0.2, "test": 0.3, "seed": 1}


@pytest.mark.parametrize(
    ("there", "found"),
    [
        (SHARES, None),
        ({**SHARES, "train": 0.6, "validate": 0.3, "test": 0.1}, "0.3 of the rows (0.2 of all rows are in both)"),
        ({**SHARES, "seed": 2}, "0.2 of the rows (drawn in another way)"),
        (None, "2024-03-10 (drawn at random there or here, by days the other time)"),
    ],
)
def test_of_shares_of_the_rows_the_draws_are_compared(
    there: dict[str, float] | None, found: str | None, tmp_path: Path
) -> None:
    logs = {"path": str(tmp_path / "log.parquet")}
    file = tree(data=logs, **({} if there is None else {"split": {"random": there}}))
    searched(tmp_path / "a", file=file)
    here = tree(data=logs, split={"random": SHARES})
    if found is None:
        assert told(tmp_path / "now", "../a", file=here).notes == ()
    else:
        (said,) = mistakes(tmp_path / "now", "../a", file=here)
        assert f"but found {found} of the same log" in said
    elsewhere = {**here, "data": {**here["data"], "path": "other.parquet"}}
    ((_, note),) = told(tmp_path / "now", "../a", file=elsewhere).notes
    assert note.endswith("whether they are tested here cannot be told")


# ------------------------------------------------------------------ a study that was started


def started(folder: Path, *names: str) -> WarmStart:
    said = told(folder, *names)
    study = begun_study(folder)
    text = study_file(folder, *names).document.text
    study.note(replace(study.facts, config_text=text, warm_start=said.precedents, warm_sources=said.sources))
    return said


def test_a_study_that_was_started_needs_them_no_more(tmp_path: Path) -> None:
    searched(tmp_path / "a")
    said = started(tmp_path / "now", "../a")
    shutil.rmtree(tmp_path / "a")
    assert told(tmp_path / "now", "../a") == said


@pytest.mark.parametrize("again", ["../a/", "./../a", "../link"])
def test_a_list_is_known_by_its_folders(again: str, tmp_path: Path) -> None:
    searched(tmp_path / "a")
    (tmp_path / "link").symlink_to("a")
    said = started(tmp_path / "now", "../a")
    assert told(tmp_path / "now", again).precedents == said.precedents


@pytest.mark.parametrize("names", [("../b",), ("../a", "../b")])
def test_another_list_is_told_with_what_it_was(names: tuple[str, ...], tmp_path: Path) -> None:
    for name in ("a", "b"):
        searched(tmp_path / name)
    started(tmp_path / "now", "../a")
    with pytest.raises(InputError) as caught:
        told(tmp_path / "now", *names)
    (mistake,) = caught.value.mistakes
    assert (mistake.position.line, mistake.position.column) == (1, 44)
    assert mistake.found == "another `search: {warm_start}` (it was [../a])"


def test_a_strategy_that_does_not_hear_is_noted(tmp_path: Path) -> None:
    searched(tmp_path / "a")
    ((at, note),) = told(tmp_path / "now", "../a", strategy="tpe").notes
    assert (at.line, at.column) == (1, 20)
    assert note == "tpe does not hear what the studies of `warm_start` say: only the controller does"
