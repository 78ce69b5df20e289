"""History values to JSON and back: the truth of a trial as the study's storage holds it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from automl.study.history import (
    CurvePoint,
    Failure,
    Forecast,
    Measurement,
    Origin,
    Proposal,
    Speed,
    State,
    Trial,
)
from search_spaces.model import ModelSpec
from search_spaces.space import Candidate

Json = Mapping[str, Any]


def proposal_json(proposal: Proposal) -> dict[str, Any]:
    """What was decided before the trial began."""
    forecast = proposal.forecast
    return {
        "values": dict(proposal.candidate.values),
        "model": proposal.candidate.model.to_tree(),
        "key": proposal.candidate.key,
        "origin": str(proposal.origin),
        "forecast": None
        if forecast is None
        else {"ne": forecast.ne, "ne_std": forecast.ne_std, "qps_ratio": forecast.qps_ratio},
    }


def proposal_of(data: Json) -> Proposal:
    """Inverse of proposal_json."""
    forecast = data["forecast"]
    return Proposal(
        candidate=Candidate(data["values"], ModelSpec.from_tree(data["model"])),
        origin=Origin(data["origin"]),
        forecast=None if forecast is None else Forecast(**forecast),
    )


def measurement_json(measurement: Measurement) -> dict[str, Any]:
    """NaN is not JSON: it is written as null, and a part that took no finite time is left out."""
    speed = measurement.speed
    return {
        "ne": _finite(measurement.ne),
        "auc": _finite(measurement.auc),
        "calibration": _finite(measurement.calibration),
        "qps_ratio": speed.qps_ratio,
        "qps_ratio_low": speed.qps_ratio_low,
        "qps_ratio_high": speed.qps_ratio_high,
        "train_qps": _finite(speed.train_qps),
        "params": measurement.params,
        "flops": measurement.flops,
        "activation_bytes": measurement.activation_bytes,
        "seconds": {part: seconds for part, seconds in measurement.seconds.items() if math.isfinite(seconds)},
    }


def measurement_of(data: Json) -> Measurement:
    """Inverse of measurement_json."""
    speed = Speed(
        qps_ratio=data["qps_ratio"],
        qps_ratio_low=data["qps_ratio_low"],
        qps_ratio_high=data["qps_ratio_high"],
        train_qps=data["train_qps"],
    )
    return Measurement(
        ne=math.nan if data["ne"] is None else data["ne"],
        auc=data["auc"],
        calibration=data["calibration"],
        speed=speed,
        params=data["params"],
        flops=data["flops"],
        activation_bytes=data["activation_bytes"],
        seconds=data["seconds"],
    )


def outcome_json(trial: Trial) -> dict[str, Any]:
    """What is known once the trial has ended."""
    return {
        "state": str(trial.state),
        "measurement": None if trial.measurement is None else measurement_json(trial.measurement),
        "failure": None if trial.failure is None else [trial.failure.kind, trial.failure.reason],
        "curve": [[p.rows, _finite(p.window_ne), _finite(p.lifetime_ne)] for p in trial.curve],
        "started_at": _finite(trial.started_at),
        "ended_at": _finite(trial.ended_at),
        "cpu_seconds": _finite(trial.cpu_seconds),
        "seeds": dict(trial.seeds),
    }


def trial_of(number: int, round_: int, proposal: Json, outcome: Json | None) -> Trial:
    """A Trial from its two halves; running where there is no outcome yet."""
    made = proposal_of(proposal)
    if outcome is None:
        return Trial(
            number=number,
            candidate=made.candidate,
            origin=made.origin,
            state=State.RUNNING,
            round=round_,
            forecast=made.forecast,
        )
    measurement, failure = outcome["measurement"], outcome["failure"]
    return Trial(
        number=number,
        candidate=made.candidate,
        origin=made.origin,
        state=State(outcome["state"]),
        round=round_,
        forecast=made.forecast,
        measurement=None if measurement is None else measurement_of(measurement),
        failure=None if failure is None else Failure(*failure),
        curve=tuple(CurvePoint(rows, _or_nan(window), _or_nan(life)) for rows, window, life in outcome["curve"]),
        started_at=outcome["started_at"],
        ended_at=outcome["ended_at"],
        cpu_seconds=outcome["cpu_seconds"],
        seeds=outcome["seeds"],
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
