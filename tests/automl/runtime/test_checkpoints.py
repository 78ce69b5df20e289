"""Checkpoints: believed only by the training that wrote them, written as often as is worth it, and never in the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from automl.runtime.checkpoints import SHARE, Checkpoint, Checkpoints
from automl.runtime.jobs import TrainModel
from automl.study.history import CurvePoint, PartNE

CURVE = (CurvePoint(100, 0.9, 0.91), CurvePoint(200, float("nan"), 0.87, 0.93))
COURSE = {"0.weights": torch.arange(5.0), "0.steps": torch.tensor(3)}
REACHED = Checkpoint(COURSE, CURVE, 2.5, (PartNE(8, 0.93), PartNE(4, 0.92)), 1.5)


def asked(folder: Path, **changes: Any) -> TrainModel:
    plain = TrainModel(
        model={"wiring": "stacked"}, log="log", checkpoint=str(folder / "there" / "one.pt"), checkpoint_s=9
    )
    return replace(plain, **changes)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    kept = Checkpoints(asked(tmp_path), "of a log")
    assert kept.read() == Checkpoint({})
    assert kept.write(REACHED)
    found = Checkpoints(asked(tmp_path, log="elsewhere", checkpoint_s=1), "of a log").read()
    assert repr(found.curve) == repr(CURVE)
    assert found.cpu_seconds == 2.5
    assert found.course.keys() == COURSE.keys()
    assert all(torch.equal(part, COURSE[name]) for name, part in found.course.items())
    assert (found.parts, found.parts_cpu_seconds) == ((), 0.0), "none are asked for"
    for parts, told in (((8, 4), (REACHED.parts, 1.5)), ((4,), ((), 0.0))):
        found = Checkpoints(asked(tmp_path, parts=parts), "of a log").read()
        assert (found.parts, found.parts_cpu_seconds) == told
    assert [file.name for file in (tmp_path / "there").iterdir()] == ["one.pt"]


@pytest.mark.parametrize(
    "changes", [{"order_seed": 1}, {"weights_seed": 1}, {"model": {}}, {"train": ("train", "validate")}, {"task": "a"}]
)
def test_that_of_another_training_is_none(changes: dict[str, Any], tmp_path: Path) -> None:
    Checkpoints(asked(tmp_path), "of a log").write(REACHED)
    assert Checkpoints(asked(tmp_path, **changes), "of a log").read() == Checkpoint({})
    assert Checkpoints(asked(tmp_path), "of another").read() == Checkpoint({})


@pytest.mark.parametrize("content", [b"", b"no tensors", None])
def test_one_that_cannot_be_read_is_none(content: bytes | None, tmp_path: Path) -> None:
    kept = Checkpoints(asked(tmp_path), "of a log")
    kept.write(REACHED)
    file = tmp_path / "there" / "one.pt"
    file.write_bytes(file.read_bytes()[:-300] if content is None else content)
    assert kept.read() == Checkpoint({})


def test_one_whose_numbers_are_not_those_that_were_written_is_none(tmp_path: Path) -> None:
    """As a disk leaves it: the file is whole, and reads."""
    kept = Checkpoints(asked(tmp_path), "of a log")
    kept.write(REACHED)
    file, weights = tmp_path / "there" / "one.pt", COURSE["0.weights"].numpy().tobytes()
    content = file.read_bytes()
    assert content.count(weights) == 1
    file.write_bytes(content.replace(weights, bytes(len(weights))))
    assert torch.load(file, weights_only=True, mmap=True)["course.0.weights"].tolist() == [0.0] * 5
    assert kept.read() == Checkpoint({})


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    kept = Checkpoints(asked(tmp_path), "of a log")
    kept.write(REACHED)
    torch.save({"whose": Path("/")}, tmp_path / "there" / "one.pt")
    assert kept.read() == Checkpoint({})


def test_a_folder_that_takes_none_costs_the_training_nothing(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("a file")
    assert not Checkpoints(asked(tmp_path), "of a log").write(REACHED)


def test_they_are_as_far_apart_as_is_asked_for_or_as_writing_takes(tmp_path: Path) -> None:
    now, takes = 0.0, 0.0

    def clock() -> float:
        nonlocal now
        now += takes
        return now

    kept = Checkpoints(asked(tmp_path), "of a log", clock)
    now = 8.9
    assert not kept.due
    now = 9.0
    assert kept.due
    takes = 2.0
    kept.write(REACHED)  # two seconds long
    written, takes = now, 0.0
    now = written + SHARE * 2.0 - 0.1
    assert not kept.due
    now = written + SHARE * 2.0
    assert kept.due
