"""What must be kept of a log to make features of the rows that come after it: sums by key, and its latest rows.

S keys that were counted, P columns of a key, L labels of a block, K key columns, N rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.times import NEVER
from automl.data.past.counters import Sums
from automl.data.past.features import PastFeatures, PastLabel
from automl.data.past.rows import PastRows
from automl.data.past.sequences import Events

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class KeySums:
    """Of one key: the codes of its columns, and of each label and then of the rows what was counted."""

    codes_PS: NDArray[np.int32]
    positives_LS: Floats
    counts_LS: Floats
    seen_S: Floats

    def begun(self, codes_S: NDArray[np.int32], size: int) -> list[Sums]:
        """To go on from: by codes of the whole key."""
        of_labels = zip(self.positives_LS, self.counts_LS, strict=True)
        return [_spread(codes_S, size, *pair) for pair in (*of_labels, (np.zeros(len(codes_S)), self.seen_S))]


@dataclass(frozen=True, eq=False, slots=True)
class BlockSums:
    """Of one block of counters, as of a boundary: what came at `edge` or later is not in it.

    `base` is the moment whose weight is 1, overall_L2 positives and counts of all keys.
    """

    edge: int
    base: int
    overall_L2: Floats
    keys: tuple[KeySums, ...]


@dataclass(frozen=True, eq=False, slots=True)
class State:
    """`last` is the time of the last row that was counted, `rows` how many were. `tail` are those rows, by time, of
    which something is not in the sums yet, or that a later row may ask for by their time. No blocks: nothing was
    counted. `sequences` are the events of each that later rows may see."""

    last: int | None
    rows: int
    blocks: tuple[BlockSums, ...]
    tail: PastRows
    sequences: tuple[Events, ...] = ()

    @classmethod
    def nothing(cls, what: PastFeatures) -> State:
        tail = PastRows.none(len(what.columns), len(what.labels), len(what.sequences))
        return cls(None, 0, (), tail, tuple(Events.none(len(block.by)) for block in what.sequences))

    def recoded(self, what: PastFeatures, change: Callable[[int, NDArray[np.int32]], NDArray[np.int32]]) -> State:
        """With other codes: `change` is given the place of a column and its codes."""
        place = {column: k for k, column in enumerate(what.columns)}

        def of_key(columns: tuple[str, ...], sums: KeySums) -> KeySums:
            pairs = zip(columns, sums.codes_PS, strict=True)
            return replace(sums, codes_PS=np.stack([change(place[column], codes) for column, codes in pairs]))

        blocks = [
            replace(sums, keys=tuple(of_key(key.columns, own) for key, own in zip(block.keys, sums.keys, strict=True)))
            for block, sums in zip(what.blocks, self.blocks, strict=bool(self.blocks))
        ]
        codes_KN = [change(k, codes) for k, codes in enumerate(self.tail.codes_KN)]
        tail = replace(self.tail, codes_KN=np.stack(codes_KN)) if codes_KN else self.tail
        sequences = tuple(
            events.recoded(
                np.stack([change(place[by], codes) for by, codes in zip(block.by, events.keys_PE, strict=True)]),
                change(place[block.of], events.ids_E),
            )
            for block, events in zip(what.sequences, self.sequences, strict=True)
        )
        return replace(self, blocks=tuple(blocks), tail=tail, sequences=sequences)


def still_told(
    what: PastFeatures,
    edges: Sequence[int],
    last: int,
    times_N: NDArray[np.int64],
    labels_NL: NDArray[np.float32],
    arrivals_NL: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Which rows must be kept once the sums of each block hold what came before its edge: a label that is counted later
    is there, and so are rows whose label may still come."""
    kept_N = np.zeros(len(times_N), bool)
    for block, edge in zip(what.blocks, edges, strict=True):
        kept_N |= times_N >= edge
        for label in block.labels:
            arrives_N = arrivals_NL[:, label]
            missing_N = np.isnan(labels_NL[:, label])
            kept_N |= ~missing_N & (arrives_N >= edge) & (arrives_N != NEVER)
            if still_comes(what.labels[label]):
                kept_N |= missing_N & (times_N >= edge - round(what.labels[label].delay * 1e9))
    if what.recent is not None:
        kept_N |= times_N >= last - reach_ns(what.recent.within)
    return kept_N


def still_comes(label: PastLabel) -> bool:
    """Whether one that is missing will be known by its delay. Of others most rows have none, or none for long."""
    return label.arrives is None and label.given is None


def reach_ns(within: float) -> int:
    """How far back what is recent looks, and a millisecond more: times are told in whole ones."""
    return (max(round(within * 1000), 1) + 1) * 10**6


def _spread(codes_S: NDArray[np.int32], size: int, positives_S: Floats, counts_S: Floats) -> Sums:
    sums = Sums.nothing(size)
    sums.positives[codes_S], sums.counts[codes_S] = positives_S, counts_S
    return sums
