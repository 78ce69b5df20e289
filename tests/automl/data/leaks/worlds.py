"""Samples of a generated log: users and items with tastes of their own, by time to the millisecond."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from automl.data.leaks.sample import Column, Flags, Ints, Key, Sample

SECOND = 10**9
DAY = 86_400 * SECOND


def clicks(rows: int = 20_000, *, seed: int = 0, base: float = 0.2) -> Sample:
    """Clicks of 1,000 users on 300 items over ten days; no feature."""
    rng = np.random.default_rng(seed)
    user, item = rng.zipf(1.3, rows) % 1000, rng.zipf(1.2, rows) % 300
    logit = np.log(base / (1 - base)) + rng.normal(0, 0.7, 1000)[user] + rng.normal(0, 0.7, 300)[item]
    times = np.sort(rng.integers(0, 10 * DAY // 10**6, rows)) * 10**6
    keys = (Key("user", (user + 1).astype(np.int32)), Key("item", (item + 1).astype(np.int32)))
    return Sample(rng.random(rows) < 1 / (1 + np.exp(-logit)), times, times // DAY, (), keys)


def with_dense(sample: Sample, values: Mapping[str, NDArray[np.generic]], *, joined: bool = False) -> Sample:
    columns = tuple(Column(name, "dense", of.astype(np.float64), joined) for name, of in values.items())
    return Sample(sample.positive_N, sample.times_N, sample.days_N, columns, sample.keys)


def with_ids(sample: Sample, values: Mapping[str, NDArray[np.generic]]) -> Sample:
    columns = tuple(
        Column(name, "categorical", of.astype(np.int32), word=lambda code: f"v{code}") for name, of in values.items()
    )
    return Sample(sample.positive_N, sample.times_N, sample.days_N, columns, sample.keys)


def at_times(sample: Sample, times_N: Ints, positive_N: Flags | None = None) -> Sample:
    """The rows at other times, sorted by them; with other labels."""
    order = np.argsort(times_N, kind="stable")
    positive_N = sample.positive_N if positive_N is None else positive_N
    times_N = np.asarray(times_N)[order]
    keys = tuple(Key(key.name, key.codes_N[order]) for key in sample.keys)
    return Sample(positive_N[order], times_N, times_N // DAY, (), keys)


def mean_by(codes_N: NDArray[np.generic], values_N: NDArray[np.generic]) -> NDArray[np.float64]:
    """Of each row, the mean of its code."""
    means: NDArray[np.float64] = np.bincount(codes_N, values_N) / np.maximum(np.bincount(codes_N), 1)
    return means[codes_N]
