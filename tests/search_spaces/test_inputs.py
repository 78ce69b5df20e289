"""Sources add up to the shape and the cost of a model's first floor."""

from __future__ import annotations

from dataclasses import replace

from search_spaces.blocks.base import Cost, linear_cost
from search_spaces.inputs import DenseField, IdFields, InputShape
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
