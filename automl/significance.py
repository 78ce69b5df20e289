"""Is a gain real? Intervals of NE gains over several seeds, corrected over the picks.

Two sources of luck: the seed of a training, and the examples that happen to be in the test window.

Seeds: every model was trained S times; one variance is pooled over all models (they are of one kind, and S is small), and
Student's t has its degrees of freedom. Examples: the loss of both models is compared row by row, averaged over the seeds,
and rows that share luck (a user, a day) are summed first. A bootstrap over three seeds alone is too narrow.
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


def gains(baseline_ne_S: Floats, picks_ne_KS: Floats, examples_std_K: Floats) -> tuple[Gain, ...]:
    """Compare K picks with the baseline, all trained with the same S seeds' number of times.

    Args:
        baseline_ne_S: NE of the baseline by seed.
        picks_ne_KS: NE of each pick by seed.
        examples_std_K: standard error of the NE difference that comes from the choice of examples.

    Raises:
        ValueError: with fewer than two seeds, or NE that is not finite.
    """
    ne = np.vstack([baseline_ne_S[None, :], picks_ne_KS])
    if ne.shape[1] < 2 or not np.isfinite(ne).all():
        raise ValueError(f"gains must come from at least two seeds with finite NE, but found {ne.tolist()}")
    seeds = ne.shape[1]
    freedom = ne.shape[0] * (seeds - 1)
    pooled = float(((ne - ne.mean(axis=1, keepdims=True)) ** 2).sum() / freedom)
    seed_variance = 2.0 * pooled / seeds
    base = float(ne[0].mean())
    differences = ne[1:].mean(axis=1) - base
    found = [_interval(d, seed_variance, e**2, freedom, base) for d, e in zip(differences, examples_std_K, strict=True)]
    corrected = multipletests([p for *_, p in found], method="holm")[1] if found else []
    return tuple(
        Gain(pct=pct, low_pct=low, high_pct=high, p=p, p_corrected=float(holm))
        for (pct, low, high, p), holm in zip(found, corrected, strict=True)
    )


def _interval(
    difference: float, seed_variance: float, examples_variance: float, freedom: int, base: float
) -> tuple[float, float, float, float]:
    variance = seed_variance + examples_variance
    if variance == 0:
        return 100 * difference / base, 100 * difference / base, 100 * difference / base, float(difference == 0)
    # Welch and Satterthwaite: the examples' part is known as if from very many.
    effective = freedom * (variance / seed_variance) ** 2 if seed_variance > 0 else math.inf
    error = math.sqrt(variance)
    half = float(stats.t.ppf(0.975, effective)) * error if math.isfinite(effective) else 1.959964 * error
    t = abs(difference) / error
    p = 2.0 * float(stats.t.sf(t, effective) if math.isfinite(effective) else stats.norm.sf(t))
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
