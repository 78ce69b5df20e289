"""The numbers behind the page as files: pareto.csv for people, trials.parquet for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from automl.files.whole import whole_file
from automl.report.common.words import describe, knobs
from automl.report.study.derived import View, trial_seconds
from automl.study.history import Trial
from automl.study.parts import is_parked, is_pilot

_PARETO_COLUMNS = (
    "trial",
    "role",
    "ne",
    "ne_gain_pct",
    "ne_gain_error_pct",
    "trainings",
    "qps_ratio",
    "qps_ratio_low",
    "qps_ratio_high",
    "train_qps",
    "params",
    "flops",
    "activation_bytes",
    "origin",
    "words",
    "model",
)


def write_tables(view: View, out_dir: Path) -> tuple[Path, Path]:
    """Write pareto.csv (the front, from the most accurate on) and trials.parquet (every trial and the baseline's)."""
    front_file, trials_file = out_dir / "pareto.csv", out_dir / "trials.parquet"
    winners, trials = front_frame(view), trials_frame(view)
    with whole_file(front_file) as part:
        winners.to_csv(part, index=False)
    with whole_file(trials_file) as part:
        trials.to_parquet(part, index=False)
    return front_file, trials_file


def front_frame(view: View) -> pd.DataFrame:
    """The front, from the most accurate model on, each with its role if it is a pick."""
    roles = {point.trial.number: role for role, point in view.picks}
    best_first = sorted(view.front, key=lambda point: point.gain_pct)
    rows = [{**trial_row(view, p.trial), "role": roles.get(p.trial.number, "")} for p in best_first]
    return pd.DataFrame(rows, columns=[*_PARETO_COLUMNS, *_task_columns(view)])


def trials_frame(view: View) -> pd.DataFrame:
    """One row a trial, the baseline's repeats first; what was measured, then every knob of the model as `knob.PATH`
    (absent where not used)."""
    front = {point.trial.number for point in view.front}
    measured = [{**trial_row(view, trial), "on_front": False} for trial in view.history.baseline.trials]
    measured += [{**trial_row(view, trial), "on_front": trial.number in front} for trial in view.history.trials]
    models = [trial.candidate.model for trial in (*view.history.baseline.trials, *view.history.trials)]
    frame = pd.DataFrame(measured, columns=[*_columns(), *_task_columns(view)])
    settings = pd.DataFrame([{f"knob.{path}": value for path, value in knobs(model).items()} for model in models])
    for column in (name for name in settings if str(name).startswith("knob.features.")):
        settings[column] = settings[column].isna()  # only what is left out is told
    frame[["ne", "ne_gain_pct", "qps_ratio"]] = frame[["ne", "ne_gain_pct", "qps_ratio"]].astype("float64")
    return pd.concat([frame, settings.convert_dtypes()], axis=1)


def _columns() -> tuple[str, ...]:
    measured = [name for name in _PARETO_COLUMNS if name != "role"]
    return (
        *measured,
        "state",
        "on_front",
        "round",
        "key",
        "auc",
        "calibration",
        "forecast_ne",
        "forecast_ne_std",
        "forecast_qps_ratio",
        "parts",
        "pilot",
        "waiting",
        "promoted",
        "unfit",
        "failure_kind",
        "failure_reason",
        "seconds",
        "cpu_seconds",
        "seconds_by_part",
        "started_at",
        "ended_at",
        "curve",
    )


def _task_columns(view: View) -> list[str]:
    """NE and its gain of each of several labels."""
    return [f"{column}.{task}" for task in view.history.baseline.tasks for column in ("ne", "ne_gain_pct")]


def _task_cells(view: View, trial: Trial) -> dict[str, float]:
    baseline, nes = view.history.baseline, (trial.measurement.nes if trial.measurement else None) or {}
    return {
        **{f"ne.{task}": ne for task, ne in nes.items()},
        **{f"ne_gain_pct.{task}": baseline.mean_gain_pct(trial, task) for task in nes},
    }


def trial_row(view: View, trial: Trial) -> dict[str, object]:
    """What is known of a trial, flat; None where it is not."""
    m, forecast, failure = trial.measurement, trial.forecast, trial.failure
    speed = m.speed if m else None
    return {
        "trial": trial.number,
        "ne": m.ne if m else None,
        "ne_gain_pct": view.gain_pct(trial) if m else None,
        "ne_gain_error_pct": view.error_pct(trial),
        "trainings": len(trial.trainings),
        "qps_ratio": speed.qps_ratio if speed else None,
        "qps_ratio_low": speed.qps_ratio_low if speed else None,
        "qps_ratio_high": speed.qps_ratio_high if speed else None,
        "train_qps": speed.train_qps if speed else None,
        "params": m.params if m else None,
        "flops": m.flops if m else None,
        "activation_bytes": m.activation_bytes if m else None,
        "origin": trial.origin.value,
        "words": describe(trial.candidate.model),
        "model": json.dumps(trial.candidate.model.to_tree()),
        "state": trial.state.value,
        "round": trial.round,
        "key": trial.candidate.key,
        "auc": m.auc if m else None,
        "calibration": m.calibration if m else None,
        "forecast_ne": forecast.ne if forecast else None,
        "forecast_ne_std": forecast.ne_std if forecast else None,
        "forecast_qps_ratio": forecast.qps_ratio if forecast else None,
        "parts": json.dumps({part.every: part.ne for part in m.parts}) if m and m.parts else None,
        "pilot": is_pilot(trial),
        "waiting": is_parked(trial),
        "promoted": trial.on_part is not None,
        "unfit": trial.unfit.kind if trial.unfit else None,
        "failure_kind": failure.kind if failure else None,
        "failure_reason": failure.reason if failure else None,
        "seconds": trial_seconds(trial),
        "cpu_seconds": trial.cpu_seconds,
        "seconds_by_part": json.dumps(dict(m.seconds)) if m else None,
        "started_at": trial.started_at,
        "ended_at": trial.ended_at,
        "curve": json.dumps([[p.rows, p.window_ne, p.lifetime_ne] for p in trial.curve]),
        **_task_cells(view, trial),
    }
