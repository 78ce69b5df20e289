"""Counters against a naive double loop; what a row saw does not change with what comes later."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from automl.data.describe.tables import DataConfig, FeaturesConfig
from automl.data.encode.counters import Counters, Rules, key_codes
from automl.data.encode.log import encode_log
from automl.data.store.stream import NEVER
from search_spaces.errors import InputError
from search_spaces.source import read_text, validate

Describe = Callable[..., DataConfig]
Write = Callable[..., Path]
HOUR = 3600 * 10**9
DAY = 24 * HOUR


class Past:
    """A log of a few keys over a few hours, with labels that come late, never, or are not defined."""

    def __init__(self, seed: int, rows: int = 120, labels: int = 2) -> None:
        rng = np.random.default_rng(seed)
        self.times = np.sort(rng.integers(0, 20, rows)) * (HOUR // 2)  # many ties, many on a boundary
        self.codes = rng.integers(0, 5, rows).astype(np.int32)
        self.labels = rng.integers(0, 2, (rows, labels)).astype(np.float32)
        self.labels[rng.random((rows, labels)) < 0.1] = np.nan
        self.arrivals = self.times[:, None] + rng.integers(0, 6, (rows, labels)) * (HOUR // 2)
        self.arrivals[rng.random((rows, labels)) < 0.1] = NEVER
        self.edges = np.arange(0, 11) * HOUR

    def features(self, rules: Rules) -> NDArray[np.float32]:
        counters = Counters(self.times, self.labels, self.arrivals, self.edges, rules)
        return np.stack(list(counters.of(self.codes)))


def naive(past: Past, rules: Rules) -> NDArray[np.float64]:
    rows, labels = past.labels.shape
    out = np.full((labels + 1, rows), np.nan)

    def weight(age: int) -> float:
        return 1.0 if rules.half_life is None else float(0.5 ** (age / 1e9 / rules.half_life))

    for row in range(rows):
        if past.codes[row] == 0:
            continue
        edge = past.edges[past.edges <= past.times[row]].max()
        for label in range(labels):
            own, all_keys = np.zeros(2), np.zeros(2)
            for other in range(rows):
                value, at = past.labels[other, label], past.arrivals[other, label]
                if math.isnan(value) or at >= edge:
                    continue
                all_keys += weight(edge - at) * np.array([value, 1.0])
                if past.codes[other] == past.codes[row]:
                    own += weight(edge - at) * np.array([value, 1.0])
            base = (all_keys[0] + 1) / (all_keys[1] + 2)
            rate = (own[0] + rules.prior * base) / (own[1] + rules.prior)
            out[label, row] = math.log(rate / (1 - rate)) - math.log(base / (1 - base))
        seen = [o for o in range(rows) if past.times[o] < edge and past.codes[o] == past.codes[row]]
        out[labels, row] = math.log1p(sum(weight(edge - past.times[o]) for o in seen))
    return out


@pytest.mark.parametrize("half_life", [None, 7200.0, 30.0])
def test_what_a_double_loop_counts(half_life: float | None) -> None:
    """30 s: far more half-lives pass than a float's exponent holds."""
    past, rules = Past(seed=3), Rules(half_life, prior=5.0)
    np.testing.assert_allclose(past.features(rules), naive(past, rules), rtol=1e-5, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([None, 3600.0]), st.integers(0, 10))
def test_what_comes_later_changes_nothing_before(seed: int, half_life: float | None, hour: int) -> None:
    past, rules = Past(seed), Rules(half_life)
    before = past.features(rules)
    rng = np.random.default_rng(seed + 1)
    later = past.arrivals >= hour * HOUR
    past.labels = np.where(later, rng.integers(0, 2, past.labels.shape), past.labels).astype(np.float32)
    late_rows = past.times >= (hour + 1) * HOUR
    past.codes = np.where(late_rows, 0, past.codes).astype(np.int32)
    seen = past.times < (hour + 1) * HOUR
    np.testing.assert_array_equal(past.features(rules)[:, seen], before[:, seen])


def test_a_label_that_arrives_at_the_boundary_is_not_there_yet() -> None:
    """A row on the boundary itself would else see its own label."""
    times = np.array([0, HOUR, HOUR, 2 * HOUR])
    labels = np.ones((4, 1), np.float32)
    codes = np.ones(4, np.int32)
    counters = Counters(times, labels, times[:, None], np.arange(3) * HOUR, Rules())
    _, counts = counters.of(codes)
    np.testing.assert_allclose(counts, np.log1p([0, 1, 1, 3]), rtol=1e-6)


