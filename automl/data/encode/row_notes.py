"""What a reader of the study should know of the rows of its log: what was left out, and features that say nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

import pyarrow as pa

from automl.data.columns.vocabulary import written_twice
from automl.data.encode.plan import Plan
from automl.data.encode.reader import Reader
from automl.data.encode.tally import Tally, span_words
from automl.data.store.told import Note

_EACH = 5  # features that are named one by one
_SOME = 3  # of more


def row_notes(plan: Plan, reader: Reader, tally: Tally, values: Sequence[pa.Array]) -> list[Note]:
    """`values` are those of the id features, as they stand in the log."""
    ids = [source.column for source in plan.categorical]
    written = [
        (name, twice) for name, of_column in zip(ids, values, strict=True) if (twice := written_twice(of_column))
    ]
    empty = [name for name, counts in zip(ids, tally.id_counts, strict=False) if not counts[1:].any()]
    ends = accumulate(vector.width for vector in plan.vectors)
    unsaid = [
        vector.source.column
        for vector, end in zip(plan.vectors, ends, strict=True)
        if not tally.vectors.count[end - vector.width : end].any()
    ]
    constant = [source.column for source, spread in zip(plan.dense, tally.moments.spread, strict=False) if spread == 0]
    return [
        *map(Note, _of_rows(plan, reader, tally)),
        *(Note(_two_ids(*one), "feature", ("features", "categorical", one[0])) for one in written),
        *_together(empty, "categorical", "has no value in the fit windows", "have no value in the fit windows"),
        *_together(unsaid, "vectors", "has no value in the fit windows", "have no value in the fit windows"),
        *_together(constant, "dense", "is constant in the fit windows", "are constant in the fit windows"),
    ]


def _of_rows(plan: Plan, reader: Reader, tally: Tally) -> Iterator[str]:
    seen = reader.seen
    examples = seen.rows - seen.outside - seen.not_given
    twice = examples - int(tally.rows.sum())
    if twice:
        yield f"{twice} of {examples} rows are exact duplicates and were dropped"
    if seen.outside:
        span = span_words(plan, reader.scan)
        yield f"{seen.outside} of {seen.rows} rows lie outside of the windows{f' ({span})' if span else ''}"
    if seen.not_given:
        given = dict.fromkeys(label.given for label in plan.config.tasks if label.given is not None)
        words = f"neither {' nor '.join(given)} is 1" if len(given) > 1 else f"{', '.join(given)} is not 1"
        yield f"{seen.not_given} rows are no examples: {words}"
    yield from reader.notes()


def _two_ids(column: str, number: str) -> str:
    hint = f"data: {{types: {{{column}: integer}}}} reads both as one"
    return f"{column} holds {number} and {number}.0, which are two ids: {hint}"


def _together(columns: Sequence[str], kind: str, one: str, many: str) -> Iterator[Note]:
    """A note for each, or one for all where they are many."""
    if len(columns) <= _EACH:
        yield from (Note(f"{name} {one}", "feature", ("features", kind, name)) for name in columns)
    else:
        named = ", ".join(columns[:_SOME])
        yield Note(f"{named} and {len(columns) - _SOME} more {many}", "feature", ("features", kind))
