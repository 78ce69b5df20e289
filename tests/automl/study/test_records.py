"""A trial survives the way to JSON text and back; what is not a number comes back as not a number."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.study.history import (
    CurvePoint,
    Failure,
    Forecast,
    Measurement,
    Origin,
    PartNE,
    Proposal,
    Speed,
    State,
    Trial,
)
from automl.study.records import measurement_json, measurement_of, outcome_json, proposal_json, proposal_of, trial_of
from search_spaces.space import Candidate
from tests.worlds.studies import HUMAN, candidates, complete, failed, measured, running

CANDIDATES = [*candidates(12), Candidate({}, HUMAN)]

finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=1e-6, max_value=1e6)
wild = st.one_of(finite, st.sampled_from([math.nan, math.inf, -math.inf]))
maybe = st.none() | finite
text = st.text()

speeds = st.builds(
    Speed, qps_ratio=positive, qps_ratio_low=positive, qps_ratio_high=positive, train_qps=st.none() | positive
)
on_parts = st.lists(st.builds(PartNE, st.sampled_from([4, 8, 16]), finite), min_size=1).map(tuple)
told = st.fixed_dictionaries({}) | st.fixed_dictionaries({"parts": on_parts, "pilot": st.booleans()})
measurements = st.builds(
    lambda told, **rest: Measurement(**rest, **told),
    told=told,
    ne=finite | st.just(math.nan),
    auc=maybe,
    calibration=maybe,
    speed=speeds,
    params=st.integers(0, 1 << 60),
    flops=st.integers(0, 1 << 60),
    activation_bytes=st.integers(0, 1 << 60),
    seconds=st.dictionaries(st.sampled_from(["build", "time", "train", "score"]), positive),
)
curves = st.lists(st.builds(CurvePoint, st.integers(1, 1 << 40), finite | st.just(math.nan), finite)).map(tuple)
made = st.builds(
    Proposal,
    candidate=st.sampled_from(CANDIDATES),
    origin=st.sampled_from(Origin),
    forecast=st.none() | st.builds(Forecast, finite, positive, positive, positive),
)


@st.composite
def trials(draw: st.DrawFn) -> Trial:
    proposal = draw(made)
    trial = Trial(
        number=draw(st.integers(0, 10_000)),
        candidate=proposal.candidate,
        origin=proposal.origin,
        state=State.RUNNING,
        round=draw(st.integers(0, 1000)),
        forecast=proposal.forecast,
    )
    state = draw(st.sampled_from(State))
    if state is State.RUNNING:
        return trial
    return replace(
        trial,
        state=state,
        measurement=draw(st.none() | measurements),
        failure=Failure(draw(text), draw(text)) if state is State.FAILED else None,
        curve=draw(curves),
        started_at=draw(maybe),
        ended_at=draw(maybe),
        cpu_seconds=draw(maybe),
        seeds=draw(st.dictionaries(st.sampled_from(["weights", "order", "repeat"]), st.integers(0, (1 << 63) - 1))),
    )


def stored(trial: Trial) -> Trial:
    """To text that any reader of JSON takes, and back."""
    proposal = json.dumps(proposal_json(Proposal(trial.candidate, trial.origin, trial.forecast)), allow_nan=False)
    outcome = json.dumps(outcome_json(trial), allow_nan=False) if trial.ended else None
    return trial_of(trial.number, trial.round, json.loads(proposal), json.loads(outcome) if outcome else None)


def same(a: object, b: object) -> bool:
    """Equal, where NaN equals itself."""
    return repr(a) == repr(b)


@settings(deadline=None)
@given(made)
def test_a_proposal_comes_back(proposal: Proposal) -> None:
    back = proposal_of(json.loads(json.dumps(proposal_json(proposal), allow_nan=False)))
    assert back == proposal
    assert back.candidate.key == proposal.candidate.key
    assert {type(v) for v in back.candidate.values.values()} <= {bool, int, float, str}


def test_a_forecast_of_an_older_record_was_not_widened() -> None:
    data = proposal_json(Proposal(CANDIDATES[0], Origin.MUTATION, Forecast(0.9, 0.01, 1.5, 2.0)))
    assert data["forecast"] is not None
    del data["forecast"]["widened"]
    assert proposal_of(data).forecast == Forecast(0.9, 0.01, 1.5, 1.0)


@settings(deadline=None)
@given(trials())
def test_a_trial_comes_back(trial: Trial) -> None:
    back = stored(trial)
    assert same(back, trial)
    assert back.ended is trial.ended


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_never_written(number: float) -> None:
    """NaN is no JSON, and infinity neither: NE comes back as NaN, an optional figure as none."""
    candidate = CANDIDATES[0]
    found = replace(
        measured(candidate, ne=number), auc=number, calibration=number, seconds={"build": number, "train": 1.0}
    )
    found = replace(found, speed=replace(found.speed, train_qps=number))
    trial = complete(
        running(3, candidate), measurement=found, curve=(CurvePoint(10, number, number),), cpu_seconds=number
    )
    back = stored(trial)
    assert back.measurement is not None
    assert math.isnan(back.measurement.ne)
    assert (back.measurement.auc, back.measurement.calibration, back.measurement.speed.train_qps) == (None,) * 3
    assert back.measurement.seconds == {"train": 1.0}
    assert math.isnan(back.curve[0].window_ne)
    assert math.isnan(back.curve[0].lifetime_ne)
    assert back.cpu_seconds is None


def test_a_stored_trial_needs_no_space() -> None:
    """The model is written out, so that a trial can be read when its space is long gone."""
    candidate = CANDIDATES[1]
    data = proposal_json(Proposal(candidate, Origin.TPE))
    assert data["model"] == candidate.model.to_tree()
    assert data["key"] == candidate.key
    assert proposal_of({**data, "values": {}}).candidate.key == candidate.key


def test_reasons_are_kept_as_they_are() -> None:
    reason = "OSError: \udcff broken\x00 bytes \n second line </script> \U0001f600"
    assert stored(failed(running(1, CANDIDATES[0]), "error", reason)).failure == Failure("error", reason)


def test_a_model_recorded_before_quiet_training_stays_what_it_was() -> None:
    data = proposal_json(Proposal(Candidate({}, HUMAN), Origin.BASELINE))
    recorded = json.loads(json.dumps(data))
    train = recorded["model"]["train"]
    recorded["model"]["train"] = {name: train[name] for name in train if name not in ("average", "recalibrate")}
    found = proposal_of(recorded).candidate.model
    assert (found.train.average, found.train.recalibrate) == (0.0, False)
    assert replace(found, train=HUMAN.train) == HUMAN
    assert proposal_of(data).candidate.model == HUMAN


def test_only_trials_of_several_labels_have_the_ne_of_each() -> None:
    trial = complete(running(1, CANDIDATES[0]))
    assert trial.measurement is not None
    assert "nes" not in (outcome_json(trial)["measurement"] or {})
    several = replace(trial, measurement=replace(trial.measurement, nes={"ctr": 0.9, "cvr": math.nan}))
    data = json.loads(json.dumps(outcome_json(several), allow_nan=False))
    back = trial_of(1, 1, json.loads(json.dumps(proposal_json(Proposal(trial.candidate, trial.origin)))), data)
    assert back.measurement is not None
    assert back.measurement.ne_of("ctr") == 0.9
    assert math.isnan(back.measurement.ne_of("cvr"))
    assert math.isnan(trial.measurement.ne_of("ctr"))


@pytest.mark.parametrize("parts", [(PartNE(16, 0.93), PartNE(8, 0.92)), (PartNE(8, 0.92),), ()])
def test_older_records_tell_no_pilots_but_by_their_parts(parts: tuple[PartNE, ...]) -> None:
    told = measurement_json(replace(measured(CANDIDATES[0], ne=0.9), parts=parts, pilot=True))
    told.pop("pilot", None)
    assert measurement_of(told).pilot == (len(parts) > 1)
