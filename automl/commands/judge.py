"""The judge of the finals: predictions of the picks and the baseline to figures and verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from automl.commands.repeats import BASELINE, FINAL, Failed, days_of_test, later_days, scored_rows, scored_window
from automl.data.store.log import EncodedLog
from automl.ranking.clocks import make_clock
from automl.ranking.model import build_model
from automl.ranking.process import prepare_process
from automl.ranking.throughput import time_ratio, timed_batches
from automl.stats.compared import ScoredRows
from automl.stats.significance import NO_GAIN, Gain, corrected_with, seeds_wanted, verdict
from automl.stats.verdicts import Verdict
from automl.strategies.picks import Pick
from automl.study.facts import Asked
from automl.study.history import Speed
from automl.study.problem import Problem
from automl.study.record import Study
from automl.study.results import (
    BaselineDay,
    Correction,
    DayGain,
    Detectable,
    Family,
    FinalBaseline,
    FinalPick,
    Finals,
    TaskGain,
    Unfit,
    level_at,
)
from search_spaces.model import ModelSpec

Floats = NDArray[np.float64]
TIMING_SECONDS = 3.0  # of each pick against the baseline


def confirmed_gains(window: ScoredRows, probs: Mapping[str, Floats]) -> dict[int, Floats]:
    """NE gains in percent by trial, one on each order, against the baseline on the same order.

    The gain seen by the search is not among them: the trial was chosen for it.
    """
    base = window.ne(probs[BASELINE])
    return {int(name): 100 * (window.ne(of) / base - 1) for name, of in probs.items() if name != BASELINE}


@dataclass(frozen=True, slots=True)
class Trained:
    """What the finals' trainings left: predictions (orders, rows) by model, and the picks that failed on some order.

    A pick may have fewer orders than the baseline: its own, the first. `beside` has those of other labels, by label.
    """

    probs: Mapping[str, Floats]
    failed: Mapping[str, Failed] = field(default_factory=dict)
    beside: Mapping[str, Mapping[str, Floats]] = field(default_factory=dict)

    def and_then(self, rest: Trained) -> Trained:
        """With what was trained further."""
        beside = {task: {**probs, **rest.beside[task]} for task, probs in self.beside.items()}
        return Trained({**self.probs, **rest.probs}, {**self.failed, **rest.failed}, beside)


def judge(
    problem: Problem,
    log: EncodedLog,
    trained: Trained,
    chosen: Sequence[Pick],
    study: Study,
    seeds: int,
    planned_pct: float = math.nan,
    family: Family | None = None,
    tested: Mapping[str, Asked] | None = None,
) -> Finals:
    """Predictions of the finals to verdicts; how many trials had ended is not known here, nor what the repeats said.

    `seeds` is how many trainings of each model were asked for, `planned_pct` the gain that they were to tell.
    Where the study is one of a family, its claims are made at the level that the family leaves to it. `tested`: by key,
    every model that the test window was ever asked of, over which p is corrected; the picks alone where it is left out.
    """
    window, probs, failed = scored_window(log, "test"), trained.probs, trained.failed
    fit = [pick for pick in chosen if str(pick.trial) not in failed]
    base = probs[BASELINE]
    days = _days(problem, log, window) if len(days_of_test(problem, log)) > 1 else ()
    models = {trial.number: trial.candidate.model for trial in study.trials}
    judged_keys, asked_keys = ({models[pick.trial].key for pick in some} for some in (fit, chosen))
    others = {key: one for key, one in (tested or {}).items() if key not in judged_keys}
    alone = window.gains(base, [probs[str(pick.trial)] for pick in fit])
    gains = corrected_with(alone, [1.0 if one.p is None else one.p for one in others.values()])
    speeds = time_together(problem, log, [models[pick.trial] for pick in fit])
    baseline, margin = study.baseline(), problem.config.finals.margin_pct
    assert baseline is not None
    seen = {trial.number: baseline.mean_gain_pct(trial) for trial in study.trials}
    windows = {task: scored_window(log.about(task), "test") for task in trained.beside}
    beside = _beside(windows, trained, alone, [str(pick.trial) for pick in fit])
    judged: dict[int, FinalPick] = {}
    level = level_at(family)
    for place, (pick, gain, speed) in enumerate(zip(fit, gains, speeds, strict=True)):
        of_pick = probs[str(pick.trial)]
        by_day = [(day.name, day.gain(base, of_pick)) for day in days]
        judged[pick.trial] = FinalPick(
            trial=pick.trial,
            role=pick.role,
            orders=gain.orders,
            ne=float(window.ne(of_pick).mean()),
            ne_gain_pct=gain.pct,
            ci_low_pct=gain.low_pct,
            ci_high_pct=gain.high_pct,
            p_corrected=gain.p_corrected,
            order_std_pct=gain.order_std_pct,
            examples_std_pct=gain.examples_std_pct,
            examples_std_first_day_pct=by_day[0][1].examples_std_pct if by_day else gain.examples_std_pct,
            qps_ratio=speed.qps_ratio,
            qps_ratio_low=speed.qps_ratio_low,
            search_ne_gain_pct=seen.get(pick.trial, math.nan),
            confirmed_ne_gain_pct=pick.shrunken_gain_pct,
            verdict=verdict(gain, speed.qps_ratio_low, margin, level),
            days=tuple(
                DayGain(day=name, ne_gain_pct=one.pct, ci_low_pct=one.low_pct, ci_high_pct=one.high_pct)
                for name, one in by_day
            ),
            tasks=tuple(gains_of_task[place] for gains_of_task in beside.values()),
        )
    ne_S = window.ne(base)
    ne, spread = float(ne_S.mean()), float(ne_S.std(ddof=1))
    nes_beside = {task: float(of.ne(trained.beside[task][BASELINE]).mean()) for task, of in windows.items()}
    nes = {task: nes_beside.get(task, ne) for task in log.tasks} if windows else None
    open_ = [gain for gain in gains if gain.orders >= seeds] or gains  # not those that could not win any more
    wide = any(gain.half_width_pct > margin for gain in open_)
    return Finals(
        baseline=FinalBaseline(ne=ne, ne_std=spread, qps=baseline.qps, orders=len(ne_S), nes=nes),
        margin_pct=margin,
        seeds=seeds,
        seeds_wanted=seeds_wanted(open_, margin) if wide else 0,
        detectable_pct=Detectable(
            planned=planned_pct, found=median(gain.half_width_at(level) for gain in open_) if open_ else math.nan
        ),
        picks=tuple(
            judged[pick.trial] if pick.trial in judged else _unfit(pick, seen, failed[str(pick.trial)])
            for pick in chosen
        ),
        progressive=bool(later_days(problem, log, FINAL)),
        days=tuple(day.of(base) for day in days),
        family=family,
        tested=None
        if tested is None
        else Correction(
            before=len(tested.keys() - asked_keys),
            models=len(fit) + len(others),
            p={pick.trial: gain.p for pick, gain in zip(fit, gains, strict=True)},
        ),
    )


def _beside(
    windows: Mapping[str, ScoredRows], trained: Trained, alone: Sequence[Gain], names: Sequence[str]
) -> dict[str, tuple[TaskGain, ...]]:
    """By label beside the objective's, what each pick gains on it. Corrected over all labels and picks."""
    found = {
        task: windows[task].gains(probs[BASELINE], [probs[name] for name in names])
        for task, probs in trained.beside.items()
    }
    told: dict[str, tuple[TaskGain, ...]] = {}
    for task, gains in found.items():
        others = [one.p for of in (alone, *(of for name, of in found.items() if name != task)) for one in of]
        told[task] = tuple(
            TaskGain(
                task=task,
                ne=float(windows[task].ne(trained.beside[task][name]).mean()),
                ne_gain_pct=gain.pct,
                ci_low_pct=gain.low_pct,
                ci_high_pct=gain.high_pct,
                p_corrected=gain.p_corrected,
            )
            for name, gain in zip(names, corrected_with(gains, others), strict=True)
        )
    return told


