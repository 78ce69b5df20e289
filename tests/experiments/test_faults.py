"""The short form of `make faults`: a search is killed in a few ways, the same command goes on, and nothing is lost.

And what the suite sees: a record that lost or changed what had ended, and a training that was begun again.
"""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from automl.study.record import Study
from automl.study.storage import open_study
from experiments.fault_kinds import KINDS
from experiments.fault_scene import Scene
from experiments.fault_training import notes_of
from experiments.fault_worlds import SearchWorld, copied_record
from experiments.faults import Losses, plan, rows_of, table, to_the_end, torment
from tests.worlds.processes import PATIENCE_S
from tests.worlds.studies import add_baseline, complete, proposals, small_space

SHORT = (
    "inside an encoding",
    "worker SIGTERM",
    "driver SIGKILL",
    "worker SIGSTOP, SIGKILL",
    "inside a commit",
)
TRIALS = 30
SEEDS = {"weights": 1, "order": 17, "repeat": 0}


def test_killed_in_any_way_the_same_command_goes_on(tmp_path: Path) -> None:
    world = SearchWorld(tmp_path / "disk", trials=TRIALS)
    world.write()
    scene = Scene(world, tmp_path / "said", random.Random(0), patience=PATIENCE_S)
    try:
        struck = list(torment(scene, enumerate(SHORT), seed=0))
        end = to_the_end(scene)
    finally:
        scene.kill()
    rows = rows_of(struck)
    wrong = [row for row in rows if any(row[n] for n in ("lost", "changed", "repeated", "left", "broken", "hung"))]
    assert wrong == [], table(rows)
    assert world.trials == TRIALS, "no run ended before its time"
    assert end == {
        "code": 0, "trials": TRIALS, "ended": TRIALS, "budget_kept": True, "report_code": 0, "parts": 0, "scratch": 0,
        "left": 0,
    }  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> SearchWorld:
    """Of three trials, two of which have ended."""
    world = SearchWorld(tmp_path / "disk", trials=3)
    world.folder.mkdir(parents=True)
    study = _study(world)
    add_baseline(study)
    for trial in study.begin(proposals(3), 1)[:2]:
        study.end(complete(trial, seeds=SEEDS))
    return world


def _study(world: SearchWorld) -> Study:
    return open_study(world.folder, "small", small_space())


def _edit(world: SearchWorld, statement: str) -> None:
    with closing(sqlite3.connect(world.folder / "study.db")) as db, db:
        assert db.execute(statement).rowcount == 1


def test_a_record_that_only_grows_has_lost_nothing(world: SearchWorld, tmp_path: Path) -> None:
    losses = Losses(world.record())
    assert world.ended() == 2
    study = _study(world)
    study.end(complete(study.trials[2]))
    losses.see(world.record())
    losses.see(copied_record(world, tmp_path / "copy"))
    assert (losses.lost, losses.changed) == (set(), set())
    assert world.ended() == 3


@pytest.mark.parametrize(
    ("statement", "lost", "changed"),
    [
        ("delete from trial_user_attributes where key = 'outcome' and trial_id = 2", 2, 0),
        (
            "update trial_user_attributes set value_json = value_json || ' ' where key = 'outcome' and trial_id = 2",
            0,
            1,
        ),
        ("update trial_values set value = value + 1e-12 where trial_id = 1 and objective = 0", 0, 1),
        ("update trials set state = 'FAIL' where trial_id = 1", 0, 1),
        ("delete from study_user_attributes where key = 'baseline'", 2, 0),
    ],
)
def test_what_is_gone_or_is_not_the_same_is_seen(
    world: SearchWorld, tmp_path: Path, statement: str, lost: int, changed: int
) -> None:
    losses = Losses(world.record())
    _edit(world, statement)
    losses.see(copied_record(world, tmp_path / "copy"))
    assert (len(losses.lost), len(losses.changed)) == (lost, changed)


def test_a_training_of_what_had_ended_is_seen(world: SearchWorld) -> None:
    ended, running = _study(world).trials[0], _study(world).trials[2]
    notes = notes_of(world.folder)
    notes.write_text(f"begin {ended.candidate.key} 17\nend {ended.candidate.key} 17\n")
    before = world.trained()
    with notes.open("a") as file:
        file.write(f"begin {running.candidate.key} 17\nbegin {ended.candidate.key} 18\n")
    assert world.trained_again(before) == 0, "one had not ended, the other was trained on another order"
    with notes.open("a") as file:
        file.write(f"begin {ended.candidate.key} 17\n")
    assert world.trained_again(before) == 1


def test_a_plan_goes_on_with_the_kills_that_are_left() -> None:
    counts = {"a": 3, "b": 2}
    whole = plan(counts, seed=5)
    assert Counter(kind for _, kind in whole) == counts
    done = [kind for _, kind in whole[:2]]
    assert plan(counts, seed=5, done=done) == whole[2:]


def test_the_suite_has_every_kind_in_sufficient_number() -> None:
    assert sum(kind.search for kind in KINDS.values()) >= 200
    assert sum(kind.exfm for kind in KINDS.values()) >= 50
    for name in ("driver", "worker", "raylet", "gcs"):
        assert {f"{name} SIGKILL", f"{name} SIGTERM", f"{name} SIGSTOP, SIGCONT", f"{name} SIGSTOP, SIGKILL"} <= set(
            KINDS
        )
