"""The rows of a study's log as records: those that are examples, with their windows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.row_hashes import hash_rows, unit_of_hash
from automl.data.describe.tables import LabelConfig
from automl.data.encode.pieces import Piece
from automl.data.encode.plan import Plan
from automl.data.encode.rows import EXAMPLES, PAST, Floats, RowReader
from automl.data.encode.scan import Scan
from automl.data.encode.spill import Rows, Run, labels_of
from automl.data.past.sequences import action_bits


class Reader(RowReader):
    """The rows of a study's log: its labels, a weight, windows; and the labels that its counters count."""

    def __init__(self, plan: Plan, scan: Scan) -> None:
        super().__init__(plan, scan, len(plan.labels), len(plan.config.tasks))
        self.plan = plan
        if plan.config.features.past_names or plan.built:  # features are made of rows that are no examples, too
            self.spans = {EXAMPLES: scan.keys, PAST: scan.span or scan.keys}

    def runs(self, piece: Piece) -> Iterator[tuple[str, Run]]:
        """Records of the rows that are examples, with their windows; and of those that are only past."""
        split = self.plan.config.split.random
        draws = None if split is None else np.random.PCG64(split.seed)
        if draws is not None:
            draws.advance(piece.start)  # a draw a row
        for start, batch in self.batches(piece):
            yield from self._records(start, batch, None if draws is None else np.random.Generator(draws))

    def _records(
        self, start: int, batch: pa.RecordBatch, draws: np.random.Generator | None
    ) -> Iterator[tuple[str, Run]]:
        config, plan = self.plan.config, self.plan
        count = batch.num_rows
        hashes = hash_rows(batch.select(sorted(batch.schema.names))) if config.drop_duplicates else None
        times = self.times(batch)
        unit = self._units(count, hashes, draws)
        window = plan.split.window(times, unit)
        given_T = [self._given(batch, label) for label in config.tasks]
        given = np.logical_or.reduce(given_T)
        keep = (window >= 0) & given
        self.seen.outside += int((window < 0).sum())
        self.seen.not_given += int(((window >= 0) & ~given).sum())
        if PAST in self.spans and not keep.all():
            rows = self._not_examples(batch, times, hashes, ~keep)
            yield PAST, self.run(rows, np.zeros(len(rows), np.int8))
        order = np.arange(start, start + count) if hashes is None else (hashes >> np.uint64(1)).view(np.int64)
        if not keep.all():
            batch, times, order = batch.filter(pa.array(keep)), times[keep], order[keep]

        rows = np.zeros(batch.num_rows, self.record)
        rows["key"] = times if config.time is not None else order
        rows["time"] = times
        if hashes is not None:
            rows["hash"] = hashes[keep]
        of_tasks = labels_of(rows)
        for k, (label, given) in enumerate(zip(config.tasks, given_T, strict=True)):
            of_tasks[:, k] = self._label(batch, label, given[keep])
        rows["weight"] = self._weights(batch)
        self._labels(batch, times, rows)
        self._events(batch, rows)
        self.features(batch, times, rows)
        yield EXAMPLES, self.run(rows, window[keep])

    def _given(self, batch: pa.RecordBatch, label: LabelConfig) -> NDArray[np.bool_]:
        """The rows in which a label is defined."""
        everywhere = np.ones(batch.num_rows, bool)
        if label.given is None:
            return everywhere
        must, path = f"{label.given} must be a number", self.plan.config.label_path(label)
        numbers = self.numbers(batch.column(label.given), must, *path, "given")
        return everywhere if numbers is None else numbers == 1

    def _label(self, batch: pa.RecordBatch, label: LabelConfig, given: NDArray[np.bool_]) -> Floats:
        """A label of the examples; NaN where it is not given."""
        path = (*self.plan.config.label_path(label), "column")
        if given.all():
            return self.binary(batch, label.column, *path)
        values = np.full(len(given), np.nan)
        values[given] = self.binary(batch.filter(pa.array(given)), label.column, *path)
        return values

    def _labels(self, batch: pa.RecordBatch, times: NDArray[np.int64], rows: Rows) -> None:
        """Those of the counters."""
        for k, label in enumerate(self.plan.labels):
            rows["labels"][:, k] = self.binary(batch, label.column, *label.path, missing=True)
            rows["arrivals"][:, k] = times + round(label.delay * 1e9)

    def _events(self, batch: pa.RecordBatch, rows: Rows) -> None:
        """Of the sequences that are built of the rows."""
        for s, sequence in enumerate(self.plan.built):
            columns = self.plan.config.features.built[sequence.name].action_columns
            path = ("features", "sequence", sequence.name, "actions")
            done = [self.binary(batch, column, *path, missing=True) == 1 for column in columns]
            rows["events"][:, s] = action_bits(batch.num_rows, done)

    def _not_examples(
        self, batch: pa.RecordBatch, times: NDArray[np.int64], hashes: NDArray[np.uint64] | None, of: NDArray[np.bool_]
    ) -> Rows:
        """Rows that lie outside of the windows or are not given: times, ids, labels of the counters and events."""
        batch, times = batch.filter(pa.array(of)), times[of]
        rows = np.zeros(batch.num_rows, self.record)
        rows["key"] = rows["time"] = times
        if hashes is not None:
            rows["hash"] = hashes[of]
        self._labels(batch, times, rows)
        self._events(batch, rows)
        self.ids(batch, times, rows, self.partners(batch))
        return rows

    def _units(self, count: int, hashes: NDArray[np.uint64] | None, draws: np.random.Generator | None) -> Floats:
        """Draws of the random split: by content where duplicates are dropped, so that copies fall together."""
        split = self.plan.config.split.random
        if split is None or draws is None:
            return np.zeros(count)
        return draws.random(count) if hashes is None else unit_of_hash(hashes, split.seed)

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
