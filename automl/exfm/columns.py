"""Which columns of a stream a model reads.

N rows, F id fields, D dense features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from automl.data.encode.stream import EncodedStream
from search_spaces.model import InputShape


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

    def take(self, ids_NF: NDArray[np.int32], dense_ND: NDArray[np.float32]) -> tuple[torch.Tensor, torch.Tensor]:
        """The columns of rows, as tensors of their own."""
        ids, dense = ids_NF[:, list(self.fields)], dense_ND[:, list(self.dense)]
        return torch.from_numpy(np.ascontiguousarray(ids)), torch.from_numpy(np.ascontiguousarray(dense))
