"""Low fidelity: which part of the rows ranks trials as all rows do, and who is promoted to all of them.

The first trials, the pilots, are trained on parts of the rows and on all of them, until a part ranks them alike or
there are PILOTS of them. The smallest part that does is the search's fidelity from then on: a trial is trained on it
and parked, with the NE that its part leads to. Of the parked ones a few are promoted to all rows while the search goes
on, so that its front is real and what parts lead to is known near it; and at its end all that may still be expected to
add to the front. Where no part ranks alike, every trial is trained on all rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from automl.stats import pareto
from automl.strategies.early import Agreement, Early, added_volume, agreement, points_of, told
from automl.study.history import History, Metric, PartNE, State, Trial
from automl.study.parts import is_parked, is_pilot
from predictors.curves import Foreseen
from predictors.monotone import Monotone, fit_monotone

Floats = NDArray[np.float64]
PILOTS = 12
FEWEST = 8  # pilots, the baseline among them, that must have ended before a part is chosen
ALONG = 0.1  # of the trials on a part: promoted while the search goes on
LEAST = 0.01  # of the front's hypervolume, that a promotion must be expected to add
PATIENCE = 5  # promotions in a row, after the last part, that together added no LEAST: then it is enough


@dataclass(frozen=True, slots=True)
class Fidelity:
    """A part of the rows, and how it ranked the pilots."""

    every: int
    agreement: Agreement


def fidelities(history: History) -> tuple[Fidelity, ...]:
    """Of every part that enough pilots were trained on, the smallest first. Promoted trials are left out: they were
    chosen by what their part said."""
    pilots = [*_baselines(history), *(trial for trial in history.trials if is_pilot(trial))]
    parts = {part.every for trial in pilots if trial.measurement for part in trial.measurement.parts}
    ranked = ((every, agreement(_early(pilots, every), FEWEST)) for every in sorted(parts, reverse=True))
    return tuple(Fidelity(every, found) for every, found in ranked if found is not None)


def chosen(history: History) -> Fidelity | None:
    """The smallest part that ranks as all rows do; None where there is none, or too few pilots tell."""
    return next((found for found in fidelities(history) if found.agreement.holds), None)


class Expected:
    """What trials on a part may be expected to come to on all rows, as it is known by a history."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._curves: dict[int, Monotone | None] = {}  # by part: each is fitted once

    def by_part(self, part: PartNE, qps_ratio: float) -> Foreseen | None:
        """By NE on the part alone; None where nothing tells."""
        if part.every not in self._curves:
            self._curves[part.every] = _curve(self._history, part.every)
        curve = self._curves[part.every]
        return None if curve is None else curve.at(part.ne, math.log2(qps_ratio))

    def of(self, trial: Trial) -> Foreseen | None:
        """Of a parked trial."""
        return self.by_part(_part(trial), _ratio(trial))

    def told_anew(self) -> History:
        """The history with what parts lead to as it is known now: every trial that ends on all rows tells more."""
        if not any(map(is_parked, self._history.trials)):
            return self._history
        return replace(self._history, trials=tuple(map(self._told_anew, self._history.trials)))

    def _told_anew(self, trial: Trial) -> Trial:
        found = self.of(trial) if is_parked(trial) else None
        return trial if found is None else _ending_at(trial, found.ne)


def waits(history: History, trial: Trial) -> bool:
    """Whether a trial is parked and breaks no limit by what was measured. Its NE was not: what a part leads to is never
    lower than what was reached, and would keep all from a limit that none has reached yet."""
    if not is_parked(trial):
        return False
    limits = [limit for limit in history.limits if limit.metric is not Metric.NE_GAIN_PCT]
    over = ((limit, history.baseline.metric(limit.metric, trial, limit.task)) for limit in limits)
    return not any(math.isfinite(value) and limit.excess(value) > 0 for limit, value in over)


