"""The charts of the run itself: where the core time went, how old the teacher was, what each window held."""

from __future__ import annotations

import math
from itertools import pairwise

from automl.report.common.formats import counted, duration, share
from automl.report.common.plot import Figure, Json, Nothing, bars, safe
from automl.report.exfm.data import ExfmFacts, StudentFacts, number
from automl.report.exfm.style import window_axis


def core_time(facts: ExfmFacts) -> Figure | Nothing:
    """Core seconds of the teacher and of each student, all recipes and seeds together."""
    title = "Where the core time went"
    training, scoring = number(facts.teacher.get("train_seconds")), number(facts.das.get("core_seconds"))
    found = [("teacher, training", training, "$pick"), ("teacher, scoring", scoring, "$pick")]
    found += [(student.name, student_seconds(student), "$front") for student in facts.students]
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


def student_seconds(student: StudentFacts) -> float:
    """Core seconds of training, all recipes, arms and seeds."""
    times = [seconds for runs in student.runs.values() for run in runs for seconds in run.train_seconds.values()]
    return sum(times) if times else math.nan


def staleness(facts: ExfmFacts) -> Figure | Nothing:
    """Scored examples by the age of what the teacher had seen."""
    title = "How old the teacher was"
    counts, edges = facts.das.get("ages", ()), facts.das.get("age_edges_hours", ())
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


def window_rows(facts: ExfmFacts) -> Figure | Nothing:
    """Rows of the stream by window."""
    title = "Rows of each window"
    if not facts.windows:
        return Nothing(title, "The stream has no windows.")
    names = [name for name, _, _ in facts.windows]
    said = [
        f"{safe(name)}: {counted(rows, 'row')}{'' if scored else ', not scored'}"
        for name, rows, scored in facts.windows
    ]
    trace = _columns(list(range(len(names))), [rows for _, rows, _ in facts.windows], "$front", said)
    trace["marker"] = {"color": ["$front" if scored else "$dim" for _, _, scored in facts.windows]}
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
