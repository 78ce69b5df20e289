"""The teacher's pass: killed anywhere it ends in the same tables and snapshots; broken it goes back; age is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from deltalake import DeltaTable
from numpy.typing import NDArray

from automl.exfm.das.scorer import LocalPool
from automl.exfm.das.system import Das
from automl.exfm.das.ticks import Tick, ticks_of
from automl.exfm.teacher.ensemble import SavedTeacher, Teacher
from automl.exfm.teacher.snapshots import Guard
from automl.exfm.teacher.teaching import Teaching, Upgrade
from automl.ranking.examples import Encoded
from tests.automl.exfm.teacher.test_ensemble import teacher_of
from tests.worlds.streams import HOUR, World

GUARD = Guard(ne_rise_pct=15.0, positives=20)


def ticks(world: World) -> tuple[Tick, ...]:
    """Two a day, of the first days."""
    return ticks_of(world.stream.times_N, world.stream.windows[:4], 12 * HOUR)


def teaching(run: Path, world: World, teacher: Teacher | None = None, **settings: Any) -> tuple[Teaching, Das]:
    stream = world.stream
    members = np.ones((len(stream), 1), bool)
    das = Das(run, stream, members, ["vm"], stream.tasks, "p", LocalPool(stream, SavedTeacher))
    teacher = teacher or teacher_of(world, members=1)
    return Teaching(run, stream, das, teacher, guard=settings.pop("guard", GUARD), timer=lambda: 0.0, **settings), das


def run(folder: Path, world: World, teacher: Teacher | None = None, **settings: Any) -> Teaching:
    done, das = teaching(folder, world, teacher, **settings)
    with das:
        list(done.run(ticks(world)))
    return done


def table(folder: Path, name: str) -> pa.Table:
    found = DeltaTable(str(folder / "das" / name)).to_pyarrow_table()
    return found.sort_by([("tick", "ascending"), ("row", "ascending")])


def weights(folder: Path) -> dict[str, list[dict[str, torch.Tensor]]]:
    return {file.parent.name: torch.load(file) for file in sorted(folder.glob("snapshots/*/weights.pt"))}


def equal(one: Path, two: Path) -> bool:
    tables = all(table(one, name).equals(table(two, name)) for name in ("scored", "augmented"))
    first, second = weights(one), weights(two)
    return (
        tables
        and list(first) == list(second)
        and all(
            torch.equal(value, theirs[name])
            for key in first
            for mine, theirs in zip(first[key], second[key], strict=True)
            for name, value in mine.items()
        )
    )


class Broken(Teacher):
    """One that is given NaN weights in the ticks named, in place of what it should have learnt."""

    ticks: tuple[int, ...] = ()

    def learn(self, stream: Encoded, rows_N: NDArray[np.int64], labels_NT: NDArray[np.float32], tick: int) -> None:
        super().learn(stream, rows_N, labels_NT, tick)
        if tick in self.ticks:
            for model in self._models:
                model.head.weight.data.fill_(torch.nan)


def broken(world: World, *bad: int) -> Broken:
    whole = teacher_of(world, members=1)
    teacher = Broken(whole.spec, whole.inputs, whole.columns, tasks=2, members=1, seed=0)
    teacher.ticks = bad
    return teacher


@pytest.mark.parametrize("bad", [(), (2, 5)], ids=["whole", "with refusals"])
def test_killed_between_any_two_ticks_it_ends_the_same(tmp_path: Path, world: World, bad: tuple[int, ...]) -> None:
    whole = run(tmp_path / "whole", world, broken(world, *bad))
    count = len(ticks(world))
    for stop in range(1, count):
        done, das = teaching(tmp_path / f"{stop}", world, broken(world, *bad))
        with das:
            for tick in done.run(ticks(world)):
                if tick.index + 1 == stop:
                    break  # what is in memory is gone
        again = run(tmp_path / f"{stop}", world, broken(world, *bad))
        assert again.refusals == whole.refusals
        assert equal(tmp_path / f"{stop}", tmp_path / "whole")
    assert {one.tick for one in whole.refusals} >= set(bad)


def test_a_broken_snapshot_is_not_published_and_the_teacher_goes_back(tmp_path: Path, world: World) -> None:
    """It goes on as one that had not seen that tick."""
    done = run(tmp_path, world, broken(world, 3))
    assert [(one.tick, one.reason) for one in done.refusals] == [(3, "its predictions are not finite")]
    scored = table(tmp_path, "scored")
    assert not np.isnan(scored["fm_logit_click"].to_numpy()[scored["tick"].to_numpy() > 0]).any()
    of_tick = {tick: set(scored.filter(pc.field("tick") == tick)["fm_snapshot"].to_pylist()) for tick in (3, 4, 5)}
    assert of_tick[4] == of_tick[3]  # the last good one stays
    assert of_tick[5] != of_tick[4]


def test_a_teacher_that_breaks_at_once_starts_again(tmp_path: Path, world: World) -> None:
    done = run(tmp_path, world, broken(world, 0))
    assert [one.tick for one in done.refusals] == [0]
    scored = table(tmp_path, "scored")
    assert scored.filter(pc.field("tick") <= 1)["fm_snapshot"].null_count == len(scored.filter(pc.field("tick") <= 1))
    assert scored.filter(pc.field("tick") > 1)["fm_snapshot"].null_count == 0


@pytest.mark.parametrize("hours", [0, 12, 24, 36])
def test_predictions_are_at_least_as_old_as_asked(tmp_path: Path, world: World, hours: int) -> None:
    run(tmp_path, world, age_ns=hours * HOUR)
    scored = table(tmp_path, "scored")
    told = scored.filter(pc.is_valid(scored["fm_snapshot"]))
    starts = np.array([tick.start_ns for tick in ticks(world)])[told["tick"].to_numpy()]
    ages = starts - told["fm_published"].to_numpy()
    assert len(told)
    assert ages.min() == ages.max() == hours * HOUR
    silent = scored.filter(pc.is_null(scored["fm_snapshot"]))
    assert set(silent["tick"].to_pylist()) == set(range(1 + hours // 12))


def larger(world: World) -> Upgrade:
    return Upgrade(2, lambda: teacher_of(world, members=2))


def test_an_upgrade_scores_from_its_window_on(world: World, tmp_path: Path) -> None:
    run(tmp_path / "with", world, upgrades=[larger(world)])
    run(tmp_path / "without", world)
    mine, theirs = (table(tmp_path / name, "scored").to_pandas() for name in ("with", "without"))
    first = world.stream.windows[2].rows.start
    before = mine["row"] < first
    assert mine[before].equals(theirs[before])
    assert mine.loc[~before, "fm_snapshot"].str.startswith("1-").all()
    assert not np.allclose(mine.loc[~before, "fm_logit_click"], theirs.loc[~before, "fm_logit_click"])
    assert (mine["row"].value_counts() == 1).all(), "what the new teacher learns again is not scored again"


@pytest.mark.parametrize("after", [3, 4, 5])
def test_killed_around_an_upgrade_it_ends_the_same(after: int, world: World, tmp_path: Path) -> None:
    run(tmp_path / "whole", world, upgrades=[larger(world)])
    done, das = teaching(tmp_path / "killed", world, upgrades=[larger(world)])
    with das:
        for tick in done.run(ticks(world)):
            if tick.index == after:
                break
    run(tmp_path / "killed", world, upgrades=[larger(world)])
    assert equal(tmp_path / "whole", tmp_path / "killed")


def test_before_anything_was_published_a_refusal_does_not_send_the_teacher_back(world: World, tmp_path: Path) -> None:
    strict = Guard(ne_rise_pct=15.0, calibration=1.0 + 1e-9, positives=1)
    done = run(tmp_path, world, guard=strict)
    assert len(done.refusals) == len(ticks(world))
    start, end = teacher_of(world, members=1), done.teacher
    assert not all(torch.equal(a, b) for a, b in zip(start.state()[0].values(), end.state()[0].values(), strict=True))
