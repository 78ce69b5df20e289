"""An exported graph as a plain function: the same numbers, for any number of rows."""

from __future__ import annotations

from io import BytesIO

import pytest
import torch

from automl.ranking.export import exported_program
from automl.ranking.features import Features, read
from automl.ranking.graph_inputs import graph_tensors
from automl.ranking.graphs import load_graph
from automl.ranking.lean import lean
from automl.ranking.model import build_model
from tests.worlds.models import BLOCKS, planted, spec

LOG = planted(rows=300)
NORMS = [{"mlp": {"width": 16, "norm": "batch"}}, {"mlp": {"width": 8, "norm": "layer", "activation": "gelu"}}]


def rows(count: int) -> Features:
    return read(LOG, slice(0, count))


def tensors(count: int) -> tuple[torch.Tensor, ...]:
    return tuple(graph_tensors(rows(count), ()))


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_it_gives_what_the_model_gives(block: dict[str, dict[str, int]]) -> None:
    model = build_model(spec(interaction=[block], deep=NORMS), LOG.inputs, seed=1).eval()
    held = BytesIO()
    torch.export.save(exported_program(model), held)
    graph = load_graph(held.getvalue())
    with torch.inference_mode():
        for count in (1, 300, 1):
            torch.testing.assert_close(graph(*tensors(count)), model(rows(count)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda ids, dense: (ids[:, :1], dense),
        lambda ids, dense: (ids, dense[:, :1]),
        lambda ids, dense: (ids.long(), dense),
        lambda ids, dense: (ids,),
    ],
)
def test_what_a_graph_does_not_read_is_refused(change) -> None:  # type: ignore[no-untyped-def]
    model = build_model(spec(), LOG.inputs, seed=1)
    with pytest.raises(ValueError, match=r"expected|argument"):
        lean(exported_program(model))(*change(*tensors(4)))


def test_a_program_stays_as_it_is() -> None:
    model = build_model(spec(), LOG.inputs, seed=1).eval()
    program = exported_program(model)
    before = program.module()(*tensors(8))
    lean(program)(*tensors(8))
    assert torch.equal(program.module()(*tensors(8)), before)
