"""What a log or stream leaves behind for rows that come after it: they are read once more, and only counted."""

from __future__ import annotations

from collections.abc import Collection, Iterator
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
from automl.data.past.counting import Counting
from automl.data.past.features import PastFeatures
from automl.data.past.state import State
from automl.data.tables.sources import Source


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """What is made of earlier rows, where its key columns come from, their values by code, and what was counted."""

    what: PastFeatures
    sources: tuple[Source, ...]
    values: tuple[pa.Array, ...]
    state: State


def left_behind(
    plan: Plan | StreamPlan, names: Collection[str], scratch: Path, before_ns: int | None = None
) -> LeftBehind:
    """The past of the features that are named, at the end of the log: all rows are counted that encoding counts.

    `scratch` is a folder for the rows while they are sorted; with `before_ns` only rows earlier than that are counted.

    Raises:
        InputError: where the log cannot be read any more.
    """
    what = past_features(plan).select(names)
    place = {source.column: source for source in reversed(plan.coded)}
    sources = tuple(place[column] for column in what.columns)
    with TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        lean = replace(plan, categorical=(), dense=(), vectors=(), extra=sources, cluster=None)
        reader = _reader(lean)
        with crew(hands(reader.scan.rows, len(lean.log_columns))) as helpers:
            read = spilled(reader, folder / "rows", helpers)
        (folder / "gathered").mkdir()
        parts = chain.from_iterable(spill.sorted() for spill in read.kinds.values())  # examples, and what is only past
        gathered = gather(what, lean, _earlier(parts, before_ns), folder / "gathered")
        counting = Counting(what, State.nothing(what), gathered)
        for _ in counting.features():
            pass
        state = counting.after()
    return LeftBehind(what, sources, read.values, state)


def _reader(plan: Plan | StreamPlan) -> Reader | StreamReader:
    return Reader(plan, scan(plan)) if isinstance(plan, Plan) else StreamReader(plan, scan(plan, plan.span))


def _earlier(parts: Iterator[Rows], before_ns: int | None) -> Iterator[Rows]:
    for rows in parts:
        yield rows if before_ns is None else rows[np.asarray(rows["time"] < before_ns)]
