"""What earlier rows tell, of a log whose rows are sorted on disk: a key after the other, whose codes memory holds.

N rows, K columns of keys, L labels of the counters, C features.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.times import edges_of
from automl.data.describe.tables import TablesConfig
from automl.data.encode.counters import Counters, Rules, key_codes
from automl.data.encode.recent import recent
from automl.data.encode.spill import Rows, Spill
from automl.data.tables.sources import Tables

Scalar = TypeVar("Scalar", bound=np.generic)


def count_log(
    spill: Spill, tables: Tables[TablesConfig], rows: int, folder: Path, beside: Spill | None = None, more: int = 0
) -> NDArray[np.float32]:
    """Features (C, N) in the order of their names, raw, NaN where a key is missing; mapped from `folder`.

    `beside` has `more` rows of the log that are no examples, sorted: they are counted too, and have no features.
    """
    features = tables.config.features
    if not features.past_names:
        return np.empty((0, rows), np.float32)
    folder.mkdir()
    keys = tables.key_columns()
    recent_keys = [] if features.recent is None else tables.places(features.recent.keys)
    past = _Past(
        columns=sorted({column for of_block in (*keys, recent_keys) for key in of_block for column in key}),
        labels=sorted({label for of_block in tables.counted for label in of_block}),
        rows=rows + more,
        folder=folder,
    )
    past.fill(chain(spill.sorted(), () if beside is None else beside.sorted()))
    out = _scratch(folder / "counters.npy", (len(features.past_names), rows), np.float32)
    ours_N = past.order_N < rows  # the examples come first, in their own order
    for place, feature_N in enumerate(_features(past, tables, keys, recent_keys)):
        out[place, past.order_N[ours_N]] = feature_N[ours_N]
    return out


def _features(
    past: _Past, tables: Tables[TablesConfig], keys: list[list[list[int]]], recent_keys: list[list[int]]
) -> Iterator[NDArray[np.float32]]:
    """Of all rows in the order of time: the counters, a block after the other, then what is recent."""
    features, times_N = tables.config.features, past.times_N
    for block, of_block, counted in zip(features.blocks, keys, tables.counted, strict=True):
        own = [past.labels.index(label) for label in counted]
        edges = edges_of(int(times_N[0]), int(times_N[-1]), block.every, tables.timezone)[:-1]
        rules = Rules(block.half_life, block.prior)
        counters = Counters(times_N, past.labels_NL[:, own], past.arrivals_NL[:, own], edges, rules)
        for key in of_block:
            yield from counters.of(past.codes(key))
    if features.recent is not None:
        for key in recent_keys:
            yield from recent(past.codes(key), times_N, features.recent.within)


class _Past:
    """What is counted, mapped from disk: times and labels in the order of time, codes as they were filled in."""

    def __init__(self, columns: list[int], labels: list[int], rows: int, folder: Path) -> None:
        self.columns, self.labels = columns, labels
        self._codes_KN = _scratch(folder / "codes.npy", (len(columns), rows), np.int32)
        self.times_N = _scratch(folder / "times.npy", (rows,), np.int64)
        self.labels_NL = _scratch(folder / "labels.npy", (rows, len(labels)), np.float32)
        self.arrivals_NL = _scratch(folder / "arrivals.npy", (rows, len(labels)), np.int64)
        self.order_N = np.arange(rows)

    def fill(self, parts: Iterable[Rows]) -> None:
        """Take rows in, and sort them by time where they are not yet."""
        done = 0
        for part in parts:
            span = slice(done, done + len(part))
            self._codes_KN[:, span] = part["ids"][:, self.columns].T
            self.times_N[span] = part["time"]
            if self.labels:
                self.labels_NL[span] = part["labels"][:, self.labels]
                self.arrivals_NL[span] = part["arrivals"][:, self.labels]
            done += len(part)
        if (np.diff(self.times_N) < 0).any():
            self.order_N = np.argsort(self.times_N, kind="stable")
            for column in (self.times_N, self.labels_NL, self.arrivals_NL):
                column[:] = column[self.order_N]

    def codes(self, key: Sequence[int]) -> NDArray[np.int32]:
        """Of a key of one or several columns, in the order of time."""
        return key_codes([self._codes_KN[self.columns.index(column)][self.order_N] for column in key])


def _scratch(path: Path, shape: tuple[int, ...], kind: type[Scalar]) -> NDArray[Scalar]:
    return np.lib.format.open_memmap(path, "w+", kind, shape)
