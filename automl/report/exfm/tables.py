"""All numbers of a run as rows of a table."""

from __future__ import annotations

from dataclasses import dataclass

from automl.report.common import formats
from automl.report.exfm.words import interval
from automl.study.exfm_figures import NONE, PartFigures
from automl.study.exfm_results import StudentResult


@dataclass(frozen=True, slots=True)
class Row:
    """A student, some of its rows, and a recipe on them."""

    student: str
    part: PartFigures
    recipe: str
    ne: float
    calibration: float
    gain: str
    p: str


def rows_of(student: StudentResult) -> list[Row]:
    """All rows of a student and each segment: every recipe, then the teacher."""
    found = []
    for part in (student.all, *student.segments.values()):
        found += [
            Row(
                student.name,
                part,
                "no teacher" if name == NONE else name,
                recipe.ne,
                recipe.calibration,
                f"{formats.percent(recipe.gain.pct)} ({interval(recipe.gain)})" if recipe.gain else formats.ABSENT,
                formats.p_value(recipe.gain.judged_p).removeprefix("p ").removeprefix("= ") if recipe.gain else "",
            )
            for name, recipe in part.recipes.items()
        ]
        if part.recipes:
            teacher = part.teacher
            room = f"{formats.percent(teacher.headroom_pct)}"
            found.append(Row(student.name, part, "teacher", teacher.ne, teacher.calibration, room, ""))
    return found
