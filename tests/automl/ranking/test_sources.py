"""The first floor: every source makes the fields that its description promises, and they stand in its order."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from automl.ranking.features import Features
from automl.ranking.model import build_model
from search_spaces.inputs import InputShape
from tests.worlds.models import INPUTS, fields_of, spec

SHAPES = [
    INPUTS,
    replace(INPUTS, dense=0),
    replace(INPUTS, dense=5),
    replace(INPUTS, dense=9, vectors=(4, 3)),
    replace(INPUTS, dense=7, vectors=(7,)),
]


def rows(inputs: InputShape) -> Features:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, 9, (8, inputs.fields), generator=generator, dtype=torch.int32)
    return Features(ids, torch.randn(8, inputs.dense, generator=generator))


@pytest.mark.parametrize("inputs", SHAPES, ids=lambda inputs: f"{inputs.dense} dense, vectors {inputs.vectors}")
def test_sources_make_the_fields_that_are_described(inputs: InputShape) -> None:
    model = build_model(spec(), inputs, seed=0)
    made = fields_of(model, model.read(rows(inputs)))
    assert [part.shape for part in made] == [(8, source.fields, 4) for source in spec().sources(inputs)]
    assert sum(part.shape[1] for part in made) == spec().fields_shape(inputs).count


@pytest.mark.parametrize("inputs", SHAPES, ids=lambda inputs: f"{inputs.dense} dense, vectors {inputs.vectors}")
def test_what_is_read_once_is_what_each_batch_would_read(inputs: InputShape) -> None:
    model, features = build_model(spec(), inputs, seed=0), rows(inputs)
    whole = model.read(features)
    for part in (slice(0, 3), slice(3, 8)):
        assert all(torch.equal(one[part], two) for one, two in zip(whole, model.read(features[part]), strict=True))


def test_each_vector_has_a_linear_map_of_its_own() -> None:
    inputs = replace(INPUTS, dense=9, vectors=(4, 3))
    model, features = build_model(spec(), inputs, seed=0), rows(inputs)
    moved = Features(features.ids_BF, features.dense_BD.clone())
    moved.dense_BD[:, 2:6] += 1.0  # the first vector
    before, after = (fields_of(model, model.read(one)) for one in (features, moved))
    assert [torch.equal(*pair) for pair in zip(before, after, strict=True)] == [True, True, False, True]


def test_names_of_the_weights_are_those_of_every_file() -> None:
    names = set(build_model(spec(), INPUTS, seed=0).state_dict())
    assert {"table.weight_RE", "table.first_F", "table.count_F", "project.weight", "project.bias"} <= names
