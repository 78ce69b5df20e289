"""The record of a study: one class over an Optuna storage. What is not in here did not happen.

The truth of a trial is two user attributes, `proposal` and `outcome`, as JSON. Parameters, the two values and the
constraints are their projection by Optuna's public API, so that its dashboard and importances work unchanged.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from automl.history import Baseline, History, Limit, Proposal, State, Trial
from automl.records import outcome_json, proposal_json, trial_of
from search_spaces.decisions import Choice, Decision, Flag, Integer, Real
from search_spaces.errors import InputError
from search_spaces.knobs import Value
from search_spaces.space import SearchSpace

_OPTUNA_STATE = {
    State.COMPLETE: TrialState.COMPLETE,
    State.STOPPED: TrialState.PRUNED,
    State.FAILED: TrialState.FAIL,
}


def storage_url(folder: Path) -> str:
    """The default storage of a study: SQLite in its folder."""
    return f"sqlite:///{folder / 'study.db'}"


def distribution(decision: Decision) -> BaseDistribution:
    """The Optuna form of a decision's domain."""
    domain = decision.domain
    if isinstance(domain, Choice):
        return CategoricalDistribution(list(domain.options))
    if isinstance(domain, Flag):
        return CategoricalDistribution([False, True])
    if isinstance(domain, Integer):
        return IntDistribution(domain.low, domain.high, step=domain.step, log=domain.log)
    assert isinstance(domain, Real)
    return FloatDistribution(domain.low, domain.high, log=domain.log)


class Study:
    """Trials of one study and one space. Not safe for two writers: the driver holds a lock on the folder."""

    def __init__(self, study: optuna.Study, space: SearchSpace, limits: Sequence[Limit] = ()) -> None:
        self._study = study
        self._space = space
        self._limits = tuple(limits)
        self._live: dict[int, optuna.Trial] = {}
        self._trials: dict[int, Trial] = {}
        self._stale: list[FrozenTrial] = []
        self._distributions = {decision.path: distribution(decision) for decision in space.decisions}
        self._load()

    @property
    def facts(self) -> Mapping[str, Any]:
        """Study-wide attributes: texts of the files, fingerprints, versions."""
        return self._study.user_attrs

    def set_fact(self, name: str, value: Any) -> None:
        self._study.set_user_attr(name, value)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Every trial in the order of its number."""
        return tuple(self._trials[number] for number in sorted(self._trials))

    def baseline(self) -> Baseline | None:
        """The baseline, once all its repeats are in."""
        repeats = self.baseline_repeats()
        if not repeats or len(repeats) < int(self.facts.get("baseline_seeds", 1)):
            return None
        return summarize_baseline(repeats, float(self.facts["baseline_qps"]))

    def baseline_repeats(self) -> tuple[Trial, ...]:
        """The repeats of the baseline that are done."""
        done = self.facts.get("baseline", [])
        return tuple(trial_of(0, 0, item["proposal"], item["outcome"]) for item in done)

    def add_baseline_repeat(self, proposal: Proposal, trial: Trial) -> None:
        done = list(self.facts.get("baseline", []))
        done.append({"proposal": proposal_json(proposal), "outcome": outcome_json(trial)})
        self.set_fact("baseline", done)

    def history(self) -> History:
        """All trials so far, for a search strategy.

        Raises:
            RuntimeError: if the baseline has not been measured yet.
        """
        baseline = self.baseline()
        if baseline is None:
            raise RuntimeError("the baseline must be measured before the history is read")
        return History(baseline, self.trials, self._limits)

    def importances(self) -> dict[str, dict[str, float]]:
        """Share of each knob that every complete trial answered in the variance of NE and of QPS (fANOVA)."""
        targets = {"ne": lambda trial: trial.values[0], "qps": lambda trial: math.log(trial.values[1])}
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        return {
            name: dict(optuna.importance.get_param_importances(self._study, evaluator=evaluator, target=target))
            for name, target in targets.items()
        }

    def begin(self, proposals: Sequence[Proposal], round_: int) -> tuple[Trial, ...]:
        """Record proposals as running trials, numbered on from the last one."""
        first = max(self._trials, default=0) + 1
        begun = []
        for number, proposal in enumerate(proposals, start=first):
            data = proposal_json(proposal)
            self._open(number, round_, data)
            trial = trial_of(number, round_, data, None)
            self._trials[number] = trial
            begun.append(trial)
        return tuple(begun)

    def copy(self, trial: Trial) -> None:
        """Record an ended trial of another study under its own number."""
        self._open(trial.number, trial.round, proposal_json(Proposal(trial.candidate, trial.origin, trial.forecast)))
        self._trials[trial.number] = replace(trial, state=State.RUNNING)
        self.end(trial)

    def end(self, trial: Trial) -> None:
        """Record how a running trial ended; for good: an ended trial never changes."""
        if self._trials[trial.number].ended:
            raise RuntimeError(f"trial {trial.number} has ended before and must not change")
        live = self._live.pop(trial.number)
        self._project_constraints(live, trial)
        live.set_user_attr("outcome", json.dumps(outcome_json(trial)))
        self._tell(live.number, trial)
        self._trials[trial.number] = trial

    # ------------------------------------------------------------------ Optuna

    def _open(self, number: int, round_: int, proposal: Mapping[str, Any]) -> None:
        asked = self._asked(proposal["values"])
        attrs = {"number": number, "round": round_, "proposal": json.dumps(proposal)}
        self._study.enqueue_trial({path: proposal["values"][path] for path in asked}, user_attrs=attrs)
        self._live[number] = self._study.ask(asked)

    def _asked(self, values: Mapping[str, Value]) -> dict[str, BaseDistribution]:
        return {path: self._distributions[path] for path in values if path in self._distributions}

    def _tell(self, optuna_number: int, trial: Trial) -> None:
        values = None
        if trial.state is State.COMPLETE:
            assert trial.measurement is not None
            qps = trial.measurement.speed.qps_ratio * float(self.facts["baseline_qps"])
            values = [trial.measurement.ne, qps]
        self._study.tell(optuna_number, values, state=_OPTUNA_STATE[trial.state])

    def _project_constraints(self, live: optuna.Trial, trial: Trial) -> None:
        baseline = self.baseline()
        if trial.measurement is None or baseline is None:
            return
        for limit in self._limits:
            value = measured(limit.metric, trial, baseline)
            if value is None or not math.isfinite(value):
                continue
            over = limit.low - value if limit.low is not None else value - (limit.high or 0.0)
            live.set_constraint(limit.metric, over)

    def _load(self) -> None:
        for frozen in self._study.get_trials(deepcopy=False):
            attrs = frozen.user_attrs
            outcome = json.loads(attrs["outcome"]) if "outcome" in attrs else None
            trial = trial_of(attrs["number"], attrs["round"], json.loads(attrs["proposal"]), outcome)
            self._trials[trial.number] = trial
            if not frozen.state.is_finished():
                self._stale.append(frozen)

    def take_over(self) -> tuple[Trial, ...]:
        """Make the trials that a dead driver left running ours, under their old numbers. Returns them.

        One whose outcome was written but not told is told now: it has ended.
        """
        for frozen in self._stale:
            trial = self._trials[int(frozen.user_attrs["number"])]
            if frozen.state is TrialState.WAITING:  # the driver died between enqueue and ask
                self._live[trial.number] = self._study.ask(self._asked(trial.candidate.values))
            elif trial.ended:
                self._tell(frozen.number, trial)
            else:
                self._live[trial.number] = optuna.trial.Trial(self._study, frozen._trial_id)
        self._stale.clear()
        return tuple(trial for trial in self.trials if not trial.ended)


def measured(metric: str, trial: Trial, baseline: Baseline) -> float | None:
    """The value that a Limit speaks of."""
    assert trial.measurement is not None
    speed = trial.measurement.speed
    if metric == "qps_ratio":
        return speed.qps_ratio
    if metric == "train_qps_ratio":
        return None if speed.train_qps is None else speed.train_qps / baseline.train_qps
    return baseline.gain_pct(trial.measurement.ne)


def summarize_baseline(repeats: Sequence[Trial], qps: float) -> Baseline:
    """Mean and seed spread of the baseline's repeats."""
    measurements = [trial.measurement for trial in repeats if trial.measurement is not None]
    ne = [m.ne for m in measurements]
    mean = math.fsum(ne) / len(ne)
    spread = math.sqrt(math.fsum((x - mean) ** 2 for x in ne) / max(len(ne) - 1, 1))
    train = [m.speed.train_qps for m in measurements if m.speed.train_qps is not None]
    return Baseline(
        candidate=repeats[0].candidate,
        trials=tuple(replace(trial, number=0) for trial in repeats),
        ne=mean,
        ne_std=spread,
        qps=qps,
        train_qps=math.fsum(train) / len(train) if train else math.nan,
    )


