"""What charts over the windows of a student have in common: the lines, their axes, their legend."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from automl.report.common.plot import Json, line, padded, safe
from automl.report.exfm.style import TEACHER, looks, window_axis
from automl.study.exfm_figures import NONE, PartFigures
from automl.study.exfm_results import StudentResult

MANY = 60  # windows: lines without marks, thin
LETTERS_UP_TO = 24  # windows, as far as a letter fits into its box on a narrow screen


def lines_of(
    student: StudentResult,
    parts: Sequence[PartFigures],
    of_recipe: Callable[[PartFigures, str], float],
    of_teacher: Callable[[PartFigures], float],
    words: Callable[[float], str],
) -> list[Json]:
    """The teacher, every recipe, and the chosen one on top."""
    style = looks([NONE, *student.taught])
    chosen = student.chosen.name if student.chosen else NONE
    data = [series("teacher", [of_teacher(p) for p in parts], parts, {"color": "$pick", "dash": "dot"}, words)]
    for name in sorted(style, key=lambda name: name == chosen):
        look = style[name]
        drawn = {"color": look.colour, "dash": look.dash, "width": 2.5 if name == chosen else 1.75}
        values = [of_recipe(part, name) if name in part.recipes else math.nan for part in parts]
        data.append(series(name, values, parts, drawn, words))
    return data


def series(
    name: str, values: Sequence[float], parts: Sequence[PartFigures], style: Json, words: Callable[[float], str]
) -> Json:
    said = [
        f"{safe(part.name)}, {safe(name)}: {words(value)}<br>{part.rows:,} rows"
        for part, value in zip(parts, values, strict=True)
    ]
    extra = {"text": said, "hoverinfo": "text", "hovertemplate": "%{text}<extra></extra>"}
    marker = {"size": 6 if len(parts) <= LETTERS_UP_TO else 3, "color": style["color"]}
    many = len(parts) > MANY
    drawn = {**style, "width": 1} if many else style
    mode = "lines" if many else "lines+markers"
    return line(name, range(len(parts)), values, drawn, **{**extra, "mode": mode, "marker": marker})


def layout_of(parts: Sequence[PartFigures], values: Sequence[float], suffix: str) -> Json:
    layout: Json = {
        "xaxis": window_axis([part.name for part in parts]),
        "yaxis": {"ticksuffix": suffix, "zeroline": False},
        "hovermode": "closest",
    }
    if values:
        layout["yaxis"]["range"] = list(padded(min(values), max(values), share=0.1, least=0.002))
    return layout


def finite(data: Sequence[Json]) -> list[float]:
    return [v for trace in data for v in trace["y"] if v is not None and math.isfinite(v)]


def legend_of(student: StudentResult) -> tuple[tuple[str, str], ...]:
    style = looks([NONE, *student.taught])
    named = [(look.swatch, "no teacher" if name == NONE else name) for name, look in style.items()]
    return (*named, TEACHER)
