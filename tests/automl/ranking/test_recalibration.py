from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit

from automl.ranking.model import build_model
from automl.ranking.recalibration import recalibrate, recent_rows, shift
from automl.ranking.scoring import evaluate
from automl.ranking.training import train
from automl.stats.significance import log_losses
from tests.worlds.models import Log, planted, spec


@given(st.integers(0, 2**32 - 1), st.floats(-10, 10), st.floats(0.1, 5))
def test_the_shift_is_where_cross_entropy_is_least(seed: int, bias: float, spread: float) -> None:
    rng = np.random.default_rng(seed)
    logits, labels = bias + spread * rng.normal(size=60), np.resize([0.0, 1.0, 0.0], 60)
    weights = rng.uniform(0.1, 3, 60)
    found = shift(logits, labels, weights)
    assert weights @ expit(logits + found) == pytest.approx(weights @ labels, rel=1e-6)

    def entropy(by: float) -> float:
        return float(weights @ log_losses(labels, expit(logits + by)))

    best = minimize_scalar(entropy, bracket=(found - 1, found + 1))
    assert entropy(found) <= best.fun + 1e-6


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_rows_of_one_class_move_nothing(label: float) -> None:
    assert shift(np.array([0.3, -2.0]), np.full(2, label), np.ones(2)) == 0.0


def test_the_latest_rows_are_a_tenth_and_never_few() -> None:
    assert recent_rows(slice(0, 1_000_000)) == slice(900_000, 1_000_000)
    assert recent_rows(slice(0, 100_000)) == slice(80_000, 100_000)
    assert recent_rows(slice(0, 500)) == slice(0, 500)
    assert recent_rows(slice(50_000, 60_000)) == slice(40_000, 60_000)  # of a model that goes on


@pytest.fixture(scope="module")
def log() -> Log:
    return planted()


def test_a_biased_head_is_mended_by_training_rows_alone(log: Log) -> None:
    candidate = spec(train={"recalibrate": False})
    model = build_model(candidate, log.inputs, seed=1)
    list(train(model, candidate, log, slice(0, 5000), order_seed=1, weights_seed=1))
    good = evaluate(model, log, slice(5000, 6000)).ne
    model.head.bias.data += 1.0
    biased = evaluate(model, log, slice(5000, 6000)).ne
    recalibrate(model, log, recent_rows(slice(0, 5000)))
    assert evaluate(model, log, slice(0, 5000)).calibration == pytest.approx(1.0, abs=1e-4)
    mended = evaluate(model, log, slice(5000, 6000)).ne
    assert mended == pytest.approx(good, abs=0.01)
    assert mended < biased - 0.05


def test_a_trained_model_is_recalibrated_where_it_asks(log: Log) -> None:
    def calibration(recalibrated: bool) -> float:
        candidate = spec(train={"recalibrate": recalibrated})
        model = build_model(candidate, log.inputs, seed=1)
        list(train(model, candidate, log, slice(0, 5000), order_seed=1, weights_seed=1))
        return evaluate(model, log, slice(0, 5000)).calibration

    assert calibration(True) == pytest.approx(1.0, abs=1e-4)
    assert calibration(False) != pytest.approx(1.0, abs=1e-4)
