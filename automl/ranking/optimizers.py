"""The optimizers that a model may ask for by name."""

from __future__ import annotations

from collections.abc import Mapping

from automl.ranking.adam import FlatAdam
from automl.ranking.flat import FlatAdagrad, FlatOptimizer, FlatSgd
from automl.ranking.rows import LazyAdam, RowAdagrad, RowOptimizer, RowSgd, RowwiseAdagrad

DENSE: Mapping[str, type[FlatOptimizer]] = {"adam": FlatAdam, "adagrad": FlatAdagrad, "sgd": FlatSgd}
ROWS: Mapping[str, type[RowOptimizer]] = {
    "rowwise_adagrad": RowwiseAdagrad,
    "adagrad": RowAdagrad,
    "adam": LazyAdam,
    "sgd": RowSgd,
}
