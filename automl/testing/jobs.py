"""The contract of a payload: it crosses to a worker as plain values, ends with a step that says so, tells failures."""

from __future__ import annotations

import json
import math
import pkgutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from automl.data.describe.tables import DataConfig
from automl.data.encode.log import encode_log
from automl.data.simulated.log import simulate
from automl.data.store.log import open_log
from automl.files.sealed import read_sealed
from automl.ranking.model import build_model
from automl.ranking.scoring import score
from automl.runtime.jobs import Job, Payload, Step, Timing, TrainModel, job_config, job_of, step_of, step_text
from automl.study.history import Limit, Metric
from automl.testing.holds import hold
from search_spaces.model import ModelSpec
from search_spaces.source import read_text, validate

_DATA = """\
path: log/log.parquet
time: {column: time_ms, unit: ms, timezone: UTC}
label: click
features: {categorical: {user_id: {}, item_id: {}, tab: {}}}
split: {train: [2024-03-04, 2024-03-09], validate: [2024-03-10, 2024-03-10], test: [2024-03-11, 2024-03-11]}
"""
_MODEL: Mapping[str, Any] = ModelSpec.from_tree({
    "embedding": {"dim": 4, "lr": 0.05},
    "interaction": [{"cross": {"rank": 2}}],
    "deep": [{"mlp": {"width": 8}}],
    "train": {"batch_size": 64},
}).to_tree()  # fmt: skip
_STOPS = (0.25, 0.5)


def hold_job(payload: Payload) -> tuple[Step, ...]:
    """Hold a payload to its contract by doing its work in this process; its steps.

    Raises:
        AssertionError: with what must hold.
        Exception: what the work raises.
    """
    job = Job("held", payload)
    try:
        there = job_of(json.loads(json.dumps(job_config(job))))
    except (TypeError, ValueError, ImportError, AttributeError) as error:
        raise AssertionError(f"a payload must be a dataclass of a module, of plain values: {error}") from error
    hold(there == job, f"a payload must arrive as it was sent, but {there.payload} came of {payload}")
    steps = tuple(pkgutil.resolve_name(there.payload.work)(there.payload))
    hold(bool(steps) and steps[-1].done, "the last step must say done")
    hold(not any(step.done for step in steps[:-1]), "no step but the last must say done")
    shares = [step.share for step in steps]
    hold(shares == sorted(shares), f"the share that is done must rise, but was {shares}")
    hold(min(shares) >= 0 and max(shares) <= 1, f"the share that is done must lie in 0 to 1, but was {shares}")
    for step in steps:
        hold(
            repr(step_of(step_text(step))) == repr(step),
            "a step must arrive as it was told: plain values, curves of floats",
        )
    return steps


def hold_training(work: str) -> None:
    """Hold a training of one's own to its contract, on a small simulated log; `work` names it as MODULE:FUNCTION.

    Raises:
        AssertionError: with what must hold.
    """
    with tempfile.TemporaryDirectory(prefix="automl-testing-") as name:
        asked = _asked(Path(name), work)
        hold_trained(asked)
        hold_failures(asked)


def hold_trained(asked: TrainModel) -> None:
    """It stops where it is asked to, measures, and leaves predictions and weights; the same call, the same NE."""
    first, second = hold_job(asked), hold_job(asked)
    hold(first[-1].failure is None, f"a sound model must be trained, but it ended with {first[-1].failure}")
    stops = [step.share for step in first[:-1]]
    hold(stops == list(asked.stops), f"it must stop at {list(asked.stops)} of the training, but did at {stops}")
    hold(all(step.measurement and step.curve for step in first), "every step must tell speed and curve")
    measured, again = first[-1].measurement, second[-1].measurement
    hold(measured is not None and math.isfinite(measured.ne), "it must end with an NE")
    hold(measured is not None and again is not None and measured.ne == again.ne, "equal seeds must give equal NE")
    assert asked.predictions is not None
    assert asked.weights is not None
    hold(Path(asked.predictions).is_file(), "it must write the predictions where it is asked to")
    sealed = read_sealed(Path(asked.predictions), asked.predictions_name)
    hold(sealed is not None, "it must write the predictions by automl.runtime.work.save_predictions, with their name")
    hold(Path(asked.weights).is_file(), "it must write the weights where it is asked to")
    log = open_log(Path(asked.log))
    model = build_model(ModelSpec.from_tree(asked.model), log.inputs, seed=0)
    model.load_state_dict(torch.load(asked.weights, weights_only=True))
    probs_N = np.load(asked.predictions)
    same = np.allclose(score(model, log, log.windows[asked.score]), probs_N, rtol=0, atol=1e-6)
    hold(same, "the weights that it writes must be those that it predicts with")
    _hold_days(asked, probs_N, log.windows[asked.score])


def _hold_days(asked: TrainModel, plain_N: NDArray[np.float64], window: slice) -> None:
    half = (window.stop - window.start) // 2
    hold_job(replace(asked, days=(window.start + half,)))
    assert asked.predictions is not None
    probs_N = np.load(asked.predictions)
    same = probs_N.shape == plain_N.shape and np.allclose(probs_N[:half], plain_N[:half], rtol=0, atol=1e-6)
    hold(same, "with `days`, the first of them must be scored as without")
    hold(not np.allclose(probs_N[half:], plain_N[half:], rtol=0, atol=1e-6), "a day must be learnt once it is scored")


def hold_failures(asked: TrainModel) -> None:
    """What cannot be is told: as a failure of the last step, or raised. A model that is too slow is not trained."""
    exploding = {**asked.model, "train": {**asked.model["train"], "dense_lr": 1.0, "batch_size": 16}}
    exploding["embedding"] = {**asked.model["embedding"], "lr": 10.0, "init_std": 1.0}
    hold(_fails(replace(asked, model=exploding)), "a model that diverges must end with a failure")
    hold(_fails(replace(asked, log=f"{asked.log}-gone")), "a log that is not there must end with a failure")
    assert asked.timing is not None
    unmet = replace(asked.timing, limits=(Limit(Metric.QPS_RATIO, low=1000.0),))
    steps = hold_job(replace(asked, timing=unmet))
    failure = steps[-1].failure
    hold(failure is not None and failure.kind == "constraint", "a limit on QPS that is broken must end it so")
    hold(len(steps) == 1 and not steps[0].curve, "a model that breaks a limit on QPS must not be trained")


def _fails(asked: TrainModel) -> bool:
    try:
        return hold_job(asked)[-1].failure is not None
    except AssertionError:
        raise
    except Exception:
        return True


def _asked(folder: Path, work: str) -> TrainModel:
    simulate(folder / "log", rows=2000, users=100, items=40, seed=1)
    log = encode_log(validate(DataConfig, read_text(_DATA, "data")), folder, folder / "data", fit=("train",))
    timing = Timing(reference=_MODEL, batch_rows=64, max_seconds=0.1, clock="analytic")
    return TrainModel(
        model=_MODEL,
        log=str(log.folder),
        stops=_STOPS,
        timing=timing,
        predictions=str(folder / "predictions.npy"),
        predictions_name="of a contract",
        weights=str(folder / "weights.pt"),
        work=work,
    )
