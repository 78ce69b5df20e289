"""Encoded rows for every library: ids, numbers, labels. N rows, F id fields, D dense features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl.data.store.history import History
from automl.data.store.log import EncodedLog
from search_spaces.inputs import InputShape


@dataclass(frozen=True, eq=False)
class Rows:
    """A log in memory, in the form that our trainer reads; `sizes` are the rows of each field's table."""

    ids_NF: NDArray[np.int32]
    dense_ND: NDArray[np.float32]
    labels_N: NDArray[np.float32]
    sizes: tuple[int, ...]
    teacher_NT: NDArray[np.float32] | None = None
    ages_N: NDArray[np.float32] | None = None
    own: int | None = None
    labels_NT: NDArray[np.float32] | None = None
    primary: int = 0
    histories: tuple[History, ...] = ()
    times_N: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels_N)

    def __getitem__(self, part: slice) -> Rows:
        return Rows(self.ids_NF[part], self.dense_ND[part], self.labels_N[part], self.sizes)

    @property
    def weights_N(self) -> NDArray[np.float32]:  # noqa: N802
        return np.ones(len(self), np.float32)

    @property
    def inputs(self) -> InputShape:
        """As a model of ours takes them: no id is below a cut-off any more."""
        counts = tuple((1,) * (size - 1) for size in self.sizes)
        return InputShape(id_counts=counts, dense=self.dense_ND.shape[1], train_rows=len(self))

    @property
    def names(self) -> list[str]:
        """Of the columns, id features first."""
        return [f"f{k}" for k in range(len(self.sizes))] + [f"d{k}" for k in range(self.dense_ND.shape[1])]

    def columns(self) -> dict[str, NDArray[np.int32] | NDArray[np.float32]]:
        """One array a feature."""
        return dict(zip(self.names, [*self.ids_NF.T, *self.dense_ND.T], strict=True))


def of_log(log: EncodedLog, window: str, min_count: int) -> Rows:
    """A window of a log; ids seen less often than `min_count` are 0."""
    rows = log.windows[window]
    sizes = log.inputs.table_rows(min_count)
    ids_NF = np.array(log.ids_NF[rows])
    ids_NF[ids_NF >= np.array(sizes)] = 0
    return Rows(ids_NF, np.array(log.dense_ND[rows]), np.array(log.labels_N[rows]), sizes)


def large_tables(rows: int, fields: int = 26, ids: int = 200_000, dense: int = 13, seed: int = 1) -> Rows:
    """Random rows over large tables, frequent ids more often: the share of the first k ids is the root of k / ids."""
    rng = np.random.default_rng(seed)
    ids_NF = (ids * rng.random((rows, fields), np.float32) ** 2).astype(np.int32).clip(0, ids - 1)
    dense_ND = rng.standard_normal((rows, dense), np.float32)
    return Rows(ids_NF, dense_ND, (rng.random(rows) < 0.25).astype(np.float32), (ids,) * fields)
