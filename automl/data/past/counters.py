"""Causal counters: per key the decayed rate of each label and the decayed count, as they were at the last boundary.

The state at a boundary holds what happened before it and nothing else: impressions of an earlier time, labels that had
arrived. So a row sees no label of its own, and no later row or label changes what it saw.

    rate    logit((positives + prior * global) / (count + prior)) - logit(global), over labels that had arrived
    count   log(1 + impressions)
    global  (positives + 1) / (count + 2) over all keys

With a half-life, what is `age` old counts 2 ** (-age / half_life). A row without the key has neither (NaN).

A log is encoded from nothing. Later rows go on from what was counted, in the same order of additions: the same numbers
to the last bit.

N rows sorted by time, L labels, B boundaries, M events (labels that arrived, or impressions).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.times import NEVER

Codes = NDArray[np.int32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_REBASE = 64.0  # half-lives after which weights are brought back to 1: they grow with time


@dataclass(frozen=True, slots=True)
class Rules:
    """How the past counts: half-life in seconds (None: it never fades) and the weight of the global rate."""

    half_life: float | None = None
    prior: float = 20.0


@dataclass(frozen=True, slots=True)
class _Events:
    """What arrives, in the order of arrival: row_M of the log, value_M (1 positive, 0 not), at_M."""

    row_M: Ints
    value_M: Floats
    at_M: Ints


@dataclass(slots=True)
class Sums:
    """What has been counted of each code: positives and counts, in the weights that were 1 at `base`. Changed in place.

    `base` None: nothing has been, and it is the first boundary.
    """

    positives: Floats
    counts: Floats
    base: int | None = None

    @classmethod
    def nothing(cls, size: int) -> Sums:
        return cls(np.zeros(size), np.zeros(size))


class Counters:
    """The past of one log: rows by time, their labels and when these arrive, and the boundaries.

    `edges_B` rise; the first is not later than any row that has features. times_N rises. labels_NL is NaN where a label
    is not defined. The first `before` rows are only past: they have no features, and of what they tell only what comes
    at `since` or later is counted, all else being in sums that are given.
    """

    def __init__(
        self,
        times_N: Ints,
        labels_NL: NDArray[np.float32],
        arrivals_NL: Ints,
        edges_B: Ints,
        rules: Rules,
        *,
        before: int = 0,
        since: int | None = None,
        overall: Sequence[Sums] | None = None,
    ) -> None:
        self._rules, self._before = rules, before
        own_N = times_N[before:]
        self._rows = len(own_N)
        starts = [*np.searchsorted(own_N, edges_B).tolist(), len(own_N)]
        self._spans = [
            (int(edge), slice(*span)) for edge, span in zip(edges_B, pairwise(starts), strict=True) if span[0] < span[1]
        ]
        self._labels = [_arrived(labels_NL[:, k], arrivals_NL[:, k], since) for k in range(labels_NL.shape[1])]
        first = 0 if since is None else int(np.searchsorted(times_N, since))
        every = np.arange(first, len(times_N), dtype=np.int64)
        self._seen = _Events(every, np.zeros(len(every)), np.asarray(times_N[first:]))
        everything = np.ones(len(times_N), np.int32)
        self.overall = [Sums.nothing(2) for _ in self._labels] if overall is None else overall  # of code 1, all keys
        self._global = [
            [(float(positives[0]), float(counts[0])) for _, positives, counts in self._states(events, everything, sums)]
            for events, sums in zip(self._labels, self.overall, strict=True)
        ]

    @property
    def last_edge(self) -> int:
        """The boundary that the last row sees: what came before it is in the sums."""
        return self._spans[-1][0]

    def nothing(self, codes_N: Codes) -> list[Sums]:
        """Of a key of which nothing was counted before."""
        size = int(codes_N.max(initial=0)) + 1
        return [Sums.nothing(size) for _ in range(len(self._labels) + 1)]

    def of(self, codes_N: Codes, sums: Sequence[Sums] | None = None) -> Iterator[NDArray[np.float32]]:
        """Features of one key, each (N,): the rate of every label, then the count. Code 0 is missing.

        `sums`, of each label and of the rows, are where it begins; they hold what was counted when all are made.
        """
        *of_labels, of_rows = self.nothing(codes_N) if sums is None else sums
        own_N = codes_N[self._before :]
        missing = np.asarray(own_N) == 0
        for events, of_label, everything in zip(self._labels, of_labels, self._global, strict=True):
            rates = np.full(self._rows, np.nan, np.float32)
            states = self._states(events, codes_N, of_label)
            for (span, positives, counts), (positive, count) in zip(states, everything, strict=True):
                rates[span] = _rate(positives, counts, positive, count, self._rules.prior)
            rates[missing] = np.nan
            yield rates
        seen = np.full(self._rows, np.nan, np.float32)
        for span, _, counts in self._states(self._seen, codes_N, of_rows):
            seen[span] = np.log1p(counts)
        seen[missing] = np.nan
        yield seen

    def _states(self, events: _Events, codes_N: Codes, sums: Sums) -> Iterator[tuple[slice, Floats, Floats]]:
        """Per boundary with rows: those rows, and positives and counts of their keys as they were at the boundary."""
        positives, counts = sums.positives, sums.counts
        half_life = self._rules.half_life
        own_N = codes_N[self._before :]
        if sums.base is None:
            sums.base = self._spans[0][0] if self._spans else None
        done = 0
        for edge, span in self._spans:
            base = cast(int, sums.base)
            now = 1.0
            if half_life is not None:
                age = (edge - base) / 1e9 / half_life
                if age > _REBASE:
                    positives *= 2.0**-age
                    counts *= 2.0**-age
                    sums.base, base, age = edge, edge, 0.0
                now = 2.0**-age
            end = int(np.searchsorted(events.at_M, edge))  # what arrives at the boundary itself is not there yet
            new = slice(done, end)
            codes = codes_N[events.row_M[new]]
            weight = 1.0 if half_life is None else np.exp2((events.at_M[new] - base) / 1e9 / half_life)
            np.add.at(counts, codes, weight)
            np.add.at(positives, codes, weight * events.value_M[new])
            done = end
            here = own_N[span]
            yield span, positives[here] * now, counts[here] * now


def _arrived(labels_N: NDArray[np.float32], arrivals_N: Ints, since: int | None) -> _Events:
    there = ~np.isnan(labels_N) & (arrivals_N != NEVER)
    rows = np.flatnonzero(there if since is None else there & (arrivals_N >= since))
    rows = rows[np.argsort(arrivals_N[rows], kind="stable")]
    return _Events(rows, labels_N[rows].astype(np.float64), arrivals_N[rows])


def _rate(positives: Floats, counts: Floats, positive: float, count: float, prior: float) -> Floats:
    base = (positive + 1.0) / (count + 2.0)
    rate = (positives + prior * base) / (counts + prior)
    logits: Floats = np.log(rate / (1.0 - rate)) - np.log(base / (1.0 - base))
    return logits


def key_codes(columns: Sequence[Codes]) -> Codes:
    """Codes of a key of one or several columns, from 1 on; 0 where a part is missing."""
    codes = np.asarray(columns[0], np.int64)
    for other in columns[1:]:
        width = int(other.max(initial=0)) + 1
        both = np.where((codes > 0) & (other > 0), codes * width + other, 0)
        distinct, compact = np.unique(both, return_inverse=True)
        codes = compact.reshape(both.shape) + (0 if len(distinct) and distinct[0] == 0 else 1)
    return codes.astype(np.int32)
