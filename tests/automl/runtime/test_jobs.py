"""What crosses the border to a worker is plain values, and arrives as it was sent."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.runtime.jobs import (
    Job,
    Limits,
    Step,
    Timing,
    TrainModel,
    job_config,
    job_of,
    progress_of,
    step_of,
    step_text,
)
from automl.runtime.work import train_and_score
from automl.study.config import TRAININGS
from automl.study.history import CurvePoint, Failure, Limit, Measurement, Metric, Speed
from automl.testing import hold_job, hold_training
from tests.worlds.studies import HUMAN, candidates

numbers = st.floats(allow_nan=False, allow_infinity=False)
limits = st.builds(Limit, st.just(Metric.QPS_RATIO), low=st.none() | numbers, high=st.none() | numbers)
timings = st.builds(
    Timing,
    reference=st.just(HUMAN.to_tree()),
    batch_rows=st.integers(1, 65536),
    max_seconds=st.floats(0.1, 100),
    clock=st.sampled_from(["cpu", "analytic"]),
    limits=st.lists(limits, max_size=3).map(tuple),
)
payloads = st.builds(
    TrainModel,
    model=st.sampled_from([model.model.to_tree() for model in candidates(4)]),
    log=st.text(),
    train=st.sampled_from([("train",), ("train", "validate")]),
    weights_seed=st.integers(0, (1 << 63) - 1),
    stops=st.lists(st.floats(0, 1), max_size=3).map(tuple),
    timing=st.none() | timings,
    predictions=st.none() | st.text(),
)
jobs = st.builds(Job, st.text(min_size=1), payloads, st.builds(Limits, timeout_s=st.floats(0.1, 1e4)))
measurements = st.builds(
    Measurement,
    ne=numbers | st.just(math.nan),
    auc=st.none() | numbers,
    calibration=st.none() | numbers,
    speed=st.builds(
        Speed, qps_ratio=numbers, qps_ratio_low=numbers, qps_ratio_high=numbers, train_qps=st.none() | numbers
    ),
    params=st.integers(0),
    flops=st.integers(0),
    activation_bytes=st.integers(0),
    seconds=st.dictionaries(st.text(), numbers),
)
steps = st.builds(
    Step,
    share=st.floats(0, 1),
    curve=st.lists(st.builds(CurvePoint, st.integers(1), numbers | st.just(math.nan), numbers)).map(tuple),
    measurement=st.none() | measurements,
    failure=st.none() | st.builds(Failure, st.text(), st.text()),
    done=st.booleans(),
    cpu_seconds=numbers,
)


@settings(deadline=None)
@given(jobs)
def test_a_job_crosses_the_border(job: Job) -> None:
    assert job_of(job_config(job)) == job
    assert job_of(json.loads(json.dumps(job_config(job)))) == job


@settings(deadline=None)
@given(steps)
def test_a_step_comes_back(step: Step) -> None:
    back = step_of(step_text(step))
    assert repr(back) == repr(step)
    progress = progress_of(back)
    assert (progress.share, repr(progress.curve)) == (step.share, repr(step.curve))
    assert progress.qps_ratio == (step.measurement.speed.qps_ratio if step.measurement else None)


@pytest.mark.parametrize("name", sorted(TRAININGS))
def test_a_training_of_the_table_holds_to_the_contract(name: str) -> None:
    hold_training(TRAININGS[name])


@dataclass(frozen=True, slots=True)
class Count:
    """A payload of one's own: counts, and may forget to say that it is done."""

    upto: int
    forget: bool = False
    work: ClassVar[str] = f"{__name__}:count"


def count(asked: Count) -> Iterator[Step]:
    yield from (Step(share=k / asked.upto, done=k == asked.upto and not asked.forget) for k in range(asked.upto + 1))


def test_a_payload_of_ones_own_holds_to_the_contract() -> None:
    assert [step.share for step in hold_job(Count(2))] == [0.0, 0.5, 1.0]
    with pytest.raises(AssertionError, match="the last step must say done"):
        hold_job(Count(2, forget=True))


def silent(asked: TrainModel) -> Iterator[Step]:
    """Says that all went well, whatever did."""
    try:
        *before, last = train_and_score(asked)
    except FileNotFoundError:
        yield Step(share=1.0, done=True)
        return
    yield from [*before, dataclasses.replace(last, failure=None)]


def wasteful(asked: TrainModel) -> Iterator[Step]:
    """Keeps nothing of what it learnt."""
    yield from train_and_score(dataclasses.replace(asked, weights=None))


@pytest.mark.parametrize(
    ("training", "told"),
    [(silent, "a model that diverges must end with a failure"), (wasteful, "must write the weights")],
)
def test_the_contract_finds_a_training_that_breaks_it(training: Callable[..., object], told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        hold_training(f"{__name__}:{training.__name__}")
