"""Optimizers of the embedding table, step by step against dense ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from automl.ranking import place
from automl.ranking.embedding import FusedEmbedding
from automl.ranking.flat import EPS
from automl.ranking.rows import LazyAdam, RowAdagrad, RowOptimizer, RowSgd, RowwiseAdagrad
from tests.worlds.models import INPUTS


@pytest.fixture(autouse=True)
def checked() -> Iterator[None]:
    """Torch warns of sparse tensors for which nobody has said whether they are to be checked."""
    with torch.sparse.check_sparse_tensor_invariants(enable=True):
        yield


Oracle = Callable[[list[torch.Tensor]], torch.optim.Optimizer]
PAIRS: dict[str, tuple[type[RowOptimizer], Oracle]] = {
    "adagrad": (RowAdagrad, lambda parts: torch.optim.Adagrad(parts, eps=EPS)),
    "adam": (LazyAdam, lambda parts: torch.optim.SparseAdam(parts, eps=EPS)),
    "sgd": (RowSgd, torch.optim.SGD),
}


def table() -> FusedEmbedding:
    torch.manual_seed(3)
    return FusedEmbedding(INPUTS.table_rows(1), 4, 0.1)


@pytest.mark.parametrize("large", [0, 10**6])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", PAIRS)
def test_steps_like_torchs_on_sparse_gradients(
    name: str, decay: float, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "LARGE", large)
    fused = table()
    weight = torch.nn.Parameter(fused.weight_RE.clone())
    make, oracle_of = PAIRS[name]
    optimizer, oracle = make(fused, decay), oracle_of([weight])
    for step in range(8):
        torch.manual_seed(step)
        rows_P = fused.rows(torch.randint(0, 4 + step % 3, (30, 3))).reshape(-1)
        grad_PE = torch.randn(90, 4)
        lr = 0.05 / (1 + step % 2)
        sparse = torch.sparse_coo_tensor(rows_P[None].long(), grad_PE, weight.shape).coalesce()
        touched_U = sparse.indices()[0]
        decayed_UE = sparse.values() + decay * weight.detach()[touched_U]
        weight.grad = torch.sparse_coo_tensor(touched_U[None], decayed_UE, weight.shape).coalesce()
        oracle.param_groups[0]["lr"] = lr
        oracle.step()
        optimizer.step(rows_P, grad_PE.clone(), lr)
        torch.testing.assert_close(fused.weight_RE, weight.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("large", [0, 10**6])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_rowwise_adagrad_is_the_dense_one_with_a_mean_over_the_row(
    decay: float, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "LARGE", large)
    fused = table()
    weight, sums = fused.weight_RE.clone(), torch.zeros(len(fused.weight_RE), 1)
    optimizer = RowwiseAdagrad(fused, decay)
    for step in range(5):
        torch.manual_seed(step)
        rows_BF = fused.rows(torch.randint(0, 4, (30, 3)))
        grad_BFE = torch.randn(30, 3, 4)
        optimizer.step(rows_BF.reshape(-1), grad_BFE.flatten(0, 1), lr=0.05)
        dense = torch.zeros_like(weight).index_add_(0, rows_BF.flatten().long(), grad_BFE.flatten(0, 1))
        touched = torch.zeros(len(weight), dtype=torch.bool).index_fill_(0, rows_BF.flatten().long(), True)
        dense[touched] += decay * weight[touched]
        sums += dense.square().mean(1, keepdim=True)
        weight[touched] -= 0.05 * (dense / (sums.sqrt() + EPS))[touched]
        torch.testing.assert_close(fused.weight_RE, weight)
