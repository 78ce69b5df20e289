from __future__ import annotations

import pytest
import torch

from automl.ranking import place
from automl.ranking.embedding import EPS, FusedEmbedding, RowwiseAdagrad
from automl.ranking.features import Features
from tests.worlds.models import INPUTS


def table(min_count: int = 1, dim: int = 4) -> FusedEmbedding:
    torch.manual_seed(3)
    return FusedEmbedding(INPUTS.table_rows(min_count), dim, 0.1)


def test_gathers_what_one_table_a_field_would() -> None:
    fused = table()
    sizes = INPUTS.table_rows(1)
    tables = [torch.nn.Embedding.from_pretrained(part) for part in fused.weight_RE.split(sizes)]
    ids_BF = torch.stack([torch.randint(0, size, (50,)) for size in sizes], 1)
    expected = torch.stack([one(ids_BF[:, f]) for f, one in enumerate(tables)], 1)
    for ids in (ids_BF, ids_BF.int()):
        features = Features(ids, torch.zeros(50, 0))
        assert torch.equal(fused.fields(fused.gather(fused.read(features).reshape(-1))), expected)


def test_rare_and_unknown_ids_share_row_0_of_their_field() -> None:
    fused = table(min_count=8)  # leaves 4, 2 and 3 ids, and row 0 of each field
    assert INPUTS.table_rows(8) == (5, 3, 4)
    ids = torch.tensor([[4, 2, 3], [5, 3, 4], [0, 0, 0], [-1, 10**6, 2**31 - 1]])
    assert fused.rows(ids).tolist() == [[4, 7, 11], [0, 5, 8], [0, 5, 8], [0, 5, 8]]


def test_a_table_that_int32_cannot_number_is_refused() -> None:
    with pytest.raises(ValueError, match="fewer than 2\\^31 rows"):
        FusedEmbedding((2**31,), 1, 0.1)


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
