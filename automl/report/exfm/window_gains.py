"""The gain of each window of a student, with its interval, beside what there was to gain."""

from __future__ import annotations

import math
from collections.abc import Sequence

from automl.report.common.formats import p_value, percent
from automl.report.common.plot import Figure, Json, Nothing, padded, rule, safe
from automl.report.exfm.style import TEACHER, looks, swatch
from automl.report.exfm.window_lines import LETTERS_UP_TO, MANY, layout_of, series
from automl.report.exfm.words import interval
from automl.study.exfm_figures import NONE, PartFigures
from automl.study.exfm_results import StudentResult


def gain_by_window(student: StudentResult, parts: Sequence[PartFigures]) -> Figure | Nothing:
    """Paired gain of each window with its interval, and the teacher's headroom."""
    title = "Gain of each window"
    if student.chosen is None:
        return Nothing(title, "No recipe with a teacher was run.")
    chosen, style = student.chosen.name, looks([NONE, *student.taught])
    data = [_headroom_line(parts)]
    for name in student.taught:
        if name != chosen:
            data.append(_gain_line(parts, name, {"color": style[name].colour, "dash": style[name].dash, "width": 1.5}))
    data.append(_gain_dots(parts, chosen, style[chosen].colour))
    points = [v for trace in data for v in trace["y"] if v is not None and math.isfinite(v)]
    ends = [v for p in parts if (g := p.recipes[chosen].gain) for v in (g.low_pct, g.high_pct) if math.isfinite(v)]
    near, far = _reach(points, ends)
    layout = layout_of(parts, [], "%")
    layout["yaxis"] |= {"title": {"text": "NE against no teacher (down is better)"}, "range": list(near)}
    layout["shapes"] = [rule("y", 0.0, "$baseline", width=1.5)]
    views = {"Near": {"yaxis": {"range": list(near)}}, "Whole intervals": {"yaxis": {"range": list(far)}}}
    legend = [(swatch("dot", chosen), f"{chosen}, with 95% interval")]
    legend += [(style[name].swatch, name) for name in student.taught if name != chosen]
    legend += [(TEACHER[0], "headroom of the teacher"), ("line-baseline", "no teacher")]
    return Figure(
        name=f"gain-{student.name}",
        title=title,
        caption="Paired with the student without a teacher on the same rows. A single window proves little: intervals "
        "are not corrected for their number.",
        data=data,
        layout=layout,
        height=340,
        legend=tuple(legend),
        views=views if far[0] < near[0] or far[1] > near[1] else {},
    )


def _headroom_line(parts: Sequence[PartFigures]) -> Json:
    rooms = [part.teacher.headroom_pct for part in parts]
    return series("headroom of the teacher", rooms, parts, {"color": "$pick", "dash": "dot", "width": 1.75}, percent)


def _gain_line(parts: Sequence[PartFigures], name: str, style: Json) -> Json:
    found = [p.recipes[name].gain if name in p.recipes else None for p in parts]
    return series(name, [gain.pct if gain else math.nan for gain in found], parts, style, percent)


def _gain_dots(parts: Sequence[PartFigures], name: str, colour: str) -> Json:
    found = [part.recipes[name].gain if name in part.recipes else None for part in parts]
    base = _gain_line(parts, name, {"color": colour, "width": 2})
    said = [
        f"{safe(part.name)}: {percent(g.pct)}<br>{interval(g)}, {p_value(g.judged_p)}<br>{part.rows:,} rows"
        if g
        else ""
        for part, g in zip(parts, found, strict=True)
    ]
    whiskers = {
        "type": "data",
        "symmetric": False,
        "thickness": 1.5 if len(parts) <= MANY else 0.5,
        "width": 0,
        "color": colour,
        "array": [g.high_pct - g.pct if g else 0 for g in found],
        "arrayminus": [g.pct - g.low_pct if g else 0 for g in found],
    }
    marker = {"color": colour, "size": 10 if len(parts) <= LETTERS_UP_TO else 5 if len(parts) <= MANY else 4}
    return {**base, "mode": "markers", "text": said, "error_y": whiskers, "marker": marker}


def _reach(points: Sequence[float], ends: Sequence[float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """The range that shows the points well, and the one that holds every whisker."""
    low, high = min([*points, 0.0]), max([*points, 0.0])
    room = 0.6 * (high - low)
    far = padded(min([low, *ends]), max([high, *ends]), least=0.02)
    near = padded(max(low - room, far[0]), min(high + room, far[1]), share=0.0, least=0.01)
    return (max(near[0], far[0]), min(near[1], far[1])), far
