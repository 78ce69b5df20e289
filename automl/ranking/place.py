"""Where the numbers are: the processor. All that another device would do in its own way stands here, and only here.

Data is put there and fetched back, equal rows of a batch are found, noise is drawn, time is told. B batch, E dimension,
P places of a batch, U distinct rows among them, R rows of a table.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

LARGE = 8  # of a table of more than 8 rows for each place of a batch, only the places are sorted
_PLACE_BITS = 32
Module = TypeVar("Module", bound=nn.Module)


def put(array: NDArray[Any]) -> Tensor:
    """An array as a tensor where the models are. What can be written is shared and not copied: leave it alone then."""
    return torch.from_numpy(array if array.flags.writeable else np.array(array))


def numbered(count: int, like: Tensor) -> Tensor:
    """0, 1, ... `count` - 1 where `like` is."""
    return torch.arange(count, device=like.device)


def zeros_as_written(like: Tensor) -> Tensor:
    """Zeros of a tensor's shape, in fp32; memory is taken page by page, when it is written."""
    return torch.from_numpy(np.zeros(like.shape, np.float32))


def fetch(tensor: Tensor) -> NDArray[Any]:
    """A tensor as an array; memory is shared where it can be."""
    array: NDArray[Any] = tensor.numpy()
    return array


def on_processor(module: Module) -> Module:
    """The module itself where it is on the processor, else a copy that is."""
    there = all(part.device.type == "cpu" for part in module.state_dict().values())
    return module if there else copy.deepcopy(module).cpu()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """What torch draws within comes from the seed; the process's own random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def generator(seed: int) -> torch.Generator:
    """A source of draws where the models are."""
    return torch.Generator().manual_seed(seed)


class Noise:
    """Random 16-bit integers for all the dropout layers of a model, in the order in which they ask."""

    def __init__(self, seed: int) -> None:
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Start again: equal seeds give equal masks."""
        self._bits = np.random.PCG64DXSM(seed)

    def int16(self, count: int) -> Tensor:
        """`count` integers, uniform in -2^15 .. 2^15 - 1."""
        return torch.from_numpy(self._bits.random_raw(-(-count // 4)).view(np.int16)[:count])


class DistinctRows:
    """Adds up the gradients that belong to the same row: a stable sort of a batch's places, then one segmented sum.

    Of a small table by counting its rows, of one much larger than the batch so that a step's work goes with the batch.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._matrix: csr_matrix | None = None

    def sum(self, rows_P: Tensor, grad_PE: Tensor) -> tuple[Tensor, Tensor]:
        """The distinct rows (U,) in their order, and their summed gradients (U, E)."""
        distinct_U, order_P, starts_U = self._segments(rows_P.numpy())
        grad_UE = functional.embedding_bag(torch.from_numpy(order_P), grad_PE, torch.from_numpy(starts_U), mode="sum")
        return torch.from_numpy(distinct_U), grad_UE

    def _segments(self, rows_P: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
        """Distinct rows, the places of the batch ordered by row, and where each row's places start."""
        if self._rows > LARGE * rows_P.size:
            return _sorted_segments(rows_P)
        order_P, bounds = self._counting_sort(rows_P)
        used_U = np.flatnonzero(bounds[1:] != bounds[:-1])
        return used_U, order_P, bounds[used_U]

    def _counting_sort(self, rows_P: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Places ordered by row, and the bounds of each row's places: the column form of a matrix with one 1 a row.

        The matrix is kept from batch to batch: to make one takes half as long as to sort.
        """
        if self._matrix is None or self._matrix.shape[0] != rows_P.size:
            self._matrix = _one_a_row(rows_P, self._rows)
        self._matrix.indices = rows_P
        by_row = self._matrix.tocsc()
        return by_row.indices, by_row.indptr


def _sorted_segments(rows_P: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """One sort of row and place in one number."""
    keys_P = rows_P.astype(np.int64) << _PLACE_BITS
    keys_P += np.arange(rows_P.size)
    keys_P.sort()
    order_P = (keys_P & ((1 << _PLACE_BITS) - 1)).astype(np.int32)
    keys_P >>= _PLACE_BITS
    first_P = np.ones(rows_P.size, np.bool_)
    np.not_equal(keys_P[1:], keys_P[:-1], out=first_P[1:])
    return keys_P[first_P], order_P, np.flatnonzero(first_P).astype(np.int32)


def write_rows(table_RE: Tensor, rows_U: Tensor, values_UE: Tensor) -> None:
    """Distinct rows of a table anew, as index_copy_ does it, in a third of its time."""
    whole = np.dtype((np.void, table_RE.shape[1] * table_RE.element_size()))
    np.put(table_RE.numpy().view(whole), rows_U.numpy(), values_UE.numpy().view(whole))


def _one_a_row(keys_P: NDArray[np.int32], count: int) -> csr_matrix:
    from scipy.sparse import csr_matrix  # whoever only serves has no need of it

    ones_P, upto_P1 = np.ones(keys_P.size, np.int8), np.arange(keys_P.size + 1, dtype=np.int32)
    return csr_matrix((ones_P, keys_P, upto_P1), shape=(keys_P.size, count))


def busy_seconds() -> float:
    """What this thread has worked so far: CPU time, which a busy neighbour moves far less than wall time."""
    return time.thread_time()


class CpuClock:
    """Seconds of work that a model takes to score a batch, by busy_seconds."""

    def seconds(self, model: object, rows: int, run: Callable[[], object]) -> float:
        start = busy_seconds()
        run()
        return busy_seconds() - start
