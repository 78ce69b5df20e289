"""A log on disk to an EncodedLog: one look for the span of time, one stream of the rows, an external sort, one write.

Memory holds a batch, a bucket, the side tables and the vocabularies, however long the log is.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock
from numpy.typing import NDArray

from automl.config import DataConfig
from automl.data.hashing import digest_table
from automl.data.plan import LOG, MADE, Plan, at_nothing, make_plan
from automl.data.reader import Reader, scan
from automl.data.spill import Spill
from automl.data.store import FORMAT, ColumnWriter, EncodedLog, is_log, open_log, write_facts
from automl.data.vocabulary import Vocabulary, fit_vocabulary
from automl.data.windows import WINDOWS, Locate
from search_spaces.errors import InputError, Mistake


def encode_log(
    config: DataConfig, base: Path, cache: Path, *, fit: tuple[str, ...] = ("train",), where: Locate = at_nothing
) -> EncodedLog:
    """The log as memory-mapped columns, encoded once per content, description and `fit`.

    `base` is the folder that paths are relative to; `fit` names the windows that vocabularies and scales are learned
    from; `where(*path)` gives the position of a part of the data description, for errors.

    Raises:
        InputError: with every mistake of the description, or of the rows, that was found together.
    """
    plan = make_plan(config, base, where)
    cache.mkdir(parents=True, exist_ok=True)
    fingerprint = fingerprint_of(plan, cache, fit)
    folder = cache / fingerprint
    if is_log(folder):
        return open_log(folder)
    with FileLock(cache / f"{fingerprint}.lock"):
        if not is_log(folder):
            for left in cache.glob(f"{fingerprint}.part*"):
                shutil.rmtree(left)  # of a run that was killed: we hold the lock, so nobody writes there
            part = Path(tempfile.mkdtemp(prefix=f"{fingerprint}.part", dir=cache))
            try:
                _encode(plan, part, fit, fingerprint)
                shutil.rmtree(folder, ignore_errors=True)
                part.rename(folder)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return open_log(folder)


def fingerprint_of(plan: Plan, cache: Path, fit: Sequence[str]) -> str:
    """16 hex digits of the tables' content and of what is made of them; where the tables lie does not matter."""
    tree = plan.config.model_dump(mode="json", exclude={"path": True, "join": {"__all__": {"path"}}})
    tables = [digest_table(table, cache) for table in (plan.log, *plan.sides)]
    text = json.dumps([FORMAT, tree, tables, sorted(fit)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _encode(plan: Plan, folder: Path, fit: Sequence[str], fingerprint: str) -> None:
    first = scan(plan)
    reader = Reader(plan, first)
    spill = Spill(folder / "spill", reader.record, first.keys, first.rows)
    for rows, window in reader.records():
        spill.add(rows, window)
    reader.raise_mistakes()
    fits = {WINDOWS.index(name) for name in fit}
    sizes = [len(numbering) for numbering in reader.numberings]
    tally = _Tally(sizes, [_is_log(plan, k) for k in range(len(plan.dense))])
    for window_index, rows in spill.sort(plan.config.drop_duplicates):
        tally.add(rows, window_index, window_index in fits)
    tally.raise_mistakes(plan)
    vocabularies = [
        fit_vocabulary(numbering.values(_kind(plan, k)), tally.id_counts[k], part.min_count)
        for k, (numbering, part) in enumerate(
            zip(reader.numberings, plan.config.features.categorical.values(), strict=True)
        )
    ]
    _write_columns(folder, spill, tally, vocabularies, timed=plan.config.time is not None)
    shutil.rmtree(folder / "spill")
    _write_encoders(folder, plan, vocabularies)
    write_facts(folder, _facts(plan, tally, fit, fingerprint, (*first.notes, *_notes(plan, reader, tally))))


@dataclass
class _Tally:
    """What is counted over the sorted rows: windows, labels, and over the fit windows ids and dense moments."""

    vocabulary_sizes: Sequence[int]
    log: Sequence[bool]
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(WINDOWS), np.int64))
    positives: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(WINDOWS)))
    weights: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(WINDOWS)))

    def __post_init__(self) -> None:
        self.id_counts = [np.zeros(size + 1, np.int64) for size in self.vocabulary_sizes]
        self.count, self.mean, self.spread = (np.zeros(len(self.log)) for _ in range(3))

    def add(self, rows: NDArray[Any], window: int, fit: bool) -> None:
        weight = rows["weight"].astype(np.float64)
        self.rows[window] += len(rows)
        self.weights[window] += weight.sum()
        self.positives[window] += (weight * rows["label"]).sum()
        if not fit:
            return
        for k, counts in enumerate(self.id_counts):
            _count(counts, rows["ids"][:, k])
        for k, log in enumerate(self.log):
            self._merge(k, transformed(rows["dense"][:, k], log))

    def _merge(self, k: int, values: NDArray[np.float64]) -> None:
        """Moments of parts to moments of the whole (Chan, Golub, LeVeque 1979): sums of squares would cancel."""
        values = values[~np.isnan(values)]
        if not len(values):
            return
        both = self.count[k] + len(values)
        step = values.mean() - self.mean[k]
        self.spread[k] += ((values - values.mean()) ** 2).sum() + step**2 * self.count[k] * len(values) / both
        self.mean[k] += step * len(values) / both
        self.count[k] = both

    @property
    def scale(self) -> NDArray[np.float64]:
        """Standard deviations; 1 for a constant, which then encodes to 0."""
        std = np.sqrt(self.spread / np.maximum(self.count, 1))
        return np.where(std > 1e-12 * np.maximum(np.abs(self.mean), 1e-300), std, 1.0)

    def raise_mistakes(self, plan: Plan) -> None:
        mistakes = []
        label = plan.config.label.column
        for name, rows, weight, positive in zip(WINDOWS, self.rows, self.weights, self.positives, strict=True):
            at = plan.at("split", "random" if plan.config.split.random else name)
            if not rows:
                mistakes.append(Mistake(at, f"the {name} window must hold examples", "none"))
            elif not 0 < positive < weight:
                only = 0 if positive == 0 else 1
                must = f"the {name} window must hold both classes of {label}"
                mistakes.append(Mistake(at, must, f"only {only} in {rows} rows", "NE is not defined for one class"))
        if mistakes:
            raise InputError(mistakes)


