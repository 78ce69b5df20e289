"""The Delta tables of a run: rows of a tick are there as a whole or not at all, and once.

A commit is a JSON file that deltalake stages and puts in place by a hard link, so that a killed writer leaves data
files that no commit names, never half a tick (it syncs nothing: a loss of power is another matter). deltalake stores
application transactions (policy, tick) with the commits and tells the last; it does not refuse a repeated one, so the
number is looked up before a write, the folder has one writer, and a commit that finds its version taken fails.

A commit takes 6 ms and .09 ms for every file that the table has: hourly ticks of weeks are fine, a million are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import (
    ColumnProperties,
    CommitProperties,
    DeltaTable,
    Transaction,
    WriterProperties,
    write_deltalake,
)
from pyarrow.dataset import Expression

from automl.exfm.das.counts import Counts
from automl.files.failures import writing
from search_spaces.errors import InputError

_COUNTS, _END = "counts", "end_ns"  # keys of a commit's metadata
_PREFIX = "exfm."  # of our keys in a table's configuration

KEYS = (
    pa.field("tick", pa.int32(), nullable=False),
    pa.field("window", pa.string(), nullable=False),
    pa.field("example_id", pa.int64(), nullable=False),
    pa.field("row", pa.int64(), nullable=False),
    pa.field("time", pa.int64(), nullable=False),
    pa.field("vms", pa.int64(), nullable=False),
)
SNAPSHOT = (
    pa.field("fm_snapshot", pa.string()),
    pa.field("fm_trained_to", pa.int64()),
    pa.field("fm_published", pa.int64()),
)
# Dictionaries and statistics only where they gain something: a row costs a third of what it costs with the defaults.
PARQUET = WriterProperties(
    compression="LZ4_RAW",
    default_column_properties=ColumnProperties(dictionary_enabled=False, statistics_enabled="NONE"),
    column_properties={
        "row": ColumnProperties(dictionary_enabled=False, statistics_enabled="CHUNK", encoding="DELTA_BINARY_PACKED"),
        **{
            name: ColumnProperties(dictionary_enabled=True, statistics_enabled="CHUNK")
            for name in ("tick", "vms", *(field.name for field in SNAPSHOT))
        },
    },
)


def scored_schema(tasks: Sequence[str]) -> pa.Schema:
    """tick and window are those of the impression; `time` is the impression, and the moment of scoring; nanoseconds."""
    teacher = [pa.field(f"fm_{kind}_{task}", pa.float32()) for task in tasks for kind in ("logit", "prediction")]
    return pa.schema([*KEYS, *teacher, *SNAPSHOT])


def augmented_schema(tasks: Sequence[str]) -> pa.Schema:
    """tick and window are those in which the labels arrived; `arrived` is the newest of them."""
    labels = [pa.field(f"label_{task}", pa.float32()) for task in tasks]
    return pa.schema([*scored_schema(tasks), *labels, pa.field("arrived", pa.int64(), nullable=False)])


class TickTable:
    """A table that grows by a tick at a time, partitioned by window.

    Raises:
        InputError: where the folder holds a table of other facts.
    """

    def __init__(self, folder: Path, schema: pa.Schema, facts: Mapping[str, str]) -> None:
        self.folder, self.schema, self.policy = folder, schema, facts["policy"]
        self._end_ns: int | None = None
        if not DeltaTable.is_deltatable(str(folder)):
            with writing(folder):
                DeltaTable.create(
                    str(folder),
                    schema,
                    partition_by=["window"],
                    configuration={_PREFIX + name: value for name, value in facts.items()},
                    raise_if_key_not_exists=False,
                )
        self._load()
        found = facts_of(self._table)
        for name, value in facts.items():
            if found.get(name) != value:
                raise InputError.of(
                    str(folder), f"must be of the same {name}: {value}", str(found.get(name)), "use another folder"
                )

    @property
    def ticks(self) -> int:
        """Ticks that are committed."""
        return self._ticks

    @property
    def counts(self) -> Counts:
        """Of all ticks, as the last commit has them."""
        return self._counts

    @property
    def end_ns(self) -> int | None:
        """End of the last tick that is committed."""
        return self._end_ns

    def append(self, index: int, end_ns: int, rows: pa.Table, counts: Counts) -> None:
        """Commit a tick, which must be the next one; `counts` are those of all ticks so far."""
        if index != self.ticks:
            raise ValueError(f"tick {index} must be the next one of {self.folder}, but that is {self.ticks}")
        properties = CommitProperties(
            app_transactions=[Transaction(self.policy, index)],
            custom_metadata={_COUNTS: counts.to_json(), _END: str(end_ns)},
            max_commit_retries=0,
        )
        try:
            with writing(self.folder):
                write_deltalake(
                    self._table,
                    rows.cast(self.schema),
                    mode="append",
                    commit_properties=properties,
                    writer_properties=PARQUET,
                )
        except BaseException:
            self._load()  # whether it took place is for the log to say
            raise
        self._ticks, self._counts, self._end_ns = index + 1, counts, end_ns

    def read(self, columns: Sequence[str], where: Expression, windows: Sequence[str] | None = None) -> pa.Table:
        """Rows of the newest version; `windows` names the only partitions to open."""
        self._table.update_incremental()
        return read_table(self._table, columns, where, windows)

    def clean(self) -> int:
        """Remove what a killed writer left: data files that no commit names, commits that never took place."""
        staged = [*self.folder.rglob("*.parquet#*"), *self.folder.rglob("*.json#*")]
        for path in staged:
            path.unlink()
        options = {"retention_hours": 0, "enforce_retention_duration": False, "full": True}
        found = self._table.vacuum(dry_run=True, **options)  # type: ignore[arg-type]
        if found:
            self._table.vacuum(dry_run=False, **options)  # type: ignore[arg-type]
        return len(staged) + len(found)

    def _load(self) -> None:
        """What the log says."""
        self._table = DeltaTable(str(self.folder))
        last = self._table.transaction_version(self.policy)
        self._ticks = 0 if last is None else last + 1
        self._counts, self._end_ns = Counts(), None
        if self._ticks:
            entry = self._last()
            self._counts, self._end_ns = Counts.from_json(str(entry[_COUNTS])), int(str(entry[_END]))

    def _last(self) -> Mapping[str, object]:
        """Metadata of the newest commit that wrote a tick."""
        for limit in (1, 8, None):
            for entry in self._table.history(limit):
                if _COUNTS in entry:
                    return entry
        raise ValueError(f"{self.folder} must tell what its last tick was")


def facts_of(table: DeltaTable) -> dict[str, str]:
    """What a table was made with."""
    stored = table.metadata().configuration
    return {name.removeprefix(_PREFIX): value for name, value in stored.items() if name.startswith(_PREFIX)}


def read_table(
    table: DeltaTable, columns: Sequence[str], where: Expression, windows: Sequence[str] | None = None
) -> pa.Table:
    """Rows and columns of a table, from the partitions that can hold them."""
    pruned = None if windows is None else [("window", "in", list(windows))]
    dataset = table.to_pyarrow_dataset(file_pruning_predicate=pruned)
    return dataset.to_table(columns=list(columns), filter=where)


def of_vm(bit: int) -> Expression:
    """Rows of the student with this bit."""
    return pc.bit_wise_and(pc.field("vms"), pa.scalar(1 << bit, pa.int64())) != 0
