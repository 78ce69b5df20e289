"""How well one split of the rows tells the label: precision, recall, and the share of the label's entropy it explains.

Shapes: N rows, V values or bins, C cuts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl.data.leaks.sample import Codes, Flags, Floats

_BINS = 256
_SURE = 3.0  # deviations, of bounds on a share
_PRIOR = 4.0  # rows at the base rate that a value begins with, where its rate is learned


@dataclass(frozen=True, slots=True)
class Split:
    """Rows on two sides. precision: the share of positives on the side that has more; recall: the share of all
    positives that are there; rest: the share of positives on the other side; told: the share of the label's entropy
    that the split explains, from 0 to 1; edge: the cut (above it, or not, are the positives)."""

    precision: float
    recall: float
    rest: float
    told: float
    edge: float = float("nan")
    above: bool = True
    missing_too: bool = False  # rows without a value stand on the side of the positives


NOTHING = Split(0.0, 0.0, 0.0, 0.0)


def entropy(share: Floats | float) -> Floats:
    """In nats, of a binary label."""
    p = np.clip(share, 1e-12, 1 - 1e-12)
    return np.asarray(-(p * np.log(p) + (1 - p) * np.log(1 - p)))


def told_by(rows_V: Floats, positives_V: Floats) -> float:
    """Share of the label's entropy that is explained by values of so many rows and positives."""
    total = float(rows_V.sum())
    whole = float(entropy(float(positives_V.sum()) / total))
    rate_V = positives_V / np.maximum(rows_V, 1)
    return 1.0 - float((rows_V * entropy(rate_V)).sum()) / total / max(whole, 1e-12)


def best_cut(numbers_N: Floats, positive_N: Flags) -> Split:
    """The threshold that tells the most; rows without a value go to whichever side it is better for."""
    known = ~np.isnan(numbers_N)
    values, labels = numbers_N[known], positive_N[known]
    order = np.argsort(values, kind="stable")
    values = values[order]
    cuts = np.append(np.flatnonzero(values[1:] != values[:-1]), len(values) - 1)
    seen = np.cumsum(labels[order], dtype=np.float64)
    lost = float(len(positive_N) - len(values)), float(positive_N[~known].sum())
    return _best(values[cuts], cuts + 1.0, seen[cuts], lost) if len(values) else NOTHING


def best_values(codes_N: Codes, positive_N: Flags) -> Split:
    """The set of values that tells the most: rates are learned on every other row and judged on the rows between, so
    that a value of few rows tells nothing by chance. Its edge is a rate."""
    learn, judge = slice(0, None, 2), slice(1, None, 2)
    size = int(codes_N.max(initial=0)) + 1
    rows_V, hits_V = counts_of(codes_N[learn], positive_N[learn], size)
    base = hits_V.sum() / max(rows_V.sum(), 1)
    rate_V = (hits_V + _PRIOR * base) / (rows_V + _PRIOR)
    rows_V, hits_V = counts_of(codes_N[judge], positive_N[judge], size)
    order = np.flatnonzero(rows_V)
    order = order[np.argsort(rate_V[order], kind="stable")]
    rates = rate_V[order]
    cuts = np.append(np.flatnonzero(rates[1:] != rates[:-1]), len(rates) - 1)
    rows, hits = np.cumsum(rows_V[order], dtype=np.float64), np.cumsum(hits_V[order], dtype=np.float64)
    return _best(rates[cuts], rows[cuts], hits[cuts], (0.0, 0.0)) if len(order) else NOTHING


def _best(value_C: Floats, rows_C: Floats, hits_C: Floats, lost: tuple[float, float]) -> Split:
    """The best of the cuts: rows and positives up to each value, the last of which is all; and of no value."""
    total, positives = float(rows_C[-1]) + lost[0], float(hits_C[-1]) + lost[1]
    best = NOTHING
    if not 0 < positives < total:
        return best
    whole = float(entropy(positives / total))
    for with_low in (False, True) if lost[0] else (False,):
        low_C = rows_C + (lost[0] if with_low else 0.0)
        low_hits_C = hits_C + (lost[1] if with_low else 0.0)
        high_C, high_hits_C = total - low_C, positives - low_hits_C
        low, high = low_hits_C / low_C, high_hits_C / np.maximum(high_C, 1.0)
        told_C = 1.0 - (low_C * entropy(low) + high_C * entropy(high)) / total / whole
        told_C[high_C == 0] = 0.0
        k = int(told_C.argmax())
        if told_C[k] > best.told:
            above = bool(high[k] > low[k])
            chosen = float(high_hits_C[k] if above else low_hits_C[k])
            best = Split(
                float(max(low[k], high[k])), chosen / positives, float(min(low[k], high[k])),
                float(told_C[k]), float(value_C[k]), above, lost[0] > 0 and with_low != above,
            )  # fmt: skip
    return best


def binned(numbers_N: Floats) -> Codes:
    """Numbers as codes of bins of about as many rows; 0 is missing. A value that many rows have is a bin of its own."""
    known = ~np.isnan(numbers_N)
    codes = np.zeros(len(numbers_N), np.int32)
    if known.any():
        values = numbers_N[known]
        edges = np.unique(np.quantile(values[:: max(1, len(values) // 65_536)], np.linspace(0, 1, _BINS + 1)[1:-1]))
        at = np.searchsorted(edges, values, side="left")
        codes[known] = 2 * at + 1 + (edges[np.minimum(at, len(edges) - 1)] == values)
    return codes


def bounds(hits: float, rows: float) -> tuple[float, float]:
    """Wilson's interval of a share, three deviations wide."""
    if rows <= 0:
        return 0.0, 1.0
    z2 = _SURE**2
    share = hits / rows
    middle = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = _SURE / (1 + z2 / rows) * float(np.sqrt(share * (1 - share) / rows + z2 / (4 * rows**2)))
    return max(middle - half, 0.0), min(middle + half, 1.0)


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the rows against all: how many, the share of positives among them, and how far from the base rate this
    is, for sure: `odds` is the ratio of odds at the near end of the interval, 1 where it holds the base rate; `purity`
    the near end of the share of the class they hold."""

    rows: int
    rate: float
    recall: float  # of the class that they hold
    positive: bool
    odds: float
    purity: float


def part_of(chosen_N: Flags, positive_N: Flags) -> Part:
    """What these rows say of the label."""
    return part_of_counts(int(chosen_N.sum()), int(positive_N[chosen_N].sum()), len(positive_N), int(positive_N.sum()))


def part_of_counts(rows: int, hits: int, total: int, positives: int) -> Part:
    base = positives / max(total, 1)
    low, high = bounds(hits, rows)
    positive = rows > 0 and hits / rows > base
    near = low if positive else 1 - high
    of_base = base if positive else 1 - base
    held, of_class = (hits, positives) if positive else (rows - hits, total - positives)
    ratio = _odds(near) / _odds(of_base)
    rate = hits / rows if rows else base
    return Part(rows, rate, held / max(of_class, 1), positive, max(ratio, 1.0), near)


def _odds(share: float) -> float:
    share = min(max(share, 1e-9), 1 - 1e-9)
    return share / (1 - share)


def counts_of(codes_N: Codes, positive_N: Flags, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and positives of each code."""
    return np.bincount(codes_N, minlength=size), np.bincount(codes_N[positive_N], minlength=size)
