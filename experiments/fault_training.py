"""A training as a plug-in: the standard one, made about half a second long, that notes when it begins and ends.

The notes lie two floors above the study's folder (NAME.notes), where its full disk is not theirs. A line each, `begin
KEY SEED` and `end KEY SEED`: the model and the order of its data. What was trained twice can be told from them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from automl.runtime.jobs import Step, TrainModel
from automl.runtime.work import train_and_score
from search_spaces.model import ModelSpec
from search_spaces.plugins import Plugins

SECONDS = 0.4  # at least, of a training


def plug(tables: Plugins) -> None:
    """As a plug-in: a training that a study may name."""
    tables.training("noted", f"{__name__}:noted")


def noted(asked: TrainModel) -> Iterator[Step]:
    """train_and_score, with its notes."""
    notes = notes_of(Path(asked.log).parents[1])
    unit = f"{ModelSpec.from_tree(asked.model).key} {asked.order_seed}"
    _note(notes, f"begin {unit}")
    due = time.monotonic() + SECONDS
    for step in train_and_score(asked):
        if step.done:
            time.sleep(max(0.0, due - time.monotonic()))
            _note(notes, f"end {unit}")
        yield step


def notes_of(folder: Path) -> Path:
    """The notes of the study in a folder."""
    return folder.parents[1] / f"{folder.name}.notes"


def _note(notes: Path, line: str) -> None:
    handle = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, f"{line}\n".encode())  # one write: lines of several workers do not mix
    finally:
        os.close(handle)
