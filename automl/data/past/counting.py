"""What earlier rows tell of rows, from nothing or from a state: the features of a log and of rows that come after it.

R rows of which N are new, the others the tail of a state and labels without rows; S keys that a state has counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.times import edges_of
from automl.data.past.counters import Counters, Rules, Sums, key_codes
from automl.data.past.features import CounterBlock, Key, PastFeatures
from automl.data.past.recent import recent
from automl.data.past.rows import Gathered
from automl.data.past.sequences import Events, Listed, listed
from automl.data.past.state import BlockSums, KeySums, State, reach_ns, still_told


class Counting:
    """Rows gathered behind the tail of a state: their features first, then the state that they leave behind.

    The new rows must be later than the last one that the state has counted. The first `old` of the rows, by time, are
    not new: the tail, and labels without rows (TIMELESS).
    """

    def __init__(self, what: PastFeatures, before: State, rows: Gathered, old: int) -> None:
        self._what, self._before, self._rows, self._old = what, before, rows, old
        self._place = {column: k for k, column in enumerate(what.columns)}
        self._blocks: list[BlockSums] = []

    def features(self) -> Iterator[NDArray[np.float32]]:
        """Each (N,) in the order of time, in the order of their names; NaN where a key is missing."""
        times_N = self._rows.times_N[self._old :]
        if not len(times_N):
            yield from (np.zeros(0, np.float32) for _ in self._what.names)
            return
        self._blocks = []
        begun = self._before.blocks or (None,) * len(self._what.blocks)
        for block, sums in zip(self._what.blocks, begun, strict=True):
            yield from self._counted(block, sums)
        if self._what.recent is not None:
            for key in self._what.recent.keys:
                yield from self._recent(key, self._what.recent.within)

    def sequences(self) -> Iterator[Listed]:
        """The lists of each sequence, of the new rows in the order of time."""
        times_N = np.asarray(self._rows.times_N[self._old :])
        for block, events in zip(self._what.sequences, self._events(), strict=True):
            keys = [self._rows.codes(self._place[column])[self._old :] for column in block.by]
            yield listed(events, keys, times_N, block.most, block.delay)

    def _events(self) -> Iterator[Events]:
        """Of each sequence, those of the state and those of the new rows."""
        for s, (block, before) in enumerate(zip(self._what.sequences, self._before.sequences, strict=True)):
            keys = [self._place[column] for column in block.by]
            yield before.then(Events.of_rows(self._rows, self._old, keys, self._place[block.of], s))

    def after(self) -> State:
        """Once all features were made. Codes are those of the rows."""
        times_R = self._rows.times_N
        if len(times_R) == self._old:
            return self._with_labels()
        last = int(times_R[-1])
        edges = [block.edge for block in self._blocks]
        kept_R = still_told(self._what, edges, last, times_R, self._rows.labels_NL, self._rows.arrivals_NL)
        rows = self._before.rows + len(times_R) - self._old
        sequences = tuple(
            events.left(block.most, block.delay, last)
            for block, events in zip(self._what.sequences, self._events(), strict=True)
        )
        return State(last, rows, tuple(self._blocks), self._rows.some(kept_R), sequences)

    def _with_labels(self) -> State:
        """Where no row is new: labels without rows wait in the tail."""
        last = self._before.last
        if last is None:
            return self._before
        edges = [sums.edge for sums in self._before.blocks]
        labels = (self._rows.labels_NL, self._rows.arrivals_NL)
        kept_R = still_told(self._what, edges, last, self._rows.times_N, *labels)
        return replace(self._before, tail=self._rows.some(kept_R))

    def _counted(self, block: CounterBlock, before: BlockSums | None) -> Iterator[NDArray[np.float32]]:
        rows, labels = self._rows, list(block.labels)
        times_N = rows.times_N[self._old :]
        edges = edges_of(int(times_N[0]), int(times_N[-1]), block.every, self._what.timezone)[:-1]
        counters = Counters(
            rows.times_N,
            rows.labels_NL[:, labels],
            rows.arrivals_NL[:, labels],
            edges,
            Rules(block.half_life, block.prior),
            before=self._old,
            since=None if before is None else before.edge,
            overall=None if before is None else _overall(before),
        )
        keys: list[KeySums] = []
        for k, key in enumerate(block.keys):
            known = None if before is None else before.keys[k]
            columns = self._codes(key, known)
            codes_SR = key_codes(columns)
            counted = 0 if known is None else len(known.seen_S)
            codes_R = codes_SR[counted:]
            sums = counters.nothing(codes_SR)
            if known is not None and before is not None:
                sums = known.begun(codes_SR[:counted], len(sums[0].counts))
                for of_one in sums:
                    of_one.base = before.base
            yield from counters.of(codes_R, sums)
            keys.append(_kept(sums, codes_SR, columns))
        base = next((sums.base for sums in counters.overall), None)
        self._blocks.append(BlockSums(counters.last_edge, _moment(base), _of_all(counters.overall), tuple(keys)))

    def _recent(self, key: Key, within: float) -> Iterator[NDArray[np.float32]]:
        times_R = self._rows.times_N
        first = int(np.searchsorted(times_R, times_R[self._old] - reach_ns(within)))  # rows before it are out of reach
        codes = key_codes([column[first:] for column in self._codes(key)])
        for found in recent(codes, times_R[first:], within):
            yield found[self._old - first :]

    def _codes(self, key: Key, known: KeySums | None = None) -> list[NDArray[np.int32]]:
        """Of the columns of a key: of the keys that were counted before, then of the rows."""
        of_rows = [self._rows.codes(self._place[column]) for column in key.columns]
        if known is None:
            return of_rows
        return [np.concatenate(pair) for pair in zip(known.codes_PS, of_rows, strict=True)]


def _kept(sums: Sequence[Sums], codes_N: NDArray[np.int32], columns: Sequence[NDArray[np.int32]]) -> KeySums:
    """Of the keys of which anything was counted."""
    *of_labels, of_rows = sums
    there = of_rows.counts > 0
    for of_label in of_labels:
        there |= of_label.counts > 0
    there[0] = False
    at = np.zeros(len(there), np.int64)
    at[codes_N] = np.arange(len(codes_N))  # any row of a code has the codes of its columns
    at = at[there]
    return KeySums(
        codes_PS=np.stack([column[at] for column in columns]),
        positives_LS=np.stack([of_label.positives[there] for of_label in of_labels]),
        counts_LS=np.stack([of_label.counts[there] for of_label in of_labels]),
        seen_S=of_rows.counts[there],
    )


def _overall(before: BlockSums) -> list[Sums]:
    return [
        Sums(np.array([0.0, positives]), np.array([0.0, counts]), before.base)
        for positives, counts in before.overall_L2.tolist()
    ]


def _of_all(overall: Sequence[Sums]) -> NDArray[np.float64]:
    return np.array([[sums.positives[1], sums.counts[1]] for sums in overall], np.float64)


def _moment(base: int | None) -> int:
    assert base is not None, "a block has a label, and rows have a boundary"
    return base
