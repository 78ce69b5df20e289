"""What earlier rows tell, of a log whose rows are sorted on disk: a key after the other, whose codes memory holds.

N rows, C features.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from automl.data.describe.streams import StreamDataConfig
from automl.data.describe.tables import CountersConfig, TablesConfig
from automl.data.encode.plan import Plan
from automl.data.encode.spill import Rows, Spill
from automl.data.past.counting import Counting
from automl.data.past.features import CounterBlock, Key, PastFeatures, PastLabel, RecentBlock, SequenceBlock
from automl.data.past.rows import Gathered, PastRows
from automl.data.past.sequences import Listed
from automl.data.past.state import State
from automl.data.store.folder import mapped
from automl.data.tables.sources import Tables


@dataclass(frozen=True, eq=False, slots=True)
class FromPast:
    """What earlier rows tell of N examples: features (C, N), and the lists of each sequence that is built."""

    counters_CN: NDArray[np.float32]
    sequences: tuple[Listed, ...]


def count_log(
    spill: Spill, tables: Tables[TablesConfig], rows: int, folder: Path, beside: Spill | None = None
) -> FromPast:
    """Features in the order of their names, raw, NaN where a key is missing; mapped from `folder`. And lists.

    `beside` has rows of the log that are no examples, sorted: they are counted too, and have no features.
    """
    what = past_features(tables)
    if not what.names and not what.sequences:
        return FromPast(np.empty((0, rows), np.float32), ())
    folder.mkdir()
    gathered = gather(what, tables, chain(spill.sorted(), () if beside is None else beside.sorted()), folder)
    out = mapped(folder / "counters.npy", (len(what.names), rows), np.float32)
    ours_N = gathered.order_N < rows  # the examples come first, in their own order
    counting = Counting(what, State.nothing(what), gathered, 0)
    for place, feature_N in enumerate(counting.features()):
        out[place, gathered.order_N[ours_N]] = feature_N[ours_N]
    sequences = tuple(_of_examples(found, gathered.order_N, ours_N) for found in counting.sequences())
    return FromPast(out, sequences)


def _of_examples(found: Listed, order_N: NDArray[np.int64], ours_N: NDArray[np.bool_]) -> Listed:
    """The lists of the examples alone, in their own order."""
    stop_N, count_N = np.zeros(int(ours_N.sum()), np.int64), np.zeros(int(ours_N.sum()), np.int32)
    stop_N[order_N[ours_N]], count_N[order_N[ours_N]] = found.stop_N[ours_N], found.count_N[ours_N]
    return Listed(found.events, stop_N, count_N)


def gather(what: PastFeatures, tables: Tables[TablesConfig], parts: Iterable[Rows], folder: Path) -> Gathered:
    """Records of a log, to be counted."""
    (columns,), all_labels = tables.places([what.columns]), past_labels(tables)
    labels = [all_labels.index(label) for label in what.labels]
    built = [sequence.name for sequence in tables.built]
    events = [built.index(block.name) for block in what.sequences]
    rows = (_of_records(part, columns, labels, events) for part in parts)
    return Gathered(len(columns), len(labels), folder, rows, len(events))


def past_features(tables: Tables[TablesConfig]) -> PastFeatures:
    """What the description of a log or stream makes of earlier rows."""
    features = tables.config.features
    names = iter(features.past_names)
    blocks = tuple(
        CounterBlock(_keys(block, names), counted, block.every, block.half_life, block.prior)
        for block, counted in zip(features.blocks, tables.counted, strict=True)
    )
    recent = None
    if features.recent is not None:
        keys = tuple(Key(key, (next(names), next(names))) for key in features.recent.keys)
        recent = RecentBlock(keys, features.recent.within)
    equal_by = tuple(sorted(tables.log.columns)) if tables.config.drop_duplicates else ()
    sequences = tuple(
        SequenceBlock(name, part.of, part.by or (), part.action_columns, part.max_len, part.delay)
        for name, part in features.built.items()
    )
    every = PastFeatures(past_labels(tables), blocks, recent, tables.timezone, equal_by, sequences)
    return every.select((*every.names, *features.built))


def past_labels(tables: Tables[TablesConfig]) -> tuple[PastLabel, ...]:
    """The labels of the records."""
    if isinstance(tables, Plan):
        return tuple(PastLabel(label.column, label.delay) for label in tables.labels)
    config = tables.config
    assert isinstance(config, StreamDataConfig)
    return tuple(
        PastLabel(label.column, label.delay or 0.0, label.given, label.arrives) for label in config.labels.values()
    )


def _keys(block: CountersConfig, names: Iterator[str]) -> tuple[Key, ...]:
    of_key = len(block.labels) + 1
    return tuple(Key(key, tuple(next(names) for _ in range(of_key))) for key in block.keys)


def _of_records(part: Rows, columns: list[int], labels: list[int], events: list[int]) -> PastRows:
    """Records of a log that has no labels, or no sequences, have no place for them."""
    rows = len(part)
    return PastRows(
        part["time"],
        part["ids"][:, columns].T,
        part["labels"][:, labels] if labels else np.zeros((rows, 0), np.float32),
        part["arrivals"][:, labels] if labels else np.zeros((rows, 0), np.int64),
        part["events"][:, events].T if events else np.zeros((0, rows), np.uint8),
    )
