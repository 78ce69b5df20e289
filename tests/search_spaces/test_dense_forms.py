"""`dense:` in models: edges from quantiles, fields and costs, and what is one model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search_spaces.dense_forms import (
    DENSE_FORMS,
    BucketsForm,
    DenseForm,
    LinearForm,
    NumberForm,
    PeriodicForm,
    PiecewiseForm,
)
from search_spaces.inputs import QUANTILES, InputShape, Quantiles
from search_spaces.model import ModelSpec
from search_spaces.source import read_text
from search_spaces.space import model_of

EVENLY: Quantiles = tuple(k / QUANTILES for k in range(QUANTILES + 1))
TWICE: Quantiles = (-0.5,) * 250 + (3.0,) * 7
THREE: Quantiles = (0.0,) * 100 + (1.0,) * 100 + (2.0,) * 57
ONE: Quantiles = (0.5,) * (QUANTILES + 1)
INPUTS = InputShape(((9, 5), (4,)), dense=6, train_rows=100, vectors=(2,), quantiles=(EVENLY, TWICE, ONE, ()))


@pytest.mark.parametrize(
    ("quantiles", "bins", "inner", "ends"),
    [
        (EVENLY, 4, (0.25, 0.5, 0.75), (0.0, 0.25, 0.5, 0.75, 1.0)),
        (EVENLY, QUANTILES, EVENLY[1:-1], EVENLY),
        (TWICE, 4, (3.0,), (-0.5, 3.0)),
        (TWICE, 128, (3.0,), (-0.5, 3.0)),
        (THREE, 8, (1.0, 2.0), (0.0, 1.0, 2.0)),
        (ONE, 4, (), (0.5,)),
        ((), 4, (), ()),
        ((0.0,) * 128 + (5e-7,) * 129, 2, (), (0.0,)),
    ],
)
def test_edges_are_quantiles_each_once(
    quantiles: Quantiles, bins: int, inner: tuple[float, ...], ends: tuple[float, ...]
) -> None:
    assert BucketsForm(bins=bins).edges(quantiles) == pytest.approx(inner)
    assert PiecewiseForm(bins=bins).edges(quantiles) == pytest.approx(ends)


def test_a_number_is_a_field_but_in_the_linear_form() -> None:
    for form in DENSE_FORMS.values():
        for asked in (form(), *([form(together=True)] if issubclass(form, NumberForm) else [])):
            fields = 4 if isinstance(asked, NumberForm) and not asked.together else 1
            shape = ModelSpec(dense=asked).fields_shape(INPUTS)
            assert shape.count == 2 + fields + 1, "ids, numbers, a vector"
        assert ModelSpec(dense=form()).fields_shape(replace(INPUTS, dense=2, quantiles=())).count == 2 + 1


@pytest.mark.parametrize(
    ("form", "params", "flops"),
    [
        (BucketsForm(bins=4), 5 + 3 + 2 + 2, 0),  # buckets, and a row for what is missing
        (PiecewiseForm(bins=4), (4 + 1) + (1 + 1) + 1 + 1 + 4, 2 * 4 * 5),
        (PeriodicForm(frequencies=3), 4 * (7 + 1), 2 * 4 * 7),
        (PeriodicForm(frequencies=3, together=True), 4 * 7 + 1, 2 * 4 * 7),
    ],
    ids=lambda part: part.name if isinstance(part, DenseForm) else "",
)
def test_costs_of_one_dimension_are_counted_by_hand(form: DenseForm, params: int, flops: int) -> None:
    frequencies = 12 if isinstance(form, PeriodicForm) else 0
    cost = form.cost(INPUTS.numbers, 1)
    assert (cost.params, cost.flops) == (params + frequencies, flops)
    assert form.cost((), 4).params == form.cost((), 4).flops == 0


def test_numbers_of_which_nothing_is_told_count_as_normal() -> None:
    untold = replace(INPUTS, quantiles=())
    assert len(untold.numbers) == 4
    edges = BucketsForm(bins=4).edges(untold.numbers[0])
    assert edges == pytest.approx((-0.6745, 0.0, 0.6745), abs=0.02)


def test_the_linear_form_is_the_model_that_says_nothing() -> None:
    assert model_of(read_text("dense: {linear: {}}", "model.yaml")) == ModelSpec()
    assert "dense" not in ModelSpec(dense=LinearForm()).to_tree()
    model = model_of(read_text("dense: {piecewise: {bins: 8}}", "model.yaml"))
    assert model.to_tree()["dense"] == {"piecewise": {"together": False, "bins": 8}}
    assert ModelSpec.from_tree(model.to_tree()) == model
    assert model.key not in (ModelSpec().key, ModelSpec(dense=PiecewiseForm(bins=9)).key)


@pytest.mark.parametrize("tree", [{}, {"buckets": {}, "linear": {}}, {"steps": {}}])
def test_a_tree_has_one_form_of_the_table(tree: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="dense must be one of linear, buckets, piecewise, periodic"):
        ModelSpec.from_tree({"dense": tree})
