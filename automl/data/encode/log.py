"""A log on disk to an EncodedLog: one look for the span of time, one stream of the rows, an external sort, one write.

Memory holds a batch, a bucket, the side tables and the vocabularies, however long the log is.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.moments import Moments
from automl.data.columns.numbers import Scales
from automl.data.columns.vector_places import places_of
from automl.data.columns.vocabulary import fit_vocabulary
from automl.data.describe.tables import DataConfig, LabelConfig
from automl.data.encode.common import fingerprint_of, is_log_scaled, made_once, spans_of, with_dense
from automl.data.encode.counting import count_log
from automl.data.encode.crew import crew, hands
from automl.data.encode.drift import Drift
from automl.data.encode.histories import Histories
from automl.data.encode.looked_at import sample_of
from automl.data.encode.plan import Plan, make_plan
from automl.data.encode.reader import Reader
from automl.data.encode.reading import rows_folder, spilled
from automl.data.encode.room import room_words
from automl.data.encode.row_notes import row_notes
from automl.data.encode.rows import EXAMPLES, PAST
from automl.data.encode.scan import scan
from automl.data.encode.tally import Tally
from automl.data.encode.uniting import Spilled
from automl.data.encode.writing import blocks, told_rows, watched
from automl.data.leaks.find import ROWS, find_leaks
from automl.data.store.encoder_files import write_encoders
from automl.data.store.folder import write_columns
from automl.data.store.history import HistoryJson
from automl.data.store.log import LOG, EncodedLog, LogFacts, open_log
from automl.data.store.told import Feature, Note
from automl.data.tables.sources import at_nothing
from automl.data.tables.windows import WINDOWS, DaySplit, Locate
from automl.files.passed import Passed, Told, unheard, untold


def encode_log(
    config: DataConfig, base: Path, cache: Path, *, fit: tuple[str, ...] = ("train",), where: Locate = at_nothing
) -> EncodedLog:
    """The log as memory-mapped columns, encoded once per content, description and `fit`.

    `base` is the folder that paths are relative to; `fit` names the windows that vocabularies and scales are learned
    from; `where(*path)` gives the position of a part of the data description, for errors.

    Raises:
        InputError: with every mistake of the description, or of the rows, that was found together.
    """
    return encode_plan(make_plan(config, base, where), cache, fit=fit)


def encode_plan(
    plan: Plan,
    cache: Path,
    *,
    fit: tuple[str, ...],
    told: Told = untold,
    passed: Passed = unheard,
) -> EncodedLog:
    """`encode_log` of tables that are open; `told` hears what it will take of the disk, where that is much, and
    that a log which lies there is encoded anew, where it is not what was written; `passed` how far it is.

    Raises:
        InputError: with every mistake of the rows that was found together.
    """
    fingerprint = plan_fingerprint(plan, cache, fit, passed)

    def make(folder: Path) -> None:
        _encode(plan, folder, fit, fingerprint, told, passed)

    return open_log(made_once(cache, fingerprint, make, told, passed))


def plan_fingerprint(plan: Plan, cache: Path, fit: Sequence[str], passed: Passed = unheard) -> str:
    """The name that the encoded log would have: of its content, description and `fit`. Nothing is encoded."""
    return fingerprint_of(plan, cache, LOG.format, sorted(fit), passed)


def _encode(
    plan: Plan, folder: Path, fit: Sequence[str], fingerprint: str, told: Callable[[str], None], passed: Passed
) -> None:
    split = plan.split
    first = scan(plan, (split.starts[0], split.ends[-1]) if isinstance(split, DaySplit) else None, passed)
    words = room_words(plan, first.rows, folder)
    if words is not None:
        told(words)
    reader = Reader(plan, first)
    with rows_folder(folder) as scratch, crew(hands(first.rows, len(plan.log_columns))) as helpers:
        read = spilled(reader, scratch, helpers, passed)
        _write(plan, reader, read, folder, fit, fingerprint, passed)


def _write(
    plan: Plan, reader: Reader, read: Spilled, folder: Path, fit: Sequence[str], fingerprint: str, passed: Passed
) -> None:
    """The sorted rows as columns, and all that goes with them."""
    first = reader.scan
    spill, past = read.kinds[EXAMPLES], read.kinds.get(PAST)
    fits = {WINDOWS.index(name) for name in fit}
    values = read.values[: len(plan.categorical)]
    sizes, tasks = [len(of_column) for of_column in values], len(plan.config.tasks)
    tally = Tally(sizes, is_log_scaled(plan), plan.vector_width, tasks)
    for window_index, rows in spill.by_window():
        tally.add(rows, window_index, window_index in fits)
        passed("rows counted", int(tally.rows.sum()), len(spill))
    tally.raise_mistakes(plan, first)
    vocabularies = [
        fit_vocabulary(of_column, counts, part.min_count, part.buckets or 0)
        for of_column, counts, part in zip(
            values, tally.id_counts, plan.config.features.categorical.values(), strict=True
        )
    ]
    count = int(tally.rows.sum())
    told = count_log(spill, plan, count, folder / "counting", past)
    counters = told.counters_CN
    moments = _with_counters(tally, counters, fits).beside(tally.vectors)
    plainly = [False] * (len(counters) + plan.vector_width)
    scales = Scales(moments.mean, moments.scale, (*tally.log, *plainly))
    timed = plan.config.time is not None
    drift = Drift(*_names(plan))
    parts = watched(with_dense(spill, counters, scales), vocabularies, tally.rows, drift)
    events = tally.listed_events
    with Histories(folder, plan, read.pools, told.sequences, vocabularies, events, fits) as histories:
        write_columns(folder, count, told_rows(blocks(parts, timed, histories.columns), count, passed))
    leaks = _leaks(read, plan, int(tally.rows[0]))
    shutil.rmtree(folder / "counting", ignore_errors=True)
    np.savez(folder / "id_counts.npz", *(vocabulary.id_counts for vocabulary in vocabularies))
    write_encoders(folder, vocabularies, scales)
    of_rows, of_lists = row_notes(plan, reader, tally, values), histories.notes(reader.seen.late)
    notes = [*map(Note, first.notes), *of_rows, *drift.notes(), *of_lists, *leaks]
    LOG.write(
        folder,
        _facts(plan, tally, fit, fingerprint, [*drift.features(), *histories.features()], notes, histories.told()),
    )


def _leaks(read: Spilled, plan: Plan, train: int) -> list[Note]:
    """What gives a label away in the last rows of the training window, which comes first."""
    rows = read.kinds[EXAMPLES].rows(max(0, train - ROWS), train)
    tasks = plan.config.tasks
    if len(tasks) == 1:
        return find_leaks(sample_of(rows, plan, read.values))
    return [
        replace(note, text=f"of `{task.name}`: {note.text}")
        for k, task in enumerate(tasks)
        for note in find_leaks(sample_of(rows[~np.isnan(rows["label"][:, k])], plan, read.values, k))
    ]


def _with_counters(tally: Tally, counters: NDArray[np.float32], fits: set[int]) -> Moments:
    """The moments of all dense features over the fit windows: those of the columns, then of the counters."""
    own, ends = Moments(len(counters)), np.cumsum(tally.rows)
    for k, values in enumerate(counters):
        for window in sorted(fits):
            own.add(k, values[ends[window] - tally.rows[window] : ends[window]].astype(np.float64))
    return tally.moments.beside(own)


def _names(plan: Plan) -> tuple[list[str], list[str], list[str], list[str]]:
    """Of id features, dense features, counters and the numbers of vectors, in the order of the columns."""
    counters = list(plan.config.features.past_names)
    vectors = [name for one in plan.vectors for name in places_of(one.source.column, one.width)]
    return [source.column for source in plan.categorical], [source.column for source in plan.dense], counters, vectors


def _facts(
    plan: Plan,
    tally: Tally,
    fit: Sequence[str],
    fingerprint: str,
    features: Sequence[Feature],
    notes: Sequence[Note],
    histories: list[HistoryJson],
) -> LogFacts:
    fields, *dense = _names(plan)
    facts: LogFacts = {
        "fields": fields,
        "dense": [name for names in dense for name in names],
        "windows": spans_of(dict(zip(WINDOWS, tally.rows.tolist(), strict=True))),
        "base_rates": tally.labels[0].base_rates,
        "fit": list(fit),
        "label": plan.config.tasks[0].name,
        "negatives_kept": plan.config.negatives_kept,
        "fingerprint": fingerprint,
        "timed": plan.config.time is not None,
        "timezone": plan.timezone,
        "notes": [note.to_json() for note in notes],
        "features": [feature.to_json() for feature in features],
    }
    if histories:
        facts["histories"] = histories
    buckets = [part.buckets or 0 for part in plan.config.features.categorical.values()]
    if any(buckets):
        facts["buckets"] = buckets
    tasks = plan.config.tasks
    if len(tasks) > 1:
        facts["labels"] = {task.name: labels.base_rates for task, labels in zip(tasks, tally.labels, strict=True)}
        facts["given"] = [_given_by(task, tasks) for task in tasks]
    return facts


def _given_by(label: LabelConfig, tasks: Sequence[LabelConfig]) -> int | None:
    """The place of the label, defined in every row, in whose positive rows alone this one is."""
    return next((k for k, one in enumerate(tasks) if one.given is None and one.column == label.given), None)
