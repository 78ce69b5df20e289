"""Ids of categorical columns: numbered as they come while the log streams, renumbered by falling frequency after."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, repeat

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from automl.data.columns.kinds import is_text

_NUMBER = r"^-?\d+(\.\d+)?$"
_SHORT_WHOLE = r"^-?\d{1,18}$"  # int64 holds it
_OFTEN = 1 << 30
Codes = NDArray[np.int32]


class Numbering:
    """Numbers values 1, 2, ... in the order of their first appearance; 0 is missing (null or NaN)."""

    def __init__(self) -> None:
        self._codes: dict[object, int] = {None: 0}

    def __len__(self) -> int:
        return len(self._codes) - 1

    def add(self, array: pa.Array) -> Codes:
        """Codes of the values, new ones numbered."""
        return _through(array, self._learned)

    def find(self, array: pa.Array) -> Codes:
        """Codes of the values, 0 for those never added."""
        return _through(array, lambda values: map(self._codes.get, values, repeat(0)))

    def values(self, kind: pa.DataType) -> pa.Array:
        """The values in the order of their codes, as `kind`."""
        return pa.array(islice(self._codes, 1, None), kind)

    def _learned(self, values: Sequence[object]) -> Iterable[int]:
        codes = self._codes
        for value in values:
            if value not in codes:
                codes[value] = len(codes)
        return map(codes.__getitem__, values)


class HashedNumbering(Numbering):
    """Values that were added come behind the first `buckets` codes, which all others share by their hash."""

    def __init__(self, buckets: int) -> None:
        super().__init__()
        self._buckets = buckets

    def find(self, array: pa.Array) -> Codes:
        """Codes of the values, 0 only where one is missing."""
        codes, values = numbered(array)
        known = super().find(values)
        table = np.zeros(len(values) + 1, np.int32)
        table[1:] = np.where(known > 0, known + self._buckets, 0)
        strange = np.flatnonzero(known == 0)
        table[strange + 1] = 1 + hashed(values.take(pa.array(strange)), self._buckets)
        return np.asarray(table[codes])


def numbering_of(values: pa.Array, buckets: int) -> Numbering:
    """By which the ids of a vocabulary are found; `buckets`: those of the values that it does not hold, 0 for none."""
    numbering = HashedNumbering(buckets) if buckets else Numbering()
    numbering.add(values)
    return numbering


def hashed(values: pa.Array, buckets: int) -> Codes:
    """The bucket of each value, from 0 on: a function of the value, whatever its type. None may be missing."""
    digests = (hashlib.blake2b(_told(value), digest_size=8).digest() for value in values.to_pylist())
    return np.fromiter((int.from_bytes(digest, "big") % buckets for digest in digests), np.int32, len(values))


def _told(value: object) -> bytes:
    """Numbers that are equal are told alike."""
    whole = isinstance(value, bool) or (isinstance(value, float) and value.is_integer())
    return str(int(value) if whole else value).encode("utf-8", "surrogatepass")  # type: ignore[call-overload]


def _through(array: pa.Array, codes_of: Callable[[Sequence[object]], Iterable[int]]) -> Codes:
    """Apply a function of values to the distinct ones of an array only; one call a value is slow in Python."""
    codes, values = numbered(array)
    plain = values.to_numpy().tolist() if pa.types.is_integer(values.type) else values.to_pylist()
    table = np.zeros(len(plain) + 1, np.int32)
    table[1:] = np.fromiter(codes_of(plain), np.int32, len(plain))
    return np.asarray(table[codes])


def found_in(values: pa.Array, asked: pa.Array) -> Codes:
    """The code of each value that is asked for, 0 where it has none: k is values[k - 1]."""
    return numbering_of(values, 0).find(asked)


def numbered(array: pa.Array) -> tuple[Codes, pa.Array]:
    """Codes of an array's values by first appearance, and the values: k is values[k - 1], 0 is missing."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()  # its own order is not that of the rows, and it may hold values of no row
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), pc.add(array, pa.scalar(0.0, array.type)))
    if pa.types.is_null(array.type):
        return np.zeros(len(array), np.int32), pa.nulls(0)
    encoded = array.dictionary_encode()
    indices = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return indices + np.int32(1), encoded.dictionary