@dataclass(frozen=True, slots=True)
class _Day:
    """A day of the test window, and which of its rows are of it."""

    name: str
    window: ScoredRows
    rows_N: NDArray[np.bool_]

    def gain(self, base_SN: Floats, probs_SN: Floats) -> Gain:
        """Of a model against the baseline, on this day alone; nothing but NaN where it has one class, and without an
        interval where all of its rows share one luck."""
        part = self.window.part(self.rows_N)
        if not part.both_classes:
            return NO_GAIN
        base_SN, probs_SN = base_SN[: len(probs_SN), self.rows_N], probs_SN[:, self.rows_N]
        if np.ptp(part.clusters_N) == 0 and np.ptp(self.window.clusters_N) > 0:
            return replace(NO_GAIN, pct=100 * (part.ne(probs_SN).mean() / part.ne(base_SN).mean() - 1))
        (found,) = part.gains(base_SN, [probs_SN])
        return found

    def of(self, base_SN: Floats) -> BaselineDay:
        ne_S = self.window.part(self.rows_N).ne(base_SN[:, self.rows_N])
        return BaselineDay(day=self.name, rows=int(self.rows_N.sum()), ne=float(ne_S.mean()))


def _days(problem: Problem, log: EncodedLog, window: ScoredRows) -> tuple[_Day, ...]:
    start, rows_N = log.windows["test"].start, np.flatnonzero(scored_rows(log, "test"))
    return tuple(
        _Day(day.isoformat(), window, (rows_N >= rows.start - start) & (rows_N < rows.stop - start))
        for day, rows in days_of_test(problem, log)
    )


def _unfit(pick: Pick, seen: Mapping[int, float], failed: Failed) -> FinalPick:
    return FinalPick(
        trial=pick.trial,
        role=pick.role,
        orders=failed.repeat,
        ne=math.nan,
        ne_gain_pct=math.nan,
        ci_low_pct=math.nan,
        ci_high_pct=math.nan,
        p_corrected=math.nan,
        order_std_pct=math.nan,
        examples_std_pct=math.nan,
        examples_std_first_day_pct=math.nan,
        qps_ratio=math.nan,
        qps_ratio_low=math.nan,
        search_ne_gain_pct=seen.get(pick.trial, math.nan),
        confirmed_ne_gain_pct=pick.shrunken_gain_pct,
        verdict=Verdict.UNFIT,
        unfit=Unfit(order=failed.repeat + 1, kind=failed.failure.kind, reason=failed.failure.reason),
    )


def time_together(problem: Problem, log: EncodedLog, models: Sequence[ModelSpec]) -> list[Speed]:
    """All models against the baseline in one run: over minutes the ratio itself drifts with what the neighbours do."""
    prepare_process()
    reference = build_model(problem.baseline, log.inputs, seed=0)
    config = problem.config.qps
    batches = timed_batches(log, log.windows["test"], config.batch_rows)
    return [
        time_ratio(
            build_model(model, log.inputs, seed=0),
            reference,
            batches,
            max_seconds=TIMING_SECONDS,
            clock=make_clock(config.clock),
        )
        for model in models
    ]
