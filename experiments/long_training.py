"""A plug-in for experiments.ctrl_c: trials that take most of a minute, the baseline and further trainings do not."""

from __future__ import annotations

import time
from collections.abc import Iterator

from automl.runtime.jobs import Step, TrainModel
from automl.runtime.work import train_and_score
from search_spaces.plugins import Plugins

SECONDS = 45.0


def plug(tables: Plugins) -> None:
    """The training that the study names."""
    tables.training("long", f"{__name__}:long")


def long(asked: TrainModel) -> Iterator[Step]:
    """train_and_score, after a long while for every second model."""
    timed = asked.timing is not None and asked.model != asked.timing.reference
    if timed and sum(str(asked.model).encode()) % 2:
        time.sleep(SECONDS)
    yield from train_and_score(asked)