def united(parts: Sequence[pa.Array], kind: pa.DataType) -> tuple[pa.Array, Codes]:
    """Distinct values of all parts by first appearance, and the codes of all of their values in a row, from 1 on: what
    one numbering of the parts, one after the other, would give."""
    if pa.types.is_null(kind):
        return pa.nulls(0), np.zeros(0, np.int32)
    encoded = pa.chunked_array(parts, kind).dictionary_encode()
    if not encoded.num_chunks:
        return pa.array([], kind), np.zeros(0, np.int32)
    codes = np.concatenate([chunk.indices.to_numpy(zero_copy_only=False) for chunk in encoded.chunks])
    return encoded.chunk(0).dictionary, codes + np.int32(1)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Ids kept, by falling count of the fit windows: id k is values[k - 1], seen counts[k - 1] times.

    Where there are `buckets`, these come first: ids 1 to buckets are those of values that are not kept, by their hash.
    """

    values: pa.Array
    counts: NDArray[np.int64]
    recode: Codes  # code of the numbering -> id, 0 where the id is not kept and there are no buckets
    buckets: int = 0

    @property
    def id_counts(self) -> NDArray[np.int64]:
        """Of every id, falling: no cut-off leaves out a bucket."""
        return np.concatenate([np.full(self.buckets, _OFTEN, np.int64), self.counts])

    def find(self, asked: pa.Array) -> Codes:
        """The id of each value that is asked for."""
        return numbering_of(self.values, self.buckets).find(asked)


def fit_vocabulary(values: pa.Array, counts: NDArray[np.int64], min_count: int, buckets: int = 0) -> Vocabulary:
    """`counts[c]` is how often code c was seen in the fit windows; code 0 is missing. Values seen less often than
    `min_count` share the buckets.

    Ties are broken by value, so that ids do not depend on the order of files or rows.
    """
    kept = np.flatnonzero(counts[1:] >= max(1, min_count))
    chosen = values.take(pa.array(kept))
    by_value = np.empty(len(kept), np.int64)
    by_value[places_by_value(chosen)] = np.arange(len(kept))
    order = np.lexsort((by_value, -counts[1:][kept]))
    recode = np.zeros(len(counts), np.int32)
    if buckets:
        rare = np.flatnonzero(counts[1:] < max(1, min_count))
        recode[rare + 1] = 1 + hashed(values.take(pa.array(rare)), buckets)
    recode[kept[order] + 1] = np.arange(buckets + 1, buckets + len(kept) + 1)
    return Vocabulary(chosen.take(pa.array(order)), counts[1:][kept][order], recode, buckets)


def written_twice(values: pa.Array) -> str | None:
    """A text that is a whole number and stands there as `27` and as `27.0` too, as ids beside missing values often do;
    None where there is none."""
    if not is_text(values.type):
        return None
    floats = values.filter(pc.match_substring_regex(values, r"^-?\d+\.0+$"))
    wholes = pc.replace_substring_regex(floats, r"\.0+$", "")
    both = wholes.filter(pc.is_in(wholes, values))
    return both[0].as_py() if len(both) else None


def places_by_value(values: pa.Array) -> NDArray[np.int64]:
    """Places in the order of the values; texts that are numbers come first, in the order of these, so that a column
    has the same ids whether its file knew types or not."""
    told = pc.match_substring_regex(values, _NUMBER) if is_text(values.type) else None
    if told is None or not pc.any(told).as_py():
        return np.asarray(pc.array_sort_indices(values).to_numpy())
    if told == pc.match_substring_regex(values, _SHORT_WHOLE):
        is_word = ~told.to_numpy(zero_copy_only=False)
        numbers = pc.if_else(told, values, pa.scalar("0", values.type)).cast(pa.int64()).to_numpy()
        by_text = np.empty(len(values), np.int64)
        by_text[pc.array_sort_indices(values).to_numpy()] = np.arange(len(values))
        return np.lexsort((by_text, numbers, is_word))
    keys = [
        (0, float(value) if "." in value else int(value), value) if number else (1, 0, value)
        for value, number in zip(values.to_pylist(), told.to_pylist(), strict=True)
    ]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)
