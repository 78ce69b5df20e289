from __future__ import annotations

import pytest
import torch

from automl.ranking.embedding import FusedEmbedding
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
