"""Parallel coordinates of the front, on their side: a row for each axis, so that names stay readable on a phone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from automl.report.common.formats import percent, ratio
from automl.report.common.plot import Figure, Json, Nothing, line, safe
from automl.report.common.words import knobs
from automl.report.study.derived import View
from automl.report.study.figures import TOP_KNOBS, short_value
from search_spaces.knobs import Value

UNUSED_X = -0.2  # where a line passes a knob that its model does not have
MOST_STEPS = 6  # more different values than this lie on a scale


@dataclass(frozen=True, slots=True)
class Row:
    """One axis: its label, where each value lies between 0 and 1, and the ticks."""

    label: str
    places: tuple[float | None, ...]  # one for each model, the baseline last; None: the model has no such knob
    ticks: tuple[tuple[float, str], ...]


def parallel(view: View) -> Figure | Nothing:
    """Every model of the front as a line through its gain, its speed and the knobs that differ."""
    title = "The front, knob by knob"
    if len(view.front) < 2:
        return Nothing(title, "The front holds fewer than two models: there is nothing to compare.")
    models = [knobs(p.trial.candidate.model) for p in view.front] + [knobs(view.history.baseline.candidate.model)]
    names, varying = _chosen(models[:-1], view.data.importances)
    rows = [
        _scale_row("NE gain", [*(-p.gain_pct for p in view.front), 0.0], lambda v: percent(-v)),
        _scale_row("QPS ratio", [*(p.qps_ratio for p in view.front), 1.0], ratio),
        *(_knob_row(name, [model.get(name) for model in models]) for name in names),
    ]
    picked = {point.trial.number for _, point in view.picks}
    data = [_path(rows, len(models) - 1, "baseline", {"color": "$baseline", "width": 2, "dash": "dash"})]
    for index, point in enumerate(view.front):
        style = {"color": "$pick", "width": 2.5} if point.trial.number in picked else {"color": "$front", "width": 1.5}
        data.append(_path(rows, index, point.trial.number, style))
    order = "the most important first" if view.data.importances else "in the order of the model"
    hidden = varying - len(names)
    caption = f"To the right is better in the first two rows. Knobs: {order}" + (
        f"; {hidden} more that differ are left out." if hidden > 0 else "."
    )
    legend = (("line-pick", "picks"), ("line-front", "rest of the front"), ("line-baseline-dash", "baseline"))
    return Figure(
        name="parallel",
        title=title,
        caption=caption,
        data=data,
        layout=_layout(rows),
        height=60 + 52 * len(rows),
        legend=legend,
    )


def _layout(rows: Sequence[Row]) -> Json:
    unused = any(place is None for row in rows for place in row.places)
    left = UNUSED_X - 0.05 if unused else -0.05
    notes: list[Json] = []
    shapes: list[Json] = []
    for index, row in enumerate(rows):
        shapes.append(
            {
                "type": "line",
                "x0": 0,
                "x1": 1,
                "y0": index,
                "y1": index,
                "layer": "below",
                "line": {"color": "$line", "width": 1},
            }
        )
        notes.append(_note(row.label, 0, index, "left", -11, "$ink", x_shift=-4))
        ticks = [*row.ticks, (UNUSED_X, "unused")] if None in row.places else row.ticks
        notes += [_note(text, x, index, "center", 11, "$muted") for x, text in ticks]
    axis = {"visible": False, "fixedrange": True}
    return {
        "annotations": notes,
        "shapes": shapes,
        "xaxis": {**axis, "range": [left, 1.05]},
        "yaxis": {**axis, "range": [len(rows) - 0.4, -0.6]},
        "hovermode": "closest",
        "margin": {"l": 12, "r": 12, "t": 4, "b": 4},
    }


def _note(text: str, x: float, y: float, anchor: str, shift: int, colour: str, x_shift: int = 0) -> Json:
    return {
        "text": safe(text),
        "x": x,
        "y": y,
        "xanchor": anchor,
        "yanchor": "middle",
        "yshift": -shift,
        "xshift": x_shift,
        "showarrow": False,
        "font": {"size": 11, "color": colour},
        "bgcolor": "$surface",
        "borderpad": 0,
    }


def _path(rows: Sequence[Row], model: int, trial: int | str, style: Json) -> Json:
    xs = [UNUSED_X if row.places[model] is None else row.places[model] for row in rows]
    return line(
        str(trial),
        xs,
        range(len(rows)),
        style,
        mode="lines+markers",
        hoverinfo="none",
        customdata=[trial] * len(rows),
        marker={"color": style["color"], "size": 6},
    )


def _chosen(models: Sequence[Mapping[str, Value]], shares: Mapping[str, Mapping[str, float]]) -> tuple[list[str], int]:
    """The knobs that differ on the front, the most important first, and how many differ in all."""
    names = dict.fromkeys(name for model in models for name in model)
    differ = [name for name in names if len({repr(model.get(name)) for model in models}) > 1]
    weight = {name: sum(_share(each, name) for each in shares.values()) for name in differ}
    return sorted(differ, key=lambda name: -weight[name])[:TOP_KNOBS], len(differ)


def _share(shares: Mapping[str, float], name: str) -> float:
    """A knob that is shared by all layers is asked once, as `deep[*].mlp.width`."""
    for path, value in shares.items():
        if path.replace("[*]", "[0]") == name and math.isfinite(value):
            return value / max(sum(v for v in shares.values() if math.isfinite(v)), 1e-12)
    return 0.0


def _knob_row(name: str, values: Sequence[Value | None]) -> Row:
    given = [value for value in values if value is not None]
    kinds = sorted(set(given), key=lambda v: (isinstance(v, str), v if isinstance(v, int | float) else 0, str(v)))
    numbers = all(isinstance(v, int | float) for v in kinds)
    if numbers and len(kinds) > MOST_STEPS:
        return _scale_row(name, [None if v is None else float(v) for v in values])
    places = {value: index / max(1, len(kinds) - 1) for index, value in enumerate(kinds)}
    return Row(
        name,
        tuple(None if v is None else places[v] for v in values),
        _readable([(places[value], short_value(value)) for value in kinds]),
    )


def _scale_row(name: str, values: Sequence[float | None], words: object = short_value) -> Row:
    assert callable(words)
    known = np.array([v for v in values if v is not None and math.isfinite(v)], dtype=np.float64)
    low, high = float(known.min()), float(known.max())
    by_log = low > 0 and high / low > 8
    start, end = (math.log(low), math.log(high)) if by_log else (low, high)

    def place(value: float | None) -> float | None:
        if value is None or not math.isfinite(value):
            return None
        return ((math.log(value) if by_log else value) - start) / max(end - start, 1e-12)

    return Row(name, tuple(place(v) for v in values), ((0.0, words(low)), (1.0, words(high))))


def _readable(ticks: Sequence[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    """All ticks, or the two ends where all would not fit side by side."""
    room = 46
    return tuple(ticks) if sum(len(text) + 2 for _, text in ticks) <= room else (ticks[0], ticks[-1])
