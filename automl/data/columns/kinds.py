"""Types of columns: which are one kind, what holds the values of several files exactly, and the cast to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_MISSING = ("", "nan", "-nan", "nat", "null", "none", "na", "n/a", "<na>", "#n/a", "\\n")

_FIRST = 64


class ClashError(ValueError):
    """Two types that no type holds both of."""


class MisfitError(ValueError):
    """A value that a column's type cannot hold as it is."""


def is_text(kind: pa.DataType) -> bool:
    """Of any width, and categories of text."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_numeric(kind: pa.DataType) -> bool:
    """Integers, floats and decimals; not booleans."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def common(kinds: Sequence[pa.DataType]) -> pa.DataType:
    """The type that holds what all of them hold, exactly. Of one type it is that type; null says nothing.

    Raises:
        ClashError: where there is none, with the two types.
    """
    told = list(dict.fromkeys(map(plain, kinds)))
    known = [kind for kind in told if not pa.types.is_null(kind)]
    return reduce(_both, known) if known else pa.null()


def plain(kind: pa.DataType) -> pa.DataType:
    """Without what is only a way to store: views, extensions; bytes are taken for text without a mark that says so."""
    if isinstance(kind, pa.UuidType) or pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        return pa.string()
    if isinstance(kind, pa.BaseExtensionType):
        return plain(kind.storage_type)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.string()
    if pa.types.is_dictionary(kind) and plain(kind.value_type) != kind.value_type:
        return plain(kind.value_type)
    return pa.float32() if pa.types.is_float16(kind) else kind


def _both(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    a, b = (kind.value_type if pa.types.is_dictionary(kind) else kind for kind in (a, b))
    if a == b:
        return a
    for rule in (_numbers, _texts, _times, _lists):
        found = rule(a, b)
        if found is not None:
            return found
    raise ClashError(f"{a} and {b}")


def _numbers(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if not all(is_numeric(kind) or pa.types.is_boolean(kind) for kind in (a, b)):
        return None
    if pa.types.is_floating(a) or pa.types.is_floating(b):
        return pa.float64()
    if pa.types.is_decimal(a) or pa.types.is_decimal(b):
        return pa.decimal128(38, max(kind.scale if pa.types.is_decimal(kind) else 0 for kind in (a, b)))
    return pa.uint64() if pa.types.is_uint64(a) or pa.types.is_uint64(b) else pa.int64()


def _texts(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """Integers may join texts: they have one way to be written."""
    if not (is_text(a) or is_text(b)):
        return None
    return pa.large_string() if all(is_text(kind) or pa.types.is_integer(kind) for kind in (a, b)) else None


def _times(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """Days and times; a zone on both sides or on none."""
    if not all(pa.types.is_timestamp(kind) or pa.types.is_date(kind) for kind in (a, b)):
        return None
    zoned = [getattr(kind, "tz", None) is not None for kind in (a, b)]
    if zoned[0] != zoned[1]:
        raise ClashError("times with a zone and times without one")
    return pa.timestamp("ns", "UTC" if zoned[0] else None)


def is_list(kind: pa.DataType) -> bool:
    """Of any length, or of a fixed one."""
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind) or _view(kind)


def _view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind))


def _lists(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """Of one length or another: lists of what holds the values of both."""
    return pa.large_list(common([a.value_type, b.value_type])) if is_list(a) and is_list(b) else None


def cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """The same values as another type.

    Raises:
        MisfitError: where one of them cannot be held, with that value.
    """
    if column.type == kind:
        return column
    column = _stored(column)
    if is_text(column.type) and pa.types.is_integer(kind):
        return _checked(column, lambda part: _whole(part, kind))
    return _checked(column, lambda part: part.cast(kind))


def _whole(text: pa.Array, kind: pa.DataType) -> pa.Array:
    """Texts as whole numbers; 7.0 is one too, as integers beside missing values are often written."""
    try:
        return text.cast(kind)
    except pa.ArrowInvalid:
        numbers = text.cast(pa.float64())
        if pc.any(pc.greater(pc.abs(numbers), float(1 << 53))).as_py():
            raise
        return numbers.cast(kind)


def _stored(column: pa.Array) -> pa.Array:
    if isinstance(column.type, pa.UuidType):
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())
    if isinstance(column.type, pa.BaseExtensionType):
        return column.storage
    if _view(column.type):
        return _unviewed(column)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _unviewed(column: pa.Array) -> pa.Array:
    """Lists one after the other; Arrow's own cast goes wrong where one is missing."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))
    return pa.LargeListArray.from_arrays(offsets, pc.list_flatten(column), mask=column.is_null())


def _checked(column: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    try:
        return change(column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise MisfitError(offender(column, change)) from error


def offender(column: pa.Array, change: Callable[[pa.Array], pa.Array]) -> str:
    """The first value that a change of the column stumbles over, as text."""
    size = _FIRST  # a change that fails goes through the whole of what it is given, slowly
    while size < len(column) and _goes(column.slice(0, size), change):
        column = column.slice(size)
        size *= 2
    column = column.slice(0, size)
    while len(column) > 1:
        half = column.slice(0, len(column) // 2)
        column = column.slice(len(half)) if _goes(half, change) else half
    return shown(column[0]) if len(column) else ""


def _goes(column: pa.Array, change: Callable[[pa.Array], pa.Array]) -> bool:
    try:
        change(column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def shown(value: pa.Scalar) -> str:
    """A value in an error; text in quotes."""
    found = value.as_py()
    return repr(found) if isinstance(found, str | bytes) else str(found)


def trimmed(column: pa.Array) -> pa.Array:
    """Text without space around it, missing where it says so: `NA`, `null`, `NaN`. For numbers and times only: a
    category may be called so."""
    text = pc.utf8_trim_whitespace(column)
    missing = pc.is_in(pc.utf8_lower(text), pa.array(_MISSING, text.type))
    return pc.if_else(missing, pa.scalar(None, text.type), text)
