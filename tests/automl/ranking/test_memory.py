"""What a trial holds of memory, told from shapes."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest

from automl.ranking.memory import trial_bytes
from search_spaces.inputs import HistoryShape
from search_spaces.model import InputShape, ModelSpec
from tests.worlds.studies import HUMAN

TRAIN = slice(0, 200_000)
WIDE = InputShape(id_counts=((5,) * 100_000, (3,) * 50_000), dense=2, train_rows=200_000)


def held(model: ModelSpec = HUMAN, inputs: InputShape = WIDE, train: slice = TRAIN, scored: int = 20_000) -> int:
    return trial_bytes(model, inputs, train, scored, reference=HUMAN, batch_rows=512)


def with_train(**knobs: Any) -> ModelSpec:
    return replace(HUMAN, train=replace(HUMAN.train, **knobs))


def table_bytes(model: ModelSpec) -> int:
    return 4 * sum(WIDE.table_rows(model.embedding.min_count)) * model.embedding.dim


def test_a_wider_table_is_held_with_the_mean_of_its_weights() -> None:
    wide = replace(HUMAN, embedding=replace(HUMAN.embedding, dim=2 * HUMAN.embedding.dim))
    more = held(wide) - held()
    assert 2 * table_bytes(HUMAN) < more < 3 * table_bytes(HUMAN)


def test_no_mean_is_kept_where_none_is_asked_for() -> None:
    assert held() - held(with_train(average=0.0)) == table_bytes(HUMAN)


def test_members_are_held_side_by_side() -> None:
    assert held(replace(HUMAN, members=3)) - held() > 2 * 2 * table_bytes(HUMAN)


def test_a_larger_batch_is_held_with_its_gradients() -> None:
    of_row = HUMAN.cost(WIDE).bytes
    more = held(with_train(batch_size=8192)) - held(with_train(batch_size=4096))
    assert 2 * 4096 * of_row < more < 4 * 4096 * of_row


def test_a_log_of_many_chunks_holds_two() -> None:
    """Beyond them a row costs no more than its label and what the points of its curve keep."""
    few, many = (held(train=slice(0, rows)) for rows in (1 << 20, 1 << 21))
    assert many - few < 30 * (1 << 20)


def test_a_chunk_is_held_with_the_events_of_its_rows() -> None:
    lists = HistoryShape(0, 50, ((0,) * 50 + (1,),) * 2, timed=True)
    more = held(inputs=replace(WIDE, histories=(lists,))) - held()
    assert more == pytest.approx(200_000 * (50 * 6 + 16), rel=0.3)


@pytest.mark.parametrize("rows", [1_000, 100_000])
def test_more_rows_to_score_never_hold_less(rows: int) -> None:
    assert held(scored=rows) <= held(scored=10 * rows)


def test_nothing_is_built_to_tell_it() -> None:
    gc.collect()
    tracemalloc.start()
    told = held()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < told / 100
