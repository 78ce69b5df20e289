"""Forms of numbers: each against its formula written out number by number, and its description against PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from automl.data.columns.quantiles import quantiles_of
from automl.ranking.dense_forms import NumberFields, build_fields
from automl.ranking.export import exported_program
from automl.ranking.features import Features
from automl.ranking.graphs import load_graph
from automl.ranking.model import build_model
from automl.ranking.scoring import evaluate
from automl.ranking.training import train
from search_spaces.dense_forms import DENSE_FORMS, BucketsForm, NumberForm, PeriodicForm, PiecewiseForm
from search_spaces.inputs import QUANTILES, InputShape, Quantiles
from tests.worlds.models import Log, fields_of, planted, spec

DIM = 3
EVENLY: Quantiles = tuple(k / 64 - 1 for k in range(QUANTILES + 1))
TWO: Quantiles = (-0.5,) * 200 + (2.0,) * 57
NUMBERS = (EVENLY, TWO, (0.7,) * (QUANTILES + 1), ())
SPECS: tuple[NumberForm, ...] = (
    BucketsForm(bins=4),
    BucketsForm(bins=256),
    PiecewiseForm(bins=4),
    PiecewiseForm(bins=37),
    PeriodicForm(frequencies=1),
    PeriodicForm(frequencies=5, sigma=2.0),
    BucketsForm(bins=4, together=True),
    PiecewiseForm(bins=4, together=True),
    PeriodicForm(frequencies=5, together=True),
)
MIXED, ALIKE = NUMBERS, (EVENLY, EVENLY)
ids = [f"{form.name}-{k}" for k, form in enumerate(SPECS)]


def fields_module(form: NumberForm, numbers: tuple[Quantiles, ...] = MIXED) -> Any:
    """With all of its weights away from where they start."""
    torch.manual_seed(5)
    made = build_fields(form, numbers, DIM, 0.1)
    with torch.no_grad():
        for part in made.parameters():
            part.add_(0.3 * torch.randn(part.shape))
    return made


def rows(count: int, numbers: int = 4) -> Features:
    """Known values, ends and edges among them, values far beyond, and missing ones; a further column is a vector's."""
    generator = torch.Generator().manual_seed(3)
    dense_BD = 1.5 * torch.randn(count, numbers + 1, generator=generator)
    special = torch.tensor([0.0, -1.0, 3.0, 0.5, 2.0, -0.5, 1e6, -1e6])
    for k, value in enumerate(special.tolist()):
        dense_BD[k :: 2 * len(special)] = value
    return Features(torch.zeros(count, 0, dtype=torch.int32), dense_BD)


def made_of(module: NumberFields, features: Features) -> Tensor:
    return module.fields(module.read(features))


def buckets(module: Any, form: BucketsForm, d: int, x: float) -> Tensor:
    """Row by row: what is missing, below the first edge, from each edge on."""
    first = sum(2 + len(form.edges(own)) for own in module.told[:d])
    place = 0 if x == 0 else 1 + sum(edge <= x for edge in form.edges(module.told[d]))
    out: Tensor = module.weight_RE[first + place]
    return out


def bias_of(module: Any, d: int) -> Tensor:
    """Of all numbers together there is one, which stands with the first."""
    out: Tensor = module.bias_nE[0] * (d == 0) if module.together else module.bias_nE[d]
    return out


def piecewise(module: Any, form: PiecewiseForm, d: int, x: float) -> Tensor:
    first = sum(max(len(form.edges(own)), 1) for own in module.told[:d])
    edges = form.edges(module.told[d])
    out: Tensor = bias_of(module, d) + (x == 0) * module.weight_SE[first]
    for k, (start, stop) in enumerate(pairwise(edges), 1):
        through = 0.0 if x < start else 1.0 if x >= stop else (x - start) / (stop - start)
        out = out + through * module.weight_SE[first + k]
    return out


def periodic(module: Any, form: PeriodicForm, d: int, x: float) -> Tensor:
    width = 1 + 2 * form.frequencies
    weight = module.weight_SE[d * width : (d + 1) * width]
    out: Tensor = bias_of(module, d) + (x == 0) * weight[0]
    for k in range(form.frequencies):
        angle = 2 * math.pi * x * float(module.frequency_DK[d, k])
        out = out + math.sin(angle) * weight[1 + k] + math.cos(angle) * weight[1 + form.frequencies + k]
    return out


