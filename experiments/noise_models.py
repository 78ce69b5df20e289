"""The models whose noise is measured: some by hand, the rest small steps from the tuned baseline, as a search makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from search_spaces.model import ModelSpec
from search_spaces.moves import mutate
from search_spaces.source import read_text
from search_spaces.space import SearchSpace, model_of

DRAWN = 9
_SEED = 11
_DEAREST = 2.5  # times the baseline's FLOPs

BY_HAND: Mapping[str, str] = {
    "parallel": """\
embedding: {dim: 8, lr: 0.05, min_count: 2}
interaction: [{cross: {rank: 32}}, {cross: {rank: 32}}]
wiring: parallel
deep:
- mlp: {width: 256, dropout: 0.3, activation: silu}
- mlp: {width: 128, dropout: 0.3, activation: silu}
train: {batch_size: 512, dense_lr: 0.001}
""",
    "small": """\
embedding: {dim: 8, lr: 0.05, min_count: 2}
deep: [{mlp: {width: 64}}]
train: {batch_size: 512, dense_lr: 0.001}
""",
    "linear": """\
embedding: {dim: 12, lr: 0.08, min_count: 3}
interaction: [{cross: {rank: 16}}]
deep: [{mlp: {width: 192}}, {mlp: {width: 96}}]
train: {batch_size: 256, dense_lr: 0.002, schedule: linear}
""",
}


def models(space: SearchSpace, baseline: ModelSpec) -> dict[str, ModelSpec]:
    """By name, the baseline first: what was written by hand, then 1 to 4 mutations of the baseline each.

    A model in the order of time is left out (it has no orders), and so is one that is much dearer than the baseline.
    """
    found = {"baseline": baseline, **{name: model_of(read_text(text, name)) for name, text in BY_HAND.items()}}
    start = space.locate(baseline) or space.nearest(baseline)
    rng, dearest = np.random.default_rng(_SEED), _DEAREST * _flops(baseline, space)
    while len(found) < 1 + len(BY_HAND) + DRAWN:
        drawn = start
        for _ in range(len(found) % 4 + 1):
            drawn = mutate(space, drawn, rng)
        model = drawn.model
        if model.train.order == "shuffled" and model not in found.values() and _flops(model, space) <= dearest:
            found[f"m{len(found) - len(BY_HAND)}"] = model
    return found


def slowed(baseline: ModelSpec) -> dict[str, ModelSpec]:
    """The baseline with what might make it restless taken back, one at a time and together."""
    rows = replace(baseline.embedding, lr=baseline.embedding.lr / 4)
    dense = replace(baseline.train, dense_lr=baseline.train.dense_lr / 3)
    return {
        "slow rows": replace(baseline, embedding=rows),
        "slow dense": replace(baseline, train=dense),
        "slow both": replace(baseline, embedding=rows, train=dense),
        "decayed": replace(baseline, train=replace(baseline.train, schedule="linear")),
        "two passes": replace(baseline, train=replace(baseline.train, epochs=2)),
        "slow rows, three passes": replace(baseline, embedding=rows, train=replace(baseline.train, epochs=3)),
        "narrow": replace(baseline, embedding=replace(baseline.embedding, dim=baseline.embedding.dim // 4)),
        "no dropout": replace(baseline, deep=tuple(replace(layer, dropout=0.0) for layer in baseline.deep)),
    }


def hastened(baseline: ModelSpec) -> dict[str, ModelSpec]:
    """The baseline with twice its rates: a mean of weights lags behind, and calms."""
    rows = replace(baseline.embedding, lr=2 * baseline.embedding.lr)
    dense = replace(baseline.train, dense_lr=2 * baseline.train.dense_lr)
    return {"fast rows": replace(baseline, embedding=rows), "fast both": replace(baseline, embedding=rows, train=dense)}


def _flops(model: ModelSpec, space: SearchSpace) -> float:
    assert space.inputs is not None
    return float(model.cost(space.inputs).flops)
