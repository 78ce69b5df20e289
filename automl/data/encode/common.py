"""What encoded logs and streams share: folders that are made once, fingerprints, dense columns with the counters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from filelock import FileLock
from numpy.typing import NDArray

from automl.data.columns.numbers import Scales
from automl.data.describe.tables import DataConfig, TablesConfig
from automl.data.encode.spill import Rows, Spill
from automl.data.store.digests import wrong_in
from automl.data.store.folder import is_whole
from automl.data.tables.hashing import digest_table
from automl.data.tables.sources import Source, Tables
from automl.files.failures import writing
from automl.files.passed import Passed, Told, unheard, untold
from automl.files.whole import whole_folder


def made_once(
    cache: Path,
    fingerprint: str,
    make: Callable[[Path], None],
    told: Told = untold,
    passed: Passed = unheard,
) -> Path:
    """The folder of that fingerprint; made under a lock where it is not there, and whole or not there at all. Where it
    does not hold what was written into it, `told` hears which file, and it is made anew."""
    folder = cache / fingerprint
    if wrong_in(folder, fingerprint, passed) is None:
        return folder
    with writing(folder), FileLock(cache / f"{fingerprint}.lock"):
        wrong = wrong_in(folder, fingerprint, passed)
        if wrong is not None:
            if is_whole(folder):
                told(f"{folder}: {wrong} is not what was written there; it is encoded anew")
            with whole_folder(folder) as part:
                make(part)
    return folder


def spans_of(rows: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """First row and end of each window, where they lie one after the other."""
    ends = np.cumsum(list(rows.values())).tolist()
    return dict(zip(rows, pairwise([0, *ends]), strict=True))


def fingerprint_of(tables: Tables[TablesConfig], cache: Path, form: int, what: object, passed: Passed = unheard) -> str:
    """16 hex digits of the tables' content and of what is made of them, in which format; where the tables lie does not
    matter."""
    with writing(cache):
        cache.mkdir(parents=True, exist_ok=True)
    tree = tables.config.model_dump(mode="json", exclude={"path": True, "join": {"__all__": {"path"}}})
    for feature in tree["features"]["categorical"].values():
        if feature["buckets"] is None:
            del feature["buckets"]
    for part, name, none in (
        (tree["features"], "counters", None),
        (tree["features"], "recent", None),
        (tree["features"], "vectors", {}),
        (tree["features"], "sequence", {}),
        (tree, "labels", None),
        (tree, "csv", None),
        (tree, "types", {}),
        (tree["time"] or {}, "format", None),
    ):
        if part.get(name) == none:
            part.pop(name, None)  # the name of a log that has none is what it was before there were any
    order = {name: list(part) for name, part in _in_order(tables.config) if len(part) > 1}
    if order:
        tree["order"] = order
    digests = [digest_table(table, cache, passed) for table in (tables.log, *tables.sides)]
    text = json.dumps([form, tree, digests, what], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _in_order(config: TablesConfig) -> Iterator[tuple[str, Collection[str]]]:
    """What stands in the encoded log in the order of the description and is read by its place."""
    yield "sequence", config.features.sequence
    if isinstance(config, DataConfig):
        yield "labels", [label.name for label in config.tasks]


def kind_of(tables: Tables[TablesConfig], source: Source) -> pa.DataType:
    """Type of the values of a column."""
    table = tables.of(source)
    if table is None:
        return pa.int64()
    kind = table.type_of(source.column)
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def is_log_scaled(tables: Tables[TablesConfig]) -> list[bool]:
    """Of each dense column, whether its log is taken."""
    return [tables.config.features.dense[source.column].transform == "log" for source in tables.dense]


def with_dense(
    spill: Spill, counters_CN: NDArray[np.float32], scales: Scales
) -> Iterator[tuple[Rows, NDArray[np.float32], NDArray[np.bool_]]]:
    """Sorted rows with what models read of them, standardised, and where it is given: the dense columns, then the
    counters, then the vectors."""
    done = 0
    for rows in spill.sorted():
        counters_nC = counters_CN[:, done : done + len(rows)].T
        done += len(rows)
        vectors = [rows["vectors"]] if "vectors" in (spill.record.names or ()) else []
        raw_nD = np.concatenate([rows["dense"], counters_nC, *vectors], 1)
        yield rows, scales.standardised(raw_nD), ~np.isnan(raw_nD)
