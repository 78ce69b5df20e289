"""Types of several files as one, and values as another type: exact, or refused with the value."""

from __future__ import annotations

import uuid

import pyarrow as pa
import pytest

from automl.data.columns.kinds import ClashError, MisfitError, cast, common, plain, trimmed

CODED = pa.dictionary(pa.int32(), pa.string())


@pytest.mark.parametrize(
    ("kinds", "wanted"),
    [
        ([pa.int32()], pa.int32()),
        ([CODED], CODED),
        ([pa.null(), pa.string()], pa.string()),
        ([pa.null()], pa.null()),
        ([pa.int32(), pa.int64()], pa.int64()),
        ([pa.int64(), pa.uint64()], pa.uint64()),
        ([pa.bool_(), pa.int8()], pa.int64()),
        ([pa.int64(), pa.float32()], pa.float64()),
        ([pa.decimal128(10, 2), pa.int64()], pa.decimal128(38, 2)),
        ([pa.string(), pa.large_string()], pa.large_string()),
        ([CODED, pa.string()], pa.string()),
        ([pa.int64(), pa.string()], pa.large_string()),
        ([pa.string_view()], pa.string()),
        ([pa.binary(), pa.string()], pa.string()),
        ([pa.timestamp("us"), pa.date32()], pa.timestamp("ns")),
        ([pa.timestamp("us", "Asia/Tokyo"), pa.timestamp("ms", "UTC")], pa.timestamp("ns", "UTC")),
    ],
)
def test_one_type_holds_all_files(kinds: list[pa.DataType], wanted: pa.DataType) -> None:
    assert common(kinds) == wanted
    assert common(kinds[::-1]) == wanted


@pytest.mark.parametrize(
    "kinds",
    [
        [pa.string(), pa.float64()],
        [pa.bool_(), pa.string()],
        [pa.timestamp("us"), pa.timestamp("us", "UTC")],
        [pa.date32(), pa.timestamp("us", "UTC")],
        [pa.int64(), pa.timestamp("ms")],
    ],
)
def test_two_that_nothing_holds_are_refused(kinds: list[pa.DataType]) -> None:
    for order in (kinds, kinds[::-1]):
        with pytest.raises(ClashError):
            common(order)


@pytest.mark.parametrize(
    ("values", "kind", "told"),
    [
        (pa.array([1, -7], pa.int64()), pa.uint64(), "-7"),
        (pa.array([1, 2**53 + 1], pa.int64()), pa.float64(), str(2**53 + 1)),
        (pa.array(["7", "x7"]), pa.int64(), "'x7'"),
        (pa.array(["7", "7.5"]), pa.int64(), "'7.5'"),
        (pa.array(["7.0", "1e300"]), pa.int64(), "'1e300'"),
        (pa.array([b"a", b"\xff"]), pa.string(), "b'\\xff'"),
    ],
)
def test_a_value_that_does_not_fit_is_told(values: pa.Array, kind: pa.DataType, told: str) -> None:
    with pytest.raises(MisfitError) as caught:
        cast(values, kind)
    assert str(caught.value) == told


def test_what_is_only_stored_otherwise_is_the_same_text() -> None:
    one = uuid.uuid4()
    held = pa.array([one.bytes, None], pa.uuid())
    assert cast(held, plain(held.type)).to_pylist() == [str(one), None]
    view = pa.array(["a", None], pa.string_view())
    assert cast(view, plain(view.type)).to_pylist() == ["a", None]


def test_words_for_missing_are_missing_where_numbers_or_times_are_read() -> None:
    assert trimmed(pa.array([" 1 ", "NA", "n/a", "NaN", "", "\\N", None, "nano"])).to_pylist() == [
        "1", None, None, None, None, None, None, "nano",
    ]  # fmt: skip


def test_a_whole_number_is_one_with_a_point_too() -> None:
    assert cast(pa.array(["7.0", None, "8"]), pa.int64()).to_pylist() == [7, None, 8]


@pytest.mark.parametrize("at", [0, 1, 63, 64, 65, 191, 192, 400, 499])
def test_the_first_value_that_does_not_fit_is_told_wherever_it_stands(at: int) -> None:
    texts = [str(k) for k in range(500)]
    texts[at] = "first"
    texts[at + 1 :: 7] = ["later"] * len(texts[at + 1 :: 7])
    with pytest.raises(MisfitError, match="first"):
        cast(pa.array(texts), pa.int64())
