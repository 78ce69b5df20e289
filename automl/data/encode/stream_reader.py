"""The rows of a stream's log as records: every label with the time at which it arrives, and an example id."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.row_hashes import hash_rows
from automl.data.columns.times import NEVER, NotTimesError, arrival_times, time_values
from automl.data.describe.streams import StreamLabelConfig
from automl.data.encode.pieces import Piece
from automl.data.encode.rows import EXAMPLES, RowReader
from automl.data.encode.scan import Scan
from automl.data.encode.spill import Rows, Run
from automl.data.encode.stream_plan import StreamPlan
from search_spaces.errors import InputError, Mistake


class StreamReader(RowReader):
    """Turns batches into records; rows outside of the days asked for are left out."""

    def __init__(self, plan: StreamPlan, scan: Scan) -> None:
        super().__init__(plan, scan, len(plan.config.labels))
        self.plan = plan

    def runs(self, piece: Piece) -> Iterator[tuple[str, Run]]:
        """Records of the rows within the days; all of them are of one window."""
        for _, batch in self.batches(piece):
            times = self.times(batch)
            if self.plan.span is not None:
                inside = (times >= self.plan.span[0]) & (times < self.plan.span[1])
                self.seen.outside += int((~inside).sum())
                batch, times = batch.filter(pa.array(inside)), times[inside]
            rows = np.zeros(batch.num_rows, self.record)
            rows["key"] = rows["time"] = times
            self._examples(batch, rows)
            for k, (name, label) in enumerate(self.plan.config.labels.items()):
                rows["labels"][:, k], rows["arrivals"][:, k] = self._label(batch, times, name, label)
            self.features(batch, times, rows)
            yield EXAMPLES, self.run(rows, np.zeros(len(rows), np.int8))

    def _examples(self, batch: pa.RecordBatch, rows: Rows) -> None:
        """Hashes of the example id, or of all that a row holds."""
        name = self.plan.config.example_id
        if self.plan.whole_rows:
            rows["hash"] = hash_rows(batch.select(sorted(batch.schema.names)))
        if name is None:
            rows["example"] = rows["hash"] >> np.uint64(1)
        else:
            self.note(batch.column(name).null_count, "none", f"{name} must be given in every row", "example_id")
            rows["example"] = hash_rows(batch.select([name])) >> np.uint64(1)

    def _label(
        self, batch: pa.RecordBatch, times: NDArray[np.int64], name: str, label: StreamLabelConfig
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Values, NaN where the label is not defined; when they arrive, NEVER where they do not."""
        values = self.binary(batch, label.column, "labels", name, "column", missing=True)
        if label.given is not None:
            given = self.numbers(batch.column(label.given), f"{label.given} must be a number", "labels", name, "given")
            values = values if given is None else np.where(given == 1, values, np.nan)
        if label.arrives is None:
            arrivals = times + round((label.delay or 0.0) * 1e9)
        else:
            arrivals = self._arrivals(batch, times, name, label.arrives)
        return values, np.where(np.isnan(values), NEVER, arrivals)

    def _arrivals(self, batch: pa.RecordBatch, times: NDArray[np.int64], name: str, column: str) -> NDArray[np.int64]:
        at = self.tables.at("labels", name, "arrives")
        try:
            known = arrival_times(batch.column(column), self.scan.unit, self.plan.timezone)
        except NotTimesError as error:
            raise InputError([Mistake(at, f"{column} must hold times", str(error))]) from error
        early = known < times
        example = str(time_values(batch.column(column))[int(early.argmax())]) if early.any() else ""
        self.note(int(early.sum()), example, f"{column} must not be before the row's time", "labels", name, "arrives")
        return known
