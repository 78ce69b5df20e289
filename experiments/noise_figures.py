"""What the trainings of noise.py say: variances, taus, paired spreads, and what each means takes away.

A measure is a pair: which weights are scored, and which figure of them is read ("ne_refit" has the bias of the last
training rows, "ne_calibrated" that of the scored rows). C configurations, O orders; NE as it is, spreads in percent of
the baseline's mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit
from scipy.stats import kendalltau

from experiments.noise_train import WEIGHTS

Floats = NDArray[np.float64]
Lines = Mapping[str, Mapping[str, Any]]
Measure = tuple[str, str]
FIGURES = ("ne", "ne_refit", "ne_calibrated")
BEFORE: Measure = ("last", "ne")
MEASURES: tuple[Measure, ...] = tuple((weights, figure) for weights in WEIGHTS for figure in FIGURES)


@dataclass(frozen=True, slots=True)
class Table:
    """The trainings of one group that every configuration has, the baseline's first."""

    configs: tuple[str, ...]
    orders: tuple[int, ...]
    lines: Sequence[Sequence[Mapping[str, Any]]]  # by configuration, by order

    @classmethod
    def of(cls, found: Lines, group: str, configs: Sequence[str] | None = None) -> Table:
        """Orders that all have; a configuration that diverged on any order is left out."""
        here = [line for line in found.values() if line["group"] == group]
        failed = {line["config"] for line in here if "failed" in line}
        names = [name for name in dict.fromkeys(line["config"] for line in here) if name not in failed]
        names = [name for name in names if configs is None or name in configs]
        by = {(line["config"], line["order"]): line for line in here}
        orders = sorted({line["order"] for line in here})
        orders = [order for order in orders if all((name, order) in by for name in names)]
        return cls(tuple(names), tuple(orders), [[by[name, order] for order in orders] for name in names])

    def values_CO(self, measure: Measure) -> Floats:  # noqa: N802
        """The measure of every training."""
        weights, figure = measure
        return np.array([[line["scores"][weights][figure] for line in row] for row in self.lines])

    def curve_CO(self, point: int, column: int) -> Floats:  # noqa: N802
        """NE while it trained: column 1 since the last of 20 points, column 2 of all rows so far."""
        return np.array([[line["curve"][point][column] for line in row] for row in self.lines])


def pooled_variance(values_CO: Floats) -> float:
    """Mean over configurations of the variance over orders."""
    return float(values_CO.var(axis=1, ddof=1).mean())


def paired_std_pct(values_CO: Floats, theta: float = 1.0) -> float:
    """Pooled spread over orders of NE less `theta` times the baseline's on the same order."""
    differences = values_CO[1:] - theta * values_CO[:1]
    return 100 * math.sqrt(pooled_variance(differences)) / float(values_CO[0].mean())


def tau(values_CO: Floats, truth_CO: Floats | None = None) -> float:
    """Kendall's tau of one order with the mean of the others (of `truth_CO`, by default of the same), on average."""
    truth_CO = values_CO if truth_CO is None else truth_CO
    orders = range(values_CO.shape[1])
    others = [np.delete(truth_CO, order, axis=1).mean(axis=1) for order in orders]
    return float(np.mean([kendalltau(values_CO[:, order], others[order]).statistic for order in orders]))


def shares(values_CO: Floats) -> dict[str, float]:
    """Spreads of a two-way table: what an order does to all models alike, to each alone, and what models differ by.

    `reliability` is the share of a single run's variance on one order that is the models' own.
    """
    models, orders = values_CO.shape
    alike_O, own_C = values_CO.mean(axis=0), values_CO.mean(axis=1)
    left = values_CO - alike_O - own_C[:, None] + values_CO.mean()
    noise = float((left**2).sum()) / ((models - 1) * (orders - 1))
    differ = max(float(own_C.var(ddof=1)) - noise / orders, 0.0)
    return {
        "std_alike": math.sqrt(max(float(alike_O.var(ddof=1)) - noise / models, 0.0)),
        "std_left": math.sqrt(noise),
        "std_of_models": math.sqrt(differ),
        "reliability": differ / (differ + noise),
    }


