from __future__ import annotations

import numpy as np
import pytest
import torch

from automl.ranking.model import RankingModel, build_model
from automl.ranking.scoring import evaluate, score
from automl.ranking.training import Diverged, Progress, rate_factor, train
from automl.stats.metrics import NESums
from search_spaces.model import ModelSpec, Train
from tests.worlds.models import BLOCKS, Log, planted, planted_tasks, spec

TRAIN, VALIDATE = slice(0, 5000), slice(5000, 6000)


@pytest.fixture(scope="module")
def log() -> Log:
    return planted()


def trained(candidate: ModelSpec, log: Log, *, order: int = 1, weights: int = 1) -> tuple[RankingModel, list[Progress]]:
    model = build_model(candidate, log.inputs, seed=weights)
    return model, list(train(model, candidate, log, TRAIN, order_seed=order, weights_seed=weights))


@pytest.mark.parametrize("block", BLOCKS, ids=str)
@pytest.mark.parametrize("wiring", ["stacked", "parallel"])
def test_every_block_learns_what_was_planted(block: dict[str, dict[str, int]], wiring: str, log: Log) -> None:
    model, progress = trained(spec(interaction=[block], wiring=wiring), log)
    assert progress[-1].window_ne < progress[0].window_ne
    assert evaluate(model, log, VALIDATE).ne < 0.85


def test_a_fused_stack_learns_too(log: Log) -> None:
    both = [{"dot": {"compress": 3}, "cross": {"rank": 4}, "linear": {}, "fuse": fuse} for fuse in ("concat", "sum")]
    model, _ = trained(spec(interaction=both), log)
    assert evaluate(model, log, VALIDATE).ne < 0.85


def test_the_same_seeds_give_the_same_model_bit_for_bit(log: Log) -> None:
    first, progress = trained(spec(), log)
    torch.manual_seed(99)  # the process's own state must not matter
    second, again = trained(spec(), log)
    assert progress == again
    assert np.array_equal(score(first, log, VALIDATE), score(second, log, VALIDATE))
    for change in ({"order": 2}, {"weights": 2}):
        other, _ = trained(spec(), log, **change)
        assert not np.array_equal(score(first, log, VALIDATE), score(other, log, VALIDATE))


def test_looking_at_the_model_between_points_changes_nothing(log: Log) -> None:
    _, progress = trained(spec(), log)
    model = build_model(spec(), log.inputs, seed=1)
    watched = []
    for point in train(model, spec(), log, TRAIN, order_seed=1, weights_seed=1):
        watched.append(point)
        torch.rand(3)
        evaluate(model, log, VALIDATE)
        model.train()
    assert watched == progress


def test_points_are_progressive_ne_over_the_run(log: Log) -> None:
    _, progress = trained(spec(train={"batch_size": 100}), log)
    assert [point.rows for point in progress] == [250 * k if k % 2 == 0 else 250 * k + 50 for k in range(1, 21)]
    _, few = trained(spec(train={"batch_size": 2000}), log)
    assert [point.rows for point in few] == [1666, 3333, 5000]
    _, twice = trained(spec(train={"batch_size": 1000, "epochs": 2}), log)
    assert twice[-1].rows == 10_000


def test_the_first_window_is_scored_before_it_is_learnt(log: Log) -> None:
    candidate = spec(train={"batch_size": 5000, "order": "time"})
    model = build_model(candidate, log.inputs, seed=1)
    model.start_at(float(log.labels_N[TRAIN].mean()))
    untrained = NESums.of(log.labels_N[TRAIN], score(model, log, TRAIN))
    no_dropout = spec(train={"batch_size": 5000, "order": "time"}, deep=[{"mlp": {"width": 16}}])
    _, (point,) = trained(no_dropout, log)
    assert point.window_ne == pytest.approx(untrained.ne, abs=1e-6)
    assert point.lifetime_ne == point.window_ne


