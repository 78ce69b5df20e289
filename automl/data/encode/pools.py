"""The lists of all runs and side tables as pools of events, whose ids have one numbering.

P events of a pool, R runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.lists import action_names
from automl.data.columns.vocabulary import Codes, places_by_value, united
from automl.data.describe.sequences import MOST_ACTIONS
from automl.data.encode.listed import PARTS, ListReader, SideLists
from automl.data.encode.spill import read_values
from automl.data.tables.sources import SequenceSource
from automl.data.tables.windows import Locate
from search_spaces.errors import InputError, Mistake

Ints = NDArray[np.int64]
Bits = NDArray[np.uint8]
_SHOWN = 3
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True)
class OnDisk(Generic[Scalar]):
    """An array in a file, of which a part is mapped while it is asked for: no page of it counts as ours after that."""

    path: Path
    kind: type[Scalar]

    def __len__(self) -> int:
        return self.path.stat().st_size // np.dtype(self.kind).itemsize

    def __getitem__(self, at: slice | Ints) -> NDArray[Scalar]:
        if not len(self):
            return np.zeros(0, self.kind)
        return np.array(np.memmap(self.path, self.kind, "r")[at])


@dataclass(frozen=True, eq=False, slots=True)
class Pool:
    """Events of a sequence: codes of `values` (from 1 on), times (nanoseconds UTC) and bits of `actions` where the
    lists have some. `shared`: rows point to the same lists, which stand here as they are kept; else each list is that
    of one row, and they stand in the order of the log."""

    codes_P: Codes | OnDisk[np.int32]
    values: pa.Array
    times_P: Ints | OnDisk[np.int64] | None
    bits_P: Bits | OnDisk[np.uint8] | None
    actions: tuple[str, ...]
    shared: bool


def pool_of_side(sequence: SequenceSource, side: SideLists, at: Locate) -> Pool:
    """The lists of a side table.

    Raises:
        InputError: where they have more actions than a model tells apart.
    """
    lists = side.lists
    actions, bits = _actions(sequence, lists.kinds, at)
    bits_P = None if lists.kinds_E is None else bits[lists.kinds_E]
    return Pool(lists.codes_E, lists.values, lists.times_E, bits_P, actions, shared=True)


def pool_of_runs(
    sequence: SequenceSource, reader: ListReader, k: int, runs: Sequence[Path], own: int, folder: Path, at: Locate
) -> tuple[Pool, Ints]:
    """The lists of the log's own column, and of each run the place of its first event. `own` is the number of columns
    that stand before those of lists in a run; `folder` is where the pool lies.

    Raises:
        InputError: as pool_of_side() does.
    """
    first = own + PARTS * reader.own.index(k)
    kinds = reader.kinds(k)

    def codes_of(place: int, kind: pa.DataType) -> tuple[pa.Array, list[Codes]]:
        """Distinct values, and of each run the code of every value of its own, 0 for none."""
        parts = [read_values(path, place) for path in runs]
        values, flat = united(parts, kind)
        lengths = [0 if pa.types.is_null(kind) else len(part) for part in parts]
        pieces = np.split(flat, np.cumsum(lengths)[:-1]) if runs else []
        return values, [np.concatenate([np.zeros(1, np.int32), piece]) for piece in pieces]

    values, of_runs = codes_of(first, kinds[0])
    words, words_of_runs = codes_of(first + 3, kinds[1])
    actions, bits = _actions(sequence, words, at)
    paths = [folder / f"list{k}.{name}" for name in ("codes", "times", "bits")]
    sizes: list[int] = []
    with paths[0].open("wb") as codes, paths[1].open("wb") as times, paths[2].open("wb") as of_events:
        for r, path in enumerate(runs):
            found = of_runs[r][read_values(path, first + 1).to_numpy()]
            codes.write(np.ascontiguousarray(found, np.int32).tobytes())
            times.write(read_values(path, first + 2).to_numpy().tobytes())
            if sequence.actions is not None:
                of_events.write(bits[words_of_runs[r][read_values(path, first + 4).to_numpy()]].tobytes())
            sizes.append(len(found))
    pool = Pool(
        OnDisk(paths[0], np.int32),
        values,
        None if sequence.times is None else OnDisk(paths[1], np.int64),
        None if sequence.actions is None else OnDisk(paths[2], np.uint8),
        actions,
        shared=False,
    )
    return pool, np.cumsum([0, *sizes])[:-1]


def _actions(sequence: SequenceSource, words: pa.Array, at: Locate) -> tuple[tuple[str, ...], Bits]:
    """Names of the actions in the order of their values, and the bit of each code of `words`; of code 0 none."""
    order = places_by_value(words) if len(words) else np.zeros(0, np.int64)
    names = action_names(words.take(pa.array(order)))
    bit_of = {name: k for k, name in enumerate(dict.fromkeys(names))}
    if len(bit_of) > MOST_ACTIONS:
        assert sequence.actions is not None
        shown = ", ".join(action_names(words[:_SHOWN]))
        must = f"{sequence.actions.column} must hold at most {MOST_ACTIONS} different values"
        place = at("features", "sequence", sequence.name, "actions")
        raise InputError([Mistake(place, must, f"{len(bit_of)} ({shown}, ...)")])
    bits = np.zeros(len(words) + 1, np.uint8)
    bits[order + 1] = [1 << bit_of[name] for name in names]
    return tuple(bit_of), bits
