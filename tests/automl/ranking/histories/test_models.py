"""Models that read a history: they learn from it, each batch as the whole, and serve what they learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from automl.ranking.export import graph_signature
from automl.ranking.features import Features, read
from automl.ranking.graph_inputs import graph_tensors
from automl.ranking.graphs import load_graph
from automl.ranking.model import build_model, members_of
from automl.ranking.scoring import evaluate
from automl.ranking.serving import TensorsIn, cuts_of, serving_graph
from automl.ranking.training import train
from search_spaces.history import HISTORIES
from search_spaces.model import ModelSpec
from tests.worlds.histories import remembered
from tests.worlds.models import Log, fields_of, spec

WAYS = [name for name in HISTORIES if name != "none"]
TRAIN, TEST = slice(0, 8000), slice(8000, 9000)


@pytest.fixture(scope="module")
def log() -> Log:
    return remembered(9000)


def reading(name: str, **knobs: object) -> ModelSpec:
    return spec(
        history={name: knobs},
        embedding={"dim": 8, "lr": 0.1, "min_count": 1},
        interaction=[{"fm": {}}, {"cross": {"rank": 4}}],
        train={"batch_size": 64, "dense_lr": 0.01},
    )


def ne_of(model_spec: ModelSpec, log: Log) -> float:
    model = build_model(model_spec, log.inputs, seed=1)
    for _ in train(model, model_spec, log, TRAIN, order_seed=1, weights_seed=1):
        pass
    return evaluate(model, log, TEST).ne


@pytest.mark.parametrize("name", WAYS)
def test_what_only_the_lists_tell_is_learned(log: Log, name: str) -> None:
    passes = 2 if name in ("transformer", "hstu") else 1
    model_spec = reading(name)
    settings = replace(model_spec.train, epochs=passes, dense_lr=0.003)  # a transformer may go to waste at higher rates
    assert ne_of(replace(model_spec, train=settings), log) < 0.9


def test_without_lists_it_is_not(log: Log) -> None:
    assert ne_of(reading("none"), log) > 0.98


def test_the_same_weights_come_of_the_same_seeds(log: Log) -> None:
    assert ne_of(reading("din"), log) == ne_of(reading("din"), log)


@pytest.mark.parametrize("name", WAYS)
def test_a_batch_is_read_as_the_whole(log: Log, name: str) -> None:
    model, features = build_model(reading(name, length=4, action=1), log.inputs, seed=1).eval(), read(log, TEST)
    whole = model.read(features)
    for part in (slice(0, 100), slice(100, 101), slice(900, 1000)):
        made = fields_of(model, [one[part] for one in whole])
        torch.testing.assert_close(made, fields_of(model, model.read(features[part])))
    assert [part.shape[1] for part in made] == [3, 1, HISTORIES[name].fields]
    assert sum(part.shape[1] for part in made) == reading(name).fields_shape(log.inputs).count


def test_a_history_shares_the_table_of_its_feature(log: Log) -> None:
    """One step moves the rows of ids that only a list holds."""
    from automl.ranking.batches import chunks
    from automl.ranking.training import make_steppers

    model_spec = reading("mean")
    model = build_model(model_spec, log.inputs, seed=1).train()
    before = model.table.weight_RE.clone()
    (stepper,) = make_steppers(model, model_spec, log, weights_seed=1)
    chunk = next(iter(chunks(log, slice(0, 128), shuffled=False, rng=np.random.default_rng(0))))
    own_row = int(model.table.first_F[1]) + int(chunk.features.lists_S[0].ids_P[0])
    next(stepper.steps(chunk))
    assert not torch.equal(model.table.weight_RE[own_row], before[own_row])


def test_one_log_without_lists_costs_a_reader_nothing(log: Log) -> None:
    bare = replace(log.inputs, histories=())
    assert reading("din").cost(bare) == reading("none").cost(bare)


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize(
    ("name", "knobs"),
    [
        *((name, {}) for name in WAYS),
        ("din", {"nearest": 2}),
        ("din", {"nearest": 4, "softmax": True}),
        ("din", {"nearest": 100}),
        ("mean", {"length": 1}),
        ("transformer", {"layers": 2}),
        ("hstu", {"layers": 2, "action": 2}),
    ],
)
def test_an_exported_graph_predicts_the_same_of_any_batch(
    log: Log, name: str, knobs: dict[str, object], members: int, tmp_path: Path
) -> None:
    if members == 2 and name != "din":
        pytest.skip("members are side by side: one reader shows it")
    model_spec = replace(reading(name, **knobs), members=members)
    model = build_model(model_spec, log.inputs, seed=1).eval()
    with torch.no_grad():
        for member in members_of(model):
            member.table.weight_RE.normal_(generator=torch.Generator().manual_seed(4))
    graph = load_graph(exported(model))
    cuts = cuts_of(model)
    empty = Features.unknown(log.inputs, 5)
    longest = int(log.histories[0].count_N.argmax())
    for features in (read(log, TEST), read(log, slice(longest, longest + 1)), empty, empty[:1], read(log, slice(3, 9))):
        with torch.inference_mode():
            found = graph(*graph_tensors(features, cuts))
            torch.testing.assert_close(found, model(features), rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(TensorsIn(serving_graph(model))(*graph_tensors(features, cuts)), found)


def exported(model: object) -> bytes:
    from io import BytesIO

    from automl.ranking.export import exported_program

    held = BytesIO()
    torch.export.save(exported_program(model), held)  # type: ignore[arg-type]
    return held.getvalue()


def test_the_signature_of_a_graph_names_no_sizes(log: Log) -> None:
    words = graph_signature(build_model(reading("din"), log.inputs, seed=1))
    assert any("float32[B" in word for word in words)
    assert not any("events0" in word for word in words)
