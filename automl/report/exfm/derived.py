"""What the page works out from the results of a run: means, calibration shifts, segments that lose, training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from automl.study.exfm_figures import AUTO, NONE, PartFigures, RecipeGain
from automl.study.exfm_results import RunFacts, StudentResult


def mean(values: Sequence[float]) -> float:
    """Of the finite ones; NaN of none."""
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan


def nothing_to_teach(student: StudentResult) -> bool:
    """The teacher is no better than the student on its rows."""
    return student.all.teacher.headroom_pct >= 0


def harmed(student: StudentResult) -> tuple[PartFigures, ...]:
    """Segments in which the chosen recipe's whole interval is above 0."""
    return tuple(part for part in student.segments.values() if (gain := _gain_on(student, part)) and gain.low_pct > 0)


def _gain_on(student: StudentResult, part: PartFigures) -> RecipeGain | None:
    recipe = part.recipes.get(student.chosen.name) if student.chosen else None
    return recipe.gain if recipe else None


def calibration_shift(student: StudentResult) -> float:
    """How much further from 1 than without a teacher; negative is nearer."""
    without, chosen = student.all.without, student.chosen
    if without is None or chosen is None:
        return math.nan
    return abs(chosen.calibration - 1) - abs(without.calibration - 1)


def student_seconds(student: StudentResult) -> float:
    """Core seconds of training, all recipes, arms and seeds."""
    times = [seconds for runs in student.runs.values() for run in runs for seconds in run.train_seconds.values()]
    return sum(times) if times else math.nan


@dataclass(frozen=True, slots=True)
class Training:
    """How a student was trained: rows of a run, rows a core second of one arm, and what auto trained."""

    student: StudentResult
    rows: int
    rate_without: float
    rate_taught: float
    arms: Mapping[str, float]  # of auto: its core seconds, mean over the seeds
    slowdown: float | None  # core time of auto over that of no teacher


def training_of(student: StudentResult) -> Training:
    """Of the runs without a teacher, of the chosen recipe and of auto."""
    plain = student.runs.get(NONE, ())
    taught = student.runs.get(student.chosen.name, ()) if student.chosen else ()
    auto = student.runs.get(AUTO, ())
    names = dict.fromkeys(arm for run in auto for arm in run.train_seconds)
    arms = {arm: mean([run.train_seconds.get(arm, math.nan) for run in auto]) for arm in names}
    alone = mean([_seconds(run) for run in plain])
    slowdown = mean([_seconds(run) for run in auto]) / alone if auto and alone > 0 else None
    rows = max((run.rows for runs in student.runs.values() for run in runs), default=0)
    return Training(student, rows, _rate(plain), _rate(taught), arms, slowdown)


def _seconds(run: RunFacts) -> float:
    return sum(run.train_seconds.values())


def _rate(runs: tuple[RunFacts, ...]) -> float:
    """Rows a core second of the arms that heard the teacher, or of the only one; those that were dropped have seen
    fewer rows and are left out where they are much quicker than the slowest."""
    rates = []
    for run in runs:
        heard = [s for arm, s in run.train_seconds.items() if arm != NONE or len(run.train_seconds) == 1]
        slowest = max(heard, default=math.nan)
        full = [seconds for seconds in heard if seconds > 0.7 * slowest]
        rates.append(run.rows / mean(full) if full and mean(full) > 0 else math.nan)
    return mean(rates)
