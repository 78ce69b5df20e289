"""A log on disk to an EncodedStream: sorted by time as a log is, numbered and scaled without a look ahead.

What a row holds depends on earlier rows only: ids are numbered by first appearance, counters know the past, and their
scales are fixed. The one exception are dense columns, which are standardised over the first window.

N rows in the order of time, T tasks, D dense features.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from automl.data.columns.moments import Moments
from automl.data.columns.numbers import Scales, transformed
from automl.data.describe.streams import StreamDataConfig
from automl.data.encode.common import fingerprint_of, is_log_scaled, made_once, with_dense
from automl.data.encode.counting import count_log
from automl.data.encode.crew import crew, hands
from automl.data.encode.reading import rows_folder, spilled
from automl.data.encode.rows import EXAMPLES
from automl.data.encode.scan import scan
from automl.data.encode.segments import segments_of
from automl.data.encode.spill import Rows, Spill
from automl.data.encode.stream_columns import StreamColumns, unique_examples
from automl.data.encode.stream_plan import StreamPlan, make_stream_plan
from automl.data.encode.stream_reader import StreamReader
from automl.data.encode.stream_windows import windows_of
from automl.data.encode.uniting import Spilled
from automl.data.encode.writing import told_rows
from automl.data.store.encoder_files import write_encoders
from automl.data.store.folder import write_columns
from automl.data.store.stream import STREAM, EncodedStream, Window, open_stream
from automl.data.tables.sources import at_nothing
from automl.data.tables.windows import Locate
from automl.files.passed import Passed, Told, unheard, untold
from search_spaces.errors import InputError, Mistake

RATE_SCALE, COUNT_SCALE = 0.5, 2.0  # fixed: a scale learned from the first days would not fit the counts of the last


def encode_stream(
    config: StreamDataConfig,
    base: Path,
    cache: Path,
    *,
    where: Locate = at_nothing,
    told: Told = untold,
    passed: Passed = unheard,
) -> EncodedStream:
    """The stream as memory-mapped columns, encoded once per content and description; `passed` hears how far it is,
    `told` that one which lies there is encoded anew, where it is not what was written.

    `base` is the folder that paths are relative to; `where(*path)` gives the position of a part of the description.

    Raises:
        InputError: with every mistake of the description, or of the rows, that was found together.
    """
    plan = make_stream_plan(config, base, where)
    fingerprint = plan_fingerprint(plan, cache, passed)

    def make(folder: Path) -> None:
        _encode(plan, folder, fingerprint, passed)

    return open_stream(made_once(cache, fingerprint, make, told, passed))


def plan_fingerprint(plan: StreamPlan, cache: Path, passed: Passed = unheard) -> str:
    """The name that the encoded stream would have: of its content and description. Nothing is encoded."""
    return fingerprint_of(plan, cache, STREAM.format, STREAM.name, passed)


def _encode(plan: StreamPlan, folder: Path, fingerprint: str, passed: Passed) -> None:
    first = scan(plan, plan.span, passed)
    reader = StreamReader(plan, first)
    with rows_folder(folder) as scratch, crew(hands(first.rows, len(plan.log_columns))) as helpers:
        _write(plan, reader, spilled(reader, scratch, helpers, passed), folder, fingerprint, passed)


def _write(
    plan: StreamPlan, reader: StreamReader, read: Spilled, folder: Path, fingerprint: str, passed: Passed
) -> None:
    """The sorted rows as columns, and all that goes with them."""
    config, first = plan.config, reader.scan
    spill = read.kinds[EXAMPLES]
    if not reader.seen.kept:
        raise InputError([Mistake(plan.at("days"), "the days must hold rows", "none")])
    times = np.concatenate([rows["time"] for rows in spill.sorted()])
    windows = windows_of(config.window, times, plan.timezone)
    columns = StreamColumns(plan, len(times))
    write_columns(folder, len(times), told_rows(columns.blocks(spill), len(times), passed))
    columns.raise_mistakes(plan)
    examples, again = unique_examples(columns.examples)
    np.save(folder / "examples.npy", examples)
    names = _write_segments(folder, plan, spill, windows, len(times))

    log = is_log_scaled(plan)
    moments = _moments(spill, log, windows[0].rows.stop)
    counters = count_log(spill, plan, len(times), folder / "counting").counters_CN
    mean, scale = (np.concatenate(pair) for pair in zip((moments.mean, moments.scale), _fixed(plan), strict=True))
    scales = Scales(mean, scale, (*log, *(False for _ in counters)))
    write_columns(folder, len(times), ({"dense": dense} for _, dense, _ in with_dense(spill, counters, scales)))
    shutil.rmtree(folder / "counting", ignore_errors=True)
    vocabularies = columns.vocabularies(read.values)
    write_encoders(folder, vocabularies, scales)
    STREAM.write(
        folder,
        {
            "fields": [source.column for source in plan.categorical],
            "dense": [*(source.column for source in plan.dense), *config.features.counter_names],
            "tasks": list(config.labels),
            "id_counts": [len(vocabulary.values) for vocabulary in vocabularies],
            "windows": [(w.name, w.rows.start, w.rows.stop, w.start_ns, w.end_ns) for w in windows],
            "segments": names,
            "timezone": plan.timezone,
            "time_unit": first.unit,
            "notes": [*first.notes, *_notes(plan, reader, columns, again)],
            "fingerprint": fingerprint,
        },
    )


def _write_segments(folder: Path, plan: StreamPlan, spill: Spill, windows: Sequence[Window], count: int) -> list[str]:
    names: list[str] = []
    for entity, column in plan.config.segments.items():
        place = plan.place(column)
        codes = np.empty(count, np.int32)
        np.concatenate([rows["ids"][:, place] for rows in spill.sorted()], out=codes)
        for name, rows in segments_of(entity, codes, [window.rows for window in windows]):
            np.save(folder / f"segment_{len(names):03d}.npy", rows)
            names.append(name)
    return names


def _moments(spill: Spill, log: Sequence[bool], rows: int) -> Moments:
    """Of the dense columns over the first rows."""
    moments = Moments(len(log))
    for part in _first(spill.sorted(), rows):
        for k, of_column in enumerate(log):
            moments.add(k, transformed(part["dense"][:, k], of_column))
    return moments


def _first(parts: Iterator[Rows], rows: int) -> Iterator[Rows]:
    for part in parts:
        if rows <= 0:
            return
        yield part[:rows]
        rows -= len(part)


def _fixed(plan: StreamPlan) -> tuple[list[float], list[float]]:
    """Shift and scale of the counters: nothing that is seen decides them."""
    mean: list[float] = []
    scale: list[float] = []
    for block in plan.config.features.blocks:
        labels, keys = len(block.labels), len(block.keys)
        mean += [*[0.0] * labels, float(np.log1p(block.prior))] * keys
        scale += [*[RATE_SCALE] * labels, COUNT_SCALE] * keys
    return mean, scale


def _notes(plan: StreamPlan, reader: StreamReader, columns: StreamColumns, again: int) -> list[str]:
    """What a reader of the stream should know of the rows."""
    notes = []
    if reader.seen.outside:
        notes.append(f"{reader.seen.outside} of {reader.seen.rows} rows lie outside of the days")
    if columns.rows < reader.seen.kept:
        notes.append(
            f"{reader.seen.kept - columns.rows} of {reader.seen.kept} rows are exact duplicates and were dropped"
        )
    if again:
        what = plan.config.example_id or "content"
        notes.append(f"{again} rows have the {what} of an earlier row: their example ids carry an ordinal")
    notes += reader.notes()
    for name, defined, never in zip(plan.config.labels, columns.defined, columns.never, strict=True):
        if defined < columns.rows:
            notes.append(f"{name} is defined in {defined} of {columns.rows} rows")
        if never:
            notes.append(f"{name} never arrives in {never} rows")
    return notes
