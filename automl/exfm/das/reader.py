"""What the teacher has said of examples whose labels have arrived, as a student reads it.

N rows, T tasks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from numpy.typing import NDArray

from automl.exfm.das.causality import CausalityError, check_rows
from automl.exfm.das.scorer import Stream
from automl.exfm.das.tables import facts_of, of_vm, read_table
from automl.exfm.das.ticks import Tick
from search_spaces.errors import InputError

NO_SNAPSHOT = -(2**63)  # trained_to of a row that has no prediction


@dataclass(frozen=True, slots=True)
class Augmented:
    """Rows of the stream with labels that arrived, in the order of ticks and rows; NaN where there is none.

    trained_to_N is NO_SNAPSHOT where the row has no prediction. scored_at_N is the impression time. An example comes
    once for each tick in which labels of it arrived.
    """

    rows_N: NDArray[np.int64]
    labels_NT: NDArray[np.float32]
    logits_NT: NDArray[np.float32]
    trained_to_N: NDArray[np.int64]
    scored_at_N: NDArray[np.int64]
    arrived_N: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows_N)


class DasReader:
    """Reads the augmented log of a run while it is being written. Pickled by its folder and stream.

    Raises:
        InputError: where the folder holds no augmented log of this stream.
    """

    def __init__(self, folder: Path, stream: Stream) -> None:
        self.folder, self.stream = folder, stream
        path = folder / "das" / "augmented"
        if not DeltaTable.is_deltatable(str(path)):
            raise InputError.of(str(path), "must hold an augmented log")
        self._table = DeltaTable(str(path))
        facts = facts_of(self._table)
        if facts["stream"] != stream.fingerprint:
            raise InputError.of(str(path), f"must be of the stream {stream.fingerprint}", facts["stream"])
        self.policy = facts["policy"]
        self.tasks: tuple[str, ...] = tuple(json.loads(facts["tasks"]))
        self.vms: tuple[str, ...] = tuple(json.loads(facts["vms"]))

    def __reduce__(self) -> tuple[object, ...]:
        return DasReader, (self.folder, self.stream)

    @property
    def committed(self) -> int:
        """Ticks that can be read."""
        self._table.update_incremental()
        last = self._table.transaction_version(self.policy)
        return 0 if last is None else last + 1

    def read(self, part: Tick | str, vm: str | None = None, tasks: Sequence[str] | None = None) -> Augmented:
        """What was joined in a tick, or in a window by its name; one student's rows, some tasks' columns.

        Raises:
            CausalityError: where a prediction knows the future.
            InputError: where there is no such student or task.
        """
        wanted = self._known("task", self.tasks, self.tasks if tasks is None else tasks)
        window = part if isinstance(part, str) else part.window_name
        where = pc.field("window") == window
        if isinstance(part, Tick):
            where &= pc.field("tick") == part.index
        if vm is not None:
            self._known("vm", self.vms, [vm])
            where &= of_vm(self.vms.index(vm))
        columns = [f"{kind}_{task}" for kind in ("label", "fm_logit") for task in wanted]
        fixed = ["tick", "row", "time", "fm_snapshot", "fm_trained_to", "fm_published", "arrived"]
        self._table.update_incremental()
        found = read_table(self._table, [*fixed, *columns], where, [window]).sort_by(
            [("tick", "ascending"), ("row", "ascending")]
        )
        logits_NT = _floats(found, [f"fm_logit_{task}" for task in wanted])
        self._check(found, logits_NT)
        return Augmented(
            rows_N=found["row"].to_numpy(),
            labels_NT=_floats(found, [f"label_{task}" for task in wanted]),
            logits_NT=logits_NT,
            trained_to_N=found["fm_trained_to"].fill_null(NO_SNAPSHOT).to_numpy(),
            scored_at_N=found["time"].to_numpy(),
            arrived_N=found["arrived"].to_numpy(),
        )

    def _check(self, found: pa.Table, logits_NT: NDArray[np.float32]) -> None:
        facts = [found[name] for name in ("fm_snapshot", "fm_trained_to", "fm_published")]
        told_N = ~np.isnan(logits_NT).all(1) | facts[0].is_valid().to_numpy()
        if any(np.any(told_N & ~fact.is_valid().to_numpy()) for fact in facts):
            raise CausalityError(f"{self.folder}: a prediction must name its snapshot and what that has seen")
        told = found.filter(pa.array(told_N))
        names = told["fm_snapshot"].combine_chunks().dictionary_encode()
        check_rows(
            names.dictionary.to_pylist(),
            names.indices.to_numpy(),
            told["fm_trained_to"].to_numpy(),
            told["fm_published"].to_numpy(),
            told["row"].to_numpy(),
            self.stream,
        )

    def _known(self, what: str, have: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
        for name in wanted:
            if name not in have:
                raise InputError.of(str(self.folder), f"{what} must be one of {', '.join(have)}", name)
        return tuple(wanted)


def _floats(found: pa.Table, columns: Sequence[str]) -> NDArray[np.float32]:
    """Columns (N, T), NaN where null."""
    parts = [found[name].to_numpy() for name in columns]
    return np.stack(parts, 1).astype(np.float32) if parts else np.empty((found.num_rows, 0), np.float32)