FORMULAS: dict[str, Callable[[Any, Any, int, float], Tensor]] = {
    "buckets": buckets, "piecewise": piecewise, "periodic": periodic
}  # fmt: skip


def test_every_form_has_a_formula() -> None:
    assert set(FORMULAS) == set(DENSE_FORMS) - {"linear"}


@pytest.mark.parametrize("numbers", [MIXED, ALIKE], ids=["mixed", "alike"])
@pytest.mark.parametrize("form", SPECS, ids=ids)
def test_a_number_is_read_as_its_formula_says(form: NumberForm, numbers: tuple[Quantiles, ...]) -> None:
    module, features = fields_module(form, numbers).double(), rows(60, len(numbers))
    features = replace(features, dense_BD=features.dense_BD.double())
    module.told = numbers
    found = made_of(module, features)
    assert found.shape == (60, form.fields(len(numbers)), DIM)
    with torch.no_grad():
        for b, row in enumerate(features.dense_BD.tolist()):
            parts = [FORMULAS[form.name](module, form, d, row[d]) for d in range(len(numbers))]
            expected = torch.stack([sum(parts, torch.zeros(DIM).double())] if form.together else parts)
            far = max(map(abs, row[: len(numbers)])) > 1e5
            torch.testing.assert_close(found[b], expected, rtol=1e-5, atol=1e-4 if far else 1e-6)


@pytest.mark.parametrize("numbers", [MIXED, ALIKE], ids=["mixed", "alike"])
@pytest.mark.parametrize("form", SPECS, ids=ids)
def test_costs_are_those_that_pytorch_counts(form: NumberForm, numbers: tuple[Quantiles, ...]) -> None:
    module, cost = fields_module(form, numbers), form.cost(numbers, DIM)
    assert cost.params == sum(part.numel() for part in module.parameters())
    with FlopCounterMode(display=False) as counter:
        made_of(module, rows(7, len(numbers)))
    assert counter.get_total_flops() == 7 * cost.flops
    assert cost.bytes > 0


@pytest.mark.parametrize("form", SPECS, ids=ids)
def test_gradients_reach_every_weight_and_are_those_of_small_steps(form: NumberForm) -> None:
    module = fields_module(form).double()
    near = torch.linspace(-1.05, 3.05, 41 * 256, dtype=torch.float64).unsqueeze(1).expand(-1, 5).clone()
    near[::256] = 0.0
    features = Features(torch.zeros(len(near), 0, dtype=torch.int32), near)
    (made_of(module, features) * torch.randn(DIM, dtype=torch.float64)).sum().backward()
    for part in module.parameters():
        assert part.grad is not None
        assert part.grad.any(1).all(), "each row of the weights"
    few = replace(features, dense_BD=near[100:2000:600].contiguous())
    names = [name for name, _ in module.named_parameters()]

    def of_weights(*weights: Tensor) -> Tensor:
        taken = module.read(few)
        wrapped = Wrapped(module)
        return torch.func.functional_call(wrapped, dict(zip([f"of.{n}" for n in names], weights, strict=True)), taken)

    given = tuple(part.detach().clone().requires_grad_() for part in module.parameters())
    assert torch.autograd.gradcheck(of_weights, given, fast_mode=True)


class Wrapped(torch.nn.Module):
    """Its fields as a forward pass."""

    def __init__(self, of: NumberFields) -> None:
        super().__init__()
        self.of = of

    def forward(self, taken: Tensor) -> Tensor:
        return self.of.fields(taken)


@pytest.mark.parametrize("form", SPECS, ids=ids)
def test_rows_do_not_see_each_other(form: NumberForm) -> None:
    module, features = fields_module(form), rows(40)
    whole = made_of(module, features)
    for part in (slice(0, 1), slice(5, 6), slice(7, 40)):
        torch.testing.assert_close(made_of(module, features[part]), whole[part])
        torch.testing.assert_close(module.fields(module.read(features)[part]), whole[part])


