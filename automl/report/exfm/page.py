"""The page of an ExFM run: exfm.html."""

from __future__ import annotations

from pathlib import Path

from automl.report.common.shell import render_page, write_page
from automl.report.exfm import gain_figures, run_figures, teacher_figures
from automl.report.exfm.derived import nothing_to_teach, training_of
from automl.report.exfm.tables import rows_of
from automl.report.exfm.tiles import cost_tiles, data_tiles, worth_tiles
from automl.report.exfm.verdict import BADGES, answer, notes, shipping
from automl.report.exfm.window_figures import panel
from automl.report.exfm.words import interval, model_words, serving, students_words
from automl.study.exfm_results import ExfmResult

SECTIONS = (
    ("gave", "Gain"),
    ("ship", "Ship"),
    ("worth", "Worth"),
    ("time", "Over time"),
    ("cost", "Cost"),
    ("data", "Data"),
    ("numbers", "Numbers"),
    ("how", "How"),
)


def write_exfm_report(result: ExfmResult, out: Path) -> Path:
    """Write exfm.html into a folder, and return its path. It needs no network and no other file."""
    page = render(result)
    out.mkdir(parents=True, exist_ok=True)
    return write_page(out / "exfm.html", page)


def render(result: ExfmResult) -> str:
    """The whole page as text."""
    charts = {
        "gains": gain_figures.gains(result),
        "calibration": teacher_figures.calibration(result),
        "headroom": teacher_figures.headroom(result),
        "core_time": run_figures.core_time(result),
        "staleness": run_figures.staleness(result),
        "window_rows": run_figures.window_rows(result),
    }
    students = result.students
    segments = [gain_figures.segment(result, name) for name in result.segments if result.recipes]
    panels = {name: panel(result, student) for name, student in students.items()}
    return render_page(
        "exfm.html.j2",
        charts,
        {
            "name": result.name,
            "sections": SECTIONS,
            "answer": answer(result),
            "notes": notes(result),
            "result": result,
            "badges": BADGES,
            "shipping": {name: shipping(student) for name, student in students.items()},
            "serving": {name: serving(student) for name, student in students.items()},
            "empty": {name: nothing_to_teach(student) for name, student in students.items()},
            "interval": interval,
            "segments": segments,
            "panels": panels,
            "worth": worth_tiles(result),
            "costs": cost_tiles(result),
            "training": [training_of(student) for student in students.values()],
            "sound": data_tiles(result),
            "teacher_words": model_words(result.teacher.model),
            "model_words": students_words(result),
            "numbers": [row for student in students.values() for row in rows_of(student)],
        },
        more=[*segments, *(chart for each in panels.values() for chart in each)],
    )
