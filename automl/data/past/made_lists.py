"""Lists that are made of earlier rows, as columns of a table: of ids as values, of times, and of bits of actions.

N rows, E events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.lists import places
from automl.data.past.features import SequenceBlock
from automl.data.past.sequences import Events, Listed
from automl.data.store.served_lists import made_list


@dataclass(frozen=True, eq=False, slots=True)
class MadeLists:
    """The list of row n, in the order in which rows came, is events[stop_N[n] - count_N[n] : stop_N[n]]. Code k of an
    id is values[k - 1]."""

    block: SequenceBlock
    events: Events
    values: pa.Array
    stop_N: NDArray[np.int64]
    count_N: NDArray[np.int32]

    def columns(self, part: slice) -> Iterator[tuple[str, pa.Array]]:
        """Of some of the rows."""
        count_n = self.count_N[part]
        at_E = places(self.stop_N[part], count_n)
        offsets = pa.array(np.concatenate([[0], np.cumsum(count_n, dtype=np.int64)]), pa.int64())
        ids = self.values.take(pa.array(self.events.ids_E[at_E] - 1))
        yield made_list("ids", self.block.name), pa.LargeListArray.from_arrays(offsets, ids)
        times = pa.array(self.events.times_E[at_E], pa.timestamp("ns", tz="UTC"))
        yield made_list("times", self.block.name), pa.LargeListArray.from_arrays(offsets, times)
        if self.block.actions:
            bits = pa.array(self.events.bits_E[at_E])
            yield made_list("actions", self.block.name), pa.LargeListArray.from_arrays(offsets, bits)


def made_lists(
    block: SequenceBlock,
    found: Listed,
    values: pa.Array,
    place_N: NDArray[np.int64],
    rows: int,
    stands_N: NDArray[np.int64] | None,
) -> MadeLists:
    """Lists of rows in the order of time, each of which came at its place among so many; `stands_N` is the place of the
    row that is counted for each."""
    stop_N, count_N = np.zeros(rows, np.int64), np.zeros(rows, np.int32)
    stop_N[place_N], count_N[place_N] = found.stop_N, found.count_N
    if stands_N is not None:
        stop_N, count_N = stop_N[stands_N], count_N[stands_N]
    return MadeLists(block, found.events, values, stop_N, count_N)
