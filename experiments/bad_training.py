"""A plug-in for experiments.bad_trials: of ten trials each of six goes wrong in a way of its own; four are healthy."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from automl.runtime.jobs import Step, TrainModel
from automl.runtime.work import train_and_score
from search_spaces.plugins import Plugins

KINDS = ("raise", "exit", "diverge", "memory", "sleep", "hang")  # by turn, modulo ten
REASONS = {
    "raise": "error",
    "exit": "lost",
    "diverge": "diverged",
    "memory": "memory",
    "sleep": "timeout",
    "hang": "timeout",
}
TURNS = "turns"  # in the folder of the log: a file for each turn, named after its model
_GIB = 1 << 30


def plug(tables: Plugins) -> None:
    """The training that the study names."""
    tables.training("bad", f"{__name__}:bad")


def bad(asked: TrainModel) -> Iterator[Step]:
    """train_and_score, but for most trials; the baseline and repeats are as they should be."""
    timed = asked.timing is not None and asked.model != asked.timing.reference
    kind = kind_of(_turn(Path(asked.log) / TURNS)) if timed else None
    if kind == "raise":
        raise RuntimeError("a block fell over")
    if kind == "exit":
        os._exit(3)
    if kind == "diverge":
        asked = _diverging(asked)
    if kind == "memory":
        held = [np.ones(_GIB // 8) for _ in range(10)]
        raise AssertionError(f"{len(held)} GiB were taken")
    if kind == "sleep":
        time.sleep(1e6)
    if kind == "hang":
        ctypes.PyDLL(None).sleep(1_000_000)  # the C library's, called without letting the GIL go
    yield from train_and_score(asked)


def kind_of(turn: int) -> str | None:
    """What goes wrong with the trial of this turn; None where nothing does."""
    return KINDS[turn % 10] if turn % 10 < len(KINDS) else None


def _diverging(asked: TrainModel) -> TrainModel:
    tree = {
        **asked.model,
        "embedding": {**asked.model["embedding"], "lr": 10.0, "init_std": 1.0},
        "train": {**asked.model["train"], "dense_lr": 1.0, "batch_size": 16},
    }
    return replace(asked, model=tree)


def _turn(folder: Path) -> int:
    """0, 1, 2 and so on, whichever process asks."""
    folder.mkdir(exist_ok=True)
    number = 0
    while True:
        try:
            (folder / str(number)).touch(exist_ok=False)
        except FileExistsError:
            number += 1
        else:
            return number
