"""The rows of a study's log as records: those that are examples, with their windows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.encode.plan import Plan
from automl.data.encode.rows import Floats, RowReader
from automl.data.encode.scan import Scan
from automl.data.encode.spill import Rows, Spill
from automl.data.tables.hashing import hash_rows, unit_of_hash


class Reader(RowReader):
    """The rows of a study's log: one label, a weight, windows; and the labels that its counters count."""

    def __init__(self, plan: Plan, scan: Scan) -> None:
        super().__init__(plan, scan, len(plan.labels))
        self.plan = plan
        self.past: Spill | None = None  # the rows that are no examples, where a feature is made of earlier rows
        self.outside = self.not_given = 0
        split = plan.config.split.random
        self._draws = np.random.default_rng(split.seed) if split else None

    def spilled(self, folder: Path) -> Spill:
        """All examples, on disk; beside them, in a folder of their own, rows that are only past.

        Raises:
            InputError: with what was wrong with them.
        """
        if self.plan.config.features.past_names:
            span = self.scan.span or self.scan.keys
            self.past = Spill(folder.with_name("past"), self.record, span, self.scan.rows)
        return super().spilled(folder)

    def records(self) -> Iterator[tuple[Rows, NDArray[np.int8]]]:
        """Records of the rows that are examples, with their windows."""
        for batch in self.batches():
            yield self._records(batch)

    def _records(self, batch: pa.RecordBatch) -> tuple[Rows, NDArray[np.int8]]:
        config, plan = self.plan.config, self.plan
        count = batch.num_rows
        hashes = hash_rows(batch.select(sorted(batch.schema.names))) if config.drop_duplicates else None
        times = self.times(batch)
        unit = self._units(count, hashes)
        window = plan.split.window(times, unit)
        given = np.ones(count, bool)
        if config.label.given is not None:
            column = batch.column(config.label.given)
            numbers = self.numbers(column, f"{config.label.given} must be a number", "label", "given")
            given = given if numbers is None else numbers == 1
        keep = (window >= 0) & given
        self.outside += int((window < 0).sum())
        self.not_given += int(((window >= 0) & ~given).sum())
        if self.past is not None and not keep.all():
            self.past.add(self._not_examples(batch, times, hashes, ~keep), np.zeros(int((~keep).sum()), np.int8))
        order = np.arange(self.rows, self.rows + count) if hashes is None else (hashes >> np.uint64(1)).view(np.int64)
        batch, times, order = batch.filter(pa.array(keep)), times[keep], order[keep]

        rows = np.zeros(batch.num_rows, self.record)
        rows["key"] = times if config.time is not None else order
        rows["time"] = times
        if hashes is not None:
            rows["hash"] = hashes[keep]
        rows["label"] = self.binary(batch, config.label.column, "label", "column")
        rows["weight"] = self._weights(batch)
        self._labels(batch, times, rows)
        self.features(batch, times, rows)
        return rows, window[keep]

    def _labels(self, batch: pa.RecordBatch, times: NDArray[np.int64], rows: Rows) -> None:
        """Those of the counters."""
        for k, label in enumerate(self.plan.labels):
            rows["labels"][:, k] = self.binary(batch, label.column, *label.path, missing=True)
            rows["arrivals"][:, k] = times + round(label.delay * 1e9)

    def _not_examples(
        self, batch: pa.RecordBatch, times: NDArray[np.int64], hashes: NDArray[np.uint64] | None, of: NDArray[np.bool_]
    ) -> Rows:
        """Rows that lie outside of the windows or are not given: times, ids and labels of the counters."""
        batch, times = batch.filter(pa.array(of)), times[of]
        rows = np.zeros(batch.num_rows, self.record)
        rows["key"] = rows["time"] = times
        if hashes is not None:
            rows["hash"] = hashes[of]
        self._labels(batch, times, rows)
        self.ids(batch, times, rows, [side.rows(batch.column(side.key), counted=False) for side in self.sides])
        return rows

    def _units(self, count: int, hashes: NDArray[np.uint64] | None) -> Floats:
        """Draws of the random split: by content where duplicates are dropped, so that copies fall together."""
        split = self.plan.config.split.random
        if split is None or self._draws is None:
            return np.zeros(count)
        return self._draws.random(count) if hashes is None else unit_of_hash(hashes, split.seed)

    def _weights(self, batch: pa.RecordBatch) -> Floats:
        name = self.plan.config.weight
        if name is None:
            return np.ones(batch.num_rows)
        must = f"{name} must be finite and not negative"
        weights = self.numbers(batch.column(name), must, "weight")
        if weights is None:
            return np.ones(batch.num_rows)
        bad = ~(np.isfinite(weights) & (weights >= 0))
        example = str(weights[bad.argmax()]) if bad.any() else ""
        self.note(int(bad.sum()), example, must, "weight")
        return weights