@pytest.mark.parametrize("form", SPECS, ids=ids)
def test_what_is_missing_starts_as_nothing_of_its_own(form: NumberForm) -> None:
    """An embedding of zeros, or nothing beside what the mean has."""
    module = build_fields(form, MIXED, DIM, 0.1)
    features = Features(torch.zeros(2, 0, dtype=torch.int32), torch.tensor([[0.0] * 5, [1e-9] * 5]))
    missing, near = made_of(module, features)
    torch.testing.assert_close(
        missing, torch.zeros_like(missing) if form.name == "buckets" else near, atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("form", SPECS, ids=ids)
@pytest.mark.parametrize("vectors", [(), (2,)], ids=str)
def test_an_exported_graph_predicts_the_same_of_any_batch(form: NumberForm, vectors: tuple[int, ...]) -> None:
    inputs = InputShape(((9, 5, 2), (7, 7)), 4 + sum(vectors), 100, vectors, quantiles=MIXED)
    model = build_model(replace(spec(), dense=form), inputs, seed=1).eval()
    held = BytesIO()
    torch.export.save(exported_program(model), held)
    graph, ids_BF = load_graph(held.getvalue()), torch.randint(0, 4, (50, 2), dtype=torch.int32)
    dense_BD = torch.cat([rows(50).dense_BD[:, :4], torch.randn(50, sum(vectors))], 1)
    for part in (slice(0, 50), slice(0, 1), slice(8, 9), slice(3, 9)):
        with torch.inference_mode():
            expected = model(Features(ids_BF[part], dense_BD[part]))
            torch.testing.assert_close(graph(ids_BF[part], dense_BD[part]), expected, rtol=1e-4, atol=1e-5)


def test_vectors_stay_linear() -> None:
    inputs = InputShape(((9, 5, 2), (7, 7)), 6, 100, (2,), quantiles=MIXED)
    for form in DENSE_FORMS.values():
        model = build_model(replace(spec(), dense=form()), inputs, seed=1)
        features = Features(torch.zeros(8, 2, dtype=torch.int32), torch.randn(8, 6))
        *_, vector = fields_of(model, model.read(features))
        (own,) = model.vectors
        torch.testing.assert_close(vector.squeeze(1), features.dense_BD[:, 4:] @ own.weight.T + own.bias)


def waves(count: int) -> Log:
    """Labels that a line cannot tell: a wave over one number, and whether the other one is missing."""
    log, rng = planted(count), np.random.default_rng(4)
    dense_ND = rng.uniform(-1.7, 1.7, (count, 2)).astype(np.float32)
    dense_ND[rng.random(count) < 0.3, 1] = 0.0
    logit_N = 3 * np.sin(4 * dense_ND[:, 0]) + np.where(dense_ND[:, 1] == 0, 2.0, -1.0)
    labels_N = (rng.random(count) < 1 / (1 + np.exp(-logit_N))).astype(np.float32)
    quantiles = quantiles_of(dense_ND, [slice(0, count)], 2)
    return replace(log, dense_ND=dense_ND, labels_N=labels_N, inputs=replace(log.inputs, quantiles=quantiles))


@pytest.mark.parametrize(
    ("form", "best"),
    [
        ({"linear": {}}, (0.9, 1.0)),
        ({"buckets": {}}, (0.5, 0.8)),
        ({"piecewise": {}}, (0.5, 0.8)),
        ({"periodic": {"sigma": 0.5}}, (0.5, 0.8)),
    ],
    ids=lambda part: next(iter(part)) if isinstance(part, dict) else "",
)
def test_what_no_line_tells_is_learned(form: dict[str, Any], best: tuple[float, float]) -> None:
    log = waves(8000)
    model_spec = spec(dense=form, deep=[], interaction=[], train={"batch_size": 64, "dense_lr": 0.01, "epochs": 2})
    model = build_model(model_spec, log.inputs, seed=1)
    for _ in train(model, model_spec, log, slice(0, 7000), order_seed=1, weights_seed=1):
        pass
    assert best[0] < evaluate(model, log, slice(7000, 8000)).ne < best[1]
