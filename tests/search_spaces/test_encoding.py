"""Feature rows and costs of whole matrices, against one model at a time."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from search_spaces import costing
from search_spaces.blocks import INTERACTION_BLOCKS, Dot
from search_spaces.encoding import COSTS, Encoder, rows
from search_spaces.inputs import HistoryShape
from search_spaces.model import InputShape
from search_spaces.space import SearchSpace, load_space

WITH_DENSE = InputShape(id_counts=((900, 50, 9, 3, 1), (500, 400, 2, 1, 1), (7, 5, 1)), dense=4, train_rows=20_000)
WITH_VECTORS = InputShape(id_counts=((9, 3), (5, 1)), dense=40, train_rows=500, vectors=(32, 5))
LISTS = (
    HistoryShape(0, 5, ((50, 30, 20, 0, 6, 9), (90, 10, 10, 2, 3, 0)), timed=True),
    HistoryShape(2, 3, ((9, 0, 0, 7), (10, 6, 0, 0))),
)
WITH_LISTS = replace(WITH_DENSE, histories=LISTS)
ALL = replace(
    WITH_LISTS,
    dense=11,
    vectors=(4, 3),
    names=(*(f"id{k}" for k in range(3)), *(f"number{k}" for k in range(4)), "vector0", "vector1", "list0", "list1"),
)
WITHOUT_DENSE = InputShape(id_counts=((900, 50, 9, 3, 1),), dense=0, train_rows=500)

SPACES = {
    "fixed": """
        embedding: {dim: 8, lr: {log: [0.01, 0.1]}}
        members: 3
        interaction: [{cross: {rank: {choice: [4, 0]}}}, {fm: {}}]
        deep: [{mlp: {width: 32}}]
        """,
    "shared": """
        embedding: {dim: {choice: [16, 4, 8]}}
        interaction: {repeat: {int: [0, 3]}, shared: true, one_of: {dot: {compress: {int: [2, 9]}}, masknet: {}}}
        wiring: {choice: [stacked, parallel]}
        members: {choice: [1, 2, 4]}
        deep:
          repeat: {choice: [1, 3]}
          shared: true
          mlp: {width: {int: [8, 64], step: 8}, norm: {choice: [none, batch]}}
        """,
    "beside": """
        interaction:
          repeat: {int: [1, 3]}
          any_of: {dot: {compress: {choice: [4, 8]}}, attention: {heads: {choice: [1, 2]}}, linear: {}, fm: {}}
          fuse: {choice: [concat, sum]}
        wiring: parallel
        deep: []
        """,
    "history": """
        embedding: {dim: {choice: [4, 8]}}
        history:
          one_of:
            none: {}
            mean: {length: {choice: [1, 3, 50]}}
            din: {units: {choice: [4, 9]}, nearest: {choice: [0, 2]}, action: {choice: [0, 1]}}
            hstu: {layers: {int: [1, 2]}, gaps: {choice: [true, false]}}
          default: din
        interaction: {repeat: {int: [0, 2]}, one_of: {dot: {}, masknet: {}, cross: {rank: {choice: [4, 8]}}}}
        deep: [{mlp: {width: 16}}]
        """,
    "dense": """
        embedding: {dim: {choice: [4, 8]}}
        dense:
          one_of:
            linear: {}
            buckets: {bins: {choice: [2, 7]}, together: {choice: [true, false]}}
            piecewise: {bins: {int: [2, 64]}, together: true}
            periodic: {frequencies: {choice: [1, 4]}, sigma: {log: [0.01, 1]}}
        interaction: {repeat: {int: [0, 2]}, one_of: {dot: {}, cross: {rank: {choice: [4, 8]}}}}
        history: {one_of: {none: {}, mean: {}}}
        wiring: {choice: [stacked, parallel]}
        deep: [{mlp: {width: 16}}]
        """,
    "features": """
        features:
          id0: {choice: [true, false], when: "wiring == parallel"}
          id1: {choice: [false, true]}
          numbers: {of: [number0, number2, number3], read: {choice: [true, false]}}
          number1: {choice: [true, false]}
          vector1: {choice: [true, false]}
          list1: {choice: [true, false]}
          vector0: false
        embedding:
          dim: {choice: [4, 8]}
          merge: {choice: [0, 3, 5]}
          split: {choice: [0, 2, 3, 4]}
          min_count: {choice: [1, 8]}
        history: {one_of: {none: {}, mean: {length: {choice: [1, 5]}}, interformer: {}}, default: interformer}
        interaction: {repeat: {int: [0, 2]}, one_of: {dot: {}, cross: {rank: {choice: [4, 8]}}}}
        wiring: {choice: [stacked, parallel]}
        deep: [{mlp: {width: 16}}]
        """,
    "features of numbers": """
        features:
          number0: {choice: [true, false]}
          rest: {of: [number1, number2, number3], read: {choice: [true, false]}}
        dense: {one_of: {linear: {}, piecewise: {bins: {choice: [4, 8]}}, buckets: {together: {choice: [true, false]}}}}
        deep: [{mlp: {width: 16}}]
        """,
    "conditional": """
        embedding: {min_count: {choice: [1, 5], when: "wiring == parallel"}, init_std: {log: [0.001, 0.1]}}
        wiring: {choice: [stacked, parallel]}
        deep:
          repeat: {int: [0, 2]}
          mlp: {dropout: {float: [0, 0.4], when: "norm == none"}, norm: {choice: [layer, none]}}
        train: {schedule: {choice: [linear, constant], when: "deep.repeat >= 1"}, warmup: {float: [0, 0.5]}}
        """,
}


def space_of(name: str, inputs: InputShape, folder: Path) -> SearchSpace:
    if name not in SPACES:
        return load_space(name, inputs)
    file = folder / f"{name}.yaml"
    file.write_text(SPACES[name])
    return load_space(file, inputs)


@pytest.mark.parametrize(
    "inputs", [WITH_DENSE, WITHOUT_DENSE, WITH_VECTORS, WITH_LISTS], ids=["dense", "no dense", "vectors", "lists"]
)
@pytest.mark.parametrize("name", ["ctr-small", *(name for name in SPACES if "features" not in name)])
def test_costs_are_those_of_the_models(name: str, inputs: InputShape, tmp_path: Path) -> None:
    hold_costs(space_of(name, inputs, tmp_path), inputs)


@pytest.mark.parametrize("name", [name for name in SPACES if "features" in name])
def test_costs_are_those_of_models_that_leave_features_out(name: str, tmp_path: Path) -> None:
    hold_costs(space_of(name, ALL, tmp_path), ALL)


def hold_costs(space: SearchSpace, inputs: InputShape) -> None:
    for seed in range(2):  # the second matrix meets layers that are remembered
        answers = space.sample(None, 150, np.random.default_rng(seed))
        total = space.costing.total(answers)
        for row, params, flops, bytes_ in zip(answers, *total, strict=True):
            cost = space.candidate(row).model.cost(inputs)
            assert (params, flops, bytes_) == (cost.params, cost.flops, cost.bytes)


@pytest.mark.parametrize("name", ["ctr-small", *(name for name in SPACES if "features" not in name)])
def test_rows_say_what_the_models_are(name: str, tmp_path: Path) -> None:
    space = space_of(name, WITH_DENSE, tmp_path)
    answers = space.sample(None, 80, np.random.default_rng(3))
    table, names = rows(space, answers)
    assert table.shape == (80, len(names))
    assert len(set(names)) == len(names)
    at = {name: column for column, name in enumerate(names)}
    for row, answered in zip(table, answers, strict=True):
        model = space.candidate(answered).model
        steps = WITH_DENSE.train_rows / model.train.batch_size
        mean = (1.0 if model.train.schedule == "constant" else 0.5) * (1 - model.train.warmup / 2)
        blocks = [block.name for layer in model.interaction for block in layer.blocks]
        widths = [mlp.width for mlp in model.deep]
        table_rows = sum(WITH_DENSE.table_rows(model.embedding.min_count))
        expected = {
            "layers": len(model.interaction),
            "blocks": len(blocks),
            **{f"count({kind})": blocks.count(kind) for kind in space.costing.kinds},
            "depth": len(widths),
            "sum(width)": sum(widths),
            "min(width)": min(widths, default=0),
            "log_flops": math.log(model.cost(WITH_DENSE).flops),
            "log_embedding_bytes": math.log(4 * model.embedding.dim * table_rows),
            "log_dense_lr_steps": math.log(model.train.dense_lr * steps * mean),
            "log_embedding_lr_sqrt_steps": math.log(model.embedding.lr * math.sqrt(steps) * mean),
            "log_embedding_lr_over_init": math.log(model.embedding.lr / model.embedding.init_std),
        }
        assert {name: row[at[name]] for name in expected} == pytest.approx(expected)


def test_raw_knobs_are_numbers_as_written(tmp_path: Path) -> None:
    space = space_of("shared", WITH_DENSE, tmp_path)
    answers = space.sample(None, 60, np.random.default_rng(0))
    table, names = rows(space, answers)
    dims = table[:, names.index("embedding.dim")]
    assert dims.tolist() == [space.candidate(row).model.embedding.dim for row in answers]
    raw = table[:, : len(space.decisions)]
    assert np.array_equal(np.isnan(raw), np.isnan(answers))
    assert np.isfinite(table[:, len(space.decisions) :]).all()


def test_speed_is_made_of_known_columns(tmp_path: Path) -> None:
    space = space_of("beside", WITH_DENSE, tmp_path)
    answers = space.sample(None, 40, np.random.default_rng(0))
    _, costs = Encoder(space).rows_and_costs(answers)
    assert costs.shape == (40, len(COSTS))
    models = [space.candidate(row).model for row in answers]
    assert costs[:, COSTS.index("flops")].tolist() == [m.cost(WITH_DENSE).flops for m in models]
    assert costs[:, COSTS.index("blocks")].tolist() == [sum(len(x.blocks) for x in m.interaction) for m in models]
    assert costs[:, COSTS.index("gathered_bytes")].tolist() == [4 * 3 * m.embedding.dim for m in models]


def test_forbids_what_the_space_forbids(tmp_path: Path) -> None:
    space = load_space("ctr-small", WITH_DENSE).with_where(
        ["params <= 20K", "count(interaction, cross) <= 1", "not (deep.repeat == 4 and train.batch_size == 512)"]
    )
    answers = space.sample(None, 300, np.random.default_rng(0))
    allowed = space.allowed(answers)
    assert 0 < allowed.sum() < 300
    assert allowed.tolist() == [space.allows(space.candidate(row)) for row in answers]
    encoder = Encoder(space)
    assert np.array_equal(allowed, encoder.allowed(answers, encoder.rows_and_costs(answers)[1]))


def test_a_space_without_inputs_is_refused() -> None:
    with pytest.raises(ValueError, match="must know its inputs"):
        Encoder(load_space("ctr-small"))


def test_layers_that_are_forgotten_cost_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costing, "REMEMBERED", 10)
    space = load_space("ctr-small", WITH_DENSE)
    matrices = [space.sample(None, 50, np.random.default_rng(seed)) for seed in range(4)]
    one_after_another = [space.costing.total(answers) for answers in matrices]
    for answers, total in zip(matrices, one_after_another, strict=True):
        assert np.array_equal(load_space("ctr-small", WITH_DENSE).costing.total(answers), total)


def test_blocks_are_counted_that_the_space_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Encoder(load_space("dhen-small", WITH_DENSE)).names
    counted = [name for name in plain if name.startswith("count(")]
    assert counted == ["count(attention)", "count(cross)", "count(dot)", "count(linear)"]
    monkeypatch.setitem(INTERACTION_BLOCKS, "dotted", type("Dotted", (Dot,), {"name": "dotted", "__slots__": ()}))
    assert Encoder(load_space("dhen-small", WITH_DENSE)).names == plain
