"""What a worker makes of work that is not as it must be: the job's failure, in words; never its own end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from automl.runtime.jobs import Job, Limits, Step, job_config
from automl.runtime.worker import Worker, told_by
from automl.study.history import Measurement, Speed

SPEED = Speed(qps_ratio=1.0, qps_ratio_low=1.0, qps_ratio_high=1.0)


@dataclass(frozen=True, slots=True)
class Asked:
    """A payload whose work is a function of this file."""

    work: str


def nothing(asked: Asked) -> None:
    return None


def unfinished(asked: Asked) -> Iterator[Step]:
    yield from ()


def no_step(asked: Asked) -> Iterator[Step]:
    yield cast(Step, {"done": True})


def no_plain_number(asked: Asked) -> Iterator[Step]:
    ne = cast(float, np.float32(0.9))
    told = Measurement(ne=ne, auc=None, calibration=None, speed=SPEED, params=1, flops=1, activation_bytes=1)
    yield Step(share=1.0, measurement=told, done=True)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    """Without Ray around it."""
    made = Worker.__new__(Worker)
    made.setup = lambda config: Worker.setup(made, config)  # type: ignore[method-assign]
    return made


@pytest.mark.parametrize(
    ("work", "told"),
    [
        (nothing, "must be a generator of Steps, but gave NoneType"),
        (unfinished, "ended without a step that says done"),
        (no_step, "must give Steps, but gave dict"),
        (no_plain_number, "float32"),
    ],
)
def test_bad_work_is_the_jobs_failure(work: Any, told: str, worker: Worker, tmp_path: Path) -> None:
    job = Job("j", Asked(f"{__name__}:{work.__name__}"), Limits(timeout_s=60.0))
    config = {"job": json.dumps(job_config(job)), "threads": 1, "notes": str(tmp_path), "plugins": ()}
    worker.setup(config)
    result = worker.step()
    step = told_by(result)
    assert result["done"]
    assert step.failure is not None
    assert step.failure.kind == "error"
    assert told in step.failure.reason
