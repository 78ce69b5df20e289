from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from automl.ranking.model import Ensemble, build_model, members_of
from automl.ranking.progress import Progress
from automl.ranking.scoring import evaluate, probabilities_of, score
from automl.ranking.throughput import timed_batches
from automl.ranking.training import make_steppers, train
from search_spaces.model import ModelSpec
from tests.worlds.models import Log, planted, spec

TRAIN, VALIDATE = slice(0, 5000), slice(5000, 6000)
SEVERAL = spec(members=3)


@pytest.fixture(scope="module")
def log() -> Log:
    return planted()


def trained(candidate: ModelSpec, log: Log, rows: slice = TRAIN) -> tuple[torch.nn.Module, list[Progress]]:
    model = build_model(candidate, log.inputs, seed=5)
    return model, list(train(model, candidate, log, rows, order_seed=3, weights_seed=5))


def test_an_ensemble_is_the_mean_logit_of_its_members(log: Log) -> None:
    model = build_model(SEVERAL, log.inputs, seed=5).eval()
    assert isinstance(model, Ensemble)
    (features,) = timed_batches(log, slice(0, 50), 50)
    with torch.inference_mode():
        members = torch.stack([member(features) for member in members_of(model)])
        assert torch.allclose(model(features), members.mean(0))
    assert members.std(0).min() > 0


def test_members_are_trained_each_on_an_order_of_its_own(log: Log) -> None:
    quiet = replace(SEVERAL, train=replace(SEVERAL.train, recalibrate=False))
    model, progress = trained(quiet, log)
    first, _ = trained(replace(quiet, members=1), log)
    members = members_of(model)
    assert np.array_equal(score(members[0], log, VALIDATE), score(first, log, VALIDATE))  # the one that a spec of 1 has
    same_weights = build_model(quiet, log.inputs, seed=5)
    for member in members_of(same_weights):
        member.load_state_dict(members_of(build_model(quiet, log.inputs, seed=5))[0].state_dict())
    list(train(same_weights, quiet, log, TRAIN, order_seed=3, weights_seed=5))
    a, b, _ = (score(member, log, VALIDATE) for member in members_of(same_weights))
    assert not np.array_equal(a, b)  # by their orders, and by dropout
    assert len(progress) == 20
    assert progress[-1].rows == 5000
    assert evaluate(model, log, VALIDATE).ne < np.mean([evaluate(one, log, VALIDATE).ne for one in members])


def test_the_bias_is_that_of_the_mean(log: Log) -> None:
    model, _ = trained(SEVERAL, log)
    assert evaluate(model, log, TRAIN).calibration == pytest.approx(1.0, abs=1e-4)


def test_training_goes_on_with_the_steppers_of_all_members(log: Log) -> None:
    model = build_model(SEVERAL, log.inputs, seed=5)
    steppers = make_steppers(model, SEVERAL, log, weights_seed=5)
    assert len(steppers) == 3
    for rows in (TRAIN, VALIDATE):
        list(train(model, SEVERAL, log, rows, order_seed=3, weights_seed=5, steppers=steppers))
    assert all(stepper.state()["steps"] == 48 for stepper in steppers)  # 40 batches, then 8


def test_the_same_seeds_give_the_same_bits(log: Log) -> None:
    (one, told), (two, again) = trained(SEVERAL, log), trained(SEVERAL, log)
    assert told == again
    assert np.array_equal(score(one, log, VALIDATE), score(two, log, VALIDATE))


def test_probabilities_are_those_of_the_mean_logit(log: Log) -> None:
    model, _ = trained(SEVERAL, log)
    (features,) = timed_batches(log, slice(0, 50), 50)
    with torch.inference_mode():
        logits = torch.stack([member(features) for member in members_of(model.eval())]).mean(0)
    assert np.allclose(score(model, log, slice(0, 50)), probabilities_of(logits), atol=1e-7)
