"""The charts about the search's progress: the best so far, hypervolume, what a core-hour won."""

from __future__ import annotations

import math

import numpy as np

from automl.report.common.formats import counted, duration, percent, ratio
from automl.report.common.plot import Figure, Json, Nothing, line, rule
from automl.report.study.derived import Floats, View

SLICES = 8


def best_gain(view: View) -> Figure | Nothing:
    """Lowest NE so far, of all and of those at least as fast as the baseline."""
    progress = view.progress
    gains = {"any speed": progress.best_gain_pct, "at baseline speed or faster": progress.best_gain_at_speed_pct}
    return _running_figure(
        view,
        "best-gain",
        "Best NE gain so far",
        gains,
        suffix="%",
        zero=True,
        words=percent,
        caption="Lower is better; 0 is the baseline.",
    )


def best_ratio(view: View) -> Figure | Nothing:
    """Highest QPS so far of those no worse than the baseline."""
    ratios = {"NE no worse than the baseline's": view.progress.best_ratio_at_quality}
    return _running_figure(
        view,
        "best-ratio",
        "Best speed-up so far",
        ratios,
        prefix="×",
        words=ratio,
        caption="Highest serving QPS among trials whose NE is no worse than the baseline's.",
    )


def hypervolume(view: View) -> Figure | Nothing:
    """Hypervolume of the front so far."""
    caption = "In NE gain (%) × log2 of the QPS ratio, from the corner NE +1%, half the QPS; higher is better."
    return _running_figure(
        view,
        "hypervolume",
        "Hypervolume so far",
        {"hypervolume": view.progress.hypervolume},
        caption=caption,
        words=lambda value: f"{value:.3g}",
    )


def _running_figure(
    view: View,
    name: str,
    title: str,
    series: dict[str, Floats],
    *,
    caption: str,
    words: object,
    prefix: str = "",
    suffix: str = "",
    zero: bool = False,
) -> Figure | Nothing:
    if not any(np.isfinite(values).any() and len(values) for values in series.values()):
        return Nothing(title, "No complete trial yet." if not view.points else "No trial qualifies yet.")
    assert callable(words)
    axes, count = _axes(view), len(view.progress.hypervolume)
    colours = ("$front", "$second")
    data = []
    for (label, values), colour in zip(series.items(), colours, strict=False):
        said = [f"after {n} trials: {words(v)}" if math.isfinite(v) else "" for n, v in enumerate(values, start=1)]
        extra = {"text": said, "hoverinfo": "text", "hovertemplate": "%{text}<extra></extra>"}
        data.append(line(label, range(1, count + 1), values, {"color": colour, "width": 2, "shape": "hv"}, **extra))
    layout: Json = {
        "xaxis": {"title": {"text": "trials ended"}, "rangemode": "tozero", "zeroline": False},
        "yaxis": {"ticksuffix": suffix, "tickprefix": prefix, "zeroline": False},
        "hovermode": "closest",
    }
    if zero:
        layout["shapes"] = [rule("y", 0.0, "$baseline", width=1.5)]
    swatches = ("line-front", "line-second")
    legend = tuple(zip(swatches, series, strict=False)) if len(series) > 1 else ()
    each = {key: {"title": axis["title"], "x": [axis["x"]] * len(data)} for key, axis in axes.items()}
    return Figure(
        name=name, title=title, caption=caption, data=data, layout=layout, height=260, legend=legend, axes=each
    )


def _axes(view: View) -> dict[str, Json]:
    progress = view.progress
    trials = list(range(1, len(progress.hypervolume) + 1))
    axes: dict[str, Json] = {"trials": {"title": "trials ended", "x": trials}}
    known = progress.seconds[np.isfinite(progress.seconds)]
    if len(known) and known.max() > 0:
        unit, size = _time_unit(float(known.max()))
        axes["wall"] = {"title": f"wall clock, {unit}", "x": progress.seconds / size}
    if len(progress.core_hours) and progress.core_hours[-1] > 0:
        unit, size = _time_unit(float(progress.core_hours[-1]) * 3600)
        axes["core"] = {"title": f"core time inside trials, {unit}", "x": progress.core_hours * 3600 / size}
    return axes


def _time_unit(seconds: float) -> tuple[str, float]:
    return ("seconds", 1.0) if seconds < 180 else ("minutes", 60.0) if seconds < 3 * 3600 else ("hours", 3600.0)


def gain_per_core_hour(view: View) -> Figure | Nothing:
    """Hypervolume won in each equal slice of the core time: tells when to stop."""
    title = "Hypervolume won per core-hour"
    progress = view.progress
    total = float(progress.core_hours[-1]) if len(progress.core_hours) else 0.0
    if total <= 0 or not progress.hypervolume.any():
        return Nothing(title, "No complete trial with a time yet.")
    slices = min(SLICES, len(progress.core_hours))
    edges = np.linspace(0.0, total, slices + 1)
    last = np.searchsorted(progress.core_hours, edges[1:] + 1e-12, side="right") - 1
    volumes = np.where(last >= 0, progress.hypervolume[np.maximum(last, 0)], 0.0)
    won = np.diff(volumes, prepend=0.0)
    unit, size = _time_unit(total * 3600)
    middles = (edges[:-1] + edges[1:]) / 2 * 3600 / size
    said = [
        f"{duration(a * 3600)} to {duration(b * 3600)} of core time: +{w:.3g} hypervolume"
        for a, b, w in zip(edges[:-1], edges[1:], won, strict=True)
    ]
    data = [
        {
            "type": "bar",
            "x": list(middles),
            "y": list(won / (total / slices)),
            "marker": {"color": "$front"},
            "text": said,
            "textposition": "none",
            "hovertemplate": "%{text}<extra></extra>",
        }
    ]
    layout: Json = {
        "xaxis": {"title": {"text": f"core time inside trials, {unit}"}, "zeroline": False},
        "yaxis": {"rangemode": "tozero"},
        "bargap": 0.25,
    }
    caption = f"Core time in {counted(slices, 'equal slice')}. When the last bars are empty, more trials buy little."
    return Figure(name="per-core-hour", title=title, caption=caption, data=data, layout=layout, height=260)


def last_quarter(view: View) -> float | None:
    """Share of the hypervolume that the last quarter of the core time brought; None where there is none."""
    progress = view.progress
    if not len(progress.core_hours) or progress.hypervolume[-1] <= 0 or progress.core_hours[-1] <= 0:
        return None
    before = np.searchsorted(progress.core_hours, 0.75 * progress.core_hours[-1], side="right") - 1
    volume = progress.hypervolume[before] if before >= 0 else 0.0
    return float(1 - volume / progress.hypervolume[-1])