def _count(counts: NDArray[np.int64], codes: NDArray[np.int32]) -> None:
    """Add how often each code is there; by sorting where the vocabulary is much longer than the bucket."""
    if len(counts) <= 8 * len(codes):
        counts += np.bincount(codes, minlength=len(counts))
    else:
        seen, times = np.unique(codes, return_counts=True)
        counts[seen] += times


def transformed(values: NDArray[np.float64], log: bool) -> NDArray[np.float64]:
    """The log transform keeps the sign: sign(x) * log(1 + |x|)."""
    return np.sign(values) * np.log1p(np.abs(values)) if log else values


def _is_log(plan: Plan, k: int) -> bool:
    return plan.config.features.dense[plan.dense[k].column].transform == "log"


def _write_columns(folder: Path, spill: Spill, tally: _Tally, vocabularies: Sequence[Vocabulary], timed: bool) -> None:
    count, fields, dense = int(tally.rows.sum()), len(vocabularies), len(tally.log)
    shapes = {
        "ids": ((count, fields), "<i4"),
        "dense": ((count, dense), "<f4"),
        "labels": ((count,), "<f4"),
        "weights": ((count,), "<f4"),
        "clusters": ((count,), "<i4"),
        **({"times": ((count,), "<i8")} if timed else {}),
    }
    with ExitStack() as stack:
        to = {n: stack.enter_context(ColumnWriter(folder / f"{n}.npy", *shape)) for n, shape in shapes.items()}
        for rows in spill.sorted():
            ids = rows["ids"].copy()
            for k, vocabulary in enumerate(vocabularies):
                ids[:, k] = vocabulary.recode[ids[:, k]]
            values = rows["dense"].copy()
            for k, log in enumerate(tally.log):
                values[:, k] = transformed(values[:, k], log)
            to["ids"].write(ids)
            to["dense"].write(np.nan_to_num((values - tally.mean) / tally.scale, nan=0.0))
            to["labels"].write(rows["label"])
            to["weights"].write(rows["weight"])
            to["clusters"].write(rows["cluster"])
            if timed:
                to["times"].write(rows["time"])
    encoders = {"mean": tally.mean.tolist(), "scale": tally.scale.tolist(), "log": list(tally.log)}
    (folder / "dense.json").write_text(json.dumps(encoders))


def _write_encoders(folder: Path, plan: Plan, vocabularies: Sequence[Vocabulary]) -> None:
    """The vocabularies, for whoever encodes a new table the same way."""
    np.savez(folder / "id_counts.npz", *(vocabulary.counts for vocabulary in vocabularies))
    (folder / "vocabularies").mkdir()
    for k, vocabulary in enumerate(vocabularies):
        table = pa.table({"value": vocabulary.values, "count": vocabulary.counts})
        pq.write_table(table, folder / "vocabularies" / f"{k:03d}.parquet")


def _kind(plan: Plan, k: int) -> pa.DataType:
    source = plan.categorical[k]
    if source.table == MADE:
        return pa.int64()
    kind = (plan.log if source.table == LOG else plan.sides[source.table]).type_of(source.column)
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _facts(plan: Plan, tally: _Tally, fit: Sequence[str], fingerprint: str, notes: Sequence[str]) -> dict[str, Any]:
    ends = np.cumsum(tally.rows).tolist()
    starts = [0, *ends[:-1]]
    return {
        "fields": [source.column for source in plan.categorical],
        "dense": [source.column for source in plan.dense],
        "windows": {name: span for name, *span in zip(WINDOWS, starts, ends, strict=True)},
        "base_rates": dict(zip(WINDOWS, (tally.positives / tally.weights).tolist(), strict=True)),
        "fit": list(fit),
        "label": plan.config.label.name,
        "negatives_kept": plan.config.negatives_kept,
        "fingerprint": fingerprint,
        "timed": plan.config.time is not None,
        "timezone": plan.timezone,
        "notes": list(notes),
    }


def _notes(plan: Plan, reader: Reader, tally: _Tally) -> list[str]:
    """What a reader of the study should know of the rows."""
    examples = reader.rows - reader.outside - reader.not_given
    twice = examples - int(tally.rows.sum())
    notes = []
    if twice:
        notes.append(f"{twice} of {examples} rows are exact duplicates and were dropped")
    if reader.outside:
        notes.append(f"{reader.outside} of {reader.rows} rows lie outside of the windows")
    if reader.not_given:
        notes.append(f"{reader.not_given} rows are no examples: {plan.config.label.given} is not 1")
    for k, side in enumerate(reader.sides):
        if side.unmatched:
            notes.append(f"{side.unmatched} rows have no {side.key} in {plan.sides[k].name}: its features are missing")
    for k, source in enumerate(plan.categorical):
        if not tally.id_counts[k][1:].any():
            notes.append(f"{source.column} has no value in the fit windows")
    for k, source in enumerate(plan.dense):
        if tally.spread[k] == 0:
            notes.append(f"{source.column} is constant in the fit windows")
    return notes
