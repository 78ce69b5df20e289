"""Sources add up to the shape and the cost of a model's first floor."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search_spaces.blocks.base import Cost, linear_cost
from search_spaces.inputs import DenseField, HistoryShape, IdFields, InputShape
from search_spaces.model import Embedding, ModelSpec

INPUTS = InputShape(id_counts=((40, 30, 5, 1), (9, 8)), dense=3, train_rows=100)


def test_ids_and_dense_features_are_sources_in_the_order_of_their_fields() -> None:
    ids, dense = ModelSpec().sources(INPUTS)
    assert (ids, ids.fields, dense.fields) == (IdFields(INPUTS.id_counts), 2, 1)
    assert dense.cost(4, 1) == linear_cost(3, 4)
    assert ModelSpec().sources(replace(INPUTS, dense=0)) == (IdFields(INPUTS.id_counts),)


def test_each_vector_is_a_field_after_that_of_the_plain_numbers() -> None:
    inputs = replace(INPUTS, dense=10, vectors=(4, 3))
    ids, dense, *vectors = ModelSpec().sources(inputs)
    assert (ids.fields, dense.cost(4, 1), vectors) == (2, linear_cost(3, 4), [DenseField(4), DenseField(3)])
    assert ModelSpec().sources(replace(INPUTS, dense=7, vectors=(7,)))[1:] == (DenseField(7),)


def test_what_is_left_of_the_features() -> None:
    lists = (HistoryShape(0, 2, ((1, 1),)), HistoryShape(1, 3, ((2, 2, 0, 5),)), HistoryShape(1, 1, ((0, 3),)))
    inputs = InputShape(
        ((4, 3), (9, 8), (7,)),
        dense=7,
        train_rows=10,
        vectors=(2, 3),
        histories=lists,
        quantiles=((1.0,), (2.0,)),
        names=("user", "item", "hour", "age", "price", "text", "cover", "seen", "liked", "bought"),
    )
    assert inputs.at(inputs.places(())) == inputs
    places = inputs.places({"user", "age", "text", "liked"})
    assert (places.ids, places.dense, places.histories) == ((1, 2), (1, 4, 5, 6), (2,)), "seen goes with user"
    left = inputs.at(places)
    assert left == replace(
        inputs,
        id_counts=((9, 8), (7,)),
        dense=4,
        vectors=(3,),
        histories=(replace(lists[2], field=0),),
        quantiles=((2.0,),),
        names=("item", "hour", "price", "cover", "bought"),
    )
    assert inputs.at(inputs.places(inputs.names)).fields == 0
    with pytest.raises(ValueError, match="but found weather"):
        inputs.places({"user", "weather"})


def test_fields_of_few_ids_are_one() -> None:
    assert IdFields(INPUTS.id_counts, 3).fields == 2, "one alone is what it was"
    both = IdFields(INPUTS.id_counts, 4)
    assert (both.fields, both.merged) == (1, (True, True))
    assert both.cost(8, 1) == Cost(params=8 * (5 + 3), bytes=4 * 8)
    assert IdFields(((), (), (3,)), 0).fields == 3, "nothing is merged where nobody asks"


def test_many_ids_are_told_by_quotient_and_remainder() -> None:
    ids = IdFields((tuple([9] * 99), tuple([9] * 9), (5, 5)), split=10)
    assert ids.told_apart(1) == (100, 10, 3)
    assert ids.divisors(1) == (10, 1, 1), "ten are not more than ten"
    assert ids.table_rows(1) == (10 + 10, 10, 3)
    assert ids.cost(8, 1) == Cost(params=8 * 33, bytes=4 * 8)
    assert IdFields(((9,) * 10,), split=1).table_rows(1) == (3 + 4,), "11 ids by 4"
    assert IdFields(((9,) * 4, (9,) * 4, (9,) * 7), 5, split=2).divisors(1) == (1, 1, 3), "what is merged is whole"
    assert ids.divisors(10) == (1, 1, 1)


def test_a_cut_off_is_a_prefix_of_each_field() -> None:
    assert INPUTS.table_rows(1) == (5, 3)
    assert INPUTS.table_rows(8) == (3, 3)
    assert INPUTS.table_rows(9) == (3, 2)
    assert INPUTS.table_rows(99) == (1, 1)


def test_a_model_costs_its_sources_and_what_stands_above() -> None:
    model = ModelSpec(embedding=Embedding(dim=4, min_count=9))
    floor = Cost(params=4 * (3 + 2)) + linear_cost(3, 4)
    ids, dense = (source.cost(4, 9) for source in model.sources(INPUTS))
    assert ids + dense == floor
    assert model.cost(INPUTS).params == floor.params + 3 * 4 + 1
    assert model.fields_shape(INPUTS).count == 3
