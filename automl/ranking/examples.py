"""What the trainer asks of a log: columns side by side, one row an example. An encoded log on disk has this form."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Examples(Protocol):
    """N examples of F id fields and D dense features; arrays may be memory maps.

    `ids_NF` counts from 1 by falling frequency in each field, 0 is "not known"; `dense_ND` is standardised. Only a
    model with `distill` asks for a teacher: its logits of T tasks (NaN: it says nothing), its age in hours when it said
    so, and which of the tasks is the label's own.
    """

    @property
    def ids_NF(self) -> NDArray[np.int32]: ...  # noqa: N802

    @property
    def dense_ND(self) -> NDArray[np.float32]: ...  # noqa: N802

    @property
    def labels_N(self) -> NDArray[np.float32]: ...  # noqa: N802

    @property
    def weights_N(self) -> NDArray[np.float32]: ...  # noqa: N802

    @property
    def teacher_NT(self) -> NDArray[np.float32] | None: ...  # noqa: N802

    @property
    def ages_N(self) -> NDArray[np.float32] | None: ...  # noqa: N802

    @property
    def own(self) -> int | None: ...
