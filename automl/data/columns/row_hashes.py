"""64-bit hashes of whole rows, to find exact duplicates in a stream."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
_MISSING = np.uint64(0x9E3779B97F4A7C15)


def hash_rows(batch: pa.RecordBatch) -> Hashes:
    """One hash a row over all columns of a batch, the same for equal rows of any batch or file."""
    total = np.zeros(batch.num_rows, np.uint64)
    for index, column in enumerate(batch.columns):
        total = _mix(total + _column(column) + np.uint64(index + 1))
    return total


def unit_of_hash(hashes: Hashes, seed: int) -> NDArray[np.float64]:
    """A uniform draw in [0, 1) a row, a function of the row and the seed."""
    salt = np.uint64(int.from_bytes(hashlib.sha256(str(seed).encode()).digest()[:8], "big"))
    return (_mix(hashes ^ salt) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def mixed(hashes: Hashes, ordinals: Hashes) -> Hashes:
    """Hashes of pairs of a hash and a number."""
    return _mix(hashes + _mix(ordinals))


def _mix(x: Hashes) -> Hashes:
    """The finaliser of SplitMix64: every bit of the input moves every bit of the output."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _column(column: pa.Array) -> Hashes:
    kind = column.type
    if pa.types.is_floating(kind):
        bits = pc.fill_null(column.cast(pa.float64()), 0.0).to_numpy(zero_copy_only=False).view(np.uint64)
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        whole = column if pa.types.is_uint64(kind) else column.cast(pa.int64())
        bits = pc.fill_null(whole, 0).to_numpy(zero_copy_only=False).view(np.uint64)
    elif pa.types.is_nested(kind):
        return np.array([_digest(repr(value)) for value in column.to_pylist()], np.uint64)
    else:
        encoded = column if pa.types.is_dictionary(kind) else column.dictionary_encode()
        values = np.array([0, *(_digest(repr(value)) for value in encoded.dictionary.to_pylist())], np.uint64)
        bits = values[pc.fill_null(encoded.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False) + 1]
    missing = column.is_null().to_numpy(zero_copy_only=False)
    return _mix(bits ^ np.where(missing, _MISSING, np.uint64(0)))


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
