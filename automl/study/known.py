"""What was known when a batch was asked for: noted with it, and read again by who asks the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from automl.study.baselines import summarize_baseline
from automl.study.history import History, begun
from automl.study.parts import before_promotion
from automl.study.record import Study
from automl.study.requests import Request, numbers, spans


def request_of(study: Study, *, strategy: str, seed: int, count: int) -> Request:
    """With what the study holds at this moment."""
    facts = study.facts
    plugins = {f"plug-in {Path(file).name}": digest for file, digest in facts.plugins.items()}
    return Request(
        strategy=strategy,
        seed=seed,
        count=count,
        baseline=len(study.baselines.repeats),
        trials=spans(trial.number for trial in study.trials),
        running=spans(trial.number for trial in study.trials if not trial.ended),
        repeats=spans(study.repeats.places),
        promoted=spans(trial.number for trial in study.trials if trial.on_part is not None),
        limits=study.limits,
        prefer=facts.prefer,
        made_with={**facts.versions, "machine": facts.machine, **plugins},
    )


def as_known(study: Study, request: Request) -> History:
    """The history as it stood then."""
    running, promoted = set(numbers(request.running)), set(numbers(request.promoted))
    repeats = study.repeats.by_trial(set(numbers(request.repeats)))
    trials = []
    for number in numbers(request.trials):
        trial = study.trial(number)
        trial = begun(trial) if number in running else replace(trial, repeats=repeats.get(number, ()))
        trials.append(trial if number in promoted else before_promotion(trial))
    baseline = summarize_baseline(study.baselines.repeats[: request.baseline], study.facts.baseline_qps)
    return History(baseline, tuple(trials), request.limits, study.facts.warm_start, request.prefer)
