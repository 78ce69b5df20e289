"""A small log with planted structure, and models over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from automl.data.store.history import History
from automl.ranking.model import RankingModel
from automl.ranking.sources import Taken
from search_spaces.model import InputShape, ModelSpec

INPUTS = InputShape(id_counts=((40, 30, 20, 10, 5, 1, 1), (60, 40, 3), (100, 9, 8, 7)), dense=2, train_rows=120)


@dataclass(frozen=True)
class Log:
    """Examples in memory."""

    ids_NF: NDArray[np.int32]
    dense_ND: NDArray[np.float32]
    labels_N: NDArray[np.float32]
    weights_N: NDArray[np.float32]
    inputs: InputShape
    teacher_NT: NDArray[np.float32] | None = None
    ages_N: NDArray[np.float32] | None = None
    own: int | None = None
    histories: tuple[History, ...] = ()
    times_N: NDArray[np.int64] | None = None
    labels_NT: NDArray[np.float32] | None = None
    primary: int = 0


def planted(rows: int = 6000, seed: int = 0, ids: int = 20) -> Log:
    """Labels that depend on two ids, on their product and on a dense feature."""
    rng = np.random.default_rng(seed)
    ids_NF = rng.integers(1, ids + 1, (rows, 3), dtype=np.int32)
    dense_ND = rng.normal(size=(rows, 2)).astype(np.float32)
    effect_FI = rng.normal(size=(3, ids + 1))
    first, second = effect_FI[0][ids_NF[:, 0]], effect_FI[1][ids_NF[:, 1]]
    logit = first + second + first * second + dense_ND[:, 0] - 1
    labels_N = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.float32)
    seen = [np.bincount(column, minlength=ids + 1)[1:].tolist() for column in ids_NF.T]
    counts = tuple(tuple(sorted(column, reverse=True)) for column in seen)
    return Log(ids_NF, dense_ND, labels_N, np.ones(rows, np.float32), InputShape(counts, 2, rows))


def planted_tasks(rows: int = 6000, seed: int = 0, primary: int = 0) -> Log:
    """Clicks as `planted`, and conversions given a click, which hang on the first id and the other dense feature."""
    log, rng = planted(rows, seed), np.random.default_rng(seed + 1)
    logit_N = 2 * rng.normal(size=21)[log.ids_NF[:, 0]] + 2 * log.dense_ND[:, 1] - 0.5
    converted_N = (rng.random(rows) < 1 / (1 + np.exp(-logit_N))).astype(np.float32)
    labels_NT = np.stack([log.labels_N, np.where(log.labels_N == 1, converted_N, np.nan)], 1).astype(np.float32)
    return replace(
        log,
        labels_N=labels_NT[:, primary],
        labels_NT=labels_NT,
        primary=primary,
        inputs=replace(log.inputs, given=(None, 0)),
    )


def spec(**parts: object) -> ModelSpec:
    """A small DCN-V2, with parts of its tree replaced."""
    tree: dict[str, object] = {
        "embedding": {"dim": 4, "lr": 0.1, "min_count": 1},
        "interaction": [{"cross": {"rank": 4}}],
        "deep": [{"mlp": {"width": 16, "dropout": 0.1}}],
        "train": {"batch_size": 128, "dense_lr": 0.01},
    }
    return ModelSpec.from_tree(tree | parts)


BLOCKS: tuple[dict[str, dict[str, int]], ...] = (
    {"attention": {"heads": 2, "head_dim": 3}},
    {"cross": {"rank": 0}},
    {"cross": {"rank": 3}},
    {"dot": {"compress": 3}},
    {"fm": {}},
    {"linear": {}},
    {"masknet": {"width": 6, "hidden": 5}},
)


def fields_of(model: RankingModel, taken: Sequence[Taken]) -> list[Tensor]:
    """What each source of a model makes of what was read."""
    asked = model.asked(taken)
    return model.fields(asked, model.table.gather(asked.rows_P))
