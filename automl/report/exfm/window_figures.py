"""The charts of one student over time: NE, gain, calibration, and the arms that auto served."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from automl.report.common.formats import decimal, p_value, percent
from automl.report.common.plot import Figure, Json, Nothing, line, padded, rule, safe
from automl.report.exfm.data import AUTO, NONE, ExfmFacts, Part, StudentFacts
from automl.report.exfm.style import TEACHER, looks, swatch, window_axis
from automl.report.exfm.verdict import interval

_MANY = 60  # windows: lines without marks, thin
_LETTERS_UP_TO = 24  # windows, as far as a letter fits into its box on a narrow screen
Charts = tuple[Figure | Nothing, ...]


def panel(facts: ExfmFacts, student: StudentFacts) -> Charts:
    """All charts of a student, the widest first."""
    parts = [part for part in student.windows if part.without is not None]
    if not parts:
        return (Nothing("Over time", "No scored window has rows of both classes."),)
    arms = served(facts, student)
    found: list[Figure | Nothing] = [gain_by_window(student, parts), ne_by_window(student, parts)]
    return (*found, calibration_by_window(student, parts), *([arms] if arms else []))


def _names(parts: Sequence[Part]) -> list[str]:
    return [part.name for part in parts]


def ne_by_window(student: StudentFacts, parts: Sequence[Part]) -> Figure:
    """NE of the teacher, of the student without one, and of each recipe."""
    data = _lines(student, parts, lambda part, recipe: part.recipes[recipe].ne, lambda part: part.teacher.ne, decimal)
    return Figure(
        name=f"ne-{student.name}",
        title="NE of each window",
        caption="On rows that were not learnt yet, mean over the seeds; lower is better. Windows differ in how hard "
        "they are: read the gains for the difference between models.",
        data=data,
        layout=_layout(parts, _finite(data), ""),
        height=300,
        legend=_legend(student),
    )


def calibration_by_window(student: StudentFacts, parts: Sequence[Part]) -> Figure:
    """Predictions over labels, window by window."""
    data = _lines(
        student,
        parts,
        lambda part, recipe: part.recipes[recipe].calibration,
        lambda part: part.teacher.calibration,
        lambda value: decimal(value, 3),
    )
    layout = _layout(parts, [*_finite(data), 0.99, 1.01], "")
    layout["shapes"] = [rule("y", 1.0, "$muted", dash="dot", width=1.5)]
    return Figure(
        name=f"calibration-{student.name}",
        title="Calibration of each window",
        caption="Sum of predictions over sum of labels; 1 is right.",
        data=data,
        layout=layout,
        height=300,
        legend=_legend(student),
    )


def gain_by_window(student: StudentFacts, parts: Sequence[Part]) -> Figure | Nothing:
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
    layout = _layout(parts, [], "%")
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


def served(facts: ExfmFacts, student: StudentFacts) -> Figure | None:
    """Which arm auto served in each window, a row a seed; hatched where the teacher was not heard."""
    runs = student.runs.get(AUTO, ())
    if not runs:
        return None
    names = [name for name, _, _ in facts.windows]
    arms = tuple(dict.fromkeys([NONE, *(arm for run in runs for arm in run.train_seconds), *_served_arms(student)]))
    data = [_boxes(arm, [[c == arm for c in run.choices] for run in runs], names, len(names)) for arm in arms]
    muted = [list(run.muted) for run in runs]
    if any(any(row) for row in muted):
        data.append(_hatch(muted, names))
    axis = window_axis(names)
    layout: Json = {
        "barmode": "overlay",
        "xaxis": axis,
        "yaxis": {
            "tickvals": list(range(len(runs))),
            "ticktext": [f"seed {k}" for k in range(len(runs))],
            "range": [len(runs) - 0.5, -0.5],
            "showgrid": False,
            "zeroline": False,
        },
        "hovermode": "closest",
    }
    first = next((k for k, (_, _, scored) in enumerate(facts.windows) if scored), 0)
    if first:
        layout["shapes"] = [{**rule("x", first - 0.5, "$muted", dash="dot", width=1.5), "layer": "above"}]
    legend = [(swatch("bar", arm), f"{arm[:1].upper()} {arm}") for arm in arms]
    legend += [("hatched", "teacher muted")] if any(any(row) for row in muted) else []
    legend += [("dotted", "scored from here on")] if first else []
    silent = any(any(row) for row in muted)
    never = " Hatched: it was learnt without hearing the teacher." if silent else " The teacher was never muted."
    return Figure(
        name=f"served-{student.name}",
        title="What auto served",
        caption="The arm that served each window, chosen from the windows before it; every arm is trained all the "
        f"while, until it is dropped.{never}",
        data=data,
        layout=layout,
        height=84 + 34 * len(runs),
        legend=tuple(legend),
    )


def _served_arms(student: StudentFacts) -> list[str]:
    return [arm for run in student.runs.get(AUTO, ()) for arm in run.choices]


def _boxes(arm: str, rows: list[list[bool]], names: list[str], windows: int) -> Json:
    """One box for each window and seed that the arm served."""
    cells = [(k, seed) for seed, row in enumerate(rows) for k, here in enumerate(row) if here and k < windows]
    colour = looks([arm])[arm].colour
    return {
        "type": "bar",
        "name": arm,
        "x": [k for k, _ in cells],
        "y": [0.8] * len(cells),
        "base": [seed - 0.4 for _, seed in cells],
        "width": 0.94,
        "marker": {"color": colour, "line": {"width": 0}},
        "text": [arm[:1].upper() if windows <= _LETTERS_UP_TO else "" for _ in cells],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "constraintext": "none",
        "insidetextfont": {"color": "$on-pick", "size": 11},
        "hovertext": [f"{safe(names[k])}, seed {seed}: {safe(arm)}" for k, seed in cells],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _hatch(muted: list[list[bool]], names: list[str]) -> Json:
    cells = [(k, seed) for seed, row in enumerate(muted) for k, here in enumerate(row) if here and k < len(names)]
    return {
        "type": "bar",
        "name": "muted",
        "x": [k for k, _ in cells],
        "y": [0.22] * len(cells),
        "base": [seed + 0.18 for _, seed in cells],
        "width": 0.94,
        "marker": {
            "color": "rgba(0,0,0,0)",
            "pattern": {"shape": "/", "fgcolor": "$surface", "bgcolor": "rgba(0,0,0,0)", "size": 6, "solidity": 0.45},
        },
        "hoverinfo": "skip",
    }


def _lines(
    student: StudentFacts,
    parts: Sequence[Part],
    of_recipe: Callable[[Part, str], float],
    of_teacher: Callable[[Part], float],
    words: Callable[[float], str],
) -> list[Json]:
    """The teacher, every recipe, and the chosen one on top."""
    style = looks([NONE, *student.taught])
    chosen = student.chosen.name if student.chosen else NONE
    data = [_series("teacher", [of_teacher(p) for p in parts], parts, {"color": "$pick", "dash": "dot"}, words)]
    for name in sorted(style, key=lambda name: name == chosen):
        look = style[name]
        drawn = {"color": look.colour, "dash": look.dash, "width": 2.5 if name == chosen else 1.75}
        values = [of_recipe(part, name) if name in part.recipes else math.nan for part in parts]
        data.append(_series(name, values, parts, drawn, words))
    return data


def _series(
    name: str, values: Sequence[float], parts: Sequence[Part], style: Json, words: Callable[[float], str]
) -> Json:
    said = [
        f"{safe(part.name)}, {safe(name)}: {words(value)}<br>{part.rows:,} rows"
        for part, value in zip(parts, values, strict=True)
    ]
    extra = {"text": said, "hoverinfo": "text", "hovertemplate": "%{text}<extra></extra>"}
    marker = {"size": 6 if len(parts) <= _LETTERS_UP_TO else 3, "color": style["color"]}
    many = len(parts) > _MANY
    drawn = {**style, "width": 1} if many else style
    mode = "lines" if many else "lines+markers"
    return line(name, range(len(parts)), values, drawn, **{**extra, "mode": mode, "marker": marker})


def _headroom_line(parts: Sequence[Part]) -> Json:
    rooms = [part.teacher.headroom_pct for part in parts]
    return _series("headroom of the teacher", rooms, parts, {"color": "$pick", "dash": "dot", "width": 1.75}, percent)


def _gain_line(parts: Sequence[Part], name: str, style: Json) -> Json:
    found = [p.recipes[name].gain if name in p.recipes else None for p in parts]
    return _series(name, [gain.pct if gain else math.nan for gain in found], parts, style, percent)


def _gain_dots(parts: Sequence[Part], name: str, colour: str) -> Json:
    found = [part.recipes[name].gain if name in part.recipes else None for part in parts]
    base = _gain_line(parts, name, {"color": colour, "width": 2})
    said = [
        f"{safe(part.name)}: {percent(g.pct)}<br>{interval(g)}, {p_value(g.p)}<br>{part.rows:,} rows" if g else ""
        for part, g in zip(parts, found, strict=True)
    ]
    whiskers = {
        "type": "data",
        "symmetric": False,
        "thickness": 1.5 if len(parts) <= _MANY else 0.5,
        "width": 0,
        "color": colour,
        "array": [g.high_pct - g.pct if g else 0 for g in found],
        "arrayminus": [g.pct - g.low_pct if g else 0 for g in found],
    }
    marker = {"color": colour, "size": 10 if len(parts) <= _LETTERS_UP_TO else 5 if len(parts) <= _MANY else 4}
    return {**base, "mode": "markers", "text": said, "error_y": whiskers, "marker": marker}


def _reach(points: Sequence[float], ends: Sequence[float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """The range that shows the points well, and the one that holds every whisker."""
    low, high = min([*points, 0.0]), max([*points, 0.0])
    room = 0.6 * (high - low)
    far = padded(min([low, *ends]), max([high, *ends]), least=0.02)
    near = padded(max(low - room, far[0]), min(high + room, far[1]), share=0.0, least=0.01)
    return (max(near[0], far[0]), min(near[1], far[1])), far


def _layout(parts: Sequence[Part], values: Sequence[float], suffix: str) -> Json:
    layout: Json = {
        "xaxis": window_axis(_names(parts)),
        "yaxis": {"ticksuffix": suffix, "zeroline": False},
        "hovermode": "closest",
    }
    if values:
        layout["yaxis"]["range"] = list(padded(min(values), max(values), share=0.1, least=0.002))
    return layout


def _finite(data: Sequence[Json]) -> list[float]:
    return [v for trace in data for v in trace["y"] if v is not None and math.isfinite(v)]


def _legend(student: StudentFacts) -> tuple[tuple[str, str], ...]:
    style = looks([NONE, *student.taught])
    named = [(look.swatch, "no teacher" if name == NONE else name) for name, look in style.items()]
    return (*named, TEACHER)
