from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.data.columns.vocabulary import Numbering, fit_vocabulary, hashed, numbering_of, united

WORDS = st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "c", "d", ""])), max_size=30)


@settings(deadline=None)
@given(WORDS, WORDS)
def test_values_are_numbered_as_they_come_and_found_again(first: list[str | None], second: list[str | None]) -> None:
    numbering = Numbering()
    codes = np.concatenate([numbering.add(pa.array(part, pa.string())) for part in (first, second)])
    seen = list(dict.fromkeys(word for word in first + second if word is not None))
    assert codes.tolist() == [0 if word is None else seen.index(word) + 1 for word in first + second]
    assert numbering.values(pa.string()).to_pylist() == seen
    np.testing.assert_array_equal(numbering.find(pa.array([*first, "never"], pa.string())), [*codes[: len(first)], 0])


def test_nan_is_missing_and_dictionaries_count_by_value() -> None:
    numbering = Numbering()
    assert numbering.add(pa.array([0.5, np.nan, None])).tolist() == [1, 0, 0]
    assert numbering.add(pa.array([0.5, 0.25]).dictionary_encode()).tolist() == [1, 2]


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.integers(1, 4))
def test_ids_fall_with_frequency_and_ties_with_value(counts: list[int], least: int) -> None:
    values = pa.array([(7 * k) % 13 for k in range(len(counts))])
    found = fit_vocabulary(values, np.array([99, *counts]), least)
    kept = sorted(
        (-n, value, code)
        for code, (n, value) in enumerate(zip(counts, values.to_pylist(), strict=True), 1)
        if n >= least
    )
    assert found.values.to_pylist() == [value for _, value, _ in kept]
    assert found.counts.tolist() == [-count for count, _, _ in kept]
    assert [int(found.recode[code]) for _, _, code in kept] == list(range(1, len(kept) + 1))
    assert np.count_nonzero(found.recode) == len(kept)


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.integers(2, 4), st.integers(2, 9))
def test_values_that_are_not_kept_share_the_first_ids(counts: list[int], least: int, buckets: int) -> None:
    values = pa.array([(7 * k) % 13 for k in range(len(counts))])
    counted = np.array([99, *counts])
    plain, found = fit_vocabulary(values, counted, least), fit_vocabulary(values, counted, least, buckets)
    kept = plain.recode > 0
    assert found.recode[kept].tolist() == (plain.recode[kept] + buckets).tolist()
    assert found.recode[0] == 0
    rare = np.flatnonzero(~kept)[1:]
    assert found.recode[rare].tolist() == (1 + hashed(values.take(pa.array(rare - 1)), buckets)).tolist()
    assert found.id_counts.tolist() == [1 << 30] * buckets + found.counts.tolist()
    assert found.values == plain.values
    asked = pa.array([*values.to_pylist(), 10**6, None])
    ids = found.find(asked)
    assert ids[: len(counts)].tolist() == found.recode[1:].tolist()
    assert 1 <= ids[-2] <= buckets
    assert ids[-1] == 0


def test_a_hash_is_that_of_the_value_and_spreads() -> None:
    numbers = pa.array(range(20_000))
    found = hashed(numbers, 100)
    assert hashed(numbers.cast(pa.float64()), 100).tolist() == found.tolist()
    assert hashed(numbers.cast(pa.string()), 100).tolist() == found.tolist()
    assert hashed(pa.array([True, False]), 100).tolist() == found[[1, 0]].tolist()
    counts = np.bincount(found, minlength=100)
    assert 120 < counts.min() <= counts.max() < 280
    assert hashed(pa.array(["a", "b", ""]), 1 << 24).tolist() == [6701615, 8736629, 7975604]
    assert numbering_of(pa.array([7, 9]), 4).find(pa.array([9.0, 7.0, None])).tolist() == [6, 5, 0]


TEXTS = st.lists(
    st.one_of(
        st.integers(-(10**20), 10**20).map(str),
        st.integers(-20, 20).map(str),
        st.sampled_from(["007", "-0", "1.50", "x", "é", "zz", "", "1e3"]),
    ),
    unique=True,
    max_size=12,
)


@settings(deadline=None)
@given(TEXTS, st.booleans())
def test_texts_that_are_numbers_come_first_in_their_order(texts: list[str], short: bool) -> None:
    texts = [text for text in texts if not short or (len(text) < 19 and "." not in text)]
    found = fit_vocabulary(pa.array(texts, pa.string()), np.ones(len(texts) + 1, np.int64), 1)

    def key(text: str) -> tuple[int, Fraction, str]:
        number = re.fullmatch(r"-?[0-9]+([.][0-9]+)?", text)
        return (0, Fraction(text), text) if number else (1, Fraction(0), text)

    assert found.values.to_pylist() == sorted(texts, key=key)


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True), max_size=5))
def test_united_numberings_are_one(parts: list[list[str]]) -> None:
    numbering = Numbering()
    one = [code for part in parts for code in numbering.add(pa.array(part, pa.string())).tolist()]
    values, codes = united([pa.array(part, pa.string()) for part in parts], pa.string())
    assert codes.tolist() == one
    assert values.to_pylist() == numbering.values(pa.string()).to_pylist()


def test_categories_are_numbered_as_they_come_not_as_they_are_stored() -> None:
    coded = pa.DictionaryArray.from_arrays(pa.array([2, 0, 2, None]), pa.array(["b", "unused", "a"]))
    numbering = Numbering()
    assert numbering.add(coded).tolist() == [1, 2, 1, 0]
    assert len(numbering) == 2
    assert numbering.add(pa.DictionaryArray.from_arrays(pa.array([0]), pa.array([float("nan")]))).tolist() == [0]
