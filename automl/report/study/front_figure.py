"""The chart of the front: NE gain against QPS ratio of every trial."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from automl.report.common.plot import Figure, Json, Nothing, band, dots, line, padded, rule
from automl.report.study.derived import Point, View
from automl.stats import pareto
from automl.study.history import Metric, State
from automl.study.parts import ON_A_PART, is_parked

GAIN_AXIS = "NE gain against the baseline (up is better)"
RATIO_AXIS = "serving QPS against the baseline (right is faster)"
ROLE_LETTERS = {"accurate": "A", "balanced": "B", "fast": "F", "unlimited": "U"}
WORST_NEAR_PCT = 1.0  # the near view goes as far as the reference of the hypervolume
_RATIO_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256)


def front(view: View) -> Figure | Nothing:
    """NE gain against QPS ratio: the front with its staircase over the dimmed rest, the baseline as a cross."""
    title = "NE gain and speed of every trial"
    if not view.points:
        return Nothing(title, "No trial has both an NE and a QPS yet, so there is no front to draw.")
    rest = [p for p in view.points if not p.on_front and p.trial.state is State.COMPLETE]
    parked = [p for p in view.points if is_parked(p.trial)]
    stopped = [p for p in view.points if p.trial.state is State.STOPPED and not is_parked(p.trial)]
    data = [
        *([_point_dots(ON_A_PART, parked, _marker("diamond-open"))] if parked else []),
        _point_dots("stopped early", stopped, _marker("circle-open")),
        _point_dots("dominated", rest, {"color": "$dim", "size": 8}),
        _staircase(view.front),
        _point_dots(
            "front",
            view.front,
            {"color": "$front", "size": 11, "line": {"color": "$surface", "width": 1.5}},
            error_x=_ratio_whiskers(view.front),
            error_y=_gain_whiskers(view),
        ),
        _pick_dots(view),
        *_baseline_marks(view),
    ]
    noise = view.noise_pct
    shapes = [rule("y", 0.0, "$baseline"), rule("x", 1.0, "$baseline"), *_limit_rules(view)]
    if noise > 0:
        shapes.insert(0, band(-noise, noise, "$baseline-band"))
    layout: Json = {
        "shapes": shapes,
        "xaxis": {"type": "log", "title": {"text": RATIO_AXIS}, **_ratio_ticks()},
        "yaxis": {"title": {"text": GAIN_AXIS}, "ticksuffix": "%", "zeroline": False},
        "hovermode": "closest",
    }
    views = _front_views(view)
    layout["xaxis"] |= next(iter(views.values()))["xaxis"]
    layout["yaxis"] |= next(iter(views.values()))["yaxis"]
    legend = [
        ("front", "front"),
        ("dim", "dominated"),
        *([("ring", "stopped early, NE extrapolated")] if stopped else []),
        *([("diamond-ring", "on a part of the rows, NE foretold")] if parked else []),
        ("cross", "baseline, its seeds and their spread"),
    ]
    legend += [("pick", f"{ROLE_LETTERS.get(role, '•')} {role} #{p.trial.number}") for role, p in view.picks]
    caption = (
        "Each dot is one trial on the validation window. Touch a dot for its architecture; click it for the whole "
        "model. "
        f"The shaded band is one standard deviation of the baseline over its orders (±{noise:.2f}%). "
        "What was trained several times stands at its mean, with one standard error."
    )
    return Figure(
        name="front",
        title=title,
        caption=caption,
        data=data,
        layout=layout,
        height=460,
        legend=tuple(legend),
        views=views,
    )


def _marker(symbol: str) -> Json:
    """Of trials whose NE is not measured."""
    return {"color": "$dim", "size": 6, "symbol": symbol}


def _point_dots(name: str, points: Sequence[Point], marker: Json, **extra: object) -> Json:
    return dots(
        name,
        [p.qps_ratio for p in points],
        [p.gain_pct for p in points],
        [p.trial.number for p in points],
        marker,
        **extra,
    )


def _pick_dots(view: View) -> Json:
    marker = {"color": "$pick", "size": 19, "line": {"color": "$surface", "width": 1.5}}
    letters = [ROLE_LETTERS.get(role, "•") for role, _ in view.picks]
    return _point_dots(
        "picks",
        [p for _, p in view.picks],
        marker,
        mode="markers+text",
        text=letters,
        textposition="middle center",
        textfont={"color": "$on-pick", "size": 11},
    )


def _baseline_marks(view: View) -> list[Json]:
    seeds = [t for t in view.history.baseline.trials if t.measurement and math.isfinite(t.measurement.ne)]
    ticks = {"color": "$baseline", "size": 11, "symbol": "line-ew-open", "line": {"width": 1.5, "color": "$baseline"}}
    cross = {
        "color": "$baseline",
        "size": 17,
        "symbol": "cross-thin-open",
        "line": {"width": 3.5, "color": "$baseline"},
    }
    return [
        dots("baseline seeds", [1.0] * len(seeds), [view.gain_pct(t) for t in seeds], ["baseline"] * len(seeds), ticks),
        dots("baseline", [1.0], [0.0], ["baseline"], cross),
    ]


def _staircase(points: Sequence[Point]) -> Json:
    """The border of what the front dominates, open towards the reference: half the QPS, NE 1% worse."""
    if not points:
        return line("staircase", [], [], {})
    slowest, fastest = points[0], points[-1]
    corner_pct, corner_log2 = (float(value) for value in pareto.REFERENCE)
    xs = [min(2.0**-corner_log2, slowest.qps_ratio), *(p.qps_ratio for p in points), fastest.qps_ratio]
    ys = [slowest.gain_pct, *(p.gain_pct for p in points), max(corner_pct, fastest.gain_pct)]
    return line("staircase", xs, ys, {"color": "$front", "width": 1.5, "shape": "vh"})


def _gain_whiskers(view: View) -> Json:
    """One standard error of what was trained several times; nothing where it was trained once."""
    errors = [view.error_pct(point.trial) for point in view.front]
    return {
        "type": "data",
        "array": [0.0 if math.isnan(error) else error for error in errors],
        "color": "$front",
        "thickness": 1,
        "width": 3,
    }


def _ratio_whiskers(points: Sequence[Point]) -> Json:
    return {
        "type": "data",
        "symmetric": False,
        "thickness": 1,
        "width": 0,
        "color": "$front",
        "array": [p.qps_ratio_high - p.qps_ratio for p in points],
        "arrayminus": [p.qps_ratio - p.qps_ratio_low for p in points],
    }


def _limit_rules(view: View) -> list[Json]:
    axes = {Metric.QPS_RATIO: "x", Metric.NE_GAIN_PCT: "y"}
    ends = [
        (axes[limit.metric], end)
        for limit in view.history.limits
        if limit.metric in axes and limit.task is None
        for end in (limit.low, limit.high)
        if end is not None
    ]
    return [rule(axis, end, "$muted", dash="dot", width=1.5) for axis, end in ends]


def _ratio_ticks() -> Json:
    return {"tickvals": list(_RATIO_TICKS), "ticktext": [f"×{tick:g}" for tick in _RATIO_TICKS]}


def _front_views(view: View) -> dict[str, Json]:
    """Ranges near the baseline (the first, shown) and of all trials. Log axes take exponents; y is reversed."""
    seen = [(p.qps_ratio, p.gain_pct) for p in view.points] + [(1.0, 0.0)]
    floor = (
        max(3.0 * view.noise_pct, *(p.gain_pct for p in view.front if p.gain_pct <= WORST_NEAR_PCT), 0.0)
        if view.front
        else 3.0 * view.noise_pct
    )
    worst = max(floor, min(WORST_NEAR_PCT, max(gain for _, gain in seen)))
    near = [(x, y) for x, y in seen if y <= worst]
    everything = _ranges(seen, view.noise_pct)
    if len(near) == len(seen):
        return {"All trials": everything}
    left_out = len(seen) - len(near)
    return {f"Near the baseline (leaves out {left_out})": _ranges(near, view.noise_pct), "All trials": everything}


def _ranges(points: Iterable[tuple[float, float]], noise: float) -> Json:
    xs, ys = (np.array(column) for column in zip(*points, strict=True))
    x_low, x_high = padded(float(np.log10(xs.min())), float(np.log10(xs.max())), least=0.05)
    y_low, y_high = padded(float(min(ys.min(), -noise)), float(max(ys.max(), noise)), least=0.02)
    return {"xaxis": {"range": [x_low, x_high]}, "yaxis": {"range": [y_high, y_low]}}
