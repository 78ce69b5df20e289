"""What a log or stream leaves behind for rows that come after it: they are read once more, and only counted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from automl.data.encode.counting import gather, past_features
from automl.data.encode.crew import crew, hands
from automl.data.encode.plan import Plan
from automl.data.encode.reader import Reader
from automl.data.encode.reading import spilled
from automl.data.encode.scan import scan
from automl.data.encode.spill import Rows
from automl.data.encode.stream_plan import StreamPlan
from automl.data.encode.stream_reader import StreamReader
from automl.data.encode.uniting import Spilled
from automl.data.past.counting import Counting
from automl.data.past.features import PastFeatures
from automl.data.past.state import State
from automl.data.tables.sources import Source


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """What is made of earlier rows, where the columns of keys and lists come from, their values by code, and what was
    counted of the rows before each of the times that were asked for."""

    what: PastFeatures
    sources: tuple[Source, ...]
    values: tuple[pa.Array, ...]
    states: tuple[State, ...]


def left_behind(
    plan: Plan | StreamPlan, names: Collection[str], scratch: Path, before: Sequence[int | None]
) -> LeftBehind:
    """The past of the features and sequences that are named, once for each time (nanoseconds UTC): of the rows before
    it that encoding counts, of all of them for None. The log is read once.

    `scratch` is a folder for the rows while they are sorted.

    Raises:
        InputError: where the log cannot be read any more.
    """
    what = past_features(plan).select(names)
    place = {source.column: source for source in reversed(plan.coded)}
    sources = tuple(place[column] for column in what.columns)
    with TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        listed = {block.name for block in what.sequences}
        built = tuple(sequence for sequence in plan.built if sequence.name in listed)
        lean = replace(plan, categorical=(), dense=(), vectors=(), extra=sources, cluster=None, sequences=built)
        reader = _reader(lean)
        with crew(hands(reader.scan.rows, len(lean.log_columns))) as helpers:
            read = spilled(reader, folder / "rows", helpers)
        states = tuple(_counted(what, lean, read, folder / f"gathered{k}", ends) for k, ends in enumerate(before))
    return LeftBehind(what, sources, read.values, states)


def _reader(plan: Plan | StreamPlan) -> Reader | StreamReader:
    return Reader(plan, scan(plan)) if isinstance(plan, Plan) else StreamReader(plan, scan(plan, plan.span))


def _counted(what: PastFeatures, plan: Plan | StreamPlan, read: Spilled, folder: Path, before_ns: int | None) -> State:
    folder.mkdir()
    parts = chain.from_iterable(spill.sorted() for spill in read.kinds.values())  # examples, and what is only past
    counting = Counting(what, State.nothing(what), gather(what, plan, _earlier(parts, before_ns), folder), 0)
    for _ in counting.features():
        pass
    return counting.after()


def _earlier(parts: Iterator[Rows], before_ns: int | None) -> Iterator[Rows]:
    for rows in parts:
        yield rows if before_ns is None else rows[np.asarray(rows["time"] < before_ns)]
