"""What the searches of a table say: regret, front, best NE at no lower speed, trials to match; paired by seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wilcoxon

from automl.stats import pareto
from predictors.evaluate import rankings

Floats = NDArray[np.float64]
Line = Mapping[str, Any]
TRUE, SEEN, RATIO, ORIGIN, FORECAST, SPREAD = range(6)  # columns of a trial in a line
DRAWS = 2000
NORMAL_90 = 1.645


@dataclass(frozen=True, slots=True)
class Course:
    """Of one search after each of its trainings: hypervolume of the true values of the front that it saw, and the true
    gain of the trial that it saw as best at the baseline's speed or more (0 where none was better)."""

    volume_N: Floats
    best_N: Floats

    def at(self, trials: int) -> tuple[float, float]:
        """Both after so many trainings, or at its end."""
        last = min(trials, len(self.volume_N)) - 1
        return float(self.volume_N[last]), float(self.best_N[last])


def course_of(line: Line) -> Course:
    """From a line of a race. The baseline stands on the front from the start."""
    rows = [row if row[TRUE] is not None else [np.inf, np.inf, -np.inf] for row in line["trials"]]
    true, seen, ratio = (np.array([0.0, *(float(row[k]) for row in rows)]) for k in (TRUE, SEEN, RATIO))
    volumes, bests = [], []
    for count in range(2, len(rows) + 2):
        on = pareto.front(np.column_stack([seen[:count], -ratio[:count]]))
        volumes.append(pareto.hypervolume(np.column_stack([true[:count][on], -ratio[:count][on]])))
        able = np.flatnonzero(ratio[:count] >= 0.0)
        bests.append(float(true[able[np.argmin(seen[able])]]))
    return Course(np.array(volumes), np.array(bests))


def ideal_volume(lines: Iterable[Line]) -> float:
    """Hypervolume of the best that anybody knows of: the true values of all that was ever trained, together."""
    rows = np.array(
        [(row[TRUE], -row[RATIO]) for line in lines for row in line["trials"] if row[TRUE] is not None],
        dtype=np.float64,
    )
    return pareto.hypervolume(rows)


def interval(values_S: Floats, rng: np.random.Generator) -> tuple[float, float, float]:
    """Mean over seeds, and the interval of 95% of a bootstrap over them."""
    means = values_S[rng.integers(len(values_S), size=(DRAWS, len(values_S)))].mean(axis=1)
    return float(values_S.mean()), float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def ratio_interval(ours_S: Floats, theirs_S: Floats, rng: np.random.Generator) -> tuple[float, float, float]:
    """Ratio of two means over the same seeds, and its interval of 95%."""
    drawn = rng.integers(len(ours_S), size=(DRAWS, len(ours_S)))
    ratios = ours_S[drawn].mean(axis=1) / theirs_S[drawn].mean(axis=1)
    return float(ours_S.mean() / theirs_S.mean()), float(np.quantile(ratios, 0.025)), float(np.quantile(ratios, 0.975))


def paired_p(ours_S: Floats, theirs_S: Floats) -> float:
    """Of Wilcoxon's signed-rank test that the two are as good."""
    differences = ours_S - theirs_S
    return float(wilcoxon(differences).pvalue) if differences.any() else 1.0


def trials_to_match(ours: Sequence[Course], volume: float) -> int | None:
    """After how many trainings the mean front is as good; None where it never is."""
    mean_N = np.mean([course.volume_N for course in ours], axis=0)
    reached = np.flatnonzero(mean_N >= volume)
    return int(reached[0]) + 1 if len(reached) else None


def forecasts_of(lines: Iterable[Line], batch: int) -> dict[str, Any]:
    """How well forecasts ranked the rounds that they were made for, and how many intervals of 90% held what was seen,
    by round."""
    taus: dict[int, list[float]] = {}
    inside: dict[int, list[bool]] = {}
    for line in lines:
        rows = [(n // batch, row) for n, row in enumerate(line["trials"]) if row[FORECAST] is not None]
        told = [(round_, row) for round_, row in rows if row[SEEN] is not None]
        if not told:
            continue
        forecast, seen, spread = (np.array([float(row[k]) for _, row in told]) for k in (FORECAST, SEEN, SPREAD))
        for ranked in rankings([round_ for round_, _ in told], forecast, seen):
            taus.setdefault(ranked.round, []).append(ranked.tau)
        for (round_, _), held in zip(told, np.abs(seen - forecast) <= NORMAL_90 * spread, strict=True):
            inside.setdefault(round_, []).append(bool(held))
    return {
        "tau": {str(n + 1): round(float(np.mean(found)), 3) for n, found in sorted(taus.items())},
        "coverage_of_90": {str(n + 1): round(float(np.mean(found)), 3) for n, found in sorted(inside.items())},
    }
