"""What earlier rows tell, of a log whose rows are sorted on disk: a key after the other, whose codes memory holds.

N rows, L labels of the counters, C features.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    spill: Spill, tables: Tables[TablesConfig], rows: int, folder: Path, past: Sequence[Rows] = ()
) -> NDArray[np.float32]:
    """Features (C, N) in the order of their names, raw, NaN where a key is missing; mapped from `folder`.

    `past` are sorted rows of the log that are no examples: they are counted too, and have no features.
    """
    features = tables.config.features
    if not features.past_names:
        return np.empty((0, rows), np.float32)
    folder.mkdir()
    keys = tables.key_columns()
    recent_keys = [] if features.recent is None else tables.places(features.recent.keys)
    used = sorted({column for of_block in (*keys, recent_keys) for key in of_block for column in key})
    labels = sorted({label for of_block in tables.counted for label in of_block})
    count = rows + sum(len(part) for part in past)
    codes = _scratch(folder / "codes.npy", (len(used), count), np.int32)
    times = _scratch(folder / "times.npy", (count,), np.int64)
    values = _scratch(folder / "labels.npy", (count, len(labels)), np.float32)
    arrivals = _scratch(folder / "arrivals.npy", (count, len(labels)), np.int64)
    done = 0
    for part in chain(spill.sorted(), past):
        span = slice(done, done + len(part))
        codes[:, span] = part["ids"][:, used].T
        times[span] = part["time"]
        if labels:
            values[span] = part["labels"][:, labels]
            arrivals[span] = part["arrivals"][:, labels]
        done += len(part)
    out = _scratch(folder / "counters.npy", (len(features.past_names), rows), np.float32)
    order = np.argsort(times, kind="stable") if past else np.arange(count)
    times[:], values[:], arrivals[:] = times[order], values[order], arrivals[order]

    def coded(key: Sequence[int]) -> NDArray[np.int32]:
        return key_codes([codes[used.index(column)][order] for column in key])

    def put(place: int, feature: NDArray[np.float32]) -> None:
        ours = order < rows  # the examples come first, in their own order
        out[place, order[ours]] = feature[ours]

    place = 0
    for block, of_block, counted in zip(features.blocks, keys, tables.counted, strict=True):
        own = [labels.index(label) for label in counted]
        edges = edges_of(int(times[0]), int(times[-1]), block.every, tables.timezone)[:-1]
        counted_past = Counters(times, values[:, own], arrivals[:, own], edges, Rules(block.half_life, block.prior))
        for key in of_block:
            for feature in counted_past.of(coded(key)):
                put(place, feature)
                place += 1
    for key in recent_keys:
        assert features.recent is not None
        for feature in recent(coded(key), times, features.recent.within):
            put(place, feature)
            place += 1
    return out


def _scratch(path: Path, shape: tuple[int, ...], kind: type[Scalar]) -> NDArray[Scalar]:
    return np.lib.format.open_memmap(path, "w+", kind, shape)
