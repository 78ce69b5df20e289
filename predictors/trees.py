"""A forest of small LightGBM trees, evaluated at once in NumPy: the search asks it thousands of times for a proposal.

A tree of at most 9 leaves has at most 8 splits, so the outcomes of all its splits for a row are one byte, and a table
of 256 leaf values answers the tree. For 800 trees and 384 rows that is seven times as fast as LightGBM's own walk (2 ms
against 15 ms), with the same numbers. Shapes: M boosters, T trees, S = 8 splits, C comparisons, N rows, F features.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.base import Floats

MAX_LEAVES = 9
SPLITS = MAX_LEAVES - 1
CODES = 1 << SPLITS


@dataclass(frozen=True, slots=True)
class Forest:
    """Compiled trees. Features must hold no NaN."""

    thresholds: tuple[Floats, ...]  # of each feature, sorted
    feature_C: NDArray[np.intp]  # the different comparisons `feature <= threshold`
    rank_C: NDArray[np.uint16]  # of the threshold within its feature's
    comparison_ST: NDArray[np.intp]
    leaves: Floats  # (T * CODES,)
    boosters: tuple[int, ...]  # trees of each

    def evaluate(self, rows_NF: Floats) -> Floats:
        """(M, N): the sum of each booster's trees for each row."""
        bins_FN = np.zeros((len(self.thresholds), len(rows_NF)), dtype=np.uint16)
        for feature, thresholds in enumerate(self.thresholds):
            if len(thresholds):
                bins_FN[feature] = np.searchsorted(thresholds, rows_NF[:, feature], side="left")
        left_CN = (bins_FN[self.feature_C] <= self.rank_C[:, None]).view(np.uint8)
        ends = np.cumsum(self.boosters)
        parts = [self._sum(left_CN, slice(end - size, end)) for size, end in zip(self.boosters, ends, strict=True)]
        return np.stack(parts)

    def _sum(self, left_CN: NDArray[np.uint8], trees: slice) -> Floats:
        """Booster by booster, since arrays that fit the cache are worth more than fewer calls."""
        code_TN = np.zeros((trees.stop - trees.start, left_CN.shape[1]), dtype=np.uint8)
        left_TN = np.empty_like(code_TN)
        for comparison_T in self.comparison_ST[::-1, trees]:
            code_TN += code_TN
            left_CN.take(comparison_T, axis=0, out=left_TN, mode="clip")
            code_TN |= left_TN
        starts_T1 = (np.arange(trees.start, trees.stop) * CODES)[:, None]
        return np.asarray(self.leaves.take(code_TN + starts_T1).sum(axis=0), dtype=np.float64)


def compile_forest(models: Iterable[str], features: int) -> Forest:
    """From the text form of LightGBM boosters (model_to_string).

    Raises:
        ValueError: where a tree has more than MAX_LEAVES leaves or a split that is not `x <= threshold`.
    """
    boosters = [_trees(model) for model in models]
    trees = [tree for booster in boosters for tree in booster]
    feature_TS = np.zeros((len(trees), SPLITS), dtype=np.intp)
    threshold_TS = np.full((len(trees), SPLITS), np.inf)
    left_TS = np.full((len(trees), SPLITS), -1, dtype=np.intp)
    right_TS = np.full((len(trees), SPLITS), -1, dtype=np.intp)
    value_TL = np.zeros((len(trees), MAX_LEAVES))
    for t, tree in enumerate(trees):
        count = _check(tree)
        value_TL[t, : count + 1] = tree["leaf_value"]
        if count:
            feature_TS[t, :count] = np.asarray(tree["split_feature"], dtype=np.intp)
            threshold_TS[t, :count] = tree["threshold"]
            left_TS[t, :count] = np.asarray(tree["left_child"], dtype=np.intp)
            right_TS[t, :count] = np.asarray(tree["right_child"], dtype=np.intp)
    thresholds = tuple(np.unique(threshold_TS[(feature_TS == f) & np.isfinite(threshold_TS)]) for f in range(features))
    rank_TS = np.zeros(feature_TS.shape, dtype=np.intp)
    for feature, known in enumerate(thresholds):
        here = feature_TS == feature
        rank_TS[here] = np.searchsorted(known, threshold_TS[here], side="left")
    pairs = np.stack([feature_TS.ravel(), rank_TS.ravel()])
    (feature_C, rank_C), comparison = np.unique(pairs, axis=1, return_inverse=True)
    return Forest(
        thresholds=thresholds,
        feature_C=feature_C,
        rank_C=rank_C.astype(np.uint16),
        comparison_ST=np.ascontiguousarray(comparison.reshape(feature_TS.shape).T),
        leaves=_leaf_of_code(left_TS, right_TS, value_TL).ravel(),
        boosters=tuple(len(booster) for booster in boosters),
    )


def _leaf_of_code(left_TS: NDArray[np.intp], right_TS: NDArray[np.intp], value_TL: Floats) -> Floats:
    """(T, CODES): the leaf reached from the root when bit s of the code says whether split s goes left.

    Children follow LightGBM: a split by its number, leaf l as -l - 1. A tree without splits is leaf 0 for every code,
    since unused splits point there.
    """
    trees = np.arange(len(left_TS))[:, None]
    code = np.arange(CODES)[None, :]
    node = np.zeros((len(left_TS), CODES), dtype=np.intp)
    for _ in range(SPLITS):
        split = np.maximum(node, 0)
        child = np.where((code >> split) & 1, left_TS[trees, split], right_TS[trees, split])
        node = np.where(node < 0, node, child)
    return value_TL[trees, -node - 1]


def _check(tree: Mapping[str, Sequence[float]]) -> int:
    leaves = len(tree["leaf_value"])
    if leaves > MAX_LEAVES:
        raise ValueError(f"a tree must have at most {MAX_LEAVES} leaves, but found {leaves}")
    if any(int(kind) & 1 for kind in tree.get("decision_type", ())):
        raise ValueError("splits must be numeric, but found a categorical one")
    return leaves - 1


_WANTED = ("split_feature", "threshold", "decision_type", "left_child", "right_child", "leaf_value")


def _trees(model: str) -> list[dict[str, Sequence[float]]]:
    body = model.split("end of trees", 1)[0]
    parts = body.split("\nTree=")[1:]
    return [_numbers(part) for part in parts]


def _numbers(part: str) -> dict[str, Sequence[float]]:
    fields = dict(line.split("=", 1) for line in part.splitlines() if "=" in line)
    return {name: [float(x) for x in fields[name].split()] for name in _WANTED if fields.get(name)}
