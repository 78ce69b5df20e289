"""Training knobs tuned by steps, on made-up valleys."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from automl.strategies.rates import next_models
from search_spaces.model import Embedding, ModelSpec, Train
from tests.worlds.studies import HUMAN

ROWS = 100_000


def with_rates(sparse: float, dense: float, size: int) -> ModelSpec:
    return replace(
        HUMAN,
        embedding=replace(HUMAN.embedding, lr=sparse),
        train=replace(HUMAN.train, dense_lr=dense, batch_size=size),
    )


def valley(model: ModelSpec) -> float:
    """Lowest at .05, .001 and 512; another schedule is worse."""
    far = math.log(model.embedding.lr / 0.05) ** 2 + math.log(model.train.dense_lr / 1e-3) ** 2
    far += math.log(model.train.batch_size / 512) ** 2
    return 0.86 + 0.003 * far + 0.01 * (model.train.schedule != "constant")


def played(start: ModelSpec, budget: int, loss: object = valley) -> dict[ModelSpec, float]:
    assert callable(loss)
    tried: dict[ModelSpec, float] = {}
    while new := next_models(start, {m.key: ne for m, ne in tried.items()}, budget, most_rows=ROWS):
        assert not set(new) & set(tried), "nothing is trained twice"
        tried |= {model: loss(model) for model in new}
    return tried


def test_the_first_wave_is_the_model_as_brought_its_other_order_and_a_step_to_each_side() -> None:
    first = next_models(HUMAN, {}, 10, most_rows=ROWS)
    assert first[:2] == [HUMAN, replace(HUMAN, train=replace(HUMAN.train, order="time"))]
    assert [(m.embedding.lr, m.train.dense_lr, m.train.batch_size) for m in first[2:]] == [
        (0.06, 1e-3, 1024),
        (0.0067, 1e-3, 1024),
        (0.02, 3e-3, 1024),
        (0.02, 3.3e-4, 1024),
        (0.02, 1e-3, 2048),
        (0.02, 1e-3, 512),
    ]


def test_a_log_without_a_time_has_no_other_order() -> None:
    timed, untimed = (next_models(HUMAN, {}, 10, most_rows=ROWS, timed=timed) for timed in (True, False))
    assert untimed == [timed[0], *timed[2:]]


@pytest.mark.parametrize("start", [(0.01, 0.0003, 2048), (0.2, 0.004, 256), (0.005, 0.003, 512)])
def test_ten_models_find_the_valley(start: tuple[float, float, int]) -> None:
    brought = with_rates(*start)
    tried = played(brought, 10)
    assert len(tried) == 10
    assert min(tried.values()) - 0.86 < 0.15 * (valley(brought) - 0.86)


def test_the_architecture_is_never_touched() -> None:
    for model in played(HUMAN, 40):
        kept = replace(model, embedding=replace(model.embedding, lr=HUMAN.embedding.lr), train=HUMAN.train)
        assert kept == HUMAN
        same = {"average": 0.1, "dense_lr": 1e-3, "batch_size": 1024, "schedule": "constant", "order": "shuffled"}
        assert replace(model.train, **same) == replace(HUMAN.train, **same)


def test_what_is_asked_next_does_not_depend_on_who_ended_first() -> None:
    whole = played(with_rates(0.01, 0.0003, 2048), 20)
    first = list(whole)[:8]
    some = {model.key: whole[model] for model in first[::2]}
    assert next_models(first[0], some, 20, most_rows=ROWS) == first[1::2]
    assert played(first[0], 20) == whole


def test_knobs_are_moved_in_the_order_that_is_better() -> None:
    def of_time(model: ModelSpec) -> float:
        return valley(model) - 0.02 * (model.train.order == "time")

    tried = played(with_rates(0.01, 0.0003, 2048), 10, of_time)
    together = list(tried)[8:]
    assert [model.train.order for model in together] == ["time", "time"]
    assert min(tried, key=of_time) in together, "the rates are those that the other order's steps have found"
    assert {model.train.order for model in list(tried)[2:8]} == {"shuffled"}


def test_a_failed_training_counts_and_is_no_centre() -> None:
    def steep(model: ModelSpec) -> float:
        return math.nan if model.embedding.lr > 0.03 or model.train.batch_size < 1024 else valley(model)

    tried = played(HUMAN, 20, steep)
    assert len(tried) == 20
    best = min((ne, model.key) for model, ne in tried.items() if math.isfinite(ne))
    assert best[0] <= valley(HUMAN)


def test_knobs_stay_within_what_they_allow() -> None:
    wild = ModelSpec(embedding=Embedding(lr=9.0), train=Train(dense_lr=0.9, batch_size=1))
    for model in played(wild, 30, lambda model: 1.0 / model.embedding.lr):
        assert model.embedding.lr <= 10.0
        assert model.train.dense_lr <= 1.0
        assert 1 <= model.train.batch_size <= ROWS
    large = replace(HUMAN, train=replace(HUMAN.train, batch_size=1 << 19))
    assert {m.train.batch_size for m in next_models(large, {}, 10, most_rows=ROWS)} == {1 << 18, 1 << 19}


@pytest.mark.parametrize(
    ("brought", "then"),
    [
        ({}, {"average": 0.0}),
        ({"average": 0.0}, {"average": 0.1}),
        ({"schedule": "cosine"}, {"schedule": "constant"}),
    ],
)
def test_the_best_is_tried_with_another_end(brought: dict[str, Any], then: dict[str, Any]) -> None:
    start = replace(HUMAN, train=replace(HUMAN.train, **brought))
    *tried, last = played(start, 11)
    best = min(tried, key=valley)
    assert last == replace(best, train=replace(best.train, **then))
