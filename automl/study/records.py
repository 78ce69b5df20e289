"""History values to JSON and back: the truth of a trial as the study's storage holds it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict, cast

from automl.study.history import (
    CurvePoint,
    Failure,
    Forecast,
    Measurement,
    Origin,
    PartNE,
    Proposal,
    Repeat,
    Speed,
    State,
    Trial,
)
from search_spaces.knobs import Value
from search_spaces.model import ModelSpec
from search_spaces.space import Candidate


class ForecastJson(TypedDict):
    ne: float
    ne_std: float
    qps_ratio: float
    widened: NotRequired[float]  # since the first records; 1 where it is not told


class ProposalJson(TypedDict):
    """What was decided before a trial began."""

    values: Mapping[str, Value]
    model: Mapping[str, object]  # as a model file
    key: str
    origin: str
    forecast: ForecastJson | None


class MeasurementJson(TypedDict):
    ne: float | None
    auc: float | None
    calibration: float | None
    qps_ratio: float
    qps_ratio_low: float
    qps_ratio_high: float
    train_qps: float | None
    params: int
    flops: int
    activation_bytes: int
    seconds: Mapping[str, float]
    cpu_seconds: NotRequired[Mapping[str, float]]
    nes: NotRequired[Mapping[str, float | None]]  # of several labels
    parts: NotRequired[Sequence[tuple[int, float]]]  # one row in how many, NE
    pilot: NotRequired[bool]  # in older records: whoever has several parts


class OutcomeJson(TypedDict):
    """What is known once a trial has ended."""

    state: str
    measurement: MeasurementJson | None
    failure: tuple[str, str] | None  # kind, reason
    # rows, NE of the window, NE of all so far; at a stop that of a part of the validation window too
    curve: Sequence[tuple[int, float | None, float | None] | tuple[int, float | None, float | None, float]]
    started_at: float | None
    ended_at: float | None
    cpu_seconds: float | None
    seeds: Mapping[str, int]
    on_part: NotRequired[MeasurementJson]  # of a promoted trial: what it had ended with before


class RepeatJson(TypedDict):
    """One more training of a trial, once it has ended."""

    order: int
    measurement: MeasurementJson | None
    failure: tuple[str, str] | None
    started_at: float | None
    ended_at: float | None
    cpu_seconds: float | None
    seeds: Mapping[str, int]


def proposal_json(proposal: Proposal) -> ProposalJson:
    """What was decided before the trial began."""
    forecast = proposal.forecast
    return {
        "values": dict(proposal.candidate.values),
        "model": proposal.candidate.model.to_tree(),
        "key": proposal.candidate.key,
        "origin": str(proposal.origin),
        "forecast": None if forecast is None else _forecast_json(forecast),
    }


def _forecast_json(forecast: Forecast) -> ForecastJson:
    return {
        "ne": forecast.ne,
        "ne_std": forecast.ne_std,
        "qps_ratio": forecast.qps_ratio,
        "widened": forecast.widened,
    }


# Knobs that are on where a model file leaves them out, and did not exist when the first records were written.
_LATER_KNOBS: Mapping[str, object] = {"average": 0.0, "recalibrate": False}


def proposal_of(data: ProposalJson) -> Proposal:
    """Inverse of proposal_json."""
    forecast, train = data["forecast"], cast(Mapping[str, object], data["model"]["train"])
    model = {**data["model"], "train": {**_LATER_KNOBS, **train}}
    return Proposal(
        candidate=Candidate(data["values"], ModelSpec.from_tree(model)),
        origin=Origin(data["origin"]),
        forecast=None if forecast is None else Forecast(**forecast),
    )


def measurement_json(measurement: Measurement) -> MeasurementJson:
    """NaN is not JSON: it is written as null, and a part that took no finite time is left out."""
    speed, nes = measurement.speed, measurement.nes
    found: MeasurementJson = {
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
    if measurement.cpu_seconds:
        found["cpu_seconds"] = dict(measurement.cpu_seconds)
    if nes is not None:
        found["nes"] = {task: _finite(ne) for task, ne in nes.items()}
    if measurement.parts:
        found["parts"] = [(part.every, part.ne) for part in measurement.parts]
        found["pilot"] = measurement.pilot
    return found


def measurement_of(data: MeasurementJson) -> Measurement:
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
        cpu_seconds=data.get("cpu_seconds", {}),
        nes={task: _or_nan(ne) for task, ne in data["nes"].items()} if "nes" in data else None,
        parts=tuple(PartNE(every, ne) for every, ne in data.get("parts", ())),
        pilot=data.get("pilot", len(data.get("parts", ())) > 1),
    )


def outcome_json(trial: Trial) -> OutcomeJson:
    """What is known once the trial has ended."""
    told: OutcomeJson = {
        "state": str(trial.state),
        "measurement": None if trial.measurement is None else measurement_json(trial.measurement),
        "failure": None if trial.failure is None else (trial.failure.kind, trial.failure.reason),
        "curve": [_point_json(point) for point in trial.curve],
        "started_at": _finite(trial.started_at),
        "ended_at": _finite(trial.ended_at),
        "cpu_seconds": _finite(trial.cpu_seconds),
        "seeds": dict(trial.seeds),
    }
    if trial.on_part is not None:
        told["on_part"] = measurement_json(trial.on_part)
    return told


def repeat_json(repeat: Repeat) -> RepeatJson:
    """What is known of a repeat that has ended."""
    return {
        "order": repeat.order,
        "measurement": None if repeat.measurement is None else measurement_json(repeat.measurement),
        "failure": None if repeat.failure is None else (repeat.failure.kind, repeat.failure.reason),
        "started_at": _finite(repeat.started_at),
        "ended_at": _finite(repeat.ended_at),
        "cpu_seconds": _finite(repeat.cpu_seconds),
        "seeds": dict(repeat.seeds),
    }


def repeat_of(data: RepeatJson) -> Repeat:
    """Inverse of repeat_json."""
    measurement, failure = data["measurement"], data["failure"]
    return Repeat(
        order=data["order"],
        measurement=None if measurement is None else measurement_of(measurement),
        failure=None if failure is None else Failure(*failure),
        started_at=data["started_at"],
        ended_at=data["ended_at"],
        cpu_seconds=data["cpu_seconds"],
        seeds=data["seeds"],
    )


def trial_of(number: int, round_: int, proposal: ProposalJson, outcome: OutcomeJson | None) -> Trial:
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
        curve=tuple(
            CurvePoint(rows, _or_nan(window), _or_nan(life), *check) for rows, window, life, *check in outcome["curve"]
        ),
        started_at=outcome["started_at"],
        ended_at=outcome["ended_at"],
        cpu_seconds=outcome["cpu_seconds"],
        seeds=outcome["seeds"],
        on_part=measurement_of(outcome["on_part"]) if "on_part" in outcome else None,
    )


def _point_json(
    point: CurvePoint,
) -> tuple[int, float | None, float | None] | tuple[int, float | None, float | None, float]:
    told = point.rows, _finite(point.window_ne), _finite(point.lifetime_ne)
    return told if point.check_ne is None else (*told, point.check_ne)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
