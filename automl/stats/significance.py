"""Is a gain real? Intervals of NE gains over several seeds, corrected over the picks.

Two sources of luck: the seed of a training, and the examples that happen to be in the test window.

Seeds: model and baseline were trained S times, each time on one order of the data for both. What an order does to one
it does to the other (on KuaiRand most of the spread over seeds is of that kind), so differences are taken order by
order, and Student's t has S - 1 degrees of freedom. Models may have been trained on different numbers of orders. No
variance is pooled over models: where one pick is three times as noisy as the others, a pooled interval of 95% holds its
truth in 77 to 86% of the cases only.

Examples: the loss of both models is compared row by row, averaged over the seeds, and rows that share luck (a user, a
day) are summed first. A bootstrap over three seeds alone is too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import stdtrit

from automl.stats.holm import holm
from automl.stats.verdicts import FASTER, LEVEL, Verdict

Floats = NDArray[np.float64]
Source = tuple[float, float]  # of luck: variance, degrees of freedom
_LEAST_P = 1e-12  # below this a p value says nothing more


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """NE gain of a model against the baseline in percent; negative is better. The interval is of 95%."""

    pct: float
    low_pct: float
    high_pct: float
    p: float  # two-sided, of one comparison alone
    p_corrected: float  # Holm over all that were tested
    orders: int  # of the data, on each of which both were trained
    order_std_pct: float  # of the differences between two orders of the data
    examples_std_pct: float  # what comes from the choice of examples: seeds do not narrow it
    examples_freedom: float

    @property
    def half_width_pct(self) -> float:
        """Half of the interval."""
        return 0.5 * (self.high_pct - self.low_pct)

    def half_width_at(self, level: float) -> float:
        """Half of the interval of 1 - level."""
        if level == LEVEL:
            return self.half_width_pct
        orders, freedom = self.orders, self.examples_freedom
        return detectable_pct(self.order_std_pct, orders, self.examples_std_pct, freedom, level)


NO_GAIN = Gain(
    pct=math.nan,
    low_pct=math.nan,
    high_pct=math.nan,
    p=math.nan,
    p_corrected=math.nan,
    orders=0,
    order_std_pct=math.nan,
    examples_std_pct=math.nan,
    examples_freedom=math.nan,
)
"""Of rows on which NE is not defined."""


def gains(
    baseline_ne_S: Floats, picks_ne: Iterable[Floats], examples_std_K: Floats, examples_freedom: float = math.inf
) -> tuple[Gain, ...]:
    """Compare K picks with the baseline, trained S times at most; the s-th time on the same order of the data.

    Args:
        baseline_ne_S: NE of the baseline by seed.
        picks_ne: NE of each pick by seed. One with fewer of them is compared on its own, the first.
        examples_std_K: standard error of the NE difference that comes from the choice of examples.
        examples_freedom: its degrees of freedom: one less than there are clusters of examples.

    Raises:
        ValueError: with fewer than two seeds, or NE that is not finite.
    """
    pairs = [(baseline_ne_S[: len(ne_S)], ne_S) for ne_S in picks_ne]
    for base_S, ne_S in pairs:
        differences = (ne_S - base_S).tolist()
        if len(differences) < 2 or not np.isfinite(differences).all():
            raise ValueError(f"gains must come from at least two seeds with finite NE, but found {differences}")
    errors = [(std, examples_freedom) for std in examples_std_K.tolist()]
    alone = [_alone(base_S, ne_S, *error) for (base_S, ne_S), error in zip(pairs, errors, strict=True)]
    corrected = holm([gain.p for gain in alone])
    return tuple(replace(gain, p_corrected=p) for gain, p in zip(alone, corrected, strict=True))


def corrected_with(found: Sequence[Gain], others: Sequence[float]) -> tuple[Gain, ...]:
    """Gains corrected over themselves and over tests of other models, of which p is known (1: nothing is)."""
    corrected = holm([*(gain.p for gain in found), *others])
    return tuple(replace(gain, p_corrected=p) for gain, p in zip(found, corrected, strict=False))


def _alone(base_S: Floats, ne_S: Floats, examples_std: float, examples_freedom: float) -> Gain:
    """One comparison, not corrected."""
    difference_S, base, orders = ne_S - base_S, float(base_S.mean()), len(ne_S)
    of_orders = (float(difference_S.var(ddof=1)) / orders, orders - 1)
    pct, low, high, p = _interval(float(difference_S.mean()), of_orders, (examples_std**2, examples_freedom), base)
    return Gain(
        pct=pct,
        low_pct=low,
        high_pct=high,
        p=p,
        p_corrected=p,
        orders=orders,
        order_std_pct=100 * float(difference_S.std(ddof=1)) / base,
        examples_std_pct=100 * examples_std / base,
        examples_freedom=examples_freedom,
    )


def seeds_wanted(found: Sequence[Gain], margin_pct: float, most: int = 100) -> int | None:
    """Seeds with which every interval would reach no further than the margin from its gain; None where none do."""
    for seeds in range(2, most + 1):
        if all(_half_width(gain, seeds) <= margin_pct for gain in found):
            return seeds
    return None


def _half_width(gain: Gain, orders: int) -> float:
    return detectable_pct(gain.order_std_pct, orders, gain.examples_std_pct, gain.examples_freedom)


def one_sided(freedom: float) -> float:
    """Standard errors beyond which a mean is below 0 at LEVEL, by Student's one-sided test."""
    return float(stdtrit(freedom, 1 - LEVEL))