def test_keys_of_several_columns() -> None:
    rng = np.random.default_rng(0)
    columns = [rng.integers(0, 4, 300).astype(np.int32) for _ in range(3)]
    codes = key_codes(columns)
    missing = np.any([column == 0 for column in columns], 0)
    np.testing.assert_array_equal(codes == 0, missing)
    values = list(zip(*columns, strict=True))
    pairs = {(values[k], int(codes[k])) for k in np.flatnonzero(~missing)}
    assert len(pairs) == len({value for value, _ in pairs}) == len({code for _, code in pairs})
    np.testing.assert_array_equal(key_codes([columns[0][columns[0] > 0]]), columns[0][columns[0] > 0])


# ---------------------------------------------------------------- in a study's log

COUNTERS = {"keys": ["word", ["user", "word"]], "labels": ["buy"], "prior": 10.0, "delay": "1h"}


def features(**changes: Any) -> dict[str, Any]:
    return {"categorical": {"user": {}}, "dense": {"price": {}}, "counters": {**COUNTERS, **changes}}


def test_counters_are_dense_features_of_a_log(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    write(columns)
    plain = encode_log(describe(), tmp_path, tmp_path / "cache")
    log = encode_log(describe(features=features()), tmp_path, tmp_path / "cache")
    assert log.dense == (
        "price", "@rate(buy | word)", "@count(word)", "@rate(buy | user x word)", "@count(user x word)"
    )  # fmt: skip
    assert log.inputs.dense == 5
    np.testing.assert_array_equal(log.dense_ND[:, 0], plain.dense_ND[:, 0])
    train = log.dense_ND[log.windows["train"]]
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(train[:, 2].std(), 1, atol=0.1)  # rows without a word are 0
    assert log.times_N is not None
    first_day = log.times_N < log.times_N[0] // (24 * HOUR) * (24 * HOUR) + 24 * HOUR
    known = log.dense_ND[first_day][:, 2] != 0
    assert len(np.unique(log.dense_ND[first_day][known, 2])) == 1  # nothing had been counted


def test_names_that_were_there_before_counters_stay(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    write(columns)
    before = encode_log(describe(), tmp_path, tmp_path / "cache").fingerprint
    assert encode_log(describe(features={"categorical": {"user": {}, "word": {}}, "dense": {"price": {}}}), tmp_path,
                      tmp_path / "cache").fingerprint == before  # fmt: skip
    assert encode_log(describe(features=features()), tmp_path, tmp_path / "cache").fingerprint != before


def test_mistakes_are_told_together(tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe) -> None:
    write(columns)
    wrong = describe(features=features(keys=["usr", "buy"], labels=["buy", "boy"]))
    with pytest.raises(InputError) as caught:
        encode_log(wrong, tmp_path, tmp_path / "cache")
    text = str(caught.value)
    assert "did you mean user?" in text
    assert "buy is a label of the counters" in text
    assert "data.features.counters.labels.1: boy must be a column of log.parquet" in text
    columns["buy"] = columns["buy"] + 5
    write(columns)
    with pytest.raises(InputError, match="buy must be 0 or 1, or missing"):
        encode_log(describe(features=features()), tmp_path, tmp_path / "cache")


@pytest.mark.parametrize(
    ("change", "must"),
    [
        ({"keys": []}, "must be a list of different keys"),
        ({"keys": [["a", "a"]]}, "must be a list of different names"),
        ({"every": "30s"}, "at least a minute and at most a day"),
        ({"every": "soon"}, "must be a duration like 30m, 6h or 7d"),
        ({"prior": 0}, "greater than 0"),
    ],
)
def test_what_counters_cannot_be(describe: Describe, change: dict[str, Any], must: str) -> None:
    with pytest.raises(ValueError, match=must):
        describe(features=features(**change))


def test_the_wait_of_ten_minutes_is_that_of_a_double_loop(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    """A study's log, boundaries from midnight on."""
    write(columns)
    counters = {"keys": ["word"], "every": "10m", "half_life": "6h", "delay": "7m"}
    log = encode_log(describe(features=features(**counters)), tmp_path, tmp_path / "cache")
    past = Past(seed=0)
    order = np.argsort(columns["time_ms"], kind="stable")
    past.times = columns["time_ms"][order] * 10**6
    past.codes = pa.array(columns["word"]).dictionary_encode().indices.fill_null(-1).to_numpy()[order] + 1
    past.labels = columns["buy"][order, None].astype(np.float32)
    past.arrivals = past.times[:, None] + 7 * 60 * 10**9
    past.edges = np.arange(past.times[0] // DAY * DAY, past.times[-1] + 1, 600 * 10**9)
    raw = naive(past, Rules(6 * 3600.0, prior=10.0))
    known = past.codes > 0
    for k in range(2):
        found, wanted = log.dense_ND[known, 1 + k].astype(np.float64), raw[k, known]
        slope, shift = np.polyfit(wanted, found, 1)
        np.testing.assert_allclose(found, slope * wanted + shift, atol=1e-4)  # standardised, nothing else


BLOCKS: list[dict[str, Any]] = [
    {"keys": ["word"], "labels": ["buy"]},
    {"keys": ["word", ["user", "word"]], "labels": ["buy", "click"], "half_life": "7d", "every": "6h"},
    {"keys": ["word"], "labels": ["buy"], "half_life": "6h", "prior": 5.0, "every": "10m", "delay": "1h"},
]


def several(blocks: object) -> dict[str, Any]:
    return {"categorical": {"user": {}}, "counters": blocks}


def test_blocks_of_a_list_are_each_what_they_are_alone(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    write(columns)
    log = encode_log(describe(features=several(BLOCKS)), tmp_path, tmp_path / "cache")
    assert log.dense == (
        "@rate(buy | word)", "@count(word)", "@rate(buy | word; 7d)", "@rate(click | word; 7d)", "@count(word; 7d)",
        "@rate(buy | user x word; 7d)", "@rate(click | user x word; 7d)", "@count(user x word; 7d)",
        "@rate(buy | word; 6h)", "@count(word; 6h)",
    )  # fmt: skip
    alone = [encode_log(describe(features=several(block)), tmp_path, tmp_path / "cache") for block in BLOCKS]
    np.testing.assert_array_equal(log.dense_ND, np.concatenate([one.dense_ND for one in alone], 1))
    assert alone[2].dense == ("@rate(buy | word)", "@count(word)")
    assert len({one.fingerprint for one in (log, *alone)}) == 4


@pytest.mark.parametrize(
    ("half_life", "name"),
    [("24h", "1d"), ("90m", "90m"), ("1.5h", "90m"), ("36h", "36h"), ("45s", "45s"), (0.5, "0.5s"), ("7d", "7d")],
)
def test_a_half_life_in_a_name(describe: Describe, half_life: object, name: str) -> None:
    block = {"keys": ["word"], "labels": ["buy"], "half_life": half_life}
    assert describe(features=several([block])).features.counter_names[-1] == f"@count(word; {name})"
    assert describe(features=several(block)).features.counter_names[-1] == "@count(word)"


def test_names_that_come_twice_are_refused(describe: Describe) -> None:
    again = {**BLOCKS[1], "keys": ["word"], "half_life": "168h", "prior": 3.0}
    must = r"make each feature once, but found @rate\(buy \| word; 7d\) in blocks 2 and 4"
    with pytest.raises(ValueError, match=must):
        describe(features=several([*BLOCKS, again]))


@pytest.mark.parametrize(
    ("line", "place", "must"),
    [
        ("{keys: [a], labels: [b], evry: day}", 5, "unknown key `evry`"),
        ("[{keys: [a], labels: [b]}, {keys: [a], labels: [b], every: 1s}]", 5, "every|at least a minute"),
        ("[{keys: [a], labels: [b]}, {keys: [a]}]", 5, "must hold the key `labels`"),
        ("[1]", 5, "must be a mapping"),
        ("[]", 5, "must be a mapping, or a list of mappings"),
        ("word", 5, "must be a mapping, or a list of mappings"),
    ],
)
def test_mistakes_of_blocks_stand_at_their_place(line: str, place: int, must: str) -> None:
    text = f"""path: log.parquet
time: t
label: click
features:
  categorical: {{user: {{}}}}
  counters: {line}
"""
    document = read_text(text, "data.yaml")
    with pytest.raises(InputError) as caught:
        validate(FeaturesConfig, document, "features")
    (mistake,) = caught.value.mistakes
    assert re.search(must, str(caught.value))
    assert mistake.position.line == 6
    assert mistake.position.column > place


def test_mistakes_of_several_blocks_are_told_together(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    write(columns)
    wrong = [BLOCKS[0], {"keys": ["user", "wrd"], "labels": ["boy"], "half_life": "1h"}]
    with pytest.raises(InputError) as caught:
        encode_log(describe(features=several(wrong)), tmp_path, tmp_path / "cache")
    text = str(caught.value)
    assert "data.features.counters.1.labels.0: boy must be a column" in text
    assert "data.features.counters.1.keys.1: wrd must be a column" in text


def test_a_random_split_has_no_past(describe: Describe) -> None:
    shares = {"random": {"train": 0.6, "validate": 0.2, "test": 0.2}}
    with pytest.raises(ValueError, match="counters must have a split by days"):
        describe(features=features(), split=shares)
