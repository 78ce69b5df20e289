"""Where the numbers are: the processor, or an accelerator (torch.accelerator: CUDA and its like). All that one of them
does in its own way stands here, and only here.

Data is put there and fetched back, equal rows of a batch are found, noise is drawn, time is told. On an accelerator the
host waits for no value and nothing is copied back while a chunk is learnt. B batch, E dimension, P places of a batch,
U distinct rows among them, R rows of a table.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from search_spaces.errors import InputError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

LARGE = 8  # of a table of more than 8 rows for each place of a batch, only the places are sorted
_PLACE_BITS = 32
_WORD = 16  # bytes of each of the two numbers that a state of PCG64DXSM is
Module = TypeVar("Module", bound=nn.Module)
Kind = Literal["cpu", "gpu"]
"""The processor, or the accelerator that torch has a build for."""
Device = torch.device
PROCESSOR = Device("cpu")


def gpus() -> int:
    """How many accelerators torch sees on this machine."""
    return int(torch.accelerator.device_count())


def device_of(kind: Kind) -> Device:
    """Where a trial or a clock asks to be; of an accelerator the first that this process sees.

    Raises:
        InputError: where torch sees none.
    """
    if kind == "cpu":
        return PROCESSOR
    found = torch.accelerator.current_accelerator(check_available=True)
    if found is None:
        seen = f"none that torch {torch.__version__} sees"
        hint = "`resources: {gpu: 0}` and `clock: cpu` ask for none, or install a build of torch for your GPU"
        raise InputError.of("resources.gpu", "must be on a machine with a GPU", seen, hint)
    return found


def where(tensor: Tensor) -> Device:
    """Where a tensor is."""
    return tensor.device


def put(array: NDArray[Any], there: Device = PROCESSOR) -> Tensor:
    """An array as a tensor. On the processor what can be written is shared and not copied: leave it alone then."""
    return moved(torch.from_numpy(array if array.flags.writeable else np.array(array)), there)


def moved(tensor: Tensor, there: Device) -> Tensor:
    """A tensor there; itself where it is there already."""
    return tensor.to(there)


def moved_if_any(tensor: Tensor | None, there: Device) -> Tensor | None:
    """As `moved`, of what may be left out."""
    return None if tensor is None else moved(tensor, there)


def module_to(module: Module, there: Device) -> Module:
    """The module itself, moved there: what held views of its weights holds them no more."""
    return module.to(there)


def numbered(count: int, like: Tensor) -> Tensor:
    """0, 1, ... `count` - 1 where `like` is."""
    return torch.arange(count, device=like.device)


def zeros_as_written(like: Tensor) -> Tensor:
    """Zeros of a tensor's shape, in fp32; memory is taken page by page, when it is written."""
    return torch.from_numpy(np.zeros(like.shape, np.float32)) if like.is_cpu else torch.zeros_like(like).float()


def fetch(tensor: Tensor) -> NDArray[Any]:
    """A tensor as an array; memory is shared where it can be."""
    array: NDArray[Any] = tensor.cpu().numpy()
    return array


def copied_to(module: Module, there: Device) -> Module:
    """The module itself where all of it is there, else a copy that is."""
    is_there = all(part.device == there for part in module.state_dict().values())
    return module if is_there else copy.deepcopy(module).to(there)


