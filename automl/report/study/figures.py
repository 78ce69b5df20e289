"""The charts about models, a function each: the finals, importances, learning curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from automl.report.common.formats import knob_value, percent
from automl.report.common.plot import Figure, Json, Nothing, bars, dots, line, padded, rule, safe
from automl.report.study.derived import Floats, View
from automl.stats.verdicts import Verdict
from automl.study.history import State, Trial

TOP_KNOBS = 12


def finals(view: View) -> Figure | Nothing:
    """NE gain of each pick in the finals with its interval, beside what the search had seen."""
    title = "Search-time gain beside finals"
    if view.finals is None or not view.finals.fit:
        return Nothing(title, "There are no finals yet." if view.finals is None else "No pick was fit to ship.")
    picks, rows = view.finals.fit, list(range(len(view.finals.fit)))
    colours = {Verdict.BETTER: "$good", Verdict.FASTER: "$front", Verdict.WORSE: "$bad"}
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
        ("ring-ink", "search"),
        ("cross", "baseline"),
        ("dotted", margin),
    )
    caption = "What a search has seen is the best of many, and so part of it is luck: the distance between the marks."
    return Figure(
        name="finals", title=title, caption=caption, data=data, layout=layout, height=96 + 44 * len(rows), legend=legend
    )


def importances(objective: str, shares: Mapping[str, float], rest: str = "") -> Figure | Nothing:
    """Which knobs move an objective, as shares of all; `rest` ends the caption."""
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
    caption += (f" {hidden} smaller ones left out." if hidden else "") + rest
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


def short_value(value: object, limit: int = 12) -> str:
    """A knob's value for an axis."""
    text = knob_value(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
