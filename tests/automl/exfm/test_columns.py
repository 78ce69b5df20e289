"""A model over some columns of a stream reads those, and is built for those."""

from __future__ import annotations

import numpy as np

from automl.exfm.columns import Columns
from tests.worlds.streams import World


def test_reads_its_columns_in_its_own_order(world: World) -> None:
    stream = world.stream
    columns = Columns((2, 0), (0,))
    rows = np.array([40, 3, 3])
    for found, wanted in ((columns.read(stream, rows), rows), (columns.read(stream, slice(5, 9)), np.arange(5, 9))):
        assert found.ids_BF.tolist() == stream.ids_NF[wanted][:, [2, 0]].tolist()
        assert found.dense_BD.tolist() == stream.dense_ND[wanted].tolist()
    none = Columns((1,), ()).read(stream, rows)
    assert none.dense_BD.shape == (3, 0)


def test_a_model_is_built_for_its_columns(world: World) -> None:
    stream = world.stream
    inputs = Columns((2, 0), ()).inputs(stream)
    assert [len(counts) for counts in inputs.id_counts] == [stream.id_counts[2], stream.id_counts[0]]
    assert inputs.dense == 0
    assert Columns.of(stream.columns(), stream.dense_columns()).inputs(stream) == stream.inputs()
