"""Is a gain real? Intervals of NE gains over several seeds, corrected over the picks.

Two sources of luck: the seed of a training, and the examples that happen to be in the test window.

Seeds: model and baseline were trained S times, each time on one order of the data for both. What an order does to one
it does to the other (on KuaiRand most of the spread over seeds is of that kind), so differences are taken order by
order, and Student's t has S - 1 degrees of freedom. No variance is pooled over models: where one pick is three times as
noisy as the others, a pooled interval of 95% holds its truth in 77 to 86% of the cases only.

Examples: the loss of both models is compared row by row, averaged over the seeds, and rows that share luck (a user, a
day) are summed first. A bootstrap over three seeds alone is too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """NE gain of a model against the baseline in percent; negative is better. The interval is of 95%."""

    pct: float
    low_pct: float
    high_pct: float
    p: float  # two-sided, of one comparison alone
    p_corrected: float  # Holm over all picks


def gains(
    baseline_ne_S: Floats, picks_ne_KS: Floats, examples_std_K: Floats, examples_freedom: float = math.inf
) -> tuple[Gain, ...]:
    """Compare K picks with the baseline, all trained S times; the s-th time on the same order of the data.

    Args:
        baseline_ne_S: NE of the baseline by seed.
        picks_ne_KS: NE of each pick by seed.
        examples_std_K: standard error of the NE difference that comes from the choice of examples.
        examples_freedom: its degrees of freedom: one less than there are clusters of examples.

    Raises:
        ValueError: with fewer than two seeds, or NE that is not finite.
    """
    seeds = len(baseline_ne_S)
    differences_KS = picks_ne_KS - baseline_ne_S
    if seeds < 2 or not np.isfinite(differences_KS).all():
        raise ValueError(f"gains must come from at least two seeds with finite NE, but found {differences_KS.tolist()}")
    base = float(baseline_ne_S.mean())
    found = [
        _interval(float(d_S.mean()), (float(d_S.var(ddof=1)) / seeds, seeds - 1), (e**2, examples_freedom), base)
        for d_S, e in zip(differences_KS, examples_std_K, strict=True)
    ]
    corrected = multipletests([p for *_, p in found], method="holm")[1] if found else []
    return tuple(
        Gain(pct=pct, low_pct=low, high_pct=high, p=p, p_corrected=float(holm))
        for (pct, low, high, p), holm in zip(found, corrected, strict=True)
    )


def _interval(
    difference: float, seeds: tuple[float, float], examples: tuple[float, float], base: float
) -> tuple[float, float, float, float]:
    """Gain, both ends and p from a difference and its two sources of luck, each (variance, degrees of freedom)."""
    variance = seeds[0] + examples[0]
    if variance == 0:
        return 100 * difference / base, 100 * difference / base, 100 * difference / base, float(difference == 0)
    wobble = sum(part**2 / freedom for part, freedom in (seeds, examples))  # Welch and Satterthwaite
    effective = variance**2 / wobble if wobble > 0 else math.inf
    error = math.sqrt(variance)
    half = float(stats.t.ppf(0.975, effective)) * error
    p = 2.0 * float(stats.t.sf(abs(difference) / error, effective))
    return 100 * difference / base, 100 * (difference - half) / base, 100 * (difference + half) / base, p


def examples_std(loss_difference_N: Floats, weights_N: Floats, clusters_N: NDArray[np.int32], entropy: float) -> float:
    """Standard error of an NE difference from the choice of examples.

    Args:
        loss_difference_N: log loss of one model minus that of the other, by row (mean over the seeds).
        weights_N: weights of the rows.
        clusters_N: rows of one number share luck and are summed first; give each row its own where they do not.
        entropy: sum of the base-rate entropy over the rows: what NE divides by.
    """
    mean = float((weights_N * loss_difference_N).sum() / weights_N.sum())
    _, index = np.unique(clusters_N, return_inverse=True)
    sums = np.bincount(index, weights=weights_N * (loss_difference_N - mean))
    count = len(sums)
    if count < 2:
        raise ValueError("the spread over examples must come from at least two clusters")
    return math.sqrt(float((sums**2).sum()) * count / (count - 1)) / entropy


def log_losses(labels_N: Floats, probs_N: Floats) -> Floats:
    """Log loss by row, probabilities kept away from 0 and 1."""
    p = np.clip(probs_N, 1e-15, 1 - 1e-15)
    return np.asarray(-(labels_N * np.log(p) + (1 - labels_N) * np.log1p(-p)), dtype=np.float64)


def verdict(gain: Gain, qps_ratio_low: float, margin_pct: float) -> str:
    """better, faster, worse or no better, as docs/statistics.md defines them."""
    if gain.high_pct < 0 and gain.p_corrected < 0.05:
        return "better"
    if gain.high_pct <= margin_pct and qps_ratio_low > 1.05:
        return "faster"
    return "worse" if gain.low_pct > 0 else "no better"


def detectable_pct(seed_std_pct: float, seeds: int, models: int = 4) -> float:
    """The smallest NE gain whose interval would leave out 0, from the spread over seeds alone (percent of NE)."""
    freedom = models * (seeds - 1)
    return float(stats.t.ppf(0.975, freedom)) * seed_std_pct * math.sqrt(2.0 / seeds)


def pooled_std(groups: Sequence[Floats]) -> float:
    """Standard deviation within groups."""
    freedom = sum(len(group) - 1 for group in groups)
    if freedom < 1:
        return math.nan
    return math.sqrt(sum(float(((group - group.mean()) ** 2).sum()) for group in groups) / freedom)
