"""Work that goes wrong on purpose: a trial that raises, diverges, exits, is killed, takes too much memory, or hangs in
C code with the GIL held, or both."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from automl.runtime.jobs import Job, Step, TrainModel, job_config
from automl.runtime.work import train_and_score
from search_spaces.plugins import Plugins

FAULTS = {1: "error", 3: "diverged", 4: "memory", 5: "lost", 7: "timeout", 9: "memory"}  # by turn
DEAF = 4  # the turn of one that takes its memory with the GIL held
KILLED = 2  # the turn of one that is killed once, when it has left two checkpoints
KILLED_JOB = "killed.json"  # in the folder of the log: its job
UNSTEADY = "unsteady.json"  # in the study's folder: the model that diverges on the second order of the finals


def plug(tables: Plugins) -> None:
    """As a plug-in: trainings that a study may name."""
    tables.training("faulty", f"{__name__}:faulty")
    tables.training("slow", f"{__name__}:slow")
    tables.training("unsteady", f"{__name__}:unsteady")


def faulty(asked: TrainModel) -> Iterator[Step]:
    """train_and_score, but for some trials."""
    if asked.checkpoint is not None and Path(asked.checkpoint).exists():
        yield from train_and_score(asked)
        return
    turn = 0 if _is_baseline(asked) else _turn(Path(asked.log))
    if turn == KILLED:
        yield from _killed(asked)
    fault = FAULTS.get(turn)
    if fault == "error":
        raise RuntimeError("a block fell over")
    if fault == "diverged":
        asked = _diverging(asked)
    if fault == "lost":
        os._exit(3)
    if turn == DEAF:
        take_with_the_gil_held(5 << 28)
    if fault == "memory":
        _ = [bytearray(b"x" * (256 << 20)) for _ in range(40)]
    if fault == "timeout":
        hang_with_the_gil_held()
    yield from train_and_score(asked)


def slow(asked: TrainModel) -> Iterator[Step]:
    """Every trial passes its limit; the baseline does not."""
    if not _is_baseline(asked):
        hang_with_the_gil_held()
    yield from train_and_score(asked)


def unsteady(asked: TrainModel) -> Iterator[Step]:
    """train_and_score, but for one model on one order of the finals."""
    if asked.predictions is not None and "-1001" in Path(asked.predictions).name:
        told = Path(asked.predictions).parents[2] / UNSTEADY
        asked = _diverging(asked) if asked.model == json.loads(told.read_text()) else asked
    yield from train_and_score(asked)


def _killed(asked: TrainModel) -> Iterator[Step]:
    (Path(asked.log) / KILLED_JOB).write_text(json.dumps(job_config(Job("killed", asked))))
    written = 0
    for step in train_and_score(replace(asked, checkpoint_s=0.0)):
        yield step
        written += step.kept
        if written == 2:
            os.kill(os.getpid(), signal.SIGKILL)


def _diverging(asked: TrainModel) -> TrainModel:
    tree = {
        **asked.model,
        "embedding": {**asked.model["embedding"], "lr": 10.0, "init_std": 1.0},
        "train": {**asked.model["train"], "dense_lr": 1.0, "batch_size": 16},
    }
    return replace(asked, model=tree)


def hang_with_the_gil_held() -> None:
    """sleep(3) of the C library, called without letting the GIL go."""
    ctypes.PyDLL(None).sleep(1000)


def take_with_the_gil_held(size: int) -> None:
    """So much memory, and no other thread of the process runs from before it is taken."""
    sleep = ctypes.PyDLL(None).sleep
    sys.setswitchinterval(1000.0)
    much = bytearray(size)
    much[::4096] = b"x" * len(much[::4096])
    sleep(1000)


def _is_baseline(asked: TrainModel) -> bool:
    return asked.timing is not None and asked.model == asked.timing.reference


def _turn(folder: Path) -> int:
    """0, 1, 2 and so on: how many were asked before, whichever process asks."""
    number = 0
    while True:
        try:
            (folder / f"turn-{number}").touch(exist_ok=False)
        except FileExistsError:
            number += 1
        else:
            return number