def at_once(like: Tensor, numbers: int) -> int:
    """How many numbers of a vector are gone through together: `numbers`, which a processor holds near, or all."""
    return numbers if like.is_cpu else max(like.numel(), 1)


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
    """Random 16-bit integers for all the dropout layers of a model, in the order in which they ask: on the processor
    by NumPy, which draws faster there, on an accelerator by torch's own source there."""

    def __init__(self, seed: int) -> None:
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Start again: equal seeds give equal masks on one kind of device."""
        self._seed, self._bits = seed, np.random.PCG64DXSM(seed)
        self._there: torch.Generator | None = None
        self._later: Tensor | None = None  # the state that it is to start from

    def state(self) -> dict[str, Tensor]:
        """What is drawn next, on this kind of device: bytes."""
        told = self._bits.state["state"]
        words = b"".join(int(told[name]).to_bytes(_WORD, "little") for name in ("state", "inc"))
        there = {} if self._there is None else {"there": self._there.get_state()}
        return {"bits": torch.tensor(list(words), dtype=torch.uint8), **there}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state."""
        words = bytes(state["bits"].tolist())
        state_, inc = (int.from_bytes(part, "little") for part in (words[:_WORD], words[_WORD:]))
        self._bits.state = {**self._bits.state, "state": {"state": state_, "inc": inc}}
        self._there, self._later = None, state.get("there")

    def int16(self, like: Tensor) -> Tensor:
        """As many integers as a tensor has numbers, where it is, uniform in -2^15 .. 2^15 - 1."""
        count = like.numel()
        if like.is_cpu:
            return torch.from_numpy(self._bits.random_raw(-(-count // 4)).view(np.int16)[:count])
        if self._there is None and not like.is_meta:  # which draws nothing
            self._there = torch.Generator(like.device).manual_seed(self._seed)
            if self._later is not None:
                self._there.set_state(self._later)
        bounds, drawn = (-(1 << 15), 1 << 15), like.new_empty(count, dtype=torch.int16)
        return drawn.random_(*bounds, generator=self._there)


class Distinct(Protocol):
    """Adds up the gradients that belong to the same row of a table."""

    def sum(self, rows_P: Tensor, grad_PE: Tensor) -> tuple[Tensor, Tensor]:
        """The distinct rows in their order, and their summed gradients. What stands behind the last one says the same
        as that, again: whoever writes rows by number writes it twice."""


def distinct_rows(table_RE: Tensor) -> Distinct:
    """For the rows of a table, wherever it is."""
    return DistinctRows(table_RE.shape[0]) if table_RE.is_cpu else PaddedRows()


class PaddedRows:
    """How an accelerator does it: without a shape that depends on values, for which the host would have to wait."""

    def sum(self, rows_P: Tensor, grad_PE: Tensor) -> tuple[Tensor, Tensor]:
        """The distinct rows (P,) and their summed gradients (P, E), padded by the last."""
        sorted_P, order_P = torch.sort(rows_P, stable=True)
        places_P = numbered(len(rows_P), rows_P)
        first_P = torch.cat([sorted_P.new_ones(1, dtype=torch.bool), sorted_P[1:] != sorted_P[:-1]])
        group_P = first_P.cumsum(0) - 1
        starts_P = torch.full_like(places_P, len(rows_P)).scatter_reduce(0, group_P, places_P, "amin")
        sums_PE = functional.embedding_bag(order_P, grad_PE, starts_P, mode="sum")
        used_P = torch.minimum(places_P, group_P[-1])
        rows_P = sorted_P.index_select(0, starts_P.index_select(0, used_P))
        return rows_P.long(), sums_PE.index_select(0, used_P)


class DistinctRows:
    """How the processor does it: a stable sort of a batch's places, then one segmented sum.

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
    """Rows of a table anew, as index_copy_ does it; on the processor in a third of its time."""
    if not table_RE.is_cpu:
        table_RE.index_copy_(0, rows_U, values_UE)
        return
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

    there = PROCESSOR

    def seconds(self, model: object, rows: int, run: Callable[[], object]) -> float:
        start = busy_seconds()
        run()
        return busy_seconds() - start


class DeviceClock:
    """Seconds from the call to the last value on an accelerator, by the wall clock: what a server waits for."""

    def __init__(self, there: Device) -> None:
        self.there = there

    def seconds(self, model: object, rows: int, run: Callable[[], object]) -> float:
        torch.accelerator.synchronize(self.there)
        start = time.perf_counter()
        run()
        torch.accelerator.synchronize(self.there)
        return time.perf_counter() - start


def clock_of(kind: Kind) -> CpuClock | DeviceClock:
    """How time is told on a kind of device.

    Raises:
        InputError: as device_of.
    """
    return CpuClock() if kind == "cpu" else DeviceClock(device_of(kind))
