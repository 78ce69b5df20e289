"""What reads histories: each against its formula written out row by row, and its description against PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, silu
from torch.utils.flop_counter import FlopCounterMode

from automl.ranking.histories import Reader, build_reader
from automl.ranking.lists import Events, Lists
from search_spaces.history import (
    HISTORIES,
    AttentionHistory,
    DinHistory,
    EventsSpec,
    HstuHistory,
    InterformerHistory,
    MeanHistory,
    TransformerHistory,
)
from search_spaces.inputs import HistoryShape

DIM, MOST, IDS = 5, 4, 3
COUNTS = (3, 0, 1, 4, 0)
SPECS: tuple[EventsSpec, ...] = (
    MeanHistory(),
    AttentionHistory(heads=3),
    AttentionHistory(heads=1),
    DinHistory(units=6),
    DinHistory(units=6, softmax=True),
    DinHistory(units=6, nearest=2),
    DinHistory(units=6, nearest=2, softmax=True),
    DinHistory(units=6, nearest=9),
    TransformerHistory(heads=2),
    TransformerHistory(heads=1, layers=3),
    HstuHistory(heads=2),
    HstuHistory(heads=3, layers=2),
    InterformerHistory(summaries=1, heads=1, hidden=4),
    InterformerHistory(summaries=3, heads=2, hidden=7),
)
NAMES = [f"{spec.name}-{k}" for k, spec in enumerate(SPECS)]


def shape_of(counts: tuple[int, ...], *, timed: bool = True, actions: int = 2) -> HistoryShape:
    lengths = tuple(counts.count(n) for n in range(MOST + 1))
    return HistoryShape(0, MOST, (lengths,) * (1 + actions), timed)


def reader_of(spec: EventsSpec, shape: HistoryShape) -> Any:
    """With all of its weights away from where they start."""
    torch.manual_seed(5)
    reader = build_reader(spec, shape, DIM, IDS)
    with torch.no_grad():
        for part in reader.parameters():
            part.add_(0.3 * torch.randn(part.shape))
    return reader


def events_of(counts: tuple[int, ...], *, spare: bool = False) -> Events:
    total = sum(counts)
    rng = torch.Generator().manual_seed(1)
    count_B = torch.tensor(counts)
    gaps, kinds = (torch.randint(0, most, (total,), dtype=torch.uint8, generator=rng) for most in (64, 4))
    return Lists(torch.zeros(total, dtype=torch.int32), gaps, kinds, count_B.cumsum(0), count_B).events(spare=spare)


def vectors(counts: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Of events, of targets and of all ids."""
    rng = torch.Generator().manual_seed(2)
    events, targets = (torch.randn(count, DIM, generator=rng) for count in (sum(counts), len(counts)))
    return events, targets, torch.randn(len(counts), IDS, DIM, generator=rng)


def linear(part: Any, x: Tensor) -> Tensor:
    out: Tensor = x @ part.weight.T
    return out if part.bias is None else out + part.bias


def normed(part: Any, x: Tensor) -> Tensor:
    return layer_norm(x, x.shape[-1:], part.weight, part.bias)


def mean(reader: Any, h: list[Tensor], t: Tensor, ids: Tensor) -> Tensor:
    return sum(h, torch.zeros(DIM)) / max(len(h), 1)


def attention(reader: Any, h: list[Tensor], t: Tensor, ids: Tensor) -> Tensor:
    heard = []
    for query in reader.query:
        weights = [math.exp(float(query @ one)) for one in h]
        heard.append(sum((w / sum(weights) * one for w, one in zip(weights, h, strict=True)), torch.zeros(DIM)))
    return linear(reader.back, torch.cat(heard))


