"""Rows of features are one value: whatever is done to them is done to all of their parts."""

from __future__ import annotations

import numpy as np
import torch

from automl.ranking.features import Features, read, read_parts
from automl.ranking.graph_inputs import graph_tensors
from tests.worlds.models import Log, planted

LOG = planted(rows=300)
ROWS = slice(20, 290)


def same(one: Features, other: Features) -> bool:
    pairs = zip(graph_tensors(one, ()), graph_tensors(other, ()), strict=True)
    return len(one) == len(other) and all(torch.equal(mine, theirs) for mine, theirs in pairs)


def mapped(log: Log) -> Log:
    """As from a file: nothing can be written."""
    for column in (log.ids_NF, log.dense_ND):
        column.flags.writeable = False
    return log


def test_read_as_the_log_has_them() -> None:
    features = read(LOG, ROWS)
    assert len(features) == 270
    assert features.ids_BF.tolist() == LOG.ids_NF[ROWS].tolist()
    assert features.dense_BD.tolist() == LOG.dense_ND[ROWS].tolist()
    assert same(read(mapped(planted(rows=300)), ROWS), features)
    rows = np.array([7, 3, 3, 200])
    assert read(LOG, rows).ids_BF.tolist() == LOG.ids_NF[rows].tolist()


def test_rows_of_which_nothing_is_known_have_the_shape_of_a_model() -> None:
    features = Features.unknown(LOG.inputs, 8)
    known = read(LOG, slice(0, 8))
    assert [(part.shape, part.dtype) for part in graph_tensors(features, ())] == [
        (part.shape, part.dtype) for part in graph_tensors(known, ())
    ]
    assert not any(part.any() for part in graph_tensors(features, ()))


def test_parts_set_together_are_the_rows_again() -> None:
    whole = read(LOG, ROWS)
    for parts in (list(whole.parts(64)), list(read_parts(LOG, ROWS, 64))):
        assert [len(part) for part in parts] == [64, 64, 64, 64, 14]
        assert same(Features(*map(torch.cat, zip(*(graph_tensors(part, ()) for part in parts), strict=True))), whole)


def test_no_rows_are_one_part_without_any() -> None:
    for parts in (read(LOG, slice(5, 5)).parts(64), read_parts(LOG, slice(5, 5), 64)):
        assert [len(part) for part in parts] == [0]


def test_rows_and_columns_are_taken_from_every_part_alike() -> None:
    whole = read(LOG, slice(0, 300))
    assert same(whole[20:290], read(LOG, ROWS))
    rows = np.array([250, 4, 4])
    assert same(whole.take(torch.from_numpy(rows)), read(LOG, rows))
    some = whole.select(torch.tensor([2, 0]), torch.tensor([1]))
    assert some.ids_BF.tolist() == LOG.ids_NF[:, [2, 0]].tolist()
    assert some.dense_BD.tolist() == LOG.dense_ND[:, [1]].tolist()
    assert all(part.is_contiguous() for part in graph_tensors(some, ()))
