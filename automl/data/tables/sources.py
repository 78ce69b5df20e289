"""Where the columns of a data description are: in the log, in a side table, or made from the time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from automl.data.describe.tables import TablesConfig
from automl.data.tables.table import Table
from automl.data.tables.windows import Locate
from search_spaces.errors import Position

C = TypeVar("C", bound=TablesConfig, covariant=True)
LOG = -1
MADE = -2


@dataclass(frozen=True, slots=True)
class Source:
    """A column and its table: the log (-1), a side table (0, 1, ...) or made from the time (-2)."""

    table: int
    column: str


@dataclass(frozen=True, slots=True)
class VectorSource:
    """A column of vectors, each of so many numbers."""

    source: Source
    width: int


@dataclass(frozen=True, slots=True)
class SequenceSource:
    """A sequence of ids of the feature `of`, at most so many. One that is built has the columns of its key (`by`), else
    its list columns are all of one table; `times` and `actions` are those that stand beside the ids."""

    name: str
    of: Source
    most: int
    by: tuple[Source, ...] = ()
    ids: Source | None = None
    times: Source | None = None
    actions: Source | None = None

    @property
    def columns(self) -> tuple[Source, ...]:
        """Of one that stands in the tables: its list columns."""
        return tuple(source for source in (self.ids, self.times, self.actions) if source is not None)


@dataclass(frozen=True, slots=True)
class Tables(Generic[C]):
    """A description that fits its tables. `extra` are columns that are coded like ids but are no features."""

    config: C
    at: Locate
    log: Table
    sides: tuple[Table, ...]
    categorical: tuple[Source, ...]
    dense: tuple[Source, ...]
    vectors: tuple[VectorSource, ...]
    extra: tuple[Source, ...]
    cluster: Source | None
    sequences: tuple[SequenceSource, ...]
    timezone: str
    named: tuple[str, ...]  # columns of the log that are read besides features and keys: labels and the like
    counted: tuple[tuple[int, ...], ...]  # of each block of counters, places of its labels among those of the records
    whole_rows: bool  # every column of the log is read, to tell rows by their content

    def of(self, source: Source) -> Table | None:
        """The table of a column; None of one that is made from the time."""
        if source.table == MADE:
            return None
        return self.log if source.table == LOG else self.sides[source.table]

    @property
    def log_columns(self) -> tuple[str, ...]:
        """Columns of the log that must be read: all of them where duplicates are to be found."""
        if self.whole_rows:
            return self.log.columns
        config = self.config
        named: list[str | None] = [*self.named, config.time.column if config.time else None]
        named += [join.on for join in config.join]
        named += [source.column for source in self.sources if source.table == LOG]
        return tuple(dict.fromkeys(name for name in named if name is not None))

    def side_columns(self, side: int) -> tuple[str, ...]:
        """Columns of a side table that must be read, its key first."""
        used = [source.column for source in self.sources if source.table == side]
        return tuple(dict.fromkeys([self.config.join[side].on, *used]))

    @property
    def coded(self) -> tuple[Source, ...]:
        """Columns whose values are numbered: id features first."""
        return (*self.categorical, *self.extra)

    @property
    def features(self) -> tuple[Source, ...]:
        """Columns that models read as they are."""
        return (*self.categorical, *self.dense, *(vector.source for vector in self.vectors))

    @property
    def sources(self) -> tuple[Source, ...]:
        lists = (column for sequence in self.sequences for column in sequence.columns)
        return (*self.features, *self.extra, *((self.cluster,) if self.cluster else ()), *lists)

    @property
    def built(self) -> tuple[SequenceSource, ...]:
        """The sequences that are built from the log itself, in their order."""
        return tuple(sequence for sequence in self.sequences if sequence.ids is None)

    @property
    def listed(self) -> tuple[SequenceSource, ...]:
        """Those that stand in the tables, in their order."""
        return tuple(sequence for sequence in self.sequences if sequence.ids is not None)

    @property
    def vector_width(self) -> int:
        """Numbers of all vectors of a row."""
        return sum(vector.width for vector in self.vectors)

    def key_columns(self) -> list[list[list[int]]]:
        """Of every block of counters and each of its keys, the places of its columns among the coded ones."""
        return [self.places(block.keys) for block in self.config.features.blocks]

    def places(self, keys: Iterable[Iterable[str]]) -> list[list[int]]:
        """Of each key, the places of its columns among the coded ones."""
        place = {source.column: k for k, source in reversed(list(enumerate(self.coded)))}
        return [[place[column] for column in key] for key in keys]


def at_nothing(*path: str | int) -> Position:
    """Position of a description that comes from no file: its path stands for one."""
    return Position(".".join(["data", *map(str, path)]))
