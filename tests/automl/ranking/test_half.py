"""Training in bfloat16: the same model, from rounded copies; all that is kept is fp32."""

from __future__ import annotations

import pytest
import torch

from automl.ranking.batches import Chunk
from automl.ranking.features import read
from automl.ranking.losses import LabelLoss
from automl.ranking.model import RankingModel, build_member
from automl.ranking.place import put
from automl.ranking.stepper import Stepper
from automl.ranking.training import train
from search_spaces.model import ModelSpec
from tests.worlds.models import BLOCKS, planted, spec

LOG = planted()
ROWS = slice(0, 5000)
NORMS = [{"mlp": {"width": 16, "norm": "batch", "dropout": 0.2}}, {"mlp": {"width": 8, "norm": "layer"}}]


def asked(precision: str, **parts: object) -> ModelSpec:
    return spec(**{"train": {"batch_size": 128, "dense_lr": 0.01, "precision": precision}, **parts})


def learned(candidate: ModelSpec) -> tuple[RankingModel, float]:
    """A trained model and its progressive NE."""
    model = build_member(candidate, LOG.inputs, seed=1)
    points = list(train(model, candidate, LOG, ROWS, order_seed=2, weights_seed=3, points=4))
    return model, points[-1].lifetime_ne


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_step_moves_weights_as_one_in_fp32_does(block: dict[str, dict[str, int]]) -> None:
    moved = []
    for precision in ("fp32", "bf16"):
        candidate = asked(precision, interaction=[block], deep=[{"mlp": {"width": 16}}])
        model = build_member(candidate, LOG.inputs, seed=1).train()
        before = torch.cat([part.detach().reshape(-1) for part in model.parameters()])
        rows = slice(0, 128)
        list(Stepper(model, candidate, LabelLoss()).steps(Chunk(read(LOG, rows), put(LOG.labels_N[rows]))))
        moved.append(torch.cat([part.detach().reshape(-1) for part in model.parameters()]) - before)
    fp32, bf16 = moved
    assert torch.cosine_similarity(fp32, bf16, dim=0) > 0.8  # Adam's first step is the sign of each gradient


def test_it_learns_as_well() -> None:
    (_, fp32), (_, bf16) = learned(asked("fp32", deep=NORMS)), learned(asked("bf16", deep=NORMS))
    assert bf16 == pytest.approx(fp32, rel=0.01)


def test_all_that_is_kept_is_fp32() -> None:
    model, _ = learned(asked("bf16", deep=NORMS))
    assert {part.dtype for part in (*model.parameters(), model.table.weight_RE)} == {torch.float32}
    norm = model.deep[0].norm
    assert norm.running_mean.dtype == torch.float32
    assert norm.running_mean.abs().sum() > 0


def test_training_goes_on_from_a_state() -> None:
    candidate = asked("bf16", deep=NORMS)
    chunk = Chunk(read(LOG, slice(0, 256)), put(LOG.labels_N[:256]))
    first, second = (build_member(candidate, LOG.inputs, seed=seed).train() for seed in (1, 2))
    one, other = Stepper(first, candidate, LabelLoss()), Stepper(second, candidate, LabelLoss())
    list(one.steps(chunk))
    other.restore(one.state())
    for model, stepper in ((first, one), (second, other)):
        model.noise.reseed(5)
        list(stepper.steps(chunk))
    assert all(torch.equal(part, other.state()[name]) for name, part in one.state().items())


def test_dropout_drops_as_many() -> None:
    candidate = asked("fp32", deep=[{"mlp": {"width": 64, "dropout": 0.1}}])
    dropout = build_member(candidate, LOG.inputs, seed=1).train().deep[0].dropout
    kept = (dropout(torch.ones(4000, 64, dtype=torch.bfloat16)) > 0).float().mean().item()
    assert kept == pytest.approx(0.9, abs=0.003)


def test_a_model_in_fp32_is_written_as_before() -> None:
    assert "precision" not in asked("fp32").to_tree()["train"]
    assert ModelSpec.from_tree(asked("bf16").to_tree()) == asked("bf16")
    assert asked("bf16").key != asked("fp32").key
