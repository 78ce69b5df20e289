from __future__ import annotations

import pytest
import torch

from automl.ranking.features import Features
from automl.ranking.graph_inputs import graph_tensors
from automl.ranking.model import build_model
from automl.ranking.serving import TensorsIn, serving_graph
from tests.worlds.models import INPUTS, spec


def batch(rows: int = 8, dense: int = 2) -> Features:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, 12, (rows, 3), generator=generator)
    return Features(ids, torch.randn(rows, 2, generator=generator)[:, :dense])


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_the_serving_graph_gives_the_same_with_less(norm: str) -> None:
    model = build_model(spec(deep=[{"mlp": {"width": 9, "norm": norm, "dropout": 0.3}}]), INPUTS, seed=1)
    model(batch(64))  # moves the running moments of batch norm
    served = serving_graph(model)
    torch.testing.assert_close(served(batch()), model.eval()(batch()))
    kinds = {type(part).__name__ for part in served.modules()}
    assert not kinds & {"BatchNorm1d", "Dropout"}
    assert served.table is model.table
    assert model.training is False
    assert all(part.requires_grad for part in model.parameters())


def test_a_graph_takes_tensors_side_by_side() -> None:
    model, rows = build_model(spec(), INPUTS, seed=1).eval(), batch()
    assert torch.equal(TensorsIn(model)(*graph_tensors(rows, ())), model(rows))
