"""LightGBM for tens of rows: a bag of small boosters over bootstrap samples.

LightGBM's defaults fail at 40 to 100 rows (min_data_in_leaf 20). What works there: 8 leaves, 3 rows in a leaf, 100
trees at rate .08, targets ranked to normal scores so that a diverged trial cannot dominate a squared loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from scipy.special import ndtri

from predictors.base import Floats, Prediction, checked
from predictors.trees import MAX_LEAVES, Forest, compile_forest

NOT_APPLICABLE = -1e6  # what stands for NaN inside the trees: below every feature, so one split tells it apart


@dataclass(frozen=True, slots=True, kw_only=True)
class BagConfig:
    """Settings of a bag."""

    members: int = 8
    leaves: int = 8
    leaf_rows: int = 3
    trees: int = 100
    rate: float = 0.08
    column_share: float = 0.5
    extra: bool = False  # thresholds of splits are drawn at random (Geurts et al. 2006)
    objective: str = "regression"

    def __post_init__(self) -> None:
        if not 2 <= self.leaves <= MAX_LEAVES:
            raise ValueError(f"leaves must be between 2 and {MAX_LEAVES}, but found {self.leaves}")
        if self.members < 1 or self.trees < 1:
            raise ValueError(f"members and trees must be at least 1, but found {self.members} and {self.trees}")


@dataclass(frozen=True, slots=True)
class Bag:
    """A fitted bag; one objective."""

    forest: Forest

    def members(self, rows: Floats) -> Floats:
        """(members, n): what each booster says."""
        return self.forest.evaluate(filled(rows))

    def predict(self, rows: Floats) -> Prediction:
        """Mean and spread of the members."""
        members = self.members(rows)
        return Prediction(members.mean(axis=0)[:, None], members.std(axis=0)[:, None])


def fit_bag(
    rows: Floats, targets: Floats, weights: Floats | None = None, *, seed: int, config: BagConfig | None = None
) -> Bag:
    """Every member sees its own bootstrap sample (rows drawn with the weights' chance); one member alone sees all rows.

    Raises:
        ValueError: where the training set is not sound.
    """
    config = config or BagConfig()
    rows, targets, weights = checked(rows, targets, weights)
    rows = filled(rows)
    rng = np.random.default_rng(seed)
    texts = []
    for member in range(config.members):
        if config.members == 1:
            chosen = np.arange(len(rows))
        else:
            chosen = np.sort(rng.choice(len(rows), size=len(rows), p=weights / weights.sum()))
        kept = weights[chosen] if config.members == 1 else None
        texts.append(_boost(rows[chosen], targets[chosen], kept, config, int(rng.integers(1 << 30)) + member))
    return Bag(compile_forest(texts, rows.shape[1]))


def filled(rows: Floats) -> Floats:
    """NaN replaced by a number below every feature."""
    return np.where(np.isnan(rows), NOT_APPLICABLE, rows)


def normal_scores(values: Floats) -> Floats:
    """Ranks as quantiles of the normal distribution; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    upper = np.cumsum(counts)
    mean_rank = upper - (counts - 1) / 2.0
    return np.asarray(ndtri((mean_rank[inverse] - 0.5) / len(values)), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class ScoreScale:
    """From normal scores back to values: linear between the values seen, and on at the slope of each end's eighth."""

    scores: Floats
    values: Floats

    @classmethod
    def of(cls, values: Floats) -> ScoreScale:
        sorted_values, first = np.unique(values, return_index=True)
        return cls(normal_scores(values)[first], sorted_values)

    def value(self, scores: Floats) -> Floats:
        scores = np.asarray(scores, dtype=np.float64)
        inside = np.interp(scores, self.scores, self.values)
        below = np.minimum(scores - self.scores[0], 0.0) * self._slope(slice(0, self._eighth))
        above = np.maximum(scores - self.scores[-1], 0.0) * self._slope(slice(-self._eighth, None))
        return np.asarray(inside + below + above, dtype=np.float64)

    @property
    def _eighth(self) -> int:
        return max(2, len(self.values) // 8)

    def _slope(self, end: slice) -> float:
        scores, values = self.scores[end], self.values[end]
        return float((values[-1] - values[0]) / (scores[-1] - scores[0])) if len(values) > 1 else 0.0


def _boost(rows: Floats, targets: Floats, weights: Floats | None, config: BagConfig, seed: int) -> str:
    settings: dict[str, Any] = {
        "objective": config.objective,
        "num_leaves": config.leaves,
        "min_data_in_leaf": config.leaf_rows,
        "learning_rate": config.rate,
        "feature_fraction": config.column_share,
        "extra_trees": config.extra,
        "max_bin": 63,
        "min_data_in_bin": 1,
        "use_missing": False,
        "seed": seed,
        "num_threads": 1,
        "deterministic": True,
        "force_col_wise": True,
        "verbose": -1,
    }
    data = lightgbm.Dataset(rows, targets, weight=weights, params=settings)
    booster = lightgbm.Booster(settings, data)
    for _ in range(config.trees):
        if booster.update():  # nothing left to split
            break
    return booster.model_to_string(num_iteration=-1)
