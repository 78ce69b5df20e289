"""What the trainer asks of a log: columns side by side, one row an example. An encoded log on disk has this form."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from automl.data.store.history import History


class Encoded(Protocol):
    """The features of N rows, F id fields and D dense ones; arrays may be memory maps. See features.py.

    `ids_NF` counts from 1 in each field (a log's by falling frequency), 0 is "not known"; `dense_ND` is standardised.
    `histories` are lists of ids, `times_N` nanoseconds UTC, where the log has a time.
    """

    @property
    def ids_NF(self) -> NDArray[np.int32]: ...  # noqa: N802

    @property
    def dense_ND(self) -> NDArray[np.float32]: ...  # noqa: N802

    @property
    def histories(self) -> tuple[History, ...]: ...

    @property
    def times_N(self) -> NDArray[np.int64] | None: ...  # noqa: N802


class Examples(Encoded, Protocol):
    """Rows with labels and weights; of several labels (labels_NT, NaN: not defined) labels_N is the primary one's.

    Only a model with `distill` asks for a teacher: its logits of T tasks (NaN: it says nothing), its age in hours when
    it said so, and which of the tasks is the label's own.
    """

    @property
    def labels_N(self) -> NDArray[np.float32]: ...  # noqa: N802

    @property
    def labels_NT(self) -> NDArray[np.float32] | None: ...  # noqa: N802

    @property
    def primary(self) -> int: ...

    @property
    def weights_N(self) -> NDArray[np.float32]: ...  # noqa: N802

    @property
    def teacher_NT(self) -> NDArray[np.float32] | None: ...  # noqa: N802

    @property
    def ages_N(self) -> NDArray[np.float32] | None: ...  # noqa: N802

    @property
    def own(self) -> int | None: ...
