"""Snapshots: whole or not there, chosen by age, refused where broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from automl.exfm.das.scorer import Snapshot
from automl.exfm.teacher.snapshots import Guard, Recent, SnapshotStore, refusal
from tests.automl.exfm.teacher.test_ensemble import teacher_of
from tests.worlds.streams import World

TASKS = ("click", "convert")


def recent(candidate: float = 0.0, served: float = 0.0, *, noise: float = 0.0, rows: int = 1000) -> Recent:
    """Labels of known odds; logits that are off by a shift, or by noise."""
    rng = np.random.default_rng(0)
    logits_NT = rng.normal(size=(rows, 2)) - 0.5
    labels_NT = (rng.random((rows, 2)) < 1 / (1 + np.exp(-logits_NT))).astype(np.float32)
    labels_NT[::3, 1] = np.nan
    wrong_NT = logits_NT + candidate + noise * rng.normal(size=(rows, 2))
    return Recent(labels_NT, wrong_NT.astype(np.float32), (logits_NT + served).astype(np.float32))


def planted(logits_NT: NDArray[np.float32], row: int, value: float) -> NDArray[np.float32]:
    changed = logits_NT.copy()
    changed[row, 1] = value
    return changed


def test_a_good_snapshot_is_published() -> None:
    assert refusal(recent(), TASKS, Guard()) is None
    assert refusal(recent(0.3), TASKS, Guard()) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_prediction_that_is_no_number_is_enough(value: float) -> None:
    good = recent()
    broken = Recent(good.labels_NT, planted(good.candidate_NT, 17, value), good.served_NT)
    assert refusal(broken, TASKS, Guard()) == "its predictions are not finite"


@pytest.mark.parametrize("shift", [-2.5, 4.0])
def test_a_calibration_that_is_off_is_refused(shift: float) -> None:
    assert "calibration on click is" in str(refusal(recent(shift), TASKS, Guard()))


def test_one_that_is_worse_than_what_served_is_refused() -> None:
    told = refusal(recent(noise=1.5), TASKS, Guard(calibration=10.0))
    assert told is not None
    assert "NE on click is" in told
    assert "% worse than that of what served these rows" in told
    assert refusal(recent(noise=1.5), TASKS, Guard(calibration=10.0, ne_rise_pct=500.0)) is None
    nobody = recent(noise=1.5)
    silent = np.full_like(nobody.served_NT, np.nan)
    assert refusal(Recent(nobody.labels_NT, nobody.candidate_NT, silent), TASKS, Guard(calibration=10.0)) is None


def test_too_few_labels_judge_nothing() -> None:
    assert refusal(recent(4.0, rows=60), TASKS, Guard()) is None
    few = recent()
    few.labels_NT[:, 0] = np.nan
    few.candidate_NT[:, 0] += 9.0  # a task without labels
    assert refusal(few, TASKS, Guard()) is None


@given(st.lists(st.integers(1, 30), unique=True, min_size=1, max_size=5), st.integers(0, 31))
def test_the_newest_that_is_old_enough_scores(published: list[int], now: int) -> None:
    store = SnapshotStore.__new__(SnapshotStore)  # without a folder
    store._all = [Snapshot(str(at), Path(str(at)), at - 1, at) for at in published]
    wanted = max([at for at in published if at <= now], default=None)
    found = store.newest(now)
    assert (None if found is None else found.published_ns) == wanted


def test_a_store_finds_what_was_published_and_nothing_half(tmp_path: Path, world: World) -> None:
    store = SnapshotStore(tmp_path)
    teacher = teacher_of(world, members=1)
    for k in range(3):
        store.publish(teacher, f"tick-{k}", trained_to_ns=10 * k, published_ns=10 * k + 5)
    (tmp_path / "tick-9.part").mkdir()
    written = (tmp_path / "tick-1" / "weights.pt").stat().st_mtime_ns
    again = SnapshotStore(tmp_path)
    assert not (tmp_path / "tick-9.part").exists()
    assert again.newest(15) == store.newest(15)
    assert again.publish(teacher, "tick-1", trained_to_ns=10, published_ns=15) == again.newest(15)
    assert (tmp_path / "tick-1" / "weights.pt").stat().st_mtime_ns == written
    again.prune(15)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tick-1", "tick-2"]
    assert again.newest(14) is None
