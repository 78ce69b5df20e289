"""Work that goes wrong on purpose: one trial in eight raises, diverges, exits, or hangs in C code with the GIL held."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from dataclasses import replace

from automl.runtime.jobs import Job, Step
from automl.runtime.work import run_job


def faulty(job: Job) -> Iterator[Step]:
    """run_job, but for some trials."""
    kind, _, number = job.name.partition("-")
    fault = int(number) % 8 if kind == "trial" else -1
    if fault == 1:
        raise RuntimeError("a block fell over")
    if fault == 3:
        tree = {
            **job.model,
            "embedding": {**job.model["embedding"], "lr": 10.0, "init_std": 1.0},
            "train": {**job.model["train"], "dense_lr": 1.0, "batch_size": 16},
        }
        job = replace(job, model=tree)
    if fault == 5:
        os._exit(3)
    if fault == 7:
        hang_with_the_gil_held()
    yield from run_job(job)


def slow(job: Job) -> Iterator[Step]:
    """Every trial passes its limit; the baseline does not."""
    if job.name.startswith("trial"):
        hang_with_the_gil_held()
    yield from run_job(job)


def hang_with_the_gil_held() -> None:
    """sleep(3) of the C library, called without letting the GIL go."""
    ctypes.PyDLL(None).sleep(1000)
