"""Columns of vectors: what they hold, in every type and in text."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.data.columns.moments import Moments
from automl.data.columns.vector_places import places_of, plain_among, vectors_among, widths_of
from automl.data.columns.vectors import NotVectorsError, as_vectors, holds_vectors, missing_in, width_in

NUMBERS = st.one_of(st.none(), st.floats(-1e6, 1e6, width=32))
VECTORS = st.lists(st.one_of(st.none(), st.lists(NUMBERS, min_size=3, max_size=3)), min_size=1, max_size=9)


@given(VECTORS)
def test_a_vector_is_the_same_in_every_type_and_in_text(values: list[list[float | None] | None]) -> None:
    expected = np.full((len(values), 3), np.nan, np.float32)
    for row, value in enumerate(values):
        if value is not None:
            expected[row] = [np.nan if number is None else number for number in value]
    kinds = [pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_(pa.float32(), 3)]
    columns = [pa.array(values, kind) for kind in kinds]
    told = [None if value is None else json.dumps(value) for value in values]
    columns += [pa.array(told, pa.string()), pa.array(told, pa.string()).dictionary_encode()]
    columns.append(pa.array([f"  {text[1:-1]} " if text else text for text in told], pa.large_string()))
    for column in columns:
        assert holds_vectors(column.type)
        np.testing.assert_array_equal(as_vectors(column, 3), expected)


@pytest.mark.parametrize(
    "text", ["1 2.5 -3", "[1, 2.5, -3]", "1|2.5|-3", "[ 1.  2.5 -3. ]", "(1;2.5;-3)", "{1,2.5,-3}"]
)
def test_text_may_separate_numbers_in_any_usual_way(text: str) -> None:
    column = pa.array([None, text])
    assert width_in(column) == 3
    np.testing.assert_array_equal(as_vectors(column, 3)[1], np.array([1, 2.5, -3], np.float32))


def test_a_slice_is_read_from_where_it_begins() -> None:
    column = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(12.0)), 3)
    np.testing.assert_array_equal(as_vectors(column.slice(2, 1), 3), [[6, 7, 8]])
    np.testing.assert_array_equal(as_vectors(column.cast(pa.list_(pa.float64())).slice(1, 2), 3)[0], [3, 4, 5])


@pytest.mark.parametrize(
    ("values", "found", "count"),
    [
        ([[1.0, 2.0], [1.0]], "2 numbers", 2),
        (["1 2 x", "y z w", "1 2 3"], "'x'", 2),
        (["abc"], "1 number in 'abc'", 1),
        (["[1, 2, 3"], "'[1, 2, 3'", 1),
        (["[1, , 3]"], "'[1, , 3]'", 1),
        (["[1, 2, 3, ]"], "'[1, 2, 3, ]'", 1),
        (["1,5 2,5 3"], "'1,5 2,5 3'", 1),
        (["1;2|3"], "'1;2|3'", 1),
        (["[1 2 ... 3]"], "'[1 2 ... 3]', shortened by who wrote it: its numbers are lost", 1),
    ],
)
def test_another_length_or_a_word_is_named(values: list[object], found: str, count: int) -> None:
    with pytest.raises(NotVectorsError) as caught:
        as_vectors(pa.array(values), 3)
    assert (caught.value.example, caught.value.count) == (found, count)


@pytest.mark.parametrize("column", [pa.array([[], None, [1.0, 2.0, 3.0]]), pa.array(["[]", "", "1 2 3"])])
def test_one_of_no_numbers_is_missing(column: pa.Array) -> None:
    assert width_in(column) == 3
    assert missing_in(column, 3) == 2
    np.testing.assert_array_equal(as_vectors(column, 3)[2], [1, 2, 3])


def test_one_of_missing_numbers_alone_is_missing() -> None:
    assert missing_in(pa.array([[None, None], [float("nan")] * 2, [1.0, None]]), 2) == 2


def test_what_holds_no_vectors() -> None:
    kinds = (pa.int64(), pa.float64(), pa.list_(pa.bool_()), pa.struct([("a", pa.int8())]), pa.timestamp("s"))
    assert not any(map(holds_vectors, kinds))


def test_vectors_stand_last_among_the_dense_features() -> None:
    dense = ("price", "@rate(click | user)", *places_of("title", 2), *places_of("a[0]", 3))
    assert vectors_among(dense) == {"title": slice(2, 4), "a[0]": slice(4, 7)}
    assert widths_of(vectors_among(dense)) == (2, 3)
    assert plain_among(dense) == ("price", "@rate(click | user)")


@given(st.lists(st.lists(st.one_of(st.just(float("nan")), st.floats(-1e3, 1e3)), min_size=2, max_size=2), min_size=1))
def test_moments_of_all_columns_at_once_are_those_of_each(rows: list[list[float]]) -> None:
    values, each, both = np.array(rows), Moments(2), Moments(2)
    for part in (values[: len(values) // 2], values[len(values) // 2 :]):
        both.add_all(part)
        for k in range(2):
            each.add(k, part[:, k])
    np.testing.assert_array_equal(each.count, both.count)
    np.testing.assert_allclose(both.mean, each.mean, atol=1e-9)
    np.testing.assert_allclose(both.spread, each.spread, rtol=1e-6, atol=1e-6)