def din(reader: Any, h: list[Tensor], t: Tensor, ids: Tensor) -> Tensor:
    """The first map is that of [t, h, t * h]; ties of likeness do not occur."""
    if reader.nearest:
        h = sorted(h, key=lambda one: float(one @ t))[-reader.nearest :]
    first = [silu(linear(reader.of_event, torch.cat([one, one * t])) + reader.of_target.weight @ t) for one in h]
    weights = [linear(reader.weight, silu(linear(reader.second, one))) for one in first]
    if reader.softmax and h:
        weights = list(torch.stack(weights).softmax(0))
    return sum((w * one for w, one in zip(weights, h, strict=True)), torch.zeros(DIM))


def transformer(reader: Any, h: list[Tensor], t: Tensor, ids: Tensor) -> Tensor:
    x = [*h, t + reader.target]
    for layer in reader.layers:
        seen = [normed(layer.heads_norm, one) for one in x]
        pairs = [linear(layer.key_value, one).chunk(2) for one in seen]
        heard = []
        for one in seen:
            parts = []
            for head, query in enumerate(linear(layer.query, one).chunk(layer.heads)):
                keys = torch.stack([key.chunk(layer.heads)[head] for key, _ in pairs])
                values = torch.stack([value.chunk(layer.heads)[head] for _, value in pairs])
                parts.append((keys @ query / math.sqrt(len(query))).softmax(0) @ values)
            heard.append(torch.cat(parts))
        x = [one + linear(layer.back, part) for one, part in zip(x, heard, strict=True)]
        up, _, down = layer.network
        x = [one + linear(down, gelu(linear(up, normed(layer.norm, one)))) for one in x]
    return normed(reader.norm, x[-1])


def hstu(reader: Any, h: list[Tensor], t: Tensor, ids: Tensor) -> Tensor:
    x = [*h, t + reader.target]
    for layer in reader.layers:
        seen = [normed(layer.norm, one) for one in x]
        pairs = [silu(linear(layer.key_value, one)).chunk(2) for one in seen]
        made = []
        for k, one in enumerate(seen):
            query, gate = silu(linear(layer.query_gate, one)).chunk(2)
            parts = []
            for head, asked in enumerate(query.chunk(layer.heads)):
                total = torch.zeros(len(asked))
                for key, value in pairs[: k + 1]:
                    score = silu(asked @ key.chunk(layer.heads)[head] / math.sqrt(len(asked)))
                    total = total + score / (k + 1) * value.chunk(layer.heads)[head]
                parts.append(total)
            made.append(x[k] + linear(layer.back, gate * normed(layer.heads_norm, torch.cat(parts))))
        x = made
    return normed(reader.norm, x[-1])


def interformer(reader: Any, h: list[Tensor], t: Tensor, ids: Tensor) -> Tensor:
    """Every event is mapped here."""

    def gated(gate: Any, x: Tensor) -> Tensor:
        return torch.sigmoid(linear(gate, x)) * x

    summaries = [gated(reader.sum_gate, weights @ ids) for weights in reader.sum_up.map.weight]
    first, _, second = reader.matrix
    matrix = linear(second, linear(first, torch.cat(summaries)).relu()).view(DIM, DIM)
    h = [one + one @ matrix for one in h]
    read = []
    for query in [t, *summaries]:
        heard = []
        for asked in linear(reader.ask, query).chunk(reader.heads):
            weights = [math.exp(float(asked @ one) / math.sqrt(DIM)) for one in h]
            heard.append(sum((w / sum(weights) * one for w, one in zip(weights, h, strict=True)), torch.zeros(DIM)))
        read.append(linear(reader.back, torch.cat(heard)))
    return torch.stack([gated(reader.gate, read[0]), gated(reader.gate, linear(reader.as_one, torch.cat(read[1:])))])


FORMULAS: dict[str, Callable[[Any, list[Tensor], Tensor, Tensor], Tensor]] = {
    "mean": mean, "attention": attention, "din": din, "transformer": transformer, "hstu": hstu,
    "interformer": interformer,
}  # fmt: skip


def test_every_reader_has_a_formula() -> None:
    assert set(FORMULAS) == set(HISTORIES) - {"none"}


