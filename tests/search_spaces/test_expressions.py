"""The language of where and when, against what Python says of the same model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from search_spaces.blocks import Cross
from search_spaces.errors import InputError
from search_spaces.model import InputShape, ModelSpec
from search_spaces.source import read_text
from search_spaces.space import SearchSpace, space_of

INPUTS = InputShape(id_counts=((9, 5, 2, 1), (7, 7, 1)), dense=2, train_rows=1000)
SPACE = """
embedding: {dim: {choice: [4, 8, 16]}, lr: {log: [0.01, 0.1]}, min_count: 3}
interaction:
  repeat: {int: [0, 3]}
  one_of: {cross: {rank: {choice: [4, 8, 16]}}, dot: {compress: {int: [2, 6]}}, fm: {}}
wiring: {choice: [stacked, parallel]}
deep:
  repeat: {choice: [1, 2, 4]}
  mlp: {width: {int: [8, 32], step: 8}, norm: {choice: [none, layer]}, dropout: {float: [0, 0.4], when: "norm == none"}}
train: {batch_size: {choice: [256, 512]}}
"""


def space(*where: str, inputs: InputShape | None = INPUTS) -> SearchSpace:
    return space_of(read_text(SPACE, "space.yaml"), inputs).with_where(where)


def ranks(model: ModelSpec) -> list[int]:
    return [layer.blocks[0].rank for layer in model.interaction if isinstance(layer.blocks[0], Cross)]


def count(model: ModelSpec, name: str) -> int:
    return sum(layer.blocks[0].name == name for layer in model.interaction)


ORACLE: dict[str, Callable[[ModelSpec], bool]] = {
    "embedding.dim <= 8": lambda m: m.embedding.dim <= 8,
    "8 == embedding.dim": lambda m: m.embedding.dim == 8,
    "4 < embedding.dim <= 8": lambda m: 4 < m.embedding.dim <= 8,
    "embedding.dim * 2 + 1 > 9 - embedding.dim / 4": lambda m: m.embedding.dim * 2 + 1 > 9 - m.embedding.dim / 4,
    "-embedding.dim < -(4 + 1)": lambda m: m.embedding.dim > 5,
    "embedding.lr < 5e-2": lambda m: m.embedding.lr < 0.05,
    "embedding.min_count == 3 and train.epochs == 1": lambda m: True,
    "wiring == stacked": lambda m: m.wiring == "stacked",
    "'stacked' != wiring": lambda m: m.wiring != "stacked",
    "wiring == stacked or embedding.dim == 4 and train.batch_size == 512": lambda m: (
        m.wiring == "stacked" or (m.embedding.dim == 4 and m.train.batch_size == 512)
    ),
    "not (deep.repeat == 4 and train.batch_size == 512)": lambda m: (
        not (len(m.deep) == 4 and m.train.batch_size == 512)
    ),
    "not not wiring == stacked": lambda m: m.wiring == "stacked",
    "count(interaction) == 2": lambda m: len(m.interaction) == 2,
    "interaction.repeat >= 1": lambda m: len(m.interaction) >= 1,
    "count(interaction, cross) <= 1": lambda m: count(m, "cross") <= 1,
    "count(interaction, cross) == count(interaction, dot)": lambda m: count(m, "cross") == count(m, "dot"),
    "sum(deep.mlp.width) <= 64": lambda m: sum(mlp.width for mlp in m.deep) <= 64,
    "min(deep.mlp.width) < max(deep.mlp.width)": lambda m: len({mlp.width for mlp in m.deep}) > 1,
    "sum(interaction.cross.rank) < 16": lambda m: sum(ranks(m)) < 16,
    "max(interaction.cross.rank) < 16": lambda m: not ranks(m) or max(ranks(m)) < 16,
    "deep[1].mlp.width > 8": lambda m: len(m.deep) < 2 or m.deep[1].width > 8,
    "not deep[1].mlp.width > 8": lambda m: len(m.deep) < 2 or m.deep[1].width <= 8,
    "deep[0].mlp.norm == layer": lambda m: m.deep[0].norm == "layer",
    "deep[0].mlp.norm == deep[1].mlp.norm": lambda m: len(m.deep) < 2 or m.deep[0].norm == m.deep[1].norm,
    "deep[0].mlp.dropout <= 0.1": lambda m: m.deep[0].dropout <= 0.1,
    "interaction[0].block == cross": lambda m: not m.interaction or m.interaction[0].blocks[0].name == "cross",
    "interaction[0].cross": lambda m: bool(m.interaction) and m.interaction[0].blocks[0].name == "cross",
    "not deep[1]": lambda m: len(m.deep) < 2,
    "embedding.dim / (embedding.dim - 8) > 0": lambda m: m.embedding.dim >= 8,  # 8 / 0 is unknown
    "params <= 3K": lambda m: m.cost(INPUTS).params <= 3000,
    "params <= 3k": lambda m: m.cost(INPUTS).params <= 3000,
    "flops <= 0.002M or activation_bytes > 1K": lambda m: m.cost(INPUTS).flops <= 2000 or m.cost(INPUTS).bytes > 1000,
}


@pytest.mark.parametrize("text", ORACLE)
def test_means_what_python_says(text: str) -> None:
    bounded = space(text)
    answers_ND = bounded.sample(None, 300, np.random.default_rng(0))
    models = [bounded.candidate(row).model for row in answers_ND]
    assert bounded.allowed(answers_ND).tolist() == [ORACLE[text](model) for model in models]


def test_violations_are_told_as_written() -> None:
    bounded = space("embedding.dim > 4", "params <= 10", "deep.repeat >= 1")
    assert bounded.violations(bounded.replay({"embedding.dim": 4})) == ("embedding.dim > 4", "params <= 10")


def test_cost_constrains_nothing_without_inputs() -> None:
    unknown = space("params <= 10", inputs=None)
    assert unknown.allows(unknown.default())
    assert not unknown.with_inputs(INPUTS).allows(unknown.default())


def test_random_draws_what_where_allows() -> None:
    bounded = space("sum(deep.mlp.width) <= 32", "embedding.dim == 16", "params <= 3K")
    rng = np.random.default_rng(3)
    for _ in range(20):
        assert bounded.allows(bounded.random(rng))


def test_random_says_where_nothing_is_allowed() -> None:
    with pytest.raises(InputError, match="none of 5,056 draws"):
        space("embedding.lr > 1").random(np.random.default_rng(0))


def test_when_looks_beside_itself_first() -> None:
    norms = {"deep[0].mlp.norm": "layer", "deep[1].mlp.norm": "none"}
    candidate = space().replay({"deep.repeat": 2, **norms, "deep[1].mlp.dropout": 0.3})
    assert "deep[0].mlp.dropout" not in candidate.values
    assert candidate.model.deep[0].dropout == 0.0
    assert candidate.model.deep[1].dropout == 0.3


def test_a_question_may_look_ahead_in_the_file() -> None:
    rate = 'embedding: {lr: {log: [0.01, 0.1], when: "train.order == time"}}\n'
    made = space_of(read_text(rate + "train: {order: {choice: [shuffled, time]}}\n", "space.yaml"))
    assert [decision.path for decision in made.decisions] == ["train.order", "embedding.lr"]
    assert "embedding.lr" not in made.default().values
    assert "embedding.lr" in made.replay({"train.order": "time"}).values


@pytest.mark.parametrize(
    "text",
    ["", "(" * 200, "not " * 120, "a" * 501, "1 <", "embedding.dim", "__import__('os')", "embedding.dim.real == 1",
     "(lambda: 1)() == 1", "embedding.dim if 1 else 2", "[1] == [1]", "embedding.dim == 1; 2", "embedding.dim := 3",
     "9" * 400 + " < embedding.dim", "count() == 1", "count(embedding.dim) == 1", "sum(deep) == 1", "min(1, 2) == 1",
     "embedding['dim'] == 1", "20MM > params", "1..2 < params", "wiring < parallel", "deep.repeat.x == 1"],
)  # fmt: skip
def test_refuses_what_is_outside(text: str) -> None:
    if text.startswith("999"):
        assert space(text).violations(space().default()) == (text,)
        return
    with pytest.raises(InputError) as caught:
        space(text)
    assert all(mistake.must for mistake in caught.value.mistakes)
