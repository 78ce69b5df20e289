"""What goes with a model of a log: the encoders of its features, and the past that rows after the log have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from automl.data.columns.numbers import Scales
from automl.data.columns.times import time_values, way_of
from automl.data.describe.tables import TablesConfig, TimeConfig
from automl.data.encode.past import left_behind
from automl.data.encode.plan import Plan
from automl.data.encode.scan import scan
from automl.data.encode.stream_plan import StreamPlan
from automl.data.past.coding import compacted
from automl.data.past.past import Past, fingerprint_of
from automl.data.store.encoder_files import encoders_of, told_actions, told_unit
from automl.data.store.encoders import Encoders, Origin, ServedTime, SideColumns
from automl.data.store.served_lists import ServedSequence
from automl.data.tables.sources import SequenceSource, Source, Tables


def log_encoders(folder: Path, tables: Tables[TablesConfig]) -> Encoders:
    """The encoders of an encoded log or stream, with what its description tells of time and side tables."""
    time = tables.config.time
    unit = None if time is None else time.unit or told_unit(folder) or scan(tables).unit
    times = folder / "times.npy"
    span = tuple(np.load(times, mmap_mode="r")[[0, -1]].tolist()) if times.exists() else None
    timed = None
    if time is not None:
        timed = ServedTime(time.column, unit, tables.timezone, time.format, span, _way(tables, time))
    lists = (column for sequence in tables.listed for column in sequence.columns)
    sides = _sides(tables, (*tables.features, *lists))
    actions = told_actions(folder)
    sequences = [_served(sequence, actions[sequence.name]) for sequence in tables.sequences]
    return encoders_of(folder, timed, sides, _origin(tables, tables.categorical, tables.dense), sequences)


def log_pasts(
    plan: Plan | StreamPlan, encoders: Encoders, fingerprint: str, scratch: Path, before: Sequence[int | None] = (None,)
) -> list[Past]:
    """What a model that reads these features needs of the log: of the rows before each time (nanoseconds UTC), and of
    all of them for None. None at all where it reads nothing that is made of earlier rows.

    `encoders` are those of the log's features, `fingerprint` is the encoded log's.

    Raises:
        InputError: where the log cannot be read any more.
    """
    names = [name for name in plan.config.features.past_names if name in encoders.dense]
    names += [sequence.name for sequence in encoders.sequences if sequence.built]
    if not names:
        return []
    left = left_behind(plan, names, scratch, before)
    sides, origin = tuple(_sides(plan, left.sources)), _origin(plan, left.sources, ())
    found = []
    for whole in left.states:
        state, values = compacted(left.what, whole, left.values)
        scales = Scales(np.zeros(0), np.zeros(0), ())
        of_keys = Encoders(left.what.columns, (), values, scales, encoders.time, sides, origin)
        found.append(Past(left.what, state, of_keys, fingerprint_of(left.what, fingerprint)))
    return found


def _served(sequence: SequenceSource, actions: tuple[str, ...]) -> ServedSequence:
    if sequence.ids is None:
        return ServedSequence.made(sequence.name, sequence.of.column, sequence.most, actions)
    times, kinds = (None if source is None else source.column for source in (sequence.times, sequence.actions))
    return ServedSequence(sequence.name, sequence.of.column, sequence.most, sequence.ids.column, times, kinds, actions)


def _sides(tables: Tables[TablesConfig], sources: Collection[Source]) -> list[SideColumns]:
    sides = [
        SideColumns(join.on, tuple(source.column for source in sources if source.table == k))
        for k, join in enumerate(tables.config.join)
    ]
    return [side for side in sides if side.columns]


def _way(tables: Tables[TablesConfig], time: TimeConfig) -> str | None:
    """How the log writes its times, told by its first one."""
    for batch in tables.log.batches([time.column]):
        known = batch.column(0).drop_null()
        if len(known):
            way: str = way_of(time_values(known, time.format).type)
            return way
    return None


def _origin(tables: Tables[TablesConfig], categorical: Iterable[Source], numbers: Iterable[Source]) -> Origin:
    config = tables.config
    coded = [(source.column, tables.of(source)) for source in categorical]
    untyped = [name for name, table in coded if table is not None and table.is_untyped(name)]
    dense = [(source.column, tables.of(source)) for source in numbers]
    single = [name for name, table in dense if table is not None and _is_single(table.type_of(name))]
    csv = None if config.csv is None else config.csv.model_dump(mode="json", exclude_unset=True)
    return Origin(csv, config.types, tuple(untyped), tuple(single))


def _is_single(kind: pa.DataType) -> bool:
    return bool(pa.types.is_float32(kind) or pa.types.is_float16(kind))
