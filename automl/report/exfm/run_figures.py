"""The charts of the run itself: where the core time went, how old the teacher was, what each window held."""

from __future__ import annotations

import math
from itertools import pairwise

from automl.report.common.formats import counted, duration, share
from automl.report.common.plot import Figure, Json, Nothing, bars, safe
from automl.report.exfm.derived import student_seconds
from automl.report.exfm.style import window_axis
from automl.study.exfm_results import ExfmResult


def core_time(result: ExfmResult) -> Figure | Nothing:
    """Core seconds of the teacher and of each student, all recipes and seeds together."""
    title = "Where the core time went"
    training, scoring = result.teacher.train_seconds, result.das.core_seconds
    found = [("teacher, training", training, "$pick"), ("teacher, scoring", scoring, "$pick")]
    found += [(student.name, student_seconds(student), "$front") for student in result.students.values()]
    found = [(name, seconds, colour) for name, seconds, colour in found if math.isfinite(seconds)]
    total = sum(seconds for _, seconds, _ in found)
    if not found or total <= 0:
        return Nothing(title, "No times were kept.")
    labels = [safe(name) for name, _, _ in found]
    said = [f"{label}: {duration(s)}, {share(s / total)}" for label, (_, s, _) in zip(labels, found, strict=True)]
    unit, size = ("seconds", 1.0) if max(s for _, s, _ in found) < 180 else ("minutes", 60.0)
    trace = bars("core time", [seconds / size for _, seconds, _ in found], labels, "$front", said)
    trace["marker"] = {"color": [colour for _, _, colour in found]}
    layout: Json = {
        "xaxis": {"title": {"text": f"core time, {unit}"}, "rangemode": "tozero", "zeroline": False},
        "yaxis": {"autorange": "reversed", "showgrid": False, "automargin": True, "type": "category"},
        "bargap": 0.45,
    }
    return Figure(
        name="core-time",
        title=title,
        caption="Students: training of all their recipes, arms and seeds. The teacher is trained and scores once, "
        "whatever the number of students.",
        data=[trace],
        layout=layout,
        height=84 + 28 * len(found),
        legend=(("bar-pick", "teacher"), ("bar-front", "students")),
    )


def staleness(result: ExfmResult) -> Figure | Nothing:
    """Scored examples by the age of what the teacher had seen."""
    title = "How old the teacher was"
    counts, edges = result.das.ages, result.das.age_edges_hours
    total = sum(counts)
    if not total or len(counts) != len(edges) + 1:
        return Nothing(title, "No example was scored.")
    names = [f"< {edges[0]}", *(f"{a}–{b}" for a, b in pairwise(edges)), f"≥ {edges[-1]}"]
    last = max(k for k, count in enumerate(counts) if count)
    shown = list(zip(names, counts, strict=True))[: max(last + 1, 4)]
    said = [f"{name} h: {counted(count, 'example')}, {100 * count / total:.1f}%" for name, count in shown]
    data = [_columns([name for name, _ in shown], [100 * count / total for _, count in shown], "$front", said)]
    layout: Json = {
        "xaxis": {"title": {"text": "hours"}, "type": "category", "showgrid": False, "tickangle": 0},
        "yaxis": {"ticksuffix": "%", "rangemode": "tozero", "zeroline": False},
        "bargap": 0.3,
    }
    return Figure(
        name="staleness",
        title=title,
        caption="Scored examples by the hours between the newest label that the snapshot had seen and the impression.",
        data=data,
        layout=layout,
        height=260,
    )


def window_rows(result: ExfmResult) -> Figure | Nothing:
    """Rows of the stream by window."""
    title = "Rows of each window"
    if not result.windows:
        return Nothing(title, "The stream has no windows.")
    windows = result.windows
    names = [window.name for window in windows]
    said = [f"{safe(w.name)}: {counted(w.rows, 'row')}{'' if w.scored else ', not scored'}" for w in windows]
    trace = _columns(list(range(len(names))), [window.rows for window in windows], "$front", said)
    trace["marker"] = {"color": ["$front" if window.scored else "$dim" for window in windows]}
    layout: Json = {
        "xaxis": window_axis(names),
        "yaxis": {"rangemode": "tozero", "tickformat": "~s", "zeroline": False},
        "bargap": 0.2,
    }
    return Figure(
        name="window-rows",
        title=title,
        caption="The first windows only teach: figures begin when models have settled.",
        data=[trace],
        layout=layout,
        height=260,
        legend=(("bar-front", "scored"), ("bar-dim", "only learnt from")),
    )


def _columns(x: list[object] | list[str] | list[int], y: list[float] | list[int], colour: str, said: list[str]) -> Json:
    return {
        "type": "bar",
        "x": x,
        "y": y,
        "marker": {"color": colour},
        "text": said,
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
    }
