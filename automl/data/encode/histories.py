"""The sequences of a log on their way to disk: pools of events, the list of each row, and what the windows hold.

n rows of a part, E events of some rows, P events of a pool.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.lists import places
from automl.data.columns.vocabulary import Codes, Vocabulary
from automl.data.encode.history_notes import HistoryCounts
from automl.data.encode.plan import Plan
from automl.data.encode.pools import OnDisk, Pool
from automl.data.encode.writing import Part
from automl.data.past.sequences import Listed
from automl.data.store.folder import ColumnWriter
from automl.data.store.history import HistoryJson
from automl.data.store.told import Feature, Note

Ints = NDArray[np.int64]
_AT_ONCE = 1 << 20  # events


@dataclass(frozen=True, eq=False, slots=True)
class _Source:
    """Where the events of a sequence come from: codes that `recode` makes ids, and the lists of the rows: those of the
    records (`place` among them), or built ones."""

    codes_P: Codes | OnDisk[np.int32]
    recode: Codes
    times_P: Ints | OnDisk[np.int64] | None
    bits_P: NDArray[np.uint8] | OnDisk[np.uint8] | None
    place: int
    built: Listed | None
    shared: bool


class Histories:
    """Writes all sequences of a log while its rows pass, in their order."""

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        pools: Sequence[Pool],
        built: Sequence[Listed],
        vocabularies: Sequence[Vocabulary],
        listed_events: NDArray[np.int64],
        fits: set[int],
    ) -> None:
        """`listed_events` are those of the rows that are written, of each sequence that stands in the tables."""
        self._plan, self._done = plan, 0
        self._fields = [plan.categorical.index(sequence.of) for sequence in plan.sequences]
        self._sources: list[_Source] = []
        self._counts: list[HistoryCounts] = []
        for sequence, field in zip(plan.sequences, self._fields, strict=True):
            vocabulary = vocabularies[field]
            if sequence.ids is None:
                found = built[plan.built.index(sequence)]
                actions = plan.config.features.built[sequence.name].action_columns
                source = _built(found, vocabulary, bool(actions))
            else:
                place = plan.listed.index(sequence)
                actions, source = pools[place].actions, _pooled(pools[place], place, vocabulary)
            self._sources.append(source)
            self._counts.append(HistoryCounts(sequence, actions, vocabulary, fits))
        self._stack = ExitStack()
        self._writers: list[dict[str, ColumnWriter]] = []
        for k, source in enumerate(self._sources):
            events = len(source.codes_P) if source.shared else int(listed_events[source.place])
            kinds = {"ids": "<i4", **({} if source.times_P is None else {"times": "<i8"})}
            kinds |= {} if source.bits_P is None else {"actions": "|u1"}
            self._writers.append(
                {
                    name: self._stack.enter_context(ColumnWriter(folder / f"history-{k}-{name}.npy", (events,), kind))
                    for name, kind in kinds.items()
                }
            )
        self._ends = [0] * len(self._sources)

    def __enter__(self) -> Self:
        """Pools that rows share are written first."""
        for source, writers in zip(self._sources, self._writers, strict=True):
            for start in range(0, len(source.codes_P) if source.shared else 0, _AT_ONCE):
                _write(source, slice(start, start + _AT_ONCE), writers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def columns(self, part: Part) -> dict[str, NDArray[np.generic]]:
        """Where the lists of the next rows end, and how many events they have."""
        found: dict[str, NDArray[np.generic]] = {}
        rows = slice(self._done, self._done + len(part.rows))
        self._done = rows.stop
        for k, (source, field) in enumerate(zip(self._sources, self._fields, strict=True)):
            stop_n, count_n = _lists(source, part, rows)
            for some in _few(count_n):
                at_E = places(stop_n[some], count_n[some])
                ids_E = source.recode[source.codes_P[at_E]]
                bits_E = None if source.bits_P is None else source.bits_P[at_E]
                self._counts[k].add(part.window, count_n[some], ids_E, bits_E, part.ids_nF[some, field])
                if source.times_P is not None:
                    last_n = source.times_P[stop_n[some][count_n[some] > 0] - 1]
                    self._counts[k].add_ages(part.window, part.rows["time"][some][count_n[some] > 0] - last_n)
                if not source.shared:
                    _write(source, at_E, self._writers[k])
            if not source.shared:
                stop_n = self._ends[k] + np.cumsum(count_n, dtype=np.int64)
                self._ends[k] = int(stop_n[-1]) if len(stop_n) else self._ends[k]
            found[f"history-{k}-stop"], found[f"history-{k}-count"] = stop_n, count_n
        return found

    def told(self) -> list[HistoryJson]:
        """What a model is built from, once all rows have passed."""
        return [
            {
                "name": sequence.name,
                "field": field,
                "max_len": sequence.most,
                "actions": list(counts.actions),
                "timed": source.times_P is not None,
                "lengths": counts.lengths.tolist(),
            }
            for sequence, field, source, counts in zip(
                self._plan.sequences, self._fields, self._sources, self._counts, strict=True
            )
        ]

    def features(self) -> list[Feature]:
        return [counts.feature() for counts in self._counts]

    def notes(self, late: dict[str, int]) -> list[Note]:
        """`late` are rows by sequence whose lists held events that are not earlier."""
        return [note for counts in self._counts for note in counts.notes(late.get(counts.sequence.name, 0))]


def _pooled(pool: Pool, place: int, vocabulary: Vocabulary) -> _Source:
    recode = np.concatenate([np.zeros(1, np.int32), vocabulary.find(pool.values)])
    return _Source(pool.codes_P, recode, pool.times_P, pool.bits_P, place, None, pool.shared)


def _built(found: Listed, vocabulary: Vocabulary, of_actions: bool) -> _Source:
    events = found.events
    bits_P = events.bits_E if of_actions else None
    return _Source(events.ids_E, vocabulary.recode, events.times_E, bits_P, -1, found, shared=True)


def _lists(source: _Source, part: Part, rows: slice) -> tuple[Ints, NDArray[np.int32]]:
    if source.built is not None:
        return source.built.stop_N[rows], source.built.count_N[rows]
    count_n = np.ascontiguousarray(part.rows["count"][:, source.place])
    return part.rows["at"][:, source.place] + count_n, count_n


def _few(count_n: NDArray[np.int32]) -> Iterator[slice]:
    """Neighbouring rows of about so many events together."""
    starts_n = np.cumsum(count_n, dtype=np.int64) - count_n
    edges = np.flatnonzero(np.diff(starts_n // _AT_ONCE, prepend=-1)).tolist()
    yield from map(slice, edges, [*edges[1:], len(count_n)])


def _write(source: _Source, which: slice | Ints, writers: dict[str, ColumnWriter]) -> None:
    writers["ids"].write(source.recode[source.codes_P[which]])
    for name, column_P in (("times", source.times_P), ("actions", source.bits_P)):
        if column_P is not None:
            writers[name].write(column_P[which])
