"""Counters of a study's log: dense features in their place, against a naive double loop."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from automl.data.describe.tables import DataConfig, FeaturesConfig
from automl.data.encode.log import encode_log
from automl.data.past.counters import Rules
from search_spaces.errors import InputError
from search_spaces.source import read_text, validate
from tests.automl.data.past.test_counters import DAY, HOUR, Past, naive

Describe = Callable[..., DataConfig]
Write = Callable[..., Path]

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