def better_half(values_CO: Floats) -> NDArray[np.intp]:
    """The configurations of lowest mean, half of them (one more where they are odd)."""
    return np.argsort(values_CO.mean(axis=1))[: (values_CO.shape[0] + 1) // 2]


def detectable_pct(paired_pct: float, examples_pct: float, seeds: int) -> float:
    """The smallest gain whose interval would leave out 0: orders and examples, each with its quantile (Cochran)."""
    orders = paired_pct**2 / seeds
    variance = orders + examples_pct**2
    quantile = (orders * float(stdtrit(seeds - 1, 0.975)) + examples_pct**2 * 1.96) / variance
    return quantile * math.sqrt(variance)


def measures_table(table: Table, shipped: Measure) -> list[dict[str, Any]]:
    """One row a measure; the better half is that of what would be shipped."""
    first, ships = table.values_CO(BEFORE), table.values_CO(shipped)
    rows = []
    best = better_half(ships)
    for measure in MEASURES:
        values = table.values_CO(measure)
        rows.append(
            {
                "weights": measure[0],
                "figure": measure[1],
                "baseline_ne": float(values[0].mean()),
                "mean_ne": float(values.mean()),
                "pooled_std": math.sqrt(pooled_variance(values)),
                "variance_ratio": pooled_variance(values) / pooled_variance(first),
                "paired_std_pct": paired_std_pct(values),
                **{f"{name}_better_half": value for name, value in shares(values[best]).items()},
                "tau": tau(values),
                "tau_better_half": tau(values[best]),
                "tau_with_shipped": tau(values, ships),
                "tau_with_shipped_better_half": tau(values[best], ships[best]),
            }
        )
    return rows


def control_variate(values_CO: Floats, baseline_O: Floats) -> dict[str, Any]:
    """Theta by Cov / Var (the variance over all the baseline's orders), for each configuration and for all in one."""
    base = values_CO[0] - values_CO[0].mean()
    rest = values_CO[1:] - values_CO[1:].mean(axis=1, keepdims=True)
    variance, degrees = float(baseline_O.var(ddof=1)), base.size - 1
    thetas = (rest @ base) / degrees / variance
    common = float((rest @ base).sum() / (len(rest) * float(base @ base)))
    scale = 100 / float(baseline_O.mean())

    def spread(theta: float | Floats, lost: int) -> float:
        left = rest - np.broadcast_to(theta, len(rest))[:, None] * base
        return scale * math.sqrt(float((left**2).sum()) / (len(rest) * (base.size - lost)))

    return {
        "orders_of_the_baseline": len(baseline_O),
        "baseline_std_pct": scale * math.sqrt(variance),
        "theta_by_config": thetas.tolist(),
        "theta_common": common,
        "std_pct": {
            "theta 0": spread(0.0, 1),
            "theta 1": spread(1.0, 1),
            "theta common": spread(common, 1),
            "theta by config": spread(thetas, 2),
        },
    }


def parts(found: Lines, measure: Measure) -> dict[str, dict[str, float]]:
    """By configuration: spread (percent) over initial weights and dropout, over dropout alone, over orders alone."""
    weights, figure = measure
    values: dict[str, dict[str, list[float]]] = {}
    for line in found.values():
        if line["group"] in ("weights", "dropout", "orders") and "scores" in line:
            groups = values.setdefault(line["config"], {})
            groups.setdefault(line["group"], []).append(line["scores"][weights][figure])
    return {
        config: {
            group: 100 * float(np.std(ne, ddof=1)) / float(np.mean(ne)) for group, ne in groups.items() if len(ne) > 2
        }
        for config, groups in values.items()
    }


def examples_pct(logits_CON: Floats, labels_N: Floats, clusters_N: NDArray[np.int32], draws: int = 400) -> list[float]:
    """By configuration but the baseline: spread (percent) of the paired difference over a bootstrap of the users.

    Losses are means over the orders; logits are of what is shipped.
    """
    _, user_N = np.unique(clusters_N, return_inverse=True)
    loss_CN = np.array([_losses(logits_ON, labels_N).mean(axis=0) for logits_ON in logits_CON])
    sums_CU = np.array([np.bincount(user_N, loss_N) for loss_N in loss_CN])
    rng, users = np.random.default_rng(0), sums_CU.shape[1]
    drawn_DU = rng.multinomial(users, np.full(users, 1 / users), size=draws)
    total_DC = drawn_DU @ sums_CU.T
    gains = 100 * (total_DC[:, 1:] - total_DC[:, :1]) / total_DC[:, :1]
    return [float(std) for std in gains.std(axis=0, ddof=1)]


def scored_luck(logits_ON: Floats, labels_N: Floats, clusters_N: NDArray[np.int32]) -> dict[str, float]:
    """What a model's NE owes to which rows are scored: NE over orders taken apart around the other orders' mean logit.

    With d the logit less that mean, and p its probability: sum (p - y) d, whose mean over rows that could have been
    scored is next to nothing, and sum p (1 - p) d^2 / 2, what the noise of a single training costs. `chance_std` is the
    spread that the first has by the choice of the users alone. NE x 1e5.
    """
    _, user_N = np.unique(clusters_N, return_inverse=True)
    rate = float(labels_N.mean())
    scale = -1e5 / (len(labels_N) * (rate * math.log(rate) + (1 - rate) * math.log1p(-rate)))
    first, second, chance = [], [], []
    for order, logits_N in enumerate(logits_ON):
        others_N = np.delete(logits_ON, order, axis=0).mean(axis=0)
        d_N, p_N = logits_N - others_N, 1 / (1 + np.exp(-others_N))
        luck_N = (p_N - labels_N) * d_N
        first.append(scale * float(luck_N.sum()))
        second.append(scale * float((p_N * (1 - p_N) * d_N**2).sum()) / 2)
        chance.append(scale * math.sqrt(float((np.bincount(user_N, luck_N) ** 2).sum())))
    ne_O = scale * _losses(logits_ON, labels_N).sum(axis=1)
    return {
        "orders": len(logits_ON),
        "std": float(ne_O.std(ddof=1)),
        "first_std": float(np.std(first, ddof=1)),
        "chance_std": float(np.mean(chance)),
        "second": float(np.mean(second)),
        "second_std": float(np.std(second, ddof=1)),
        "mean_of_orders": float(ne_O.mean()),
        "orders_as_one_model": float(scale * _losses(logits_ON.mean(axis=0), labels_N).sum()),
    }


def by_day(logits_CON: Floats, labels_N: Floats, days_N: NDArray[np.int64]) -> dict[str, list[float]]:
    """The paired difference (percent) of each configuration on each day alone, and its spread over orders there."""
    loss = np.array([[_losses(z_N, labels_N) for z_N in logits_ON] for logits_ON in logits_CON])
    out = {}
    for day in np.unique(days_N):
        here_CO = loss[:, :, days_N == day].sum(axis=2)
        gains = 100 * (here_CO[1:] - here_CO[:1]) / here_CO[0].mean()
        out[f"day {day}"] = gains.mean(axis=1).tolist()
        out[f"day {day} std over orders"] = [math.sqrt(pooled_variance(gains))]
    return out


def _losses(logits: Floats, labels_N: Floats) -> Floats:
    z = np.asarray(logits, np.float64)
    return np.asarray(np.logaddexp(0.0, z) - labels_N * z)


def curve_taus(table: Table, shipped: Measure, points: Sequence[int] = (4, 9, 14)) -> dict[str, float]:
    """Tau of what is known at some of 20 points of the pass with the mean of the other orders' shipped NE."""
    ships = table.values_CO(shipped)
    reads: Mapping[str, Callable[[int], Floats]] = {
        "window": lambda point: table.curve_CO(point, 1),
        "lifetime": lambda point: table.curve_CO(point, 2),
        "three windows": lambda point: np.mean([table.curve_CO(point - k, 1) for k in range(3)], axis=0),
    }
    return {
        f"{name} at {5 * (point + 1)}%": tau(read(point), ships) for name, read in reads.items() for point in points
    }
