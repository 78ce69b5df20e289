"""The charts about models, a function each: the front, the finals, importances, learning curves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from automl import pareto
from automl.history import State, Trial
from automl.report.derived import Floats, Point, View
from automl.report.formats import knob_value, percent, ratio
from automl.report.plot import Figure, Json, Nothing, band, bars, dots, line, padded, rule, safe

GAIN_AXIS = "NE gain against the baseline (up is better)"
RATIO_AXIS = "serving QPS against the baseline (right is faster)"
ROLE_LETTERS = {"accurate": "A", "balanced": "B", "fast": "F", "unlimited": "U"}
WORST_NEAR_PCT = 1.0  # the near view goes as far as the reference of the hypervolume
_RATIO_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256)
TOP_KNOBS = 12


def front(view: View) -> Figure | Nothing:
    """NE gain against QPS ratio: the front with its staircase over the dimmed rest, the baseline as a cross."""
    title = "NE gain and speed of every trial"
    if not view.points:
        return Nothing(title, "No trial has both an NE and a QPS yet, so there is no front to draw.")
    rest = [p for p in view.points if not p.on_front and p.trial.state is State.COMPLETE]
    stopped = [p for p in view.points if p.trial.state is State.STOPPED]
    data = [
        _point_dots("stopped early", stopped, {"color": "$dim", "size": 6, "symbol": "circle-open"}),
        _point_dots("dominated", rest, {"color": "$dim", "size": 8}),
        _staircase(view.front),
        _point_dots(
            "front",
            view.front,
            {"color": "$front", "size": 11, "line": {"color": "$surface", "width": 1.5}},
            error_x=_ratio_whiskers(view.front),
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
        ("ring", "stopped early, NE extrapolated"),
        ("cross", "baseline, its seeds and their spread"),
    ]
    drawn = {True: stopped, False: [1]}
    legend = [entry for entry in legend if drawn[entry[0] == "ring"]]
    legend += [("pick", f"{ROLE_LETTERS.get(role, '•')} {role} #{p.trial.number}") for role, p in view.picks]
    caption = (
        "Each dot is one trial on the validation window. Touch a dot for its architecture; click it for the whole "
        "model. "
        f"The shaded band is one standard deviation of the baseline over its seeds (±{noise:.2f}%)."
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
    axes = {"qps_ratio": "x", "ne_gain_pct": "y"}
    ends = [
        (axes[limit.metric], end)
        for limit in view.history.limits
        if limit.metric in axes
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


def finals(view: View) -> Figure | Nothing:
    """NE gain of each pick in the finals with its interval, beside what the search had seen."""
    title = "Search-time gain beside finals"
    if view.finals is None or not view.finals.picks:
        return Nothing(title, "There are no finals yet.")
    picks, rows = view.finals.picks, list(range(len(view.finals.picks)))
    colours = {"better": "$good", "faster": "$front", "worse": "$bad"}
    found = [colours.get(pick.verdict, "$muted") for pick in picks]
    gains = [p.ne_gain_pct for p in picks]
    whiskers = [
        line("interval", [p.ci_low_pct, p.ci_high_pct], [row, row], {"color": colour, "width": 3})
        for p, row, colour in zip(picks, rows, found, strict=True)
    ]
    data = [
        *whiskers,
        dots("finals", gains, rows, [p.trial for p in picks], {"color": found, "size": 13, "symbol": "diamond"}),
        dots(
            "search",
            [p.search_ne_gain_pct for p in picks],
            rows,
            [p.trial for p in picks],
            {"color": "$ink", "size": 11, "symbol": "circle-open", "line": {"width": 2}},
        ),
    ]
    ends = [v for p in picks for v in (p.ci_low_pct, p.ci_high_pct, p.search_ne_gain_pct) if math.isfinite(v)]
    low, high = padded(min([*ends, 0.0]), max([*ends, view.finals.margin_pct]), least=0.02)
    shapes = [rule("x", 0.0, "$baseline", width=1.5)]
    if math.isfinite(view.finals.margin_pct):
        shapes.append(rule("x", view.finals.margin_pct, "$muted", dash="dot", width=1.5))
    layout: Json = {
        "shapes": shapes,
        "xaxis": {
            "title": {"text": "NE gain against the baseline (left is better)"},
            "ticksuffix": "%",
            "range": [low, high],
            "zeroline": False,
        },
        "yaxis": {
            "tickvals": rows,
            "ticktext": [safe(f"#{p.trial} {p.role}") for p in picks],
            "range": [len(rows) - 0.5, -0.5],
            "showgrid": False,
            "zeroline": False,
        },
        "hovermode": "closest",
    }
    margin = f"no worse than {percent(view.finals.margin_pct)}"
    legend = (
        ("diamond", "finals, with 95% interval"),
        ("ring-ink", "search, one run"),
        ("cross", "baseline"),
        ("dotted", margin),
    )
    caption = "A gain seen once, as the best of many, shrinks when it is measured anew: the distance between the marks."
    return Figure(
        name="finals", title=title, caption=caption, data=data, layout=layout, height=96 + 44 * len(rows), legend=legend
    )


def importances(objective: str, shares: Mapping[str, float]) -> Figure | Nothing:
    """Which knobs move an objective, as shares of all."""
    names = {"ne": "NE", "qps": "serving QPS", "train_qps": "training QPS"}
    title = f"What moves {names.get(objective, objective)}"
    known = {knob: value for knob, value in shares.items() if math.isfinite(value) and value > 0}
    total = sum(known.values())
    if total <= 0:
        return Nothing(title, "Too few complete trials to tell the knobs apart.")
    ranked = sorted(known.items(), key=lambda item: -item[1])
    top = ranked[:TOP_KNOBS]
    percents = [100.0 * value / total for _, value in top]
    labels = [safe(knob) for knob, _ in top]
    said = [f"{knob}: {value:.0f}%" for knob, value in zip(labels, percents, strict=True)]
    layout: Json = {
        "xaxis": {"ticksuffix": "%", "rangemode": "tozero", "zeroline": False},
        "yaxis": {
            "autorange": "reversed",
            "showgrid": False,
            "automargin": True,
            "type": "category",
            "tickfont": {"family": "$mono", "size": 11},
        },
        "bargap": 0.45,
    }
    hidden = len(ranked) - len(top)
    caption = "Share of the variance that each knob explains, of the knobs that every complete trial has."
    caption += f" {hidden} smaller ones left out." if hidden else ""
    slug = "".join(c if c.isalnum() else "-" for c in objective)
    return Figure(
        name=f"importance-{slug}",
        title=title,
        caption=caption,
        layout=layout,
        height=64 + 26 * len(top),
        data=[bars("importance", percents, labels, "$front", said)],
    )


def curves(view: View) -> Figure | Nothing:
    """NE while training against rows seen; against the baseline's own curve where it has one."""
    title = "Learning curves"
    trials = [t for t in view.history.trials if t.curve]
    if not trials:
        return Nothing(title, "No trial has reported a learning curve yet.")
    reference = _baseline_curve(view)
    on_front = {p.trial.number for p in view.front}
    rest = [t for t in trials if t.number not in on_front]
    data = [
        _curve_line("stopped early", [t for t in rest if t.state is State.STOPPED], reference, "$stopped", 1.0),
        _curve_line("other trials", [t for t in rest if t.state is not State.STOPPED], reference, "$dim", 1.0),
        _curve_line("front", [t for t in trials if t.number in on_front], reference, "$front", 1.8),
    ]
    shown = np.array([y for trace in data for y in trace["y"] if y is not None and math.isfinite(y)])
    low, high = padded(*(float(v) for v in np.quantile(shown, [0.005, 0.93]))) if len(shown) else (0.0, 1.0)
    layout: Json = {
        "xaxis": {"title": {"text": "training rows seen"}, "rangemode": "tozero", "tickformat": "~s"},
        "yaxis": {"range": [low, high], "zeroline": False, "title": {"text": "NE of the last rows"}},
        "hovermode": "closest",
    }
    legend = [("line-front", "front"), ("line-dim", "other trials"), ("line-stopped", "stopped early")]
    caption = "NE on the rows just before they are trained on; lower is better."
    if reference is not None:
        layout["yaxis"] |= {"title": {"text": "NE against the baseline's at equal rows"}, "ticksuffix": "%"}
        layout["shapes"] = [rule("y", 0.0, "$baseline", width=2)]
        legend.append(("line-baseline", "baseline, mean of its seeds"))
        caption = (
            "NE on the rows just before they are trained on, against the baseline's at the same row; lower is better."
        )
    return Figure(
        name="curves", title=title, caption=caption, data=data, layout=layout, height=340, legend=tuple(legend)
    )