def open_study(
    folder: Path, name: str, space: SearchSpace, limits: Sequence[Limit] = (), url: str | None = None
) -> Study:
    """The study of this name and space, made if it is not there.

    An edited space is a new Optuna study in the same storage (Optuna refuses a domain that changes under one name);
    the trials that still fit are copied into it under their numbers.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.RDBStorage(url or storage_url(folder))
    signature = space.to_yaml()
    names = [s.study_name for s in optuna.get_all_study_summaries(storage) if _family(s.study_name) == name]
    latest = max(names, key=_edition, default=None)
    if latest is not None:
        found = optuna.load_study(study_name=latest, storage=storage)
        if found.user_attrs.get("space") in (None, signature):
            return Study(found, space, limits)
    study_name = name if latest is None else f"{name} #{_edition(latest) + 1}"
    created = optuna.create_study(study_name=study_name, storage=storage, directions=["minimize", "maximize"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        created.set_metric_names(["NE", "QPS"])
    created.set_user_attr("space", signature)
    study = Study(created, space, limits)
    if latest is not None:
        _copy_fitting(Study(optuna.load_study(study_name=latest, storage=storage), space, limits), study, space)
    return study


def load_newest(folder: Path, url: str | None = None) -> optuna.Study:
    """The newest study of a folder, for reading.

    Raises:
        InputError: where there is none.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if url is None and not (folder / "study.db").exists():
        raise InputError.of(str(folder), "must hold a study (study.db)", "none", "start one with `automl search`")
    storage = optuna.storages.RDBStorage(url or storage_url(folder))
    summaries = optuna.get_all_study_summaries(storage)
    if not summaries:
        raise InputError.of(str(folder), "must hold a study", "an empty storage")
    name = max((s.study_name for s in summaries), key=_edition)
    return optuna.load_study(study_name=name, storage=storage)


def _family(study_name: str) -> str:
    return study_name.split(" #")[0]


def _edition(study_name: str) -> int:
    _, _, tail = study_name.partition(" #")
    return int(tail) if tail.isdigit() else 1


def _copy_fitting(old: Study, new: Study, space: SearchSpace) -> None:
    for name, value in old.facts.items():
        if name != "space":
            new.set_fact(name, value)
    for trial in old.trials:
        replayed = space.replay(trial.candidate.values)
        if trial.ended and replayed.key == trial.candidate.key:
            new.copy(trial)
