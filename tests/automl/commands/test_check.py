"""`automl check`: what can be known of a study or a space before it is searched."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from automl import api
from automl.cli import automl
from automl.commands.check import StudyCheck, check_study, space_lines
from automl.data.simulated.log import simulate
from automl.ranking.place import gpus
from automl.runtime.host import Room
from automl.study import problem
from automl.study.checked import checked_schema
from search_spaces.errors import InputError
from search_spaces.source import read
from tests.worlds.studies import begun_study, complete, proposals

STUDY = """\
name: small
data:
  path: log/log.parquet
  join: [{path: log/users.parquet, on: user_id}]
  time: time_ms
  label: click
  features: {categorical: {user_id: {}, item_id: {}, device: {}}, dense: [weeks_since_signup]}
  split: {train: [2024-03-04, 2024-03-08], validate: [2024-03-10, 2024-03-10], test: [2024-03-11, 2024-03-11]}
space: space.yaml
baseline: baseline.yaml
finals: {seeds: 5}
"""
SPACE = """\
embedding: {dim: {choice: [2, 4, 8]}, lr: {log: [0.01, 0.3], default: 0.05}}
interaction: {repeat: {int: [0, 1]}, one_of: {cross: {rank: {choice: [2, 4]}}, fm: {}}}
deep: {repeat: 1, mlp: {width: {choice: [8, 16]}}}
"""
TRAIN = "train: {batch_size: 64}\n"
BASELINE = "embedding: {dim: 4, lr: 0.05}\ndeep: [{mlp: {width: 16}}]\n" + TRAIN
ENOUGH = Room(cores=2, memory_bytes=64 << 30, disk_bytes=64 << 30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checked")
    simulate(folder / "log", rows=2400, users=100, items=50, seed=1)
    for name, text in (("study.yaml", STUDY), ("space.yaml", SPACE + TRAIN), ("baseline.yaml", BASELINE)):
        (folder / name).write_text(text)
    return folder


def ticking(step: float) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += step


def found(folder: Path, file: str = "study.yaml", **options: Any) -> StudyCheck:
    ticks = ticking(1.0)
    given = {"workers": 2, "folder": None, "room": ENOUGH, "busy": lambda: next(ticks), **options}
    return check_study(read(folder / file), **given)


def checked(folder: Path, file: str = "study.yaml", **options: Any) -> list[str]:
    return found(folder, file, **options).lines()


def test_sequences_are_told(folder: Path) -> None:
    watched = "sequence: {watched: {of: item_id, by: user_id, actions: [click], max_len: 9}}"
    space = SPACE + TRAIN + "history: {mean: {length: {choice: [9, 30], default: 9}}}\n"
    (folder / "lengths.yaml").write_text(space)
    lists = STUDY.replace("features: {", f"features: {{{watched}, ").replace("space.yaml", "lengths.yaml")
    (folder / "lists.yaml").write_text(lists)
    study = found(folder, "lists.yaml")
    data, line, *_ = study.lines()
    assert data.endswith("; 3 id fields, 1 dense, 1 sequence, label `click`")
    assert re.fullmatch(
        r"sequence watched: up to 9 ids of item_id, timed; \d\.\d in train, \d\.\d in validate, \d\.\d in test on "
        r"average \(train: \d\.\d click\); \d+\.\d% of train are empty, \d+\.\d% of the ids in test are unknown",
        line,
    )
    told = study.value().to_json()
    Draft202012Validator(checked_schema()).validate(told)
    assert told["features"]["watched"]["kind"] == "sequence"
    assert [note["at"].rpartition("/")[2] for note in told["notes"] if note["kind"] == "space"] == ["lengths.yaml:5:18"]


def test_a_study_at_a_scale(folder: Path) -> None:
    study = found(folder, scale=1.5)
    scaled, plain = study.problem.scaled, found(folder).problem
    assert scaled is not None
    assert study.problem.baseline == scaled.widened
    assert any(line.startswith("scale 1.5x: target ") and "is widened to" in line for line in study.lines())
    assert study.problem.folder == plain.folder / "scale-1.5x"
    for answers in study.answers_ND:
        flops = study.problem.space.candidate(answers).model.cost(study.problem.log.inputs).flops
        assert scaled.ends[0] <= flops <= scaled.ends[1]
    with pytest.raises(InputError, match="--scale 90x"):
        found(folder, scale=90.0)
    assert not (folder / "scale-90x").exists(), "there is nothing to go on with"


def test_a_study_in_words(folder: Path) -> None:
    data, *notes, space, cost, room = checked(folder)
    assert re.fullmatch(
        r"data: train 1,500 rows \(\d\d\.\d% positive\), validate 300 rows \(.*\), test 300 rows \(.*\); "
        r"3 id fields, 1 dense, label `click`",
        data,
    )
    assert "note: time time_ms is taken to be in ms, told by its size" in notes
    outside = "note: 300 of 2400 rows lie outside of the windows (the log spans "
    assert any(note.startswith(outside) and note.endswith("time_ms in ms, in UTC)") for note in notes)
    assert all(note.startswith("note: ") for note in notes)
    assert re.fullmatch(
        r"space: 6 knobs, 24 discrete combinations x 1 continuous, [\d.]+M to [\d.]+M parameters", space
    )
    assert re.fullmatch(
        r"cost: a trial takes [\d.]+ CPU seconds \(the baseline's\), [\d.]+ or less in the fastest tenth of the space, "
        r"[\d.]+ or more in the slowest; 100 trials about \d+ min on 2 workers, with 3 trainings of the baseline, up "
        r"to 30 repeats",
        cost,
    )
    assert re.fullmatch(r"room: memory up to 0\.3 GiB a worker, 1\.3 GiB in all; disk up to \d MiB", room)


def test_what_tunes_the_baseline_is_told_beside_the_trials(folder: Path) -> None:
    (folder / "tuned.yaml").write_text(STUDY + "search: {tune_baseline: 30, repeats: 0}\n")
    cost = next(line for line in checked(folder, "tuned.yaml") if line.startswith("cost: "))
    assert cost.endswith("with 3 trainings of the baseline, 30 that tune it")


def test_a_baseline_outside_of_the_space_is_told(folder: Path) -> None:
    (folder / "outside.yaml").write_text(BASELINE.replace("dim: 4", "dim: 5"))
    (folder / "far.yaml").write_text(STUDY.replace("baseline.yaml", "outside.yaml"))
    assert any(line.endswith("; the baseline lies outside") for line in checked(folder, "far.yaml"))


def test_what_a_search_has_no_room_for_is_told_in_notes(folder: Path) -> None:
    lines = checked(folder, room=Room(cores=2, memory_bytes=1 << 30, disk_bytes=0))
    assert re.fullmatch(r"note: a search holds up to 1\.3 GiB of memory, but 1\.0 GiB are free", lines[-2])
    assert re.fullmatch(r"note: the finals write \d+ MiB more to disk, but 0 MiB are free", lines[-1])


def test_a_baseline_that_makes_hardly_a_step_is_told(folder: Path) -> None:
    (folder / "one-step.yaml").write_text(BASELINE.replace("size: 64", "size: 4096, accumulate: 2"))
    (folder / "hasty.yaml").write_text(STUDY.replace("baseline.yaml", "one-step.yaml"))
    told = [line for line in checked(folder, "hasty.yaml") if "learns in" in line]
    assert len(told) == 1
    assert re.fullmatch(r"note: the baseline learns in 1 step: train has 1,\d{3} rows, and a step takes 8,192", told[0])
    assert not any("learns in" in line for line in checked(folder))


def test_that_costs_are_those_of_cores_is_told_where_trials_train_on_a_gpu(folder: Path) -> None:
    (folder / "gpu.yaml").write_text(STUDY + "resources: {gpu: 0.5}\n")
    missing = "" if gpus() else "; torch sees none on this machine, so that they run on a cluster only (--address)"
    told = f"note: trials train on a GPU, and what they cost is told for this machine's cores{missing}"
    assert checked(folder, "gpu.yaml")[-1] == told


def test_a_study_as_a_value(folder: Path) -> None:
    dated = "time: {column: time_ms, timezone: Asia/Tokyo}"
    (folder / "dated.yaml").write_text(STUDY.replace("time: time_ms", dated))
    value = found(folder, "dated.yaml", room=Room(cores=2, memory_bytes=0, disk_bytes=64 << 30)).value()
    validate = value.windows["validate"]
    assert list(value.windows) == ["train", "validate", "test"]
    assert 0 < validate.positive < 1
    assert 290 < validate.rows < 310
    assert re.fullmatch(r"2024-03-10T00:\d\d:\d\d\.\d{3}\+09:00", str(validate.first))
    assert re.fullmatch(r"2024-03-10T23:\d\d:\d\d\.\d{3}\+09:00", str(validate.last))
    assert list(value.features) == ["user_id", "item_id", "device", "weeks_since_signup"]
    assert [feature.kind for feature in value.features.values()] == ["categorical"] * 3 + ["dense"]
    user, weeks = value.features["user_id"], value.features["weeks_since_signup"]
    assert user.vocabulary is not None
    assert 0 < user.vocabulary <= 100
    assert weeks.vocabulary is None
    assert set(user.missing) == set(user.unknown) == set(value.windows)
    assert user.missing["train"] == 0.0
    assert value.notes[-1].kind == "memory"
    assert value.notes[-1].at == str(folder / "dated.yaml")
    assert {note.kind for note in value.notes} == {"rows", "memory"}
    assert value.notes[0].at.startswith(f"{folder / 'dated.yaml'}:3:")
    seconds = value.cost.trial_seconds
    assert min(seconds.low, seconds.baseline, seconds.high) > 0
    Draft202012Validator(checked_schema()).validate(value.to_json())


def test_a_column_read_both_ways_is_two_features(folder: Path) -> None:
    (folder / "both.yaml").write_text(STUDY.replace("device: {}}", "device: {}, weeks_since_signup: {}}"))
    features = found(folder, "both.yaml").value().features
    assert list(features)[-2:] == ["weeks_since_signup", "weeks_since_signup (dense)"]
    assert [feature.kind for feature in features.values()][-2:] == ["categorical", "dense"]


def test_a_log_without_a_time_has_windows_without_one(folder: Path) -> None:
    split = "split: {random: {train: 0.6, validate: 0.2, test: 0.2}}"
    text = re.sub(r"split: .*", split, STUDY).replace("  time: time_ms\n", "")
    (folder / "random.yaml").write_text(text)
    windows = found(folder, "random.yaml").value().windows
    assert {(window.first, window.last) for window in windows.values()} == {(None, None)}


def test_json_is_all_that_stands_on_stdout(folder: Path) -> None:
    done = CliRunner().invoke(automl, ["check", str(folder / "study.yaml"), "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert list(told) == ["windows", "features", "notes", "cost"]
    Draft202012Validator(checked_schema()).validate(told)


@pytest.mark.parametrize(
    ("words", "error", "told"),
    [
        (["space.yaml", "--json"], InputError, "must be a study to be told as JSON, but found a space"),
        (["space.yaml", "--scale", "2x"], InputError, "must be a study to be checked at a scale, but found a space"),
        (["study.yaml", "--json", "--pilot"], None, "--json must come without --pilot"),
    ],
)
def test_what_is_not_told_as_json_is_refused(
    folder: Path, words: list[str], error: type[Exception] | None, told: str
) -> None:
    done = CliRunner().invoke(automl, ["check", str(folder / words[0]), *words[1:]])
    assert done.exit_code != 0
    assert done.stdout == ""
    assert told in (done.stderr if error is None else str(done.exception))


def test_the_studies_that_it_starts_warm_from_are_asked_with_the_rest_of_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the log is encoded, and nothing is left behind."""
    wrong = STUDY.replace("label: click", "label: clik") + "search: {warm_start: [nowhere, nor-here]}\n"
    (folder / "cold.yaml").write_text(wrong)
    for ask in (lambda: found(folder, "cold.yaml"), lambda: api.search(folder / "cold.yaml", trials=1)):
        with pytest.raises(InputError) as caught:
            ask()
        assert [mistake.position.line for mistake in caught.value.mistakes] == [6, 12, 12]
    (folder / "cold.yaml").write_text(wrong.replace("clik", "click"))
    monkeypatch.setattr(problem, "_encode", lambda *given: pytest.fail("nothing must be encoded"))
    for ask in (lambda: found(folder, "cold.yaml"), lambda: api.search(folder / "cold.yaml", trials=1)):
        with pytest.raises(InputError, match="nowhere must hold a study"):
            ask()
    assert not list(folder.glob("cold/*.db"))


