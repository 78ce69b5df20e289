"""Every optimizer in a model: it learns, its last weights have an exact mean, its state goes on to the same bits."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np
import pytest
import torch

from automl.ranking.batches import Chunk
from automl.ranking.features import read
from automl.ranking.losses import LabelLoss
from automl.ranking.memory import trial_bytes
from automl.ranking.model import RankingModel, build_member, build_model
from automl.ranking.optimizers import DENSE, ROWS
from automl.ranking.place import put
from automl.ranking.stepper import Stepper
from automl.ranking.training import train
from search_spaces.model import DENSE_OPTIMIZERS, ROW_OPTIMIZERS, Embedding, ModelSpec, Train
from tests.worlds.models import planted, spec

LOG = planted()
ROWS_OF = slice(0, 5000)
RATES = {"rowwise_adagrad": 0.1, "adagrad": 0.1, "adam": 0.01, "sgd": 2.0}
DENSE_RATES = {"adam": 0.01, "adagrad": 0.05, "sgd": 0.05}
PAIRS = [(rows, dense or "adam") for rows, dense in zip_longest(ROW_OPTIMIZERS, reversed(DENSE_OPTIMIZERS))]


def asked(rows: str = "rowwise_adagrad", dense: str = "adam", **train: object) -> ModelSpec:
    return spec(
        embedding={"dim": 4, "lr": RATES[rows], "min_count": 1, "optimizer": rows},
        train={"batch_size": 100, "dense_lr": DENSE_RATES[dense], "optimizer": dense, "recalibrate": False, **train},
    )


def all_weights(model: RankingModel) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    parts = [part for part in model.state_dict().values() if part.is_floating_point()]
    return np.concatenate([part.detach().double().reshape(-1).numpy() for part in parts])


def test_every_choice_has_an_optimizer() -> None:
    assert tuple(ROWS) == ROW_OPTIMIZERS
    assert tuple(DENSE) == DENSE_OPTIMIZERS


@pytest.mark.parametrize(("rows", "dense"), PAIRS)
def test_it_learns_and_ends_with_the_mean_of_its_last_steps(rows: str, dense: str) -> None:
    candidate = asked(rows, dense, average=0.2)
    model = build_model(candidate, LOG.inputs, seed=1)
    steps, told = [], []
    for point in train(model, candidate, LOG, ROWS_OF, order_seed=1, weights_seed=1, points=50):
        steps.append(all_weights(model))
        told.append(point.window_ne)
    assert np.mean(told[-10:]) < 0.95
    assert np.allclose(all_weights(model), np.mean(steps[-10:], axis=0), atol=2e-6)


@pytest.mark.parametrize(("rows", "dense"), PAIRS)
def test_a_state_goes_on_to_the_same_bits(rows: str, dense: str) -> None:
    candidate = asked(rows, dense)
    chunk = Chunk(read(LOG, slice(0, 300)), put(LOG.labels_N[:300]))
    models = [build_member(candidate, LOG.inputs, seed=seed).train() for seed in (1, 2)]
    one, other = (Stepper(model, candidate, LabelLoss()) for model in models)
    list(one.steps(chunk))
    other.restore(one.state())
    for model, stepper in zip(models, (one, other), strict=True):
        model.noise.reseed(5)
        list(stepper.steps(chunk))
    assert all(torch.equal(part, other.state()[name]) for name, part in one.state().items())


def test_a_model_with_the_usual_ones_is_written_as_before() -> None:
    plain = ModelSpec()
    assert "optimizer" not in plain.to_tree()["embedding"]
    assert not {"optimizer", "accumulate"} & set(plain.to_tree()["train"])
    other = ModelSpec(embedding=Embedding(optimizer="adam"), train=Train(optimizer="sgd", accumulate=2))
    assert ModelSpec.from_tree(other.to_tree()) == other
    assert other.key != plain.key


def test_what_they_keep_is_counted() -> None:
    def held(rows: str = "rowwise_adagrad", dense: str = "adam") -> int:
        model = asked(rows, dense)
        return trial_bytes(model, LOG.inputs, slice(0, 10**7), 10, reference=asked(), batch_rows=512)

    numbers = sum(LOG.inputs.table_rows(1))
    assert held("adagrad") - held("sgd") == 4 * numbers * 4
    assert held("adam") - held("sgd") == 8 * numbers * 4
    assert held() - held("sgd") == numbers * 4
    assert held() - held(dense="sgd") == 4 * (asked().cost(LOG.inputs).params - numbers * 4)