@pytest.mark.parametrize("counts", [COUNTS, (0, 0), (2,), (4, 4, 4)], ids=str)
@pytest.mark.parametrize("spec", SPECS, ids=NAMES)
def test_a_row_is_read_as_its_formula_says(spec: EventsSpec, counts: tuple[int, ...]) -> None:
    reader, events = reader_of(spec, shape_of(COUNTS)), events_of(counts)
    ids_LE, target_BE, ids_BFE = vectors(counts)
    found = reader(events, ids_LE, target_BE, ids_BFE)
    assert found.shape == (len(counts), spec.fields, DIM)
    told = [
        one + reader.gap[int(gap)] + reader.action[int(kind)]
        for one, gap, kind in zip(ids_LE, events.gaps_L, events.actions_L, strict=True)
    ]
    starts = events.starts_B1.tolist()
    with torch.no_grad():
        for b, target in enumerate(target_BE):
            expected = FORMULAS[spec.name](reader, told[starts[b] : starts[b + 1]], target, ids_BFE[b])
            torch.testing.assert_close(found[b], expected.view(-1, DIM), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("spec", SPECS, ids=NAMES)
def test_costs_are_those_that_pytorch_counts(spec: EventsSpec) -> None:
    counts = (3,) * 4
    for timed, actions in ((True, 2), (False, 0)):
        shape = shape_of(counts, timed=timed, actions=actions)
        reader, cost = build_reader(spec, shape, DIM, IDS), spec.cost(shape, DIM, IDS)
        assert cost.params == sum(part.numel() for part in reader.parameters())
        with FlopCounterMode(display=False) as counter:
            reader(events_of(counts), *vectors(counts))
        expected = 4 * cost.flops
        likeness = 4 * 3 * 2 * DIM if isinstance(spec, DinHistory) and spec.nearest else 0  # no product of matrices
        assert counter.get_total_flops() == expected - likeness
        assert cost.bytes > 0


@pytest.mark.parametrize("spec", SPECS, ids=NAMES)
def test_gradients_reach_all_and_are_those_of_small_steps(spec: EventsSpec) -> None:
    reader = reader_of(spec, shape_of(COUNTS)).double()
    events, given = events_of(COUNTS), [part.double().requires_grad_() for part in vectors(COUNTS)]
    assert torch.autograd.gradcheck(lambda *parts: reader(events, *parts), given)
    (reader(events, *given) * torch.randn(len(COUNTS), spec.fields, DIM, dtype=torch.float64)).sum().backward()
    named = {name for name, part in reader.named_parameters() if part.grad is None or not part.grad.any()}
    assert not named


@pytest.mark.parametrize("spec", SPECS, ids=NAMES)
def test_rows_do_not_see_each_other_and_a_spare_event_is_seen_by_none(spec: EventsSpec) -> None:
    reader = reader_of(spec, shape_of(COUNTS))
    ids_LE, *of_rows = vectors(COUNTS)
    whole = reader(events_of(COUNTS), ids_LE, *of_rows)
    longer = torch.cat([ids_LE, torch.full((1, DIM), 7.0)])
    torch.testing.assert_close(reader(events_of(COUNTS, spare=True), longer, *of_rows), whole)
    first = reader_alone(reader, COUNTS[:3], ids_LE, *of_rows)
    torch.testing.assert_close(first, whole[:3])


def reader_alone(reader: Reader, counts: tuple[int, ...], ids_LE: Tensor, *of_rows: Tensor) -> Tensor:
    whole = events_of(COUNTS)
    assert whole.gaps_L is not None
    assert whole.actions_L is not None
    total = sum(counts)
    count_B = torch.tensor(counts)
    events = Lists(whole.ids_L[:total], whole.gaps_L[:total], whole.actions_L[:total], count_B.cumsum(0), count_B)
    out: Tensor = reader(events.events(), ids_LE[:total], *(part[: len(counts)] for part in of_rows))
    return out
