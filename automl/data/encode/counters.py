"""Causal counters: per key the decayed rate of each label and the decayed count, as they were at the last boundary.

The state at a boundary holds what happened before it and nothing else: impressions of an earlier time, labels that had
arrived. So a row sees no label of its own, and no later row or label changes what it saw.

    rate    logit((positives + prior * global) / (count + prior)) - logit(global), over labels that had arrived
    count   log(1 + impressions)
    global  (positives + 1) / (count + 2) over all keys

With a half-life, what is `age` old counts 2 ** (-age / half_life). A row without the key has neither (NaN).

N rows sorted by time, L labels, B boundaries, M events (labels that arrived, or impressions).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from automl.data.store.stream import NEVER

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


class Counters:
    """The past of one log: rows by time, their labels and when these arrive, and the boundaries.

    `edges_B` rise; the first is not later than any row. times_N rises. labels_NL is NaN where a label is not defined.
    """

    def __init__(
        self, times_N: Ints, labels_NL: NDArray[np.float32], arrivals_NL: Ints, edges_B: Ints, rules: Rules
    ) -> None:
        self._rules, self._rows = rules, len(times_N)
        starts = [*np.searchsorted(times_N, edges_B).tolist(), len(times_N)]
        self._spans = [
            (int(edge), slice(*span)) for edge, span in zip(edges_B, pairwise(starts), strict=True) if span[0] < span[1]
        ]
        self._labels = [_arrived(labels_NL[:, k], arrivals_NL[:, k]) for k in range(labels_NL.shape[1])]
        every = np.arange(len(times_N), dtype=np.int64)
        self._seen = _Events(every, np.zeros(len(times_N)), np.asarray(times_N))
        everything = np.ones(len(times_N), np.int32)
        self._global = [
            [(float(positives[0]), float(counts[0])) for _, positives, counts in self._states(events, everything, 2)]
            for events in self._labels
        ]

    def of(self, codes_N: Codes) -> Iterator[NDArray[np.float32]]:
        """Features of one key, each (N,): the rate of every label, then the count. Code 0 is missing."""
        missing = np.asarray(codes_N) == 0
        size = int(codes_N.max(initial=0)) + 1
        for events, everything in zip(self._labels, self._global, strict=True):
            rates = np.full(self._rows, np.nan, np.float32)
            states = self._states(events, codes_N, size)
            for (span, positives, counts), (positive, count) in zip(states, everything, strict=True):
                rates[span] = _rate(positives, counts, positive, count, self._rules.prior)
            rates[missing] = np.nan
            yield rates
        seen = np.full(self._rows, np.nan, np.float32)
        for span, _, counts in self._states(self._seen, codes_N, size):
            seen[span] = np.log1p(counts)
        seen[missing] = np.nan
        yield seen

    def _states(self, events: _Events, codes_N: Codes, size: int) -> Iterator[tuple[slice, Floats, Floats]]:
        """Per boundary with rows: those rows, and positives and counts of their keys as they were at the boundary."""
        positives, counts = np.zeros(size), np.zeros(size)
        half_life = self._rules.half_life
        base, done = self._spans[0][0] if self._spans else 0, 0
        for edge, span in self._spans:
            now = 1.0
            if half_life is not None:
                age = (edge - base) / 1e9 / half_life
                if age > _REBASE:
                    positives *= 2.0**-age
                    counts *= 2.0**-age
                    base, age = edge, 0.0
                now = 2.0**-age
            end = int(np.searchsorted(events.at_M, edge))  # what arrives at the boundary itself is not there yet
            new = slice(done, end)
            codes = codes_N[events.row_M[new]]
            weight = 1.0 if half_life is None else np.exp2((events.at_M[new] - base) / 1e9 / half_life)
            np.add.at(counts, codes, weight)
            np.add.at(positives, codes, weight * events.value_M[new])
            done = end
            here = codes_N[span]
            yield span, positives[here] * now, counts[here] * now


def _arrived(labels_N: NDArray[np.float32], arrivals_N: Ints) -> _Events:
    rows = np.flatnonzero(~np.isnan(labels_N) & (arrivals_N != NEVER))
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
