"""The charts about the search itself: progress, where candidates came from, failures, the predictor's ranking."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from automl.report.derived import Floats, View
from automl.report.formats import counted, duration, percent, ratio
from automl.report.plot import Figure, Json, Nothing, bars, line, rule, safe
from predictors.evaluate import pooled_tau

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


def origins(view: View) -> Figure | Nothing:
    """Which generators proposed the trials, and which of them the front came from."""
    title = "Where the winners came from"
    proposed = Counter(t.origin.value for t in view.history.trials)
    if not proposed:
        return Nothing(title, "No trial yet.")
    won = Counter(p.trial.origin.value for p in view.front)
    names = [name for name, _ in proposed.most_common()]
    all_trials, all_front = sum(proposed.values()), sum(won.values())
    trial_shares = [100 * proposed[n] / all_trials for n in names]
    front_shares = [100 * won[n] / all_front if all_front else 0.0 for n in names]
    labels = [safe(n) for n in names]
    data = [
        bars("of all trials", trial_shares, labels, "$dim", [counted(proposed[n], "trial") for n in names]),
        bars("of the front", front_shares, labels, "$front", [f"{won[n]} of {all_front} on the front" for n in names]),
    ]
    layout: Json = {
        "xaxis": {"ticksuffix": "%", "rangemode": "tozero", "zeroline": False},
        "yaxis": {"autorange": "reversed", "showgrid": False, "automargin": True, "type": "category"},
        "barmode": "group",
        "bargap": 0.35,
        "bargroupgap": 0.1,
    }
    legend = (("bar-front", "share of the front"), ("bar-dim", "share of all trials"))
    caption = "A generator whose front share is larger than its trial share earned its place."
    return Figure(
        name="origins",
        title=title,
        caption=caption,
        data=data,
        layout=layout,
        legend=legend,
        height=80 + 46 * len(names),
    )


def failures(view: View) -> Figure | Nothing:
    """Failed trials by kind."""
    title = "Failures by reason"
    if not view.failure_counts:
        return Nothing(title, "No trial failed.")
    kinds = [(kind, sum(len(numbers) for _, numbers in reasons)) for kind, reasons in view.failure_counts]
    labels, counts = [safe(kind) for kind, _ in kinds], [float(n) for _, n in kinds]
    said = [f"{label}: {counted(int(n), 'trial')}" for label, n in zip(labels, counts, strict=True)]
    layout: Json = {
        "xaxis": {
            "rangemode": "tozero",
            "zeroline": False,
            "tickformat": "d",
            "dtick": max(1, math.ceil(max(counts) / 6)),
        },
        "yaxis": {"autorange": "reversed", "showgrid": False, "automargin": True, "type": "category"},
        "bargap": 0.6,
    }
    return Figure(
        name="failures",
        title=title,
        caption="Failed trials by kind; the reasons are listed below.",
        data=[bars("failed", counts, labels, "$bad", said)],
        layout=layout,
        height=64 + 28 * len(kinds),
    )


def rankings(view: View) -> Figure | Nothing:
    """Kendall's tau of each batch that the predictor had not seen, beside what chance gives at that size."""
    title = "How well the predictor ranked each next batch"
    known = [r for r in view.data.rankings if math.isfinite(r.tau)]
    if not known:
        return Nothing(title, "No batch was proposed by a predictor yet.")
    rounds = [r.round for r in known]
    chance = [_chance_tau(r.count) for r in known]
    colours = ["$front" if abs(r.tau) > c and r.tau > 0 else "$dim" for r, c in zip(known, chance, strict=True)]
    said = [f"batch {r.round}: tau {r.tau:.2f} on {counted(r.count, 'trial')}" for r in known]
    data = [
        {
            "type": "bar",
            "x": rounds,
            "y": [2 * c for c in chance],
            "base": [-c for c in chance],
            "width": 0.86,
            "marker": {"color": "$band"},
            "hoverinfo": "skip",
        },
        {
            "type": "bar",
            "x": rounds,
            "y": [r.tau for r in known],
            "marker": {"color": colours},
            "width": 0.46,
            "text": said,
            "textposition": "none",
            "hovertemplate": "%{text}<extra></extra>",
        },
    ]
    layout: Json = {
        "xaxis": {
            "title": {"text": "batch"},
            "tickformat": "d",
            "showgrid": False,
            "zeroline": False,
            "range": [min(rounds) - 0.8, max(rounds) + 0.8],
        },
        "yaxis": {"range": [-1.05, 1.05], "title": {"text": "Kendall's tau"}, "zerolinecolor": "$muted"},
        "barmode": "overlay",
    }
    legend = (
        ("bar-front", "better than chance"),
        ("bar-dim", "not told from chance"),
        ("band", "95% of random orders"),
    )
    mean, by_chance = pooled_tau(known), _pooled_chance_tau([r.count for r in known])
    judged = "better than chance" if mean > by_chance else "not told from chance"
    caption = (
        "Forecast against measured NE, before the batch was trained; 1 is perfect, 0 is chance. "
        f"All batches together: {mean:.2f}, {judged} (±{by_chance:.2f})."
    )
    return Figure(name="rankings", title=title, caption=caption, data=data, layout=layout, height=280, legend=legend)


def _chance_tau(count: int) -> float:
    """95% of the taus of a random order of n trials lie within this."""
    return min(1.0, 1.96 * math.sqrt(_tau_variance(count)))


def _pooled_chance_tau(counts: Sequence[int]) -> float:
    """The same for the mean of several batches, each with the weight of its pairs."""
    weights = np.array([n * (n - 1) / 2 for n in counts])
    variance = float((weights**2) @ np.array([_tau_variance(n) for n in counts])) / float(weights.sum()) ** 2
    return min(1.0, 1.96 * math.sqrt(variance))


def _tau_variance(count: int) -> float:
    """Of Kendall's tau of a random order of n trials (Kendall 1938)."""
    return 2.0 * (2 * count + 5) / (9.0 * count * (count - 1)) if count > 1 else 1.0


def last_quarter(view: View) -> float | None:
    """Share of the hypervolume that the last quarter of the core time brought; None where there is none."""
    progress = view.progress
    if not len(progress.core_hours) or progress.hypervolume[-1] <= 0 or progress.core_hours[-1] <= 0:
        return None
    before = np.searchsorted(progress.core_hours, 0.75 * progress.core_hours[-1], side="right") - 1
    volume = progress.hypervolume[before] if before >= 0 else 0.0
    return float(1 - volume / progress.hypervolume[-1])
