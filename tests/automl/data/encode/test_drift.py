"""What windows hold of the features, and which differ so badly that a person is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from automl.data.describe.tables import DataConfig
from automl.data.encode.log import encode_log
from automl.data.store.log import EncodedLog

Describe = Callable[..., DataConfig]
Write = Callable[..., Path]
DAY_MS = 86_400_000
START_MS = 1_704_067_200_000


@pytest.fixture
def encoded(tmp_path: Path, write: Write, describe: Describe) -> Callable[..., EncodedLog]:
    def encode(columns: Mapping[str, Any], **changes: Any) -> EncodedLog:
        write(columns)
        return encode_log(describe(**changes), tmp_path, tmp_path / "cache")

    return encode


def days_of(columns: Mapping[str, Any]) -> np.ndarray:
    return (np.asarray(columns["time_ms"]) - START_MS) // DAY_MS


def told(log: EncodedLog) -> list[str]:
    return [note.text for note in log.notes if note.kind == "drift"]


def test_shares_and_moments_are_those_of_the_rows(columns: dict[str, Any], encoded: Callable[..., EncodedLog]) -> None:
    features = {"categorical": {"user": {"min_count": 3}, "word": {}}, "dense": {"price": {"transform": "log"}}}
    log = encoded(columns, features=features)
    day = days_of(columns)
    windows = {"train": day < 4, "validate": day == 4, "test": day == 5}
    user, word, price = log.features
    assert [(f.name, f.kind) for f in log.features] == [
        ("user", "categorical"), ("word", "categorical"), ("price", "dense"),
    ]  # fmt: skip
    values, counts = np.unique(columns["user"][windows["train"]], return_counts=True)
    no_word = np.asarray(columns["word"].is_null())
    prices = np.log1p(np.asarray(columns["price"].fill_null(np.nan)))
    mean, std = np.nanmean(prices[windows["train"]]), np.nanstd(prices[windows["train"]])
    for name, rows in windows.items():
        assert user.missing[name] == 0
        assert user.unknown[name] == pytest.approx(1 - np.isin(columns["user"][rows], values[counts >= 3]).mean())
        assert word.missing[name] == pytest.approx(no_word[rows].mean())
        assert price.missing[name] == pytest.approx(np.isnan(prices[rows]).mean())
        assert price.mean[name] == pytest.approx((np.nanmean(prices[rows]) - mean) / std, abs=1e-5)
        assert price.spread[name] == pytest.approx(np.nanstd(prices[rows]) / std, rel=1e-4)
    assert told(log) == []


def test_counters_have_shares_of_their_own(columns: dict[str, Any], encoded: Callable[..., EncodedLog]) -> None:
    features = {"categorical": {"user": {}}, "counters": {"keys": ["word"], "labels": ["click"]}}
    log = encoded(columns, features=features)
    rate = log.features[1]
    assert (rate.name, rate.kind) == ("@rate(click | word)", "counter")
    first = np.asarray(columns["word"].is_null())[days_of(columns) < 4].mean()
    assert rate.missing["train"] == pytest.approx(first)


@pytest.mark.parametrize("kind", ["categorical", "dense"])
def test_a_column_that_later_days_lack_is_told(
    columns: dict[str, Any], encoded: Callable[..., EncodedLog], kind: str
) -> None:
    name = {"categorical": "word", "dense": "price"}[kind]
    late = days_of(columns) >= 4
    columns[name] = pa.array(columns[name].to_pylist(), mask=late)
    log = encoded(columns)
    assert [note.at for note in log.notes if note.kind == "drift"] == [("features", kind, name)]
    share = columns[name].filter(pa.array(~late)).null_count / (~late).sum()
    assert told(log) == [
        f"{name} is missing in 100% of the validate rows and 100% of the test rows, in {share:.0%} of train: "
        "do the files of those days lack it?"
    ]


def test_a_column_that_begins_late_is_told(columns: dict[str, Any], encoded: Callable[..., EncodedLog]) -> None:
    words, day = columns["word"].to_pylist(), days_of(columns)
    for until, learnt in ((3, "little"), (4, "nothing")):
        columns["word"] = pa.array(words, mask=day < until)
        (text,) = told(encoded(columns))
        assert "of the validate rows and " in text
        assert text.endswith(f"a model learns {learnt} of it there. Leave it out?")


def test_values_written_in_another_way_are_told(columns: dict[str, Any], encoded: Callable[..., EncodedLog]) -> None:
    words = np.array(columns["word"].fill_null("a").to_pylist())
    columns["word"] = np.where(days_of(columns) == 5, np.char.upper(words), words)
    assert told(encoded(columns)) == [
        "word is unknown to train in 100% of the test rows that have a value: are they written in another way there, "
        "or new each day? A model knows nothing of them"
    ]


def test_new_ids_are_normal(columns: dict[str, Any], encoded: Callable[..., EncodedLog]) -> None:
    late, rows = days_of(columns) >= 4, len(columns["click"])
    columns["user"] = np.where(late & (np.arange(rows) % 5 > 0), 1000 + np.arange(rows), columns["user"])
    log = encoded(columns)
    assert log.features[0].unknown["test"] > 0.75
    assert told(log) == []


def test_a_number_that_spreads_out_is_told(columns: dict[str, Any], encoded: Callable[..., EncodedLog]) -> None:
    price = np.asarray(columns["price"].fill_null(1.0)).clip(0.2, 5)
    signs = np.where(np.arange(len(price)) % 2, 50.0, -50.0)
    columns["price"] = np.where(days_of(columns) == 5, signs, price)
    (text,) = told(encoded(columns))
    assert text.endswith("times as wide in test as in train: another unit, other outliers, or filled in?")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda price: price * 1000, "price lies 1,1"),
        (lambda price: price / 1000, "price is only 0.00"),
        (lambda price: price * 0 + 1.0, "price has one value in test, and others in train: filled in?"),
        (lambda price: price + 100, "price lies "),
    ],
    ids=["another unit", "yet another", "filled in", "shifted"],
)
def test_numbers_that_are_others_are_told(
    columns: dict[str, Any],
    encoded: Callable[..., EncodedLog],
    change: Callable[[np.ndarray], np.ndarray],
    words: str,
) -> None:
    price = np.asarray(columns["price"].fill_null(1.0)).clip(0.2, 5)
    columns["price"] = np.where(days_of(columns) == 5, change(price), price)
    (text,) = told(encoded(columns))
    assert text.startswith(words)


def test_a_window_that_wanders_is_normal(columns: dict[str, Any], encoded: Callable[..., EncodedLog]) -> None:
    price = np.asarray(columns["price"].fill_null(1.0))
    columns["price"] = price * np.where(days_of(columns) == 5, 3.0, 1.0) + 0.5 * days_of(columns)
    assert told(encoded(columns)) == []
