"""Features that a model leaves out, and fields that are merged: what is left is the model of what is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from automl.ranking.batches import Chunk
from automl.ranking.features import Features, read
from automl.ranking.graph_inputs import graph_tensors
from automl.ranking.losses import LabelLoss
from automl.ranking.model import RankingModel, build_member, build_model
from automl.ranking.place import put
from automl.ranking.serving import TensorsIn, serving_graph
from automl.ranking.stepper import Stepper
from search_spaces.model import ModelSpec
from tests.worlds.histories import remembered
from tests.worlds.models import Log, fields_of, spec

ROWS = 300
NAMES = ("user", "item", "tab", "age", "price", "watched")


def named() -> Log:
    """A log with a sequence of `item`."""
    log = remembered(rows=ROWS)
    return replace(log, inputs=replace(log.inputs, names=NAMES))


def without(log: Log, names: set[str]) -> Log:
    """The log whose columns were never there."""
    places = log.inputs.places(names)
    return replace(
        log,
        ids_NF=log.ids_NF[:, places.ids],
        dense_ND=log.dense_ND[:, places.dense],
        histories=tuple(
            replace(log.histories[k], shape=one)
            for k, one in zip(places.histories, log.inputs.at(places).histories, strict=True)
        ),
        inputs=log.inputs.at(places),
    )


CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("tab", {}),
    ("user", {"history": {"din": {}}}),
    ("user price", {"history": {"interformer": {}}, "embedding": {"dim": 4, "lr": 0.1, "merge": 25}}),
    ("item age", {"history": {"mean": {}}}),
    ("watched", {"history": {"din": {}}, "members": 2}),
    ("age price", {"wiring": "parallel"}),
    ("age price", {"dense": {"piecewise": {}}}),
    ("price", {"dense": {"buckets": {}}}),
)


@pytest.mark.parametrize(("left_out", "parts"), CASES, ids=[f"{names} {parts}" for names, parts in CASES])
def test_it_is_the_model_of_the_log_without_them(left_out: str, parts: dict[str, Any]) -> None:
    """The same weights, learned and served alike; what serves reads the rest alone."""
    log, names = named(), set(left_out.split())
    rest = without(log, names)
    whole = spec(**parts, features=dict.fromkeys(names, False))
    alone = spec(**parts)
    assert whole.cost(log.inputs) == alone.cost(rest.inputs)
    ours, theirs = build_model(whole, log.inputs, seed=1), build_model(alone, rest.inputs, seed=1)
    for mine, other in zip(members(ours), members(theirs), strict=True):
        learn(mine, whole, log)
        learn(other, alone, rest)
    rows = slice(0, 40)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)
    with torch.inference_mode():
        expected = theirs.eval()(read(rest, rows))
        assert torch.equal(ours.eval()(read(log, rows)), expected)
        assert torch.equal(serving_graph(ours)(read(rest, rows)), expected)


def members(model: Any) -> Iterator[RankingModel]:
    yield from getattr(model, "members", [model])


def learn(model: RankingModel, candidate: ModelSpec, log: Log) -> None:
    chunk = Chunk(read(log, slice(0, ROWS)), put(log.labels_N[:ROWS]))
    for _ in Stepper(model, candidate, LabelLoss()).steps(chunk):
        pass


def test_fields_of_few_ids_are_summed_and_the_others_are_what_they_were() -> None:
    log = named()
    inputs = replace(log.inputs, id_counts=(log.inputs.id_counts[0][:2], log.inputs.id_counts[1], (9, 8, 7)))
    features = Features(put(log.ids_NF % 3), put(log.dense_ND))
    plain, merged = (
        build_member(spec(embedding={"dim": 4, "min_count": 1, "merge": merge}), inputs, seed=3) for merge in (0, 3)
    )
    for mine, other in ((merged.table, plain.table), (merged.project, plain.project)):
        assert mine is not None
        assert other is not None
        mine.load_state_dict(other.state_dict())
    ids_B3E, dense = fields_of(plain, plain.read(features))
    alone_B1E, summed_B1E, same = fields_of(merged, merged.read(features))
    assert torch.equal(alone_B1E, ids_B3E[:, 1:2])
    assert torch.equal(summed_B1E[:, 0], ids_B3E[:, 0] + ids_B3E[:, 2])
    assert torch.equal(dense, same)


def test_an_id_that_is_split_is_the_product_of_its_quotient_and_its_remainder() -> None:
    log = named()
    inputs = replace(log.inputs, id_counts=((9,) * 20, (9,) * 20, (9, 8)))
    candidate = spec(embedding={"dim": 4, "min_count": 1, "split": 5}, history={"mean": {"gaps": False}})
    model = build_member(candidate, inputs, seed=3)
    ids_NF = log.ids_NF[:30].copy()
    ids_NF[0] = (21, 40, -1)  # unknown
    features = replace(read(log, slice(0, 30)), ids_BF=put(ids_NF))
    table_RE, (first, second, third) = model.table.weight_RE, model.table.first_F.tolist()
    assert len(table_RE) == 2 * (5 + 5) + 3, "21 ids by 5"

    def embedding(field: int, number: int) -> Tensor:
        number = number if 0 <= number < 21 else 0
        start = (first, second)[field]
        product: Tensor = table_RE[start + number // 5] * table_RE[start + 5 + number % 5]
        return product

    ids_BFE, dense, mean_B1E = fields_of(model, model.read(features))
    for row, (one, other, small) in enumerate(ids_NF.tolist()):
        whole = table_RE[third + (small if 0 <= small < 3 else 0)]
        torch.testing.assert_close(ids_BFE[row], torch.stack([whole, embedding(0, one), embedding(1, other)]))
    assert dense.shape == (30, 1, 4)
    (lists,) = features.lists_S
    events = lists.latest(50, 0).events()
    told_LE = torch.stack([embedding(1, k) for k in events.ids_L.tolist()])
    asked = model.asked(model.read(features))
    found_LE = model.table.gather(asked.rows_P)[-2 * len(told_LE) :]
    torch.testing.assert_close(model.table.embeddings_of(1, found_LE), told_LE)
    assert mean_B1E.shape == (30, 1, 4)
    assert (table_RE[first : first + 5].mean() - 1).abs() < 0.05, "quotients begin at one"


@pytest.mark.parametrize("optimizer", ["rowwise_adagrad", "adam"])
def test_what_is_split_learns_and_serves(optimizer: str) -> None:
    log = remembered(rows=600)
    candidate = spec(
        embedding={"dim": 4, "lr": 0.05, "min_count": 1, "split": 5, "optimizer": optimizer},
        history={"din": {}},
        train={"batch_size": 64},
    )
    model = build_member(candidate, log.inputs, seed=0)
    model.start_at(0.5)
    losses = []
    for _ in range(6):
        chunk = Chunk(read(log, slice(0, 600)), put(log.labels_N))
        seen = [logits for _, logits in Stepper(model, candidate, LabelLoss()).steps(chunk)]
        losses.append(float(torch.nn.functional.binary_cross_entropy_with_logits(torch.cat(seen), put(log.labels_N))))
    assert losses[-1] < losses[0] - 0.004
    features = read(log, slice(0, 50))
    graph = TensorsIn(serving_graph(model.eval()))
    with torch.inference_mode():
        torch.testing.assert_close(graph(*graph_tensors(features, graph.cuts)), model(features))


def test_the_target_of_a_history_is_its_own_field_wherever_fields_are_merged() -> None:
    """DIN weighs each event by the embedding of what is ranked: it must not be that of another field."""
    log = named()
    inputs = replace(log.inputs, id_counts=(log.inputs.id_counts[0][:2], log.inputs.id_counts[1], (9, 8)))
    small = replace(log, ids_NF=log.ids_NF % 3 + 1, inputs=inputs)
    parts: dict[str, Any] = {"history": {"din": {}}}
    embedding = {"dim": 4, "min_count": 1}
    plain = build_member(spec(**parts, embedding=embedding), inputs, seed=3)
    merged = build_member(spec(**parts, embedding=embedding | {"merge": 2}), inputs, seed=3)
    fit(merged, plain)
    features = read(small, slice(0, 50))
    assert torch.equal(last_field(plain, features), last_field(merged, features))


def fit(model: RankingModel, other: RankingModel) -> None:
    """Table and history of another model."""
    model.table.load_state_dict(other.table.state_dict())
    model.histories.load_state_dict(other.histories.state_dict())


def last_field(model: RankingModel, features: Features) -> Tensor:
    return fields_of(model, model.read(features))[-1]
