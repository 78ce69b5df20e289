"""Which columns of a stream a model reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from search_spaces.model import InputShape

if TYPE_CHECKING:
    from automl.data.store.stream import EncodedStream
    from automl.ranking.examples import Encoded
    from automl.ranking.features import Features


@dataclass(frozen=True, slots=True)
class Columns:
    """Places in ids_NF and in dense_ND."""

    fields: tuple[int, ...]
    dense: tuple[int, ...]

    @classmethod
    def of(cls, fields: NDArray[np.int64], dense: NDArray[np.int64]) -> Columns:
        return cls(tuple(fields.tolist()), tuple(dense.tolist()))

    def inputs(self, stream: EncodedStream) -> InputShape:
        """What a model over these columns is built from."""
        return stream.inputs([stream.fields[k] for k in self.fields], [stream.dense[k] for k in self.dense])

    def read(self, stream: Encoded, rows: slice | NDArray[np.int64]) -> Features:
        """What a model over these columns reads of rows. Loads torch; a file that names columns does not."""
        from automl.ranking.features import read
        from automl.ranking.place import put

        fields, dense = np.array(self.fields, np.int64), np.array(self.dense, np.int64)
        return read(stream, rows).select(put(fields), put(dense))
