"""Lessons as the log of a study: windows, ids, what the teacher said, and what is refused."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.data.describe.tables import LessonsConfig
from automl.data.encode.lessons import encode_lessons
from automl.data.store.folder import write_columns
from automl.data.store.lessons import LESSONS, open_lessons
from automl.data.store.log import EncodedLog, open_log
from automl.data.store.told import Note
from search_spaces.errors import InputError

DAY = 86_400 * 10**9
START = 19_786 * DAY  # 2024-03-04 UTC
SPLIT = {
    "train": ["2024-03-04", "2024-03-06"],
    "validate": ["2024-03-07", "2024-03-07"],
    "test": ["2024-03-09", "2024-03-09"],  # a day between is left out
}
FACTS: Mapping[str, Any] = {
    "fields": ["user_id", "item_id"], "dense": ["price"], "tasks": ["click", "like"], "own": 1,
    "label": "like", "negatives_kept": None, "cluster": "user_id", "timezone": "UTC", "notes": ["of student small"],
    "fingerprint": "0123456789abcdef",
}  # fmt: skip


def columns(rows: int = 600, seed: int = 0) -> dict[str, np.ndarray]:
    """Rows over six days; the teacher says nothing of every tenth."""
    rng = np.random.default_rng(seed)
    teacher = rng.normal(size=(rows, 2)).astype(np.float32)
    teacher[::10] = np.nan
    return {
        "ids": rng.zipf(1.5, (rows, 2)).clip(0, 40).astype(np.int32) - (rng.random((rows, 2)) < 0.1),
        "dense": rng.normal(size=(rows, 1)).astype(np.float32),
        "labels": (rng.random(rows) < 0.4).astype(np.float32),
        "clusters": rng.integers(0, 9, rows).astype(np.int32),
        "times": np.sort(rng.integers(START, START + 6 * DAY, rows)),
        "teacher": teacher,
        "ages": rng.random(rows).astype(np.float32),
    }


def write(folder: Path, parts: Mapping[str, np.ndarray], **changes: Any) -> Path:
    folder.mkdir(parents=True)
    parts = {**parts, "ids": parts["ids"].astype(np.int32)}
    write_columns(folder, len(parts["times"]), [parts])
    LESSONS.write(folder, {**FACTS, **changes})
    return folder


def bound(folder: Path, cache: Path, *, fit: tuple[str, ...] = ("train",), **split: Any) -> EncodedLog:
    config = LessonsConfig.model_validate({"lessons": folder.name, "split": {**SPLIT, **split}})
    return encode_lessons(config, folder.parent, cache, fit=fit)


def test_rows_of_the_windows_with_what_the_teacher_said(tmp_path: Path) -> None:
    parts = columns()
    log = bound(write(tmp_path / "small", parts), tmp_path / "data")
    day = (parts["times"] - START) // DAY
    kept = np.isin(day, [0, 1, 2, 3, 5])
    assert (log.label, log.fields, log.dense) == ("like", ("user_id", "item_id"), ("price",))
    assert [log.windows[name].stop for name in ("train", "validate", "test")] == [
        (day < 3).sum(), (day < 4).sum(), kept.sum(),
    ]  # fmt: skip
    assert log.teacher_NT is not None
    assert log.ages_N is not None
    np.testing.assert_array_equal(log.teacher_NT, parts["teacher"][kept])
    np.testing.assert_array_equal(log.ages_N, parts["ages"][kept])
    np.testing.assert_array_equal(log.labels_N, parts["labels"][kept])
    np.testing.assert_array_equal(log.times_N, parts["times"][kept])
    assert (log.weights_N == 1).all()
    assert log.own == 1
    assert log.base_rates["validate"] == pytest.approx(parts["labels"][day == 3].mean())
    assert log.notes[0] == Note("of student small")
    assert f"{(day == 4).sum()} of 600 rows lie outside of the windows" in [note.text for note in log.notes]
    again = pickle.loads(pickle.dumps(log))
    np.testing.assert_array_equal(again.teacher_NT, log.teacher_NT)


@given(seed=st.integers(0, 10**6))
def test_ids_are_numbered_by_frequency_in_the_fit_windows(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("lessons")
    parts = columns(rows=120, seed=seed)
    parts["labels"] = (np.arange(120) % 2).astype(np.float32)
    parts["clusters"] = np.arange(120, dtype=np.int32)
    log = bound(write(folder / "small", parts), folder / "data", fit=("train", "validate"))
    day = (parts["times"] - START) // DAY
    old, fitted = parts["ids"][np.isin(day, [0, 1, 2, 3, 5])], log.windows["validate"].stop
    for k, counts in enumerate(log.inputs.id_counts):
        new = log.ids_NF[:, k]
        assert list(counts) == sorted(counts, reverse=True)
        assert np.bincount(new[:fitted], minlength=len(counts) + 1)[1:].tolist() == list(counts)
        pairs = set(zip(old[:, k].tolist(), new.tolist(), strict=True))
        assert len({of for of, to in pairs if to}) == len({to for _, to in pairs if to}), "one number an id"
        known = set(old[:fitted, k].tolist()) - {0}
        assert all((to > 0) == (of in known) for of, to in pairs)


def test_every_split_and_content_has_its_own_log(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one", columns()), write(tmp_path / "two", columns(), fingerprint="f" * 16)
    logs = [
        bound(one, tmp_path / "data"),
        bound(one, tmp_path / "data", fit=("train", "validate")),
        bound(one, tmp_path / "data", test=["2024-03-08", "2024-03-09"]),
        bound(other, tmp_path / "data"),
    ]
    assert len({log.fingerprint for log in logs}) == len(logs)
    assert bound(one, tmp_path / "data").folder == logs[0].folder


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    parts = columns()
    day = (parts["times"] - START) // DAY
    parts["labels"][day == 3] = 1
    folder = write(tmp_path / "small", parts)
    with pytest.raises(InputError) as caught:
        bound(folder, tmp_path / "data", test=["2025-01-01", "2025-01-02"])
    assert "the validate window must hold both classes of like, but found only 1 in" in str(caught.value)
    assert "the test window must hold rows of the lessons, but found none" in str(caught.value)
    parts = columns(seed=1)
    parts["clusters"][:] = 4
    with pytest.raises(InputError, match="cluster user_id must take at least two values in the test window"):
        bound(write(tmp_path / "alike", parts), tmp_path / "data")
    with pytest.raises(InputError, match=r"data\.lessons: lessons must hold the lessons of a student, but found none"):
        bound(tmp_path / "nowhere", tmp_path / "data")


def test_lessons_are_no_log_and_a_log_no_lessons(tmp_path: Path) -> None:
    folder = write(tmp_path / "small", columns())
    with pytest.raises(InputError, match="must hold an encoded log, but found an encoded lessons"):
        open_log(folder)
    log = bound(folder, tmp_path / "data")
    with pytest.raises(InputError, match="must hold the lessons of a student, but found an encoded log"):
        open_lessons(log.folder)
    write(tmp_path / "old", columns(), format=0)
    with pytest.raises(InputError, match="must hold the lessons of a student of format 1, but found format 0"):
        open_lessons(tmp_path / "old")