def detectable_pct(
    order_std_pct: float,
    orders: int,
    examples_std_pct: float = 0.0,
    examples_freedom: float = math.inf,
    level: float = LEVEL,
) -> float:
    """The smallest NE gain whose interval leaves out 0: half the width that both sources of luck give it.

    Args:
        order_std_pct: standard deviation of a gain between two orders of the data, both models trained on the same.
        orders: on how many of them both are trained.
        examples_std_pct: standard error from the choice of examples, and its degrees of freedom.
        level: of the test; the interval is of 1 - level.
    """
    of_orders = (order_std_pct**2 / orders, float(orders - 1))
    of_examples = (examples_std_pct**2, examples_freedom)
    variance = of_orders[0] + of_examples[0]
    return _quantile(level, (of_orders, of_examples)) * math.sqrt(variance) if variance else 0.0


def _interval(difference: float, seeds: Source, examples: Source, base: float) -> tuple[float, float, float, float]:
    """Gain, both ends and p from a difference and its two sources of luck."""
    sources = (seeds, examples)
    gain, error = 100 * difference / base, math.sqrt(seeds[0] + examples[0])
    if error == 0:
        return gain, gain, gain, float(difference == 0)
    half = 100 * _quantile(LEVEL, sources) * error / base
    t = abs(difference) / error
    if t >= _quantile(_LEAST_P, sources):
        return gain, gain - half, gain + half, _LEAST_P
    log_p = brentq(lambda x: _quantile(math.exp(x), sources) - t, math.log(_LEAST_P), 0.0)
    return gain, gain - half, gain + half, math.exp(log_p)


def _quantile(p: float, sources: tuple[Source, Source]) -> float:
    """Student's two-sided quantile of each source by its share of the variance (Cochran and Cox 1950).

    One t with the degrees of freedom of Welch and Satterthwaite is too sure where three seeds agree by chance: 7% of
    finals with four picks then call one better that is not.
    """
    total = sum(variance for variance, _ in sources)
    return -sum(variance * float(stdtrit(freedom, p / 2)) for variance, freedom in sources) / total


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


def verdict(gain: Gain, qps_ratio_low: float, margin_pct: float, level: float = LEVEL) -> Verdict:
    """better, faster, worse or no better, as docs/statistics.md defines them. `level` is what a study of a family may
    spend (automl.stats.spending): "better" and "faster" are claimed at it."""
    if gain.high_pct < 0 and gain.p_corrected < level:
        return Verdict.BETTER
    if qps_ratio_low > FASTER and _ends(gain, level) <= margin_pct:
        return Verdict.FASTER
    return Verdict.WORSE if gain.low_pct > 0 else Verdict.NO_BETTER


def _ends(gain: Gain, level: float) -> float:
    """The upper end of the interval of 1 - level."""
    return gain.high_pct if level == LEVEL else gain.pct + gain.half_width_at(level)
