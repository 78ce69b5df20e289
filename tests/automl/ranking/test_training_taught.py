"""The trainer with a teacher in the log."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from automl.ranking.model import build_model
from automl.ranking.scoring import evaluate, score
from automl.ranking.training import train
from search_spaces.model import ModelSpec
from tests.worlds.models import Log, planted, spec

TRAIN, VALIDATE = slice(0, 1500), slice(1500, 6000)


@pytest.fixture(scope="module")
def log() -> Log:
    """A teacher that was trained on all rows but those that are scored speaks of most of the rows."""
    log = planted(rows=12_000, ids=60)
    candidate = spec(embedding={"dim": 8, "lr": 0.2})
    teacher = build_model(candidate, log.inputs, seed=5)
    list(train(teacher, candidate, log, slice(6000, 12_000), order_seed=5, weights_seed=5))
    p_N = score(teacher, log, slice(0, 12_000))
    logits_N = np.log(p_N / (1 - p_N)).astype(np.float32)
    logits_N[::20] = np.nan
    other_N = np.zeros_like(logits_N)
    return replace(log, teacher_NT=np.stack([other_N, logits_N], 1), ages_N=np.zeros(12_000, np.float32), own=1)


def ne(candidate: ModelSpec, log: Log, seed: int) -> float:
    model = build_model(candidate, log.inputs, seed=seed)
    list(train(model, candidate, log, TRAIN, order_seed=seed, weights_seed=seed))
    return evaluate(model, log, VALIDATE).ne


def predictions(candidate: ModelSpec, log: Log) -> np.ndarray:
    model = build_model(candidate, log.inputs, seed=1)
    list(train(model, candidate, log, TRAIN, order_seed=1, weights_seed=1))
    return score(model, log, VALIDATE)


@pytest.mark.parametrize("heads", ["plain", "auxiliary", "both"])
def test_a_student_learns_from_a_teacher_that_has_seen_more(heads: str, log: Log) -> None:
    settings = {"batch_size": 32, "dense_lr": 0.01}
    alone, taught = spec(train=settings), spec(train=settings, distill={"heads": heads})
    assert np.mean([ne(taught, log, s) for s in range(3)]) < np.mean([ne(alone, log, s) for s in range(3)])


def test_without_distill_a_teacher_in_the_log_changes_nothing(log: Log) -> None:
    alone = replace(log, teacher_NT=None, ages_N=None, own=None)
    assert np.array_equal(predictions(spec(), log), predictions(spec(), alone))
    assert np.array_equal(predictions(spec(), log), predictions(spec(distill={"heads": "plain", "weight": 0.0}), log))


def test_the_teacher_stays_beside_its_row(log: Log) -> None:
    """Rows of weight 0 and what is said of them change nothing, in whatever order they come."""
    weights_N = (np.arange(12_000) % 2).astype(np.float32)
    assert log.teacher_NT is not None
    loud_NT = np.where(weights_N[:, None] == 0, 40.0, log.teacher_NT).astype(np.float32)
    taught = spec(distill={"heads": "plain"})
    quiet, loud = (replace(log, weights_N=weights_N, teacher_NT=said) for said in (log.teacher_NT, loud_NT))
    assert np.array_equal(predictions(taught, quiet), predictions(taught, loud))


def test_a_log_without_a_teacher_cannot_teach() -> None:
    with pytest.raises(ValueError, match="must be trained on a log with a teacher"):
        predictions(spec(distill={"heads": "plain"}), planted())