def test_weights_count(log: Log) -> None:
    """Rows of weight 0 change nothing, whatever their labels say."""
    weights_N = np.where(np.arange(6000) % 2 == 0, 1, 0).astype(np.float32)
    flipped_N = np.where(weights_N == 0, 1 - log.labels_N, log.labels_N)
    logs = [Log(log.ids_NF, log.dense_ND, labels, weights_N, log.inputs) for labels in (log.labels_N, flipped_N)]
    first, second = (score(trained(spec(), one)[0], log, VALIDATE) for one in logs)
    assert np.array_equal(first, second)
    assert evaluate(trained(spec(), logs[0])[0], log, VALIDATE).ne < 0.9


def test_a_head_that_was_trained_keeps_its_bias(log: Log) -> None:
    model, _ = trained(spec(), log)
    before = model.head.bias.item()
    still = spec(train={"dense_lr": 1e-12, "batch_size": 5000, "recalibrate": False})
    list(train(model, still, log, TRAIN, order_seed=0, weights_seed=0))
    assert model.head.bias.item() == pytest.approx(before, abs=1e-6)


@pytest.mark.parametrize(
    "wild",
    [{"embedding": {"dim": 4, "lr": 10.0, "init_std": 1.0}}, {"train": {"dense_lr": 1.0, "batch_size": 64}}],
    ids=["embedding", "dense"],
)
def test_a_run_that_blows_up_ends_with_its_reason(wild: dict[str, object], log: Log) -> None:
    cross = [{"cross": {"rank": 0}}] * 4
    with pytest.raises(Diverged, match=r"NE rose to|not finite"):
        trained(spec(interaction=cross, **wild), log)


def test_weights_that_end_infinite_are_found(log: Log) -> None:
    model = build_model(spec(), log.inputs, seed=1)
    model.table.weight_RE[0] = torch.inf  # row 0 of a field that the window never asks for
    with pytest.raises(Diverged, match="weights are not finite"):
        list(train(model, spec(), log, TRAIN, order_seed=1, weights_seed=1))


def test_rates_follow_the_schedule() -> None:
    assert rate_factor(Train(), 0.7, 0.01) == 1
    linear = Train(schedule="linear", warmup=0.2)
    assert rate_factor(linear, 0.0, 0.1) == pytest.approx(0.5)
    assert rate_factor(linear, 0.2, 0.1) == 1
    assert rate_factor(linear, 0.6, 0.1) == pytest.approx(0.5)
    assert rate_factor(linear, 1.0, 0.1) == 0
    cosine = Train(schedule="cosine")
    assert [round(rate_factor(cosine, done, 0.1), 3) for done in (0.0, 0.5, 1.0)] == [1, 0.5, 0]


@pytest.mark.parametrize("primary", [0, 1])
def test_several_labels_are_learned_by_one_model(primary: int) -> None:
    log = planted_tasks(primary=primary)
    assert log.labels_NT is not None
    model, progress = trained(spec(train={"batch_size": 128, "dense_lr": 0.01, "recalibrate": False}), log)
    probs = score(model, log, VALIDATE)
    scores = evaluate(model, log, VALIDATE)
    assert probs.shape == (1000, 2)
    known_NT = ~np.isnan(log.labels_NT[VALIDATE])
    expected = [
        NESums.of(log.labels_NT[VALIDATE][known_N, task], probs[known_N, task]).ne
        for task, known_N in enumerate(known_NT.T)
    ]
    assert scores.nes == tuple(expected)
    assert scores.ne == expected[primary]
    assert max(expected) < 0.95
    assert progress[-1].rows == 5000
    assert progress[-1].lifetime_ne < 1


def test_each_head_is_recalibrated_by_its_own_rows() -> None:
    log = planted_tasks()
    model, _ = trained(spec(), log)
    assert log.labels_NT is not None
    probs, labels = score(model, log, TRAIN), log.labels_NT[TRAIN]
    known = ~np.isnan(labels[:, 1])
    assert probs[:, 0].sum() == pytest.approx(labels[:, 0].sum(), rel=1e-4)
    assert probs[known, 1].sum() == pytest.approx(labels[known, 1].sum(), rel=1e-4)
