"""The runs of all pieces as one log: ids that each run numbered by itself get the codes of one numbering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.vocabulary import Codes, united
from automl.data.encode.common import kind_of
from automl.data.encode.pools import Pool, pool_of_runs, pool_of_side
from automl.data.encode.rows import RowReader
from automl.data.encode.spill import Recode, Spill, read_values
from automl.files.passed import Passed, unheard


@dataclass(frozen=True, slots=True)
class Spilled:
    """Rows of a log by their kind, sorted, and of each coded column its values: code k is values[k - 1]. `pools` hold
    the events of the sequences that stand in the tables."""

    kinds: dict[str, Spill]
    values: tuple[pa.Array, ...]
    pools: tuple[Pool, ...] = ()


def unite(
    reader: RowReader, folders: Sequence[Path], codes: Path, drop_duplicates: bool, passed: Passed = unheard
) -> Spilled:
    """The pieces in the order of the log; values are numbered in the order of their first appearance there. What the
    codes of runs become is mapped from the folder `codes`."""
    codes.mkdir(exist_ok=True)
    runs = [(name, path) for folder in folders for name in reader.spans for path in sorted(folder.glob(f"{name}-*"))]
    values: dict[int, pa.Array] = {}
    starts, flat = [], []
    for place, column in enumerate(reader.own):
        parts = [read_values(path, place) for _, path in runs]
        values[column], of_runs = united(parts, kind_of(reader.tables, reader.numbered[column]))
        lengths = np.array([len(part) for part in parts], np.int64)
        starts.append(np.cumsum(lengths + 1) - lengths - 1)
        flat.append(_mapped(codes / f"{column}.npy", of_runs, lengths))
        passed("columns of ids numbered", place + 1, len(reader.own))
    pools, firsts = [], []
    for k, (sequence, side) in enumerate(zip(reader.tables.listed, reader.lists.of_sides, strict=True)):
        if side is not None:
            pools.append(pool_of_side(sequence, side, reader.tables.at))
            continue
        paths = [path for _, path in runs]
        pool, firsts_R = pool_of_runs(sequence, reader.lists, k, paths, len(reader.own), codes, reader.tables.at)
        pools.append(pool)
        firsts.append((k, firsts_R))
    names = np.array([name for name, _ in runs])
    kinds = {}
    for name in reader.spans:
        own = np.flatnonzero(names == name)
        counts = [len(list(folder.glob(f"{name}-*"))) for folder in folders]
        first = np.cumsum(counts) - counts
        recode = Recode(
            reader.own, [starts_R[own] for starts_R in starts], flat, [(k, firsts_R[own]) for k, firsts_R in firsts]
        )
        slots = reader.buckets(name).slots
        kinds[name] = Spill(folders, first.tolist(), name, reader.record, slots, recode, drop_duplicates)
    coded = range(len(reader.tables.coded))
    return Spilled(kinds, tuple(values[k] if k in values else reader.side_values(k) for k in coded), tuple(pools))


def _mapped(path: Path, codes: Codes, lengths: NDArray[np.int64]) -> Codes:
    """Codes run by run, each with a 0 before them for what is missing."""
    spaced = np.zeros(len(codes) + len(lengths), np.int32)
    spaced[np.arange(len(codes)) + np.repeat(np.arange(1, len(lengths) + 1), lengths)] = codes
    np.save(path, spaced)
    mapped: Codes = np.load(path, mmap_mode="r").view(np.ndarray)  # whose parts are cheaper to take
    return mapped
