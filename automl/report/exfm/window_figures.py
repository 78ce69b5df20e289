"""The charts of one student over time."""

from __future__ import annotations

from collections.abc import Sequence

from automl.report.common.formats import decimal
from automl.report.common.plot import Figure, Nothing, rule
from automl.report.exfm.served_figure import served
from automl.report.exfm.window_gains import gain_by_window
from automl.report.exfm.window_lines import finite, layout_of, legend_of, lines_of
from automl.study.exfm_figures import PartFigures
from automl.study.exfm_results import ExfmResult, StudentResult

Charts = tuple[Figure | Nothing, ...]


def panel(result: ExfmResult, student: StudentResult) -> Charts:
    """All charts of a student, the widest first."""
    parts = [part for part in student.windows if part.without is not None]
    if not parts:
        return (Nothing("Over time", "No scored window has rows of both classes."),)
    arms = served(result, student)
    found: list[Figure | Nothing] = [gain_by_window(student, parts), ne_by_window(student, parts)]
    return (*found, calibration_by_window(student, parts), *([arms] if arms else []))


def ne_by_window(student: StudentResult, parts: Sequence[PartFigures]) -> Figure:
    """NE of the teacher, of the student without one, and of each recipe."""
    data = lines_of(student, parts, lambda part, recipe: part.recipes[recipe].ne, lambda part: part.teacher.ne, decimal)
    return Figure(
        name=f"ne-{student.name}",
        title="NE of each window",
        caption="On rows that were not learnt yet, mean over the seeds; lower is better. Windows differ in how hard "
        "they are: read the gains for the difference between models.",
        data=data,
        layout=layout_of(parts, finite(data), ""),
        height=300,
        legend=legend_of(student),
    )


def calibration_by_window(student: StudentResult, parts: Sequence[PartFigures]) -> Figure:
    """Predictions over labels, window by window."""
    data = lines_of(
        student,
        parts,
        lambda part, recipe: part.recipes[recipe].calibration,
        lambda part: part.teacher.calibration,
        lambda value: decimal(value, 3),
    )
    layout = layout_of(parts, [*finite(data), 0.99, 1.01], "")
    layout["shapes"] = [rule("y", 1.0, "$muted", dash="dot", width=1.5)]
    return Figure(
        name=f"calibration-{student.name}",
        title="Calibration of each window",
        caption="Sum of predictions over sum of labels; 1 is right.",
        data=data,
        layout=layout,
        height=300,
        legend=legend_of(student),
    )
