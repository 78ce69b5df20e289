from __future__ import annotations

import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from automl.ranking.features import Features
from automl.ranking.graph_inputs import graph_tensors
from automl.ranking.model import build_model, members_of
from search_spaces.model import InputShape, ModelSpec
from tests.worlds.models import BLOCKS, INPUTS, spec

SPECS = [
    *(spec(interaction=[block], wiring=wiring) for block in BLOCKS for wiring in ("stacked", "parallel")),
    *(spec(interaction=[block | {"linear": {}, "fuse": fuse}]) for block in BLOCKS for fuse in ("sum", "concat")),
    spec(interaction=[], deep=[]),
    spec(members=3),
    spec(interaction=[], deep=[], wiring="parallel"),
    spec(interaction=[{"fm": {}}, {"cross": {}}, {"dot": {}}, {"masknet": {}}], wiring="parallel"),
    *(
        spec(deep=[{"mlp": {"width": 9, "norm": norm, "activation": activation}}, {"mlp": {"width": 5}}])
        for norm in ("none", "batch", "layer")
        for activation in ("relu", "gelu", "silu")
    ),
]


def batch(rows: int = 8, dense: int = 2) -> Features:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, 12, (rows, 3), generator=generator)
    return Features(ids, torch.randn(rows, 2, generator=generator)[:, :dense])


@pytest.mark.parametrize("candidate", SPECS, ids=lambda one: one.key)
@pytest.mark.parametrize("dense", [2, 0])
def test_cost_is_what_was_promised(candidate: ModelSpec, dense: int) -> None:
    inputs = InputShape(INPUTS.id_counts, dense, INPUTS.train_rows)
    model = build_model(candidate, inputs, seed=1).eval()
    features = batch(dense=dense)
    assert model(features).shape == (8,)
    cost = candidate.cost(inputs)
    tables = [member.table.weight_RE.numel() for member in members_of(model)]
    assert sum(tables) + sum(part.numel() for part in model.parameters()) == cost.params
    with FlopCounterMode(display=False) as counter:
        model.to("meta")(Features(*(part.to("meta") for part in graph_tensors(features, ()))))
    assert counter.get_total_flops() == 8 * cost.flops


def test_the_seed_decides_the_weights_and_leaves_the_process_alone() -> None:
    state = torch.random.get_rng_state()
    one, same, other = (build_model(spec(), INPUTS, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(one(batch()), same(batch()))
    assert not torch.equal(one(batch()), other(batch()))


def test_an_untrained_model_can_start_at_the_base_rate() -> None:
    model = build_model(spec(), INPUTS, seed=1)
    assert model.head.bias.item() == 0
    model.start_at(0.03)
    assert model.head.bias.item() == pytest.approx(math.log(0.03 / 0.97))
    model.start_at(0.0)
    assert math.isfinite(model.head.bias.item())


def test_wirings_are_the_documented_graphs() -> None:
    features = batch()
    for wiring in ("stacked", "parallel"):
        candidate = spec(interaction=[{"cross": {"rank": 2}}, {"fm": {}}], wiring=wiring)
        model = build_model(candidate, INPUTS, seed=1).eval()
        embedded = model.table.fields(model.table.gather(model.table.read(features).reshape(-1)))
        x0 = torch.cat([embedded, model.project(features.dense_BD)[:, None]], 1)
        x = model.layers[0](x0, x0)
        crossed = torch.cat([x.flatten(1), model.layers[1](x0, x)], 1)
        top = model.deep(crossed) if wiring == "stacked" else torch.cat([model.deep(x0.flatten(1)), crossed], 1)
        torch.testing.assert_close(model(features), model.head(top).squeeze(1))