def _curve_line(
    name: str, trials: Sequence[Trial], reference: tuple[Floats, Floats] | None, colour: str, width: float
) -> Json:
    """All curves of a kind in one trace, gaps between them."""
    xs: list[float | None] = []
    ys: list[float | None] = []
    numbers: list[int | None] = []
    for trial in trials:
        rows = np.array([point.rows for point in trial.curve], dtype=np.float64)
        ne = np.array([point.window_ne for point in trial.curve], dtype=np.float64)
        if reference is not None:
            base = np.interp(rows, *reference)
            ne = 100.0 * (ne - base) / base
        xs += [*rows.tolist(), None]
        ys += [*ne.tolist(), None]
        numbers += [trial.number] * len(rows) + [None]
    return line(
        name, xs, ys, {"color": colour, "width": width}, customdata=numbers, hoverinfo="none", connectgaps=False
    )


def _baseline_curve(view: View) -> tuple[Floats, Floats] | None:
    """Mean window NE of the baseline's seeds at the rows of its first seed."""
    seeds = [t.curve for t in view.history.baseline.trials if t.curve]
    if not seeds:
        return None
    rows = np.array([point.rows for point in seeds[0]], dtype=np.float64)
    each = [np.interp(rows, [p.rows for p in curve], [p.window_ne for p in curve]) for curve in seeds]
    mean = np.mean(each, axis=0)
    usable = np.isfinite(mean) & (mean > 0)
    return (rows[usable], mean[usable]) if usable.any() else None


def trial_label(point: Point) -> str:
    """#61: −0.21% at ×1.02."""
    return f"#{point.trial.number}: {percent(point.gain_pct)} at {ratio(point.qps_ratio)}"


def short_value(value: object, limit: int = 12) -> str:
    """A knob's value for an axis."""
    text = knob_value(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
