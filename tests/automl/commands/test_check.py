"""`automl check`: what can be known of a study or a space before it is searched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automl.commands.check import space_lines, study_lines
from automl.data.simulated.log import simulate
from search_spaces.errors import InputError
from search_spaces.source import read

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
BASELINE = "embedding: {dim: 4, lr: 0.05}\ndeep: [{mlp: {width: 16}}]\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checked")
    simulate(folder / "log", rows=2400, users=100, items=50, seed=1)
    for name, text in (("study.yaml", STUDY), ("space.yaml", SPACE), ("baseline.yaml", BASELINE)):
        (folder / name).write_text(text)
    return folder


def ticking(step: float) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += step


def checked(folder: Path, file: str = "study.yaml", **options: Any) -> list[str]:
    ticks = ticking(8.0)
    given = {"pilot": None, "workers": 2, "folder": None, "clock": lambda: next(ticks), **options}
    return study_lines(read(folder / file), **given)


def test_a_study_in_words(folder: Path) -> None:
    data, *notes, space, cost = checked(folder)
    assert re.fullmatch(
        r"data: train 1,500 rows \(\d\d\.\d% positive\), validate 300 rows \(.*\), test 300 rows \(.*\); "
        r"3 id fields, 1 dense, label `click`",
        data,
    )
    assert "note: time time_ms is taken to be in ms, told by its size" in notes
    assert "note: 300 of 2400 rows lie outside of the windows" in notes
    assert all(note.startswith("note: ") for note in notes)
    assert re.fullmatch(
        r"space: 6 knobs, 24 discrete combinations x 1 continuous, [\d.]+M to [\d.]+M parameters", space
    )
    assert re.fullmatch(
        r"cost: a trial about 8 s \(the baseline's\), 100 trials about 7 min on 2 workers, \d\.\d GiB", cost
    )


def test_what_the_tuning_of_the_baseline_costs_is_told_beside_the_trials(folder: Path) -> None:
    (folder / "tuned.yaml").write_text(STUDY + "search: {tune_baseline: 30}\n")
    *_, cost = checked(folder, "tuned.yaml")
    assert cost.endswith("GiB; before them 30 trainings tune the baseline, about 2 min")


def test_a_baseline_outside_of_the_space_is_told(folder: Path) -> None:
    (folder / "outside.yaml").write_text(BASELINE.replace("dim: 4", "dim: 5"))
    (folder / "far.yaml").write_text(STUDY.replace("baseline.yaml", "outside.yaml"))
    assert any(line.endswith("; the baseline lies outside") for line in checked(folder, "far.yaml"))


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
        checked(folder, "wrong.yaml", clock=never)
