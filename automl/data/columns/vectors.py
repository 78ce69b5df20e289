"""Columns of vectors, such as embeddings of a text or an image: lists of numbers of one length in every row.

Shapes: N rows, W numbers of a vector.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from automl.data.columns.kinds import is_list, is_numeric, is_text, trimmed
from automl.data.columns.numbers import NotNumbersError, as_floats

Floats = NDArray[np.float32]
_BRACKETS, _BETWEEN = r"^[\[({\s]+|[\])}\s]+$", r"\s*[,;|]\s*|\s+"


class NotVectorsError(ValueError):
    """So many values of a column are no vectors of the width; one of them."""

    def __init__(self, count: int, example: str) -> None:
        super().__init__(example)
        self.count, self.example = count, example


def holds_vectors(kind: pa.DataType) -> bool:
    """Whether a column may hold vectors: lists of numbers, or text that says them."""
    of = kind.value_type if is_list(kind) else kind
    return is_text(of) or pa.types.is_null(of) or (is_list(kind) and is_numeric(of))


def width_in(column: pa.Array) -> int | None:
    """Numbers of the first vector of a column; None where it has none."""
    if pa.types.is_fixed_size_list(column.type):
        return int(column.type.list_size)
    known = column.drop_null()
    lists = _listed(known[:1]) if len(known) else known
    return None if not len(lists) or lists.null_count else len(lists[0])


def as_vectors(column: pa.Array, width: int) -> Floats:
    """(N, W) float32; NaN where a vector or one of its numbers is missing. Text may have commas, spaces and brackets.

    Raises:
        NotVectorsError: where a value is no vector of that width.
    """
    out_NW = np.full((len(column), width), np.nan, np.float32)
    lists = _listed(column)
    given_N = lists.is_valid().to_numpy(zero_copy_only=False)
    known = lists.drop_null()
    lengths = pc.list_value_length(known).to_numpy(zero_copy_only=False)
    wrong = lengths != width
    if wrong.any():
        raise NotVectorsError(int(wrong.sum()), _numbers(int(lengths[wrong.argmax()])))
    try:
        numbers = as_floats(pc.list_flatten(known))
    except NotNumbersError as error:
        raise NotVectorsError(error.count, repr(error.example)) from error
    with np.errstate(over="ignore"):
        out_NW[given_N] = numbers.reshape(-1, width)
    return out_NW


def _numbers(count: int) -> str:
    return f"{count} number{'s' if count != 1 else ''}"


def _listed(column: pa.Array) -> pa.Array:
    """Lists of any length; text is taken apart."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        return column.cast(pa.list_(pa.float64()))
    if is_text(column.type):
        bare = pc.replace_substring_regex(trimmed(column), _BRACKETS, "")
        return pc.split_pattern_regex(bare, _BETWEEN)
    if pa.types.is_fixed_size_list(column.type):
        return column.cast(pa.large_list(column.type.value_type))
    return column