def next_promoted(history: History, under_way: frozenset[int], *, at_the_end: bool) -> int | None:
    """The number of the parked trial to be trained on all rows now; None where none is worth it, or not yet.

    It is the one that may be expected to add most hypervolume to the front of what was trained on all rows, and of what
    those that are under way are expected to come to.
    """
    waiting = [trial for trial in history.trials if waits(history, trial)]
    able = [trial for trial in waiting if trial.number not in under_way]
    begun = sum(trial.on_part is not None for trial in history.trials) + len(waiting) - len(able)
    if not able or not (at_the_end or begun < ALONG * (begun + len(able))) or _in_vain(history):
        return None
    expected, base = Expected(history), history.baseline.ne_on(able[0].seeds.get("order"))
    coming = [(trial, found) for trial in waiting if (found := expected.of(trial)) is not None]
    known = _front(history, [one for one in coming if one[0].number in under_way], base)
    coming = [one for one in coming if one[0].number not in under_way]
    if not coming:
        return None
    worth = added_volume([found for _, found in coming], np.array([_ratio(trial) for trial, _ in coming]), known, base)
    best = int(np.lexsort((np.array([_part(trial).ne for trial, _ in coming]), -worth))[0])
    return coming[best][0].number if worth[best] >= LEAST * pareto.hypervolume(known) and worth[best] > 0 else None


def _in_vain(history: History) -> bool:
    """Whether the last promotions, all begun after every part had ended, have brought next to nothing."""
    ended = [trial.ended_at or 0.0 for trial in history.trials if trial.ended and trial.on_part is None]
    last = [t for t in history.trials if t.on_part is not None and (t.started_at or 0.0) >= max(ended, default=0.0)]
    last = sorted(last, key=lambda trial: trial.ended_at or 0.0)[-PATIENCE:]
    if len(last) < PATIENCE:
        return False
    without = pareto.hypervolume(_front(history, (), math.nan, frozenset(trial.number for trial in last)))
    return pareto.hypervolume(_front(history, (), math.nan)) < (1.0 + LEAST) * without


def _curve(history: History, every: int) -> Monotone | None:
    peers = told(_early((*_baselines(history), *history.trials), every))
    if not peers:
        return None
    levels, ends = np.array([peer.level for peer in peers]), np.array([peer.ne for peer in peers])
    return fit_monotone(levels, ends, np.log2([peer.ratio for peer in peers]))


def _front(
    history: History, coming: Sequence[tuple[Trial, Foreseen]], base: float, without: frozenset[int] = frozenset()
) -> Floats:
    """Points of the baseline, of what may be named as best, and of those to come."""
    done = [trial for trial in history.trials if history.eligible(trial) and trial.number not in without]
    gains = np.array([history.baseline.mean_gain_pct(trial) for trial in done])
    points = pareto.objectives(gains, np.array([_ratio(trial) for trial in done]))
    nes, ratios = np.array([(found.ne, _ratio(trial)) for trial, found in coming]).reshape(-1, 2).T
    return np.vstack([[[0.0, 0.0]], points, points_of(nes, ratios, base)])


def _baselines(history: History) -> list[Trial]:
    """The one that was trained on parts too: on the order of the trials."""
    return [trial for trial in history.baseline.trials if trial.measurement and trial.measurement.parts]


def _early(trials: Sequence[Trial], every: int) -> list[Early]:
    return [
        Early.of(trial, trial.measurement.part_ne(every))
        for trial in trials
        if trial.measurement is not None and trial.state in (State.COMPLETE, State.STOPPED)
    ]


def _ending_at(trial: Trial, ne: float) -> Trial:
    assert trial.measurement is not None
    return replace(trial, measurement=replace(trial.measurement, ne=ne))


def _part(trial: Trial) -> PartNE:
    """The one that it was trained on."""
    assert trial.measurement is not None
    return trial.measurement.parts[0]


def _ratio(trial: Trial) -> float:
    assert trial.measurement is not None
    return trial.measurement.speed.qps_ratio
