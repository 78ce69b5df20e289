"""What the time gives away: when rows were written, how long after another one, and in which order.

Nobody would offer these as features, and models find them all the same: through ids that are seen for a moment only,
through features made of times, through the order in which rows are read.

Shapes: N rows, G gaps, T groups of rows of one time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from automl.data.leaks.evidence import best_values, binned, part_of_counts
from automl.data.leaks.sample import Flags, Ints, Sample
from automl.data.leaks.words import class_words, share, span
from automl.data.store.told import Note

_ALONE = 0.15  # of the label's entropy: honest gaps explain .3% on KuaiRand
_OFTEN = 0.0005  # of the rows have one gap to the last digit
_MOST = 0.9
_LEAST = 50
_ROWS = 200  # that have a row before them, to speak of all their gaps
_ODDS = 10.0
_SORTED, _BY_CHANCE = 0.95, 0.7
_LAGS, _LIKE = 100, 0.95
_AT = ("time",)
_MADE = "were these rows made, and not logged? Look how positives and negatives came into one log"
_WHOLE = (("hours", 3600 * 10**9), ("minutes", 60 * 10**9), ("seconds", 10**9), ("milliseconds", 10**6))


def clock_leaks(sample: Sample) -> list[Note]:
    """The gap that tells most, whole times, the order within a time; and what recurs in the order of the rows."""
    found = [_recurring(sample.positive_N)]
    if sample.times_N is not None:
        found += [_gaps(sample, sample.times_N), _times(sample, sample.times_N), _ties(sample, sample.times_N)]
    return [note for note in found if note is not None]


@dataclass(frozen=True, slots=True)
class _Sign:
    """What times tell, and how much: 1 and the share of a class that one value holds; or a share of the entropy."""

    weight: float
    text: str


def _gaps(sample: Sample, times_N: Ints) -> Note | None:
    found: list[_Sign] = []
    rows = np.arange(len(times_N))
    for name, (after, before) in (("", (rows[1:], rows[:-1])), *((key.name, key.steps) for key in sample.keys)):
        later = times_N[after] > times_N[before]  # rows of one time are looked at by their order
        after, before = after[later], before[later]
        if len(after) < _ROWS:
            continue
        gaps_G = times_N[after] - times_N[before]
        of = f"the row of the same {name} before" if name else "the row before"
        found += _exact(gaps_G, sample.positive_N[after], of, sample)
        split = best_values(binned(gaps_G.astype(np.float64)), sample.positive_N[after])
        if split.told >= _ALONE:
            text = (
                f"the time since {of} tells the label: some of its values are positive in {share(split.precision)} and "
                f"hold {share(split.recall)} of the positives, the rest is positive in {share(split.rest)}: {_MADE}"
            )
            found.append(_Sign(split.told, text))
    return Note(max(found, key=lambda one: one.weight).text, "leak", _AT) if found else None


def _exact(gaps_G: Ints, positive_G: Flags, of: str, sample: Sample) -> list[_Sign]:
    """Gaps that many rows have to the last digit, and of which nearly all are of one class."""
    values, at, rows = np.unique(gaps_G, return_inverse=True, return_counts=True)
    hits = np.bincount(at.ravel(), positive_G, len(values))
    total, positives = len(sample), int(sample.positive_N.sum())
    found = []
    for k in np.flatnonzero(rows >= max(_LEAST, _OFTEN * len(gaps_G))):
        part = part_of_counts(int(rows[k]), int(hits[k]), total, positives)
        if part.odds >= _ODDS:
            where = f"{part.rows:,} rows come exactly {span(int(values[k]))} after {of}"
            found.append(_Sign(1.0 + part.recall, f"{where}, and {class_words(part, sample)}: {_MADE}"))
    return found


def _times(sample: Sample, times_N: Ints) -> Note | None:
    """Times that are whole hours, minutes or seconds where others are not; and the time as such."""
    total, positives = len(sample), int(sample.positive_N.sum())
    found: list[_Sign] = []
    for name, length in _WHOLE:
        whole_N = times_N % length == 0
        for chosen_N, words in ((whole_N, f"whole {name}"), (~whole_N, f"no whole {name}")):
            rows = int(chosen_N.sum())
            if not max(_LEAST, _OFTEN * total) <= rows <= _MOST * total:
                continue
            part = part_of_counts(rows, int(sample.positive_N[chosen_N].sum()), total, positives)
            if part.odds >= _ODDS:
                where = f"{share(rows / total)} of the training rows have times that are {words}"
                found.append(_Sign(1.0 + part.recall, f"{where}, and {class_words(part, sample)}: {_MADE}"))
    split = best_values(binned((times_N - times_N[0]).astype(np.float64)), sample.positive_N)
    if split.told >= _ALONE:
        text = (
            f"the time tells the label: some times are positive in {share(split.precision)} and hold "
            f"{share(split.recall)} of the positives, the rest is positive in {share(split.rest)}: {_MADE}"
        )
        found.append(_Sign(split.told, text))
    return Note(max(found, key=lambda one: one.weight).text, "leak", _AT) if found else None


def _ties(sample: Sample, times_N: Ints) -> Note | None:
    """Rows of one time whose positives all come first, or last."""
    positive_N = sample.positive_N
    starts = np.flatnonzero(np.append(True, times_N[1:] != times_N[:-1]))
    rows_T = np.diff(np.append(starts, len(times_N)))
    hits_T = np.add.reduceat(positive_N.astype(np.int64), starts)
    mixed = (hits_T > 0) & (hits_T < rows_T)
    if mixed.sum() < _LEAST:
        return None
    n, k = rows_T[mixed], hits_T[mixed]
    log_factorial = np.cumsum(np.log(np.maximum(np.arange(int(n.max()) + 1), 1)))
    by_chance = float(np.exp(log_factorial[k] + log_factorial[n - k] - log_factorial[n]).mean())
    changes = np.append(False, positive_N[1:] != positive_N[:-1])
    changes[starts] = False
    once = np.add.reduceat(changes.astype(np.int64), starts)[mixed] == 1
    first = float((once & positive_N[starts][mixed]).mean())
    last = float((once & ~positive_N[starts][mixed]).mean())
    if max(first, last) < _SORTED or by_chance > _BY_CHANCE:
        return None
    where = "first" if first > last else "last"
    text = (
        f"rows of one time are sorted by the label: positives come {where} in {share(max(first, last))} of {len(n):,} "
        f"such groups, by chance in {share(by_chance)}: shuffle rows of one time, or give each a time of its own"
    )
    return Note(text, "leak", _AT)


def _recurring(positive_N: Flags) -> Note | None:
    """Rows whose label is that of the row k before: the log is sorted by it, or so many negatives follow a positive."""
    rarer = positive_N.mean() <= 0.5
    word, chosen_N = ("positive", positive_N) if rarer else ("negative", ~positive_N)
    at = np.flatnonzero(chosen_N)
    for lag in range(1, _LAGS + 1):
        again = at[at + lag < len(chosen_N)] + lag
        like = float(chosen_N[again].mean()) if len(again) >= _LEAST else 0.0
        if like >= _LIKE:
            after = "the next row" if lag == 1 else f"the row {lag} later"
            text = f"the order of the rows tells the label: {after} after a {word} one is {word} in {share(like)}"
            base = share(len(at) / len(chosen_N))
            return Note(f"{text} (of all rows {base}): sorted by the label, or in a fixed pattern?", "leak")
    return None
