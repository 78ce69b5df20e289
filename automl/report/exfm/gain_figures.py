"""Gains of all students: on all scored rows, and on those of a segment."""

from __future__ import annotations

import math
from collections.abc import Sequence

from automl.report.common.formats import decimal, p_value, percent
from automl.report.common.plot import Figure, Json, Nothing, line, safe
from automl.report.exfm.student_rows import GAIN_AXIS, ROW, chosen_words, marks, rows_layout
from automl.report.exfm.style import looks
from automl.report.exfm.words import interval
from automl.study.exfm_figures import NONE, PartFigures, RecipeGain
from automl.study.exfm_results import ExfmResult, StudentResult

_COLOURS = {"better": "$good", "worse": "$bad"}


def gains(result: ExfmResult) -> Figure | Nothing:
    """Gain of each student under the chosen recipe with its interval, beside the other recipes."""
    title = "What the teacher gave to each student"
    students = [student for student in result.students.values() if student.gain is not None]
    if not students:
        return Nothing(title, "No recipe with a teacher has figures.")
    style = looks([NONE, *result.recipes])
    chosen = [(student.name, student.gain) for student in students]
    data = _forest([(name, gain, _hover(name, gain)) for name, gain in chosen if gain])
    others: dict[str, list[tuple[int, StudentResult]]] = {}
    for row, student in enumerate(students):
        for name in student.taught:
            if student.chosen is not None and name != student.chosen.name:
                others.setdefault(name, []).append((row, student))
    for name, found in others.items():
        shown = [(row, gain, student) for row, student in found if (gain := student.all.recipes[name].gain)]
        marker = {"color": style[name].colour, "size": 10, "symbol": style[name].symbol, "line": {"width": 2}}
        said = [_hover(f"{student.name}, {name}", gain) for _, gain, student in shown]
        data.append(marks(name, [gain.pct for _, gain, _ in shown], [row for row, _, _ in shown], marker, said))
    ends = [v for _, g in chosen if g for v in (g.low_pct, g.high_pct)]
    ends += [g.pct for s in students for r in s.all.recipes.values() if (g := r.gain)]
    legend = [("diamond", f"{chosen_words(students)}, with 95% interval")]
    legend += [(style[name].ring, name) for name in others]
    legend += [("line-baseline", "no teacher")]
    caption = (
        "All scored rows of each student, paired seed by seed and row by row with the same student without a teacher. "
        "Green: proven better; red: proven worse; grey: not told from chance."
    )
    return Figure(
        name="gains",
        title=title,
        caption=caption,
        data=data,
        layout=rows_layout([student.name for student in students], ends, GAIN_AXIS, "%"),
        height=96 + ROW * len(students),
        legend=tuple(legend),
    )


def segment(result: ExfmResult, name: str) -> Figure | Nothing:
    """The same gains on the rows of one segment."""
    title = name[:1].upper() + name[1:]
    found: list[tuple[str, RecipeGain, str]] = []
    for student in result.students.values():
        part = student.segments.get(name)
        recipe = part.recipes.get(student.chosen.name) if part and student.chosen else None
        if part is None or recipe is None or recipe.gain is None:
            continue
        found.append((student.name, recipe.gain, _segment_hover(student, part)))
    if not found:
        return Nothing(title, "No student has figures with a teacher here: its rows are of one class.")
    ends = [value for _, gain, _ in found for value in (gain.low_pct, gain.high_pct)]
    rows = sum(student.segments[name].rows for student in result.students.values() if name in student.segments)
    return Figure(
        name="segment-" + "".join(c if c.isalnum() else "-" for c in name),
        title=title,
        caption=f"{rows:,} scored rows. Not corrected for the number of segments.",
        data=_forest(found),
        layout=rows_layout([label for label, _, _ in found], ends, GAIN_AXIS, "%"),
        height=88 + 28 * len(found),
    )


def _forest(found: Sequence[tuple[str, RecipeGain, str]]) -> list[Json]:
    """A row for each: its whisker, then all the diamonds."""
    colours = [_COLOURS.get(gain.verdict, "$muted") for _, gain, _ in found]
    data = [
        line("interval", [gain.low_pct, gain.high_pct], [row, row], {"color": colour, "width": 3})
        for row, ((_, gain, _), colour) in enumerate(zip(found, colours, strict=True))
    ]
    marker = {"color": colours, "size": 13, "symbol": "diamond"}
    values = [gain.pct for _, gain, _ in found]
    return [*data, marks("gain", values, list(range(len(found))), marker, [said for _, _, said in found])]


def _hover(name: str, gain: RecipeGain) -> str:
    return f"{safe(name)}: {percent(gain.pct)} ({interval(gain)}, {p_value(gain.judged_p)})"


def _segment_hover(student: StudentResult, part: PartFigures) -> str:
    assert student.chosen is not None
    recipe = part.recipes[student.chosen.name]
    assert recipe.gain is not None
    without = part.without.calibration if part.without else math.nan
    calibrated = f"calibration {decimal(without, 3)} → {decimal(recipe.calibration, 3)}"
    return f"{_hover(student.name, recipe.gain)}<br>{part.rows:,} rows, NE {decimal(recipe.ne)}, {calibrated}"
