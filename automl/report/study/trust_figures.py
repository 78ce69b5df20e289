"""The charts that tell how far to trust a search: where its winners came from, its failures, its predictor."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from automl.report.common.formats import counted
from automl.report.common.plot import Figure, Json, Nothing, bars, safe
from automl.report.study.derived import View
from predictors.evaluate import pooled_tau


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
            "dtick": max(1, math.ceil((max(rounds) - min(rounds)) / 8)),
            "tick0": min(rounds),
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
