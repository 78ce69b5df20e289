"""What the teacher gave to each student: NE, gains with intervals and calibration, by window and segment.

N scored rows of a student, S seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from automl.stats.compared import ScoredRows
from automl.stats.holm import holm
from automl.study.exfm_figures import NONE, PartFigures, RecipeFigures, RecipeGain, TeacherFigures
from automl.study.exfm_results import StudentResult

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scored:
    """Rows of one student in the scored windows, and every recipe's probabilities on them; the teacher's may be NaN."""

    rows: ScoredRows
    windows_N: NDArray[np.int64]
    probs_SN: Mapping[str, Floats]
    teacher_N: Floats

    def part(self, rows_N: NDArray[np.bool_]) -> Scored:
        """Some of the rows."""
        probs = {name: probs_SN[:, rows_N] for name, probs_SN in self.probs_SN.items()}
        return Scored(self.rows.part(rows_N), self.windows_N[rows_N], probs, self.teacher_N[rows_N])


def figures(scored: Scored, name: str = "all") -> PartFigures:
    """NE, calibration and gains over no teacher; of a set with one class only the rows."""
    rows = len(scored.rows)
    if not scored.rows.both_classes:
        return PartFigures(name=name, rows=rows)
    sums = {recipe: scored.rows.sums(probs_SN) for recipe, probs_SN in scored.probs_SN.items()}
    taught = [recipe for recipe in scored.probs_SN if recipe != NONE]
    gains = scored.rows.gains(scored.probs_SN[NONE], [scored.probs_SN[recipe] for recipe in taught])
    found = {
        recipe: RecipeGain.single(pct=gain.pct, low_pct=gain.low_pct, high_pct=gain.high_pct, p=gain.p)
        for recipe, gain in zip(taught, gains, strict=True)
    }
    return PartFigures(
        name=name,
        rows=rows,
        base_rate=sums[NONE][0].base_rate,
        teacher=_teacher(scored, float(np.mean([s.ne for s in sums[NONE]]))),
        recipes={
            recipe: RecipeFigures(
                name=recipe,
                ne=float(np.mean([s.ne for s in seeds])),
                ne_by_seed=tuple(s.ne for s in seeds),
                calibration=float(np.mean([s.calibration for s in seeds])),
                gain=found.get(recipe),
            )
            for recipe, seeds in sums.items()
        },
    )


def _teacher(scored: Scored, student_ne: float) -> TeacherFigures:
    """The teacher on the rows that it scored; headroom is its NE against that of the student without one there."""
    known_N = np.isfinite(scored.teacher_N)
    part = scored.part(known_N)
    if not part.rows.both_classes:
        return TeacherFigures(coverage=float(known_N.mean()))
    (sums,) = part.rows.sums(part.teacher_N[None, :])
    if not known_N.all():
        student_ne = float(np.mean(part.rows.ne(part.probs_SN[NONE])))
    return TeacherFigures(
        coverage=float(known_N.mean()),
        ne=sums.ne,
        calibration=sums.calibration,
        headroom_pct=100 * (sums.ne / student_ne - 1),
    )


def corrected(students: Sequence[StudentResult]) -> tuple[StudentResult, ...]:
    """The students with Holm's p and the verdict by it, and the transfer ratio, of all scored rows.

    What a student was to run (`own`) was named before: Holm over the students. All that was run to compare: Holm over
    those.
    """
    p: dict[tuple[str, str], float] = {}
    for named_before in (True, False):
        family = {
            (student.name, name): recipe.gain.p
            for student in students
            for name, recipe in student.all.recipes.items()
            if recipe.gain is not None and (name == student.own) is named_before
        }
        p |= zip(family, holm(list(family.values())), strict=True)
    return tuple(_corrected(student, p) for student in students)


def _corrected(student: StudentResult, p: Mapping[tuple[str, str], float]) -> StudentResult:
    headroom = student.all.teacher.headroom_pct
    recipes = {
        name: recipe
        if recipe.gain is None
        else replace(
            recipe,
            gain=recipe.gain.corrected(p[student.name, name]),
            transfer_ratio=recipe.gain.pct / headroom if headroom < 0 and math.isfinite(headroom) else math.nan,
        )
        for name, recipe in student.all.recipes.items()
    }
    return replace(student, all=replace(student.all, recipes=recipes))
