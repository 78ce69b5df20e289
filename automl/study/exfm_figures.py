"""Figures of a student on some of its rows, as frozen values: NE, gains and verdicts, the teacher.

Gains and headrooms are in percent of NE: negative is good. What was not measured is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from automl.stats.verdicts import LEVEL
from automl.study.plain import Number

AUTO, NONE = "auto", "none"  # recipes: the arm that has worked so far; no teacher
Verdict = Literal["better", "worse", "not proven"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeGain:
    """NE of a recipe against the same student without a teacher, in percent, with its interval of 95%.

    p: two-sided, of this comparison alone. p_corrected: Holm's; only of all scored rows. verdict: better where the
    whole interval is below 0 and p (Holm's, where there is one) is below 0.05; worse where it is above; else not
    proven.
    """

    pct: Number
    low_pct: Number
    high_pct: Number
    p: Number
    p_corrected: Number
    verdict: Verdict

    @classmethod
    def single(cls, *, pct: float, low_pct: float, high_pct: float, p: float) -> RecipeGain:
        """Without a correction."""
        verdict = verdict_of(low_pct, high_pct, p)
        return cls(pct=pct, low_pct=low_pct, high_pct=high_pct, p=p, p_corrected=math.nan, verdict=verdict)

    def corrected(self, p: float) -> RecipeGain:
        """With Holm's p, and the verdict by it."""
        return replace(self, p_corrected=p, verdict=verdict_of(self.low_pct, self.high_pct, p))

    @property
    def judged_p(self) -> float:
        """The p that the verdict goes by."""
        return self.p if math.isnan(self.p_corrected) else self.p_corrected


def verdict_of(low_pct: float, high_pct: float, p: float) -> Verdict:
    """Of a gain's interval and p; what is not a number proves nothing."""
    if high_pct < 0 and p < LEVEL:
        return "better"
    return "worse" if low_pct > 0 and p < LEVEL else "not proven"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeFigures:
    """A recipe on some rows; ne and calibration are means over the seeds.

    gain: none for the recipe without a teacher. transfer_ratio: gain over the teacher's headroom, of all scored rows
    and where there is one.
    """

    name: str
    ne: Number
    ne_by_seed: tuple[Number, ...]
    calibration: Number
    gain: RecipeGain | None
    transfer_ratio: Number = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherFigures:
    """The teacher on a student's rows.

    coverage: the share that it scored; ne, calibration and headroom are on those. headroom_pct: its NE against that of
    the student without a teacher.
    """

    coverage: Number = math.nan
    ne: Number = math.nan
    calibration: Number = math.nan
    headroom_pct: Number = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFigures:
    """Figures on some of a student's rows: `all` that are scored, a window, a segment. Of one class only the rows."""

    name: str
    rows: int
    base_rate: Number = math.nan
    teacher: TeacherFigures = field(default_factory=TeacherFigures)
    recipes: Mapping[str, RecipeFigures] = field(default_factory=dict)

    @property
    def without(self) -> RecipeFigures | None:
        """The student without a teacher."""
        return self.recipes.get(NONE)