def test_what_each_of_them_says_is_counted(folder: Path) -> None:
    study = begun_study(folder / "before")
    dated = STUDY.replace("2024-03-10", "2024-03-09").replace("2024-03-11", "2024-03-12")
    study.note(replace(study.facts, config_text=dated, study_file="../before.yaml"))
    for trial in study.begin(proposals(9), 1):
        study.end(complete(trial))
    (folder / "warm.yaml").write_text(STUDY + "search: {warm_start: [before], strategy: tpe}\n")
    told = found(folder, "warm.yaml")
    lines = told.lines()
    assert "warm start: 9 trials of before" in lines
    assert "note: tpe does not hear what the studies of `warm_start` say: only the controller does" in lines
    (note,) = (note for note in told.value().notes if note.kind == "warm")
    assert note.at == f"{folder / 'warm.yaml'}:12:42"
    later = STUDY.replace("2024-03-11", "2024-03-12").replace("2024-03-10", "2024-03-11")
    study.note(replace(study.facts, config_text=later))
    with pytest.raises(InputError, match=r"warm\.yaml:12:23: before must be scored on other rows") as caught:
        found(folder, "warm.yaml")
    assert caught.value.mistakes[0].found == "2024-03-11 of the same log"


def test_a_space_alone_is_checked_too(folder: Path) -> None:
    assert space_lines(read(folder / "space.yaml")) == ["space: 6 knobs, 24 discrete combinations x 1 continuous"]
    (folder / "bad.yaml").write_text("embedding: {dim: {choice: [8, 8]}}\n")
    with pytest.raises(InputError, match=r"bad\.yaml:1:31: the options of a choice must differ"):
        space_lines(read(folder / "bad.yaml"))


def test_a_study_without_its_data_is_no_space(folder: Path) -> None:
    (folder / "half.yaml").write_text("name: half\nspace: ctr-small\nbaseline: baseline.yaml\n")
    with pytest.raises(InputError, match="must hold the key `data`"):
        checked(folder, "half.yaml")


def test_mistakes_are_told_before_anything_is_timed(folder: Path) -> None:
    (folder / "wrong.yaml").write_text(STUDY.replace("label: click", "label: clik"))

    def never() -> float:
        pytest.fail("nothing must be timed")

    with pytest.raises(InputError, match=r"wrong\.yaml:6:10: clik must be a column"):
        checked(folder, "wrong.yaml", busy=never)
