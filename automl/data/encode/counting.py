"""What earlier rows tell, of a log whose rows are sorted on disk: a key after the other, whose codes memory holds.

N rows, L labels of the counters, C features.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.times import edges_of
from automl.data.describe.tables import TablesConfig
from automl.data.encode.counters import Counters, Rules, key_codes
from automl.data.encode.recent import recent
from automl.data.encode.spill import Spill
from automl.data.tables.sources import Tables

Scalar = TypeVar("Scalar", bound=np.generic)


def count_log(spill: Spill, tables: Tables[TablesConfig], rows: int, folder: Path) -> NDArray[np.float32]:
    """Features (C, N) in the order of their names, raw, NaN where a key is missing; mapped from `folder`."""
    features = tables.config.features
    if not features.past_names:
        return np.empty((0, rows), np.float32)
    folder.mkdir()
    keys = tables.key_columns()
    recent_keys = [] if features.recent is None else tables.places(features.recent.keys)
    used = sorted({column for of_block in (*keys, recent_keys) for key in of_block for column in key})
    labels = sorted({label for of_block in tables.counted for label in of_block})
    codes = _scratch(folder / "codes.npy", (len(used), rows), np.int32)
    times = _scratch(folder / "times.npy", (rows,), np.int64)
    values = _scratch(folder / "labels.npy", (rows, len(labels)), np.float32)
    arrivals = _scratch(folder / "arrivals.npy", (rows, len(labels)), np.int64)
    done = 0
    for part in spill.sorted():
        span = slice(done, done + len(part))
        codes[:, span] = part["ids"][:, used].T
        times[span] = part["time"]
        if labels:
            values[span] = part["labels"][:, labels]
            arrivals[span] = part["arrivals"][:, labels]
        done += len(part)
    out = _scratch(folder / "counters.npy", (len(features.past_names), rows), np.float32)
    place = 0
    for block, of_block, counted in zip(features.blocks, keys, tables.counted, strict=True):
        own = [labels.index(label) for label in counted]
        edges = edges_of(int(times[0]), int(times[-1]), block.every, tables.timezone)[:-1]
        past = Counters(times, values[:, own], arrivals[:, own], edges, Rules(block.half_life, block.prior))
        for key in of_block:
            for feature in past.of(key_codes([codes[used.index(column)] for column in key])):
                out[place] = feature
                place += 1
    for key in recent_keys:
        assert features.recent is not None
        for feature in recent(key_codes([codes[used.index(column)] for column in key]), times, features.recent.within):
            out[place] = feature
            place += 1
    return out


def _scratch(path: Path, shape: tuple[int, ...], kind: type[Scalar]) -> NDArray[Scalar]:
    return np.lib.format.open_memmap(path, "w+", kind, shape)
