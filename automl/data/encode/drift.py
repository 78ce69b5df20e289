"""What each window holds of every feature, counted while the rows are written, and where a window is unlike train.

Shapes: n rows of one window, F id fields, D dense features (counters, then vectors last), W windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.moments import Moments
from automl.data.columns.vector_places import vectors_among
from automl.data.store.told import Feature, FeatureKind, Note
from automl.data.tables.windows import WINDOWS

Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

# A note must help whoever reads it. New ids of later days are normal, and so is a mean that wanders: only what makes a
# feature useless, or another one, is told.
_MUCH_MISSING = 0.5  # more, or less, of the rows than in train
_NEARLY_ALL = 0.9  # of the values are unknown
_KNOWN_IN_TRAIN = 0.5  # and in train not so
_WIDER = 8.0  # or narrower, times
_FARTHER = 4.0  # deviations of train
_ENOUGH = 30  # values, to speak of their spread
_LATER = WINDOWS[1:]


class Drift:
    """Shares of missing and unknown values, and moments of dense ones, by window."""

    def __init__(
        self, categorical: Sequence[str], dense: Sequence[str], counters: Sequence[str], vectors: Sequence[str]
    ) -> None:
        self._categorical, self._dense = categorical, (*dense, *counters)
        self._vectors = vectors_among((*self._dense, *vectors))
        of_dense: list[FeatureKind] = ["dense"]
        of_counters: list[FeatureKind] = ["counter"]
        self._kinds = of_dense * len(dense) + of_counters * len(counters)
        self._rows = np.zeros(len(WINDOWS), np.int64)
        self._missing, self._unknown = (np.zeros((len(WINDOWS), len(categorical)), np.int64) for _ in range(2))
        self._moments = [Moments(len(self._dense)) for _ in WINDOWS]
        self._of_vectors = [Moments(len(vectors)) for _ in WINDOWS]

    def add(
        self, window: int, given_nF: Flags, known_nF: Flags, dense_nD: NDArray[np.float32], given_nD: Flags
    ) -> None:
        """Rows of one window: where an id has a value, where one of the vocabulary; dense values as models read them,
        and where there is one."""
        self._rows[window] += len(given_nF)
        self._missing[window] += (~given_nF).sum(0)
        self._unknown[window] += (given_nF & ~known_nF).sum(0)
        for k in range(len(self._dense)):
            self._moments[window].add(k, dense_nD[given_nD[:, k], k].astype(np.float64))
        if self._vectors:
            plain = len(self._dense)
            self._of_vectors[window].add_all(np.where(given_nD[:, plain:], dense_nD[:, plain:], np.nan))

    def features(self) -> list[Feature]:
        """Id features first, then the dense ones, the counters and the vectors, in the order of the log."""
        ids = [
            Feature(
                name,
                "categorical",
                missing=self._shares(self._missing[:, k]),
                unknown=self._shares(self._unknown[:, k]),
                mean={},
                spread={},
            )
            for k, name in enumerate(self._categorical)
        ]
        numbers = [
            self._feature(name, kind, slice(k, k + 1), self._moments)
            for k, (name, kind) in enumerate(zip(self._dense, self._kinds, strict=True))
        ]
        plain = len(self._dense)
        vectors = [
            self._feature(name, "vector", slice(place.start - plain, place.stop - plain), self._of_vectors)
            for name, place in self._vectors.items()
        ]
        return ids + numbers + vectors

    def _feature(self, name: str, kind: FeatureKind, at: slice, of_windows: Sequence[Moments]) -> Feature:
        """One number, or all of a vector taken together."""
        counts = np.array([moments.count[at].max() for moments in of_windows], np.int64)
        mean: dict[str, float | None] = {}
        spread: dict[str, float | None] = {}
        for window, moments, count in zip(WINDOWS, of_windows, counts, strict=True):
            weights = moments.count[at] / max(moments.count[at].sum(), 1)
            middle = float((weights * moments.mean[at]).sum())
            within = moments.spread[at].sum() / max(moments.count[at].sum(), 1)
            between = float((weights * (moments.mean[at] - middle) ** 2).sum())
            mean[window] = middle if count else None
            spread[window] = float(np.sqrt(within + between)) if count else None
        return Feature(name, kind, self._shares(self._rows - counts), {}, mean, spread)

    def _shares(self, counts: Counts) -> dict[str, float]:
        return {name: float(n / rows) for name, n, rows in zip(WINDOWS, counts, self._rows, strict=True)}

    def notes(self) -> list[Note]:
        """Where later windows differ from train so much that the feature is another one there, or none."""
        rows = dict(zip(WINDOWS, self._rows.tolist(), strict=True))
        return [
            Note(f"{feature.name} {words}", "drift", _place(feature))
            for feature in self.features()
            for words in _unlike(feature, rows)
        ]


def _place(feature: Feature) -> tuple[str, ...]:
    if feature.kind == "counter":
        return ("features", "recent" if feature.name.startswith(("@since(", "@seen(")) else "counters")
    return ("features", "vectors" if feature.kind == "vector" else feature.kind, feature.name)


def _unlike(feature: Feature, rows: Mapping[str, int]) -> Iterator[str]:
    """How later windows differ badly from train, in words; of a window the gravest alone."""
    train = feature.missing["train"]
    more = [name for name in _LATER if feature.missing[name] - train > _MUCH_MISSING]
    less = [name for name in _LATER if train - feature.missing[name] > _MUCH_MISSING]
    if more:
        yield f"is missing in {_shares(feature.missing, more)}: do the files of those days lack it?"
    if less:
        learnt = "little" if train < 1 else "nothing"
        yield f"is missing in {_shares(feature.missing, less)}: a model learns {learnt} of it there. Leave it out?"
    rest = [name for name in _LATER if name not in (*more, *less)]
    if feature.kind == "categorical":
        yield from _unknown(feature, rest)
        return
    known = {name: rows[name] * (1 - feature.missing[name]) for name in WINDOWS}
    if known["train"] >= _ENOUGH and (feature.spread["train"] or 0.0) > 1e-6:  # a constant is told of as such
        for name in rest:
            if known[name] >= _ENOUGH:
                yield from _moved(feature, name)


def _shares(of: Mapping[str, float], windows: Sequence[str]) -> str:
    here = " and ".join(f"{_share(of[name])} of the {name} rows" for name in windows)
    return f"{here}, in {_share(of['train'])} of train"


def _unknown(feature: Feature, windows: Sequence[str]) -> Iterator[str]:
    of_values = {name: feature.unknown[name] / max(1 - feature.missing[name], 1e-12) for name in WINDOWS}
    new = [name for name in windows if of_values[name] > _NEARLY_ALL]
    if new and of_values["train"] <= _KNOWN_IN_TRAIN:
        why = "are they written in another way there, or new each day? A model knows nothing of them"
        here = " and ".join(f"{_share(of_values[name])} of the {name} rows" for name in new)
        yield f"is unknown to train in {here} that have a value: {why}"


def _moved(feature: Feature, window: str) -> Iterator[str]:
    mean, spread, before, of_train = (
        of[name] or 0.0 for name in (window, "train") for of in (feature.mean, feature.spread)
    )
    far, wide = abs(mean - before) / of_train, spread / of_train
    if far > _FARTHER:
        yield f"lies {far:,.0f} deviations of train from its mean there in {window}: another unit, or another thing?"
    elif not spread:
        yield f"has one value in {window}, and others in train: filled in?"
    elif not 1 / _WIDER < wide < _WIDER:
        words = f"{wide:,.0f} times as wide" if wide > 1 else f"only {wide:.2g} times as wide"
        yield f"is {words} in {window} as in train: another unit, other outliers, or filled in?"


def _share(share: float) -> str:
    """99.97% is not all."""
    return f"{share:.0%}" if share in (0, 1) or 0.01 <= share <= 0.99 else f"{share:.2%}"
