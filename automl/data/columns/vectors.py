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
_NUMBER = r"[^\s,;|\[\](){}\"']+"
_SEPARATED = "|".join(rf"{_NUMBER}(?:{mark}{_NUMBER})*" for mark in (r"\s*,\s*", r"\s*;\s*", r"\s*\|\s*", r"\s+"))
_BODY = rf"\s*(?:{_SEPARATED})?\s*"
_VECTOR = (
    rf"^(?:{_BODY}|\[{_BODY}\]|\[\s*\[{_BODY}\]\s*\]|\({_BODY}\)|\{{{_BODY}\}})$"  # one separator, closed brackets
)
_BRACKETS, _BETWEEN = r"^[\[({\s]+|[\])}\s]+$", r"\s*[,;|]\s*|\s+"
_PLAIN = r"(?i)^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?inf(?:inity)?|true|false|)$"
_SHOWN = 60


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
    """Numbers of the first vector of a column that has any; None where none has."""
    if pa.types.is_fixed_size_list(column.type):
        return int(column.type.list_size)
    lengths = pc.list_value_length(_listed(column)[0])
    some = lengths.filter(pc.greater(lengths, 0))
    return some[0].as_py() if len(some) else None


def as_vectors(column: pa.Array, width: int) -> Floats:
    """(N, W) float32; NaN where a vector or one of its numbers is missing; one of no numbers is missing. Text has one
    separator (a comma, a semicolon, a bar, space), and brackets or none.

    Raises:
        NotVectorsError: where a value is no vector of that width.
    """
    out_NW = np.full((len(column), width), np.nan, np.float32)
    lists, text = _listed(column)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    given_N = lengths > 0
    wrong_N = given_N & (lengths != width)
    if text is not None:
        odd_N = pc.invert(pc.fill_null(pc.match_substring_regex(text, _VECTOR), True)).to_numpy(zero_copy_only=False)
        if odd_N.any() or wrong_N.any():
            raise _odd(text, odd_N, wrong_N, lengths)
    if wrong_N.any():
        raise NotVectorsError(int(wrong_N.sum()), _numbers(int(lengths[wrong_N.argmax()])))
    flat = pc.list_flatten(lists)
    try:
        numbers = as_floats(flat)
    except NotNumbersError as error:
        plain = pc.match_substring_regex(trimmed(flat), _PLAIN)
        bad = np.flatnonzero(~pc.fill_null(plain, True).to_numpy(zero_copy_only=False))
        raise NotVectorsError(len(np.unique(bad // width)), repr(error.example)) from error
    with np.errstate(over="ignore"):
        out_NW[given_N] = numbers.reshape(-1, width)
    return out_NW


def missing_in(column: pa.Array, width: int) -> int:
    """Rows without a vector: null, of no numbers, or of missing ones alone.

    Raises:
        NotVectorsError: as as_vectors() does.
    """
    return int(np.isnan(as_vectors(column, width)).all(1).sum())


def _odd(
    text: pa.Array, odd_N: NDArray[np.bool_], wrong_N: NDArray[np.bool_], lengths: NDArray[np.generic]
) -> NotVectorsError:
    """The first text that is no vector, or one of another width."""
    both_N = odd_N | wrong_N
    first = int(both_N.argmax())
    value = text[first].as_py()
    shown = repr(value if len(value) <= _SHOWN else f"{value[:_SHOWN]} [cut here]")
    if "..." in value:
        shown += ", shortened by who wrote it: its numbers are lost"
    elif not odd_N[first]:
        shown = f"{_numbers(int(lengths[first]))} in {shown}"
    return NotVectorsError(int(both_N.sum()), shown)


def _numbers(count: int) -> str:
    return f"{count} number{'s' if count != 1 else ''}"


def _listed(column: pa.Array) -> tuple[pa.Array, pa.Array | None]:
    """Lists of any length; of text also the text itself, which is taken apart."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        return column.cast(pa.list_(pa.float64())), None
    if is_text(column.type):
        text = trimmed(column)
        bare = pc.replace_substring_regex(text, _BRACKETS, "")
        empty = pc.equal(bare, "")
        lists = pc.split_pattern_regex(bare, _BETWEEN)
        return pc.if_else(pc.fill_null(empty, True), pa.scalar(None, lists.type), lists), text
    if pa.types.is_fixed_size_list(column.type):
        return column.cast(pa.large_list(column.type.value_type)), None
    return column, None
