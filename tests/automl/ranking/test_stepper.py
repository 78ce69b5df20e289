"""One step and one loop for whatever is learnt: batches in order, rates as told, states that go on."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from automl.ranking.batches import Batch, Chunk
from automl.ranking.features import read
from automl.ranking.losses import LabelLoss, TasksLoss
from automl.ranking.model import RankingModel, build_member, build_model
from automl.ranking.place import put
from automl.ranking.stepper import Stepper
from tests.worlds.models import planted, spec

LOG = planted(rows=640)
CANDIDATE = spec(deep=[{"mlp": {"width": 16, "dropout": 0.2, "norm": "batch"}}], train={"batch_size": 64})
PARTS = [slice(start, start + 64) for start in range(0, 640, 64)]


def built(tasks: int = 1, seed: int = 0) -> tuple[RankingModel, Stepper]:
    model = build_member(CANDIDATE, LOG.inputs, seed=seed, tasks=tasks).train()
    return model, Stepper(model, CANDIDATE, LabelLoss() if tasks == 1 else TasksLoss())


def chunk_of(rows: slice, tasks: int = 1) -> Chunk:
    labels = put(LOG.labels_N[rows])
    return Chunk(read(LOG, rows), labels if tasks == 1 else torch.stack([labels] * tasks, 1))


def steps(model: RankingModel, stepper: Stepper, parts: list[slice], tasks: int = 1) -> None:
    for part in parts:
        model.noise.reseed(part.start)
        list(stepper.steps(chunk_of(part, tasks)))


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_chunk_is_learnt_batch_by_batch_in_its_order() -> None:
    asked: list[int] = []
    model, stepper = built()
    found = list(stepper.steps(chunk_of(slice(0, 200)), lambda rows: asked.append(rows) or 1.0))
    assert asked == [len(batch) for batch, _ in found] == [50, 50, 50, 50]
    assert torch.cat([batch.labels for batch, _ in found]).tolist() == LOG.labels_N[:200].tolist()
    rows = model.table.rows(put(LOG.ids_NF[:200]))
    assert torch.equal(torch.cat([batch.taken[0] for batch, _ in found]), rows)
    assert all(logits.shape == (50,) and not logits.requires_grad for _, logits in found)


def test_no_rows_are_no_steps() -> None:
    _, stepper = built()
    before = stepper.state()
    assert list(stepper.steps(chunk_of(slice(0, 0)))) == []
    assert same(stepper.state(), before)


def test_logits_are_from_before_the_step() -> None:
    candidate = spec(deep=[{"mlp": {"width": 16}}])
    model = build_model(candidate, LOG.inputs, seed=0).train()
    chunk = chunk_of(slice(0, 64))
    with torch.inference_mode():
        before = model(chunk.features)
    ((_, seen),) = Stepper(model, candidate, LabelLoss()).steps(chunk)
    torch.testing.assert_close(seen, before)
    assert not torch.allclose(model(chunk.features), before)


def test_a_factor_of_0_moves_nothing() -> None:
    model, stepper = built()
    before = {name: value.clone() for name, value in model.named_parameters()}
    table = model.table.weight_RE.clone()
    list(stepper.steps(chunk_of(slice(0, 640)), lambda _: 0.0))
    assert same(before, dict(model.named_parameters()))
    assert torch.equal(model.table.weight_RE, table)


def test_a_part_of_a_batch_is_a_part_of_all_that_is_in_it() -> None:
    whole = Batch((torch.arange(12).view(6, 2), torch.arange(6)), torch.arange(6), torch.arange(6.0))
    part = whole[2:5]
    assert len(part) == 3
    assert [one.tolist() for one in part.taken] == [[[4, 5], [6, 7], [8, 9]], [2, 3, 4]]
    assert part.weights_B is not None
    assert part.labels.tolist() == part.weights_B.tolist() == [2, 3, 4]
    assert part.targets is None


@pytest.mark.parametrize("tasks", [1, 3])
def test_a_state_goes_on_to_the_same_bits(tasks: int) -> None:
    whole, stepper = built(tasks)
    steps(whole, stepper, PARTS, tasks)
    first, half = built(tasks)
    steps(first, half, PARTS[:4], tasks)
    state = half.state()
    kept = {name: value.clone() for name, value in state.items()}
    steps(first, half, PARTS[4:6], tasks)  # a state is a copy
    assert same(state, kept)
    other, again = built(tasks, seed=9)
    again.restore(state)
    steps(other, again, PARTS[4:], tasks)
    assert same(dict(whole.state_dict()), dict(other.state_dict()))
    half.restore(state)
    steps(first, half, PARTS[4:], tasks)
    assert same(dict(whole.state_dict()), dict(first.state_dict()))
    assert same(stepper.state(), again.state())
