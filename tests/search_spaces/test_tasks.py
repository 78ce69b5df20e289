"""`tasks:` in spaces and models: which knobs are asked, what is one model, what it costs, and what is refused."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.costing import COST
from search_spaces.decisions import Choice
from search_spaces.errors import InputError
from search_spaces.knobs import knobs_of
from search_spaces.model import InputShape, ModelSpec, Tasks
from search_spaces.moves import crossover, mutate
from search_spaces.source import read_text
from search_spaces.space import SearchSpace, model_of, space_of
from search_spaces.tasks import GATES, LOSSES, READ_BY, SHARING

INPUTS = InputShape(((900, 50, 9, 3, 1), (7, 5, 1)), dense=3, train_rows=20_000, given=(None, 0, None))
ALL = """
wiring: {choice: [stacked, parallel]}
deep: {repeat: {int: [0, 2]}, mlp: {width: {choice: [8, 16]}}}
members: {choice: [1, 2]}
tasks:
  weight: {log: [0.1, 10]}
  tower_width: {choice: [8, 16]}
  tower_dropout: {float: [0, 0.4]}
  gate_hidden: {choice: [0, 8, 32]}
  sharing: {choice: [ple, shared, mmoe]}
  experts: {int: [1, 4]}
  task_experts: {int: [1, 3]}
  width: {choice: [16, 32]}
  layers: {int: [1, 3]}
  tower_layers: {int: [0, 2]}
  esmm: {choice: [true, false]}
  losses: {choice: [uncertainty, fixed]}
"""


def space(text: str) -> SearchSpace:
    return space_of(read_text(text, "space.yaml"), INPUTS)


def parts() -> st.SearchStrategy[Tasks]:
    return st.builds(
        Tasks,
        sharing=st.sampled_from(SHARING),
        experts=st.integers(1, 8),
        task_experts=st.integers(1, 8),
        width=st.integers(1, 64),
        layers=st.integers(1, 4),
        tower_layers=st.integers(0, 4),
        tower_width=st.integers(1, 64),
        tower_dropout=st.floats(0, 0.5),
        gate_hidden=st.integers(0, 8),
        esmm=st.booleans(),
        losses=st.sampled_from(LOSSES),
        weight=st.floats(0.1, 10),
    )


def test_every_knob_is_always_read_or_has_its_gate() -> None:
    names = set(knobs_of(Tasks))
    assert {gate for gate, _ in READ_BY.values()} == set(GATES)
    assert set(READ_BY) | set(GATES) | {"esmm"} == names
    for name, (gate, answers) in READ_BY.items():
        assert knobs_of(Tasks)[gate].default not in answers or name == "weight"


@settings(deadline=None)
@given(parts(), parts())
def test_what_is_not_read_is_no_part_of_a_model(one: Tasks, other: Tasks) -> None:
    read = {f.name: getattr(one, f.name) for f in fields(Tasks) if f.name not in READ_BY}
    mixed = replace(other, **read)
    again = replace(
        mixed, **{n: getattr(one, n) for n, (gate, answers) in READ_BY.items() if getattr(one, gate) in answers}
    )
    assert again == one
    assert ModelSpec(tasks=again).key == ModelSpec(tasks=one).key
    assert ModelSpec.from_tree(ModelSpec(tasks=one).to_tree()) == ModelSpec(tasks=one)


def test_all_defaults_are_the_model_that_says_nothing() -> None:
    assert ModelSpec(tasks=Tasks()) == ModelSpec()
    assert "tasks" not in ModelSpec(tasks=Tasks()).to_tree()
    assert model_of(read_text("tasks: {sharing: shared, experts: 7}", "model.yaml")) == ModelSpec()
    assert ModelSpec(tasks=Tasks(esmm=True)).key != ModelSpec().key
    assert "gate_hidden" not in ModelSpec(tasks=Tasks(tower_layers=1)).to_tree()["tasks"]
    assert ModelSpec(tasks=Tasks(tower_layers=1, gate_hidden=4)).to_tree()["tasks"]["gate_hidden"] == 4


def test_a_question_is_asked_where_its_gate_reads_it() -> None:
    whole, rng = space(ALL), np.random.default_rng(0)
    assert len(whole.decisions) == 17
    seen = set()
    for answers in whole.sample(None, 100, rng):
        candidate = whole.candidate(answers)
        tasks = candidate.model.tasks or Tasks()
        for name, (gate, readers) in READ_BY.items():
            assert (f"tasks.{name}" in candidate.values) is (getattr(tasks, gate) in readers), name
        seen.add((tasks.sharing, tasks.tower_layers, tasks.losses, tasks.esmm))
        assert whole.locate(candidate.model) == candidate
        near = mutate(whole, candidate, rng)
        assert whole.locate(near.model) is not None
        assert whole.locate(crossover(whole, candidate, near, rng).model) is not None
    assert [len(set(answers)) for answers in zip(*seen, strict=True)] == [3, 3, 2, 2]
    gate = next(decision for decision in whole.decisions if decision.path == "tasks.sharing")
    assert isinstance(gate.domain, Choice)
    assert gate.domain.options == SHARING
    assert space(whole.to_yaml()).tree == whole.tree


def test_the_matrix_form_costs_what_the_models_cost() -> None:
    whole = space(ALL)
    answers_ND = whole.sample(None, 300, np.random.default_rng(1))
    costs = whole.costing.total(answers_ND)
    for n, answers in enumerate(answers_ND):
        cost = whole.candidate(answers).model.cost(INPUTS)
        assert [getattr(costs, name)[n] for name in COST] == [getattr(cost, name) for name in COST]


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ("{sharing: shared, experts: {int: [1, 4]}}", "sharing must take one of mmoe, ple for experts"),
        ("{sharing: {choice: [shared, mmoe]}, task_experts: {int: [1, 4]}}", "sharing must take one of ple"),
        ("{tower_width: {choice: [8, 16]}}", "tower_layers must take one of 1, 2, 3, 4 for tower_width"),
        ("{losses: uncertainty, weight: {log: [0.1, 1]}}", "losses must take one of fixed for weight"),
        ("{sharing: mixed}", "must be one of shared, mmoe, ple"),
        ("{expert: 3}", "unknown key `expert`"),
    ],
)
def test_what_is_refused(tasks: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        space(f"embedding: {{dim: {{choice: [4, 8]}}}}\ntasks: {tasks}\n")
    assert said in str(caught.value)


def test_expressions_know_the_knobs() -> None:
    where = "\nwhere: ['tasks.experts <= 2 or tasks.sharing == ple', 'flops <= 20K']\n"
    bound = space(ALL + where)
    for answers in bound.sample(None, 100, np.random.default_rng(2)):
        tasks = bound.candidate(answers).model.tasks or Tasks()
        if bound.allowed(answers[None])[0]:
            assert tasks.sharing != "mmoe" or tasks.experts <= 2
