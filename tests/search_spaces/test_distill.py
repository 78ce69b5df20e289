"""`distill:` in spaces and models: which knobs are asked, what is one recipe, and that nothing else has moved."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.distill import HEADS, READ_BY, TEACHER_TASKS
from search_spaces.encoding import rows
from search_spaces.errors import InputError
from search_spaces.knobs import knobs_of
from search_spaces.model import Distill, InputShape, ModelSpec, Train
from search_spaces.moves import crossover, mutate
from search_spaces.source import read_text
from search_spaces.space import SearchSpace, load_space, model_of, space_of

GOLDEN = Path(__file__).parent / "golden" / "without-distill.json"
INPUTS = InputShape(id_counts=((900, 50, 9, 3, 1), (500, 400, 2, 1, 1), (7, 5, 1)), dense=4, train_rows=20_000)
ALL = """
embedding: {dim: {choice: [8, 16]}}
distill:
  weight: {log: [0.1, 10]}
  alpha: {float: [0.5, 2]}
  heads: {choice: [both, adapter, plain, none, calibrated, auxiliary]}
  beta: {float: [0, 1]}
  averaged: {choice: [true, false]}
  adapter_width: {choice: [0, 4, 16]}
  adapter_lr: {log: [0.001, 0.1]}
  half_life_hours: {choice: [0, 12, 48]}
  tasks: {choice: [own, all]}
"""


def space(text: str) -> SearchSpace:
    return space_of(read_text(text, "space.yaml"), INPUTS)


def recipes() -> st.SearchStrategy[Distill]:
    return st.builds(
        Distill,
        heads=st.sampled_from(HEADS),
        weight=st.floats(0, 20),
        alpha=st.floats(0.1, 10),
        beta=st.floats(0, 1),
        averaged=st.booleans(),
        adapter_width=st.integers(0, 64),
        adapter_lr=st.floats(0.001, 1),
        half_life_hours=st.floats(0, 100),
        tasks=st.sampled_from(TEACHER_TASKS),
    )


def test_heads_that_read_a_knob_stand_together() -> None:
    assert set(READ_BY) == set(knobs_of(Distill)) - {"heads"}
    for heads in READ_BY.values():
        first = HEADS.index(heads[0])
        assert HEADS[first : first + len(heads)] == heads
        assert "none" not in heads


@settings(deadline=None)
@given(recipes(), recipes())
def test_what_the_heads_do_not_read_is_no_part_of_a_recipe(one: Distill, other: Distill) -> None:
    other = replace(other, heads=one.heads)
    mixed = replace(other, **{n: getattr(one, n) for n, heads in READ_BY.items() if one.heads in heads})
    assert mixed == one
    assert ModelSpec(distill=mixed).key == ModelSpec(distill=one).key
    for name, heads in READ_BY.items():
        if one.heads not in heads:
            assert getattr(one, name) == knobs_of(Distill)[name].default


@settings(deadline=None)
@given(recipes())
def test_a_tree_holds_the_recipe(recipe: Distill) -> None:
    spec = ModelSpec(distill=recipe)
    again = ModelSpec.from_tree(json.loads(json.dumps(spec.to_tree())))
    assert again == spec
    assert again.key == spec.key
    assert spec.cost(INPUTS) == ModelSpec().cost(INPUTS), "the served graph is the same"


def test_a_model_without_a_teacher_is_what_it_was() -> None:
    for spec in (ModelSpec(), ModelSpec(distill=Distill(heads="none", weight=3.0, averaged=True))):
        assert spec.distill is None
        assert "distill" not in spec.to_tree()
        assert spec == ModelSpec()
    assert ModelSpec(distill=Distill()).key != ModelSpec().key
    assert ModelSpec(distill=Distill(weight=2.0)).key != ModelSpec(distill=Distill()).key


def test_a_knob_out_of_range_is_refused_even_where_it_is_not_read() -> None:
    with pytest.raises(ValueError, match="weight must be at most 20"):
        Distill(heads="none", weight=21.0)
    with pytest.raises(ValueError, match="distill has no wieght"):
        ModelSpec.from_tree({"distill": {"wieght": 1}})


def test_a_model_file_holds_a_recipe() -> None:
    read = model_of(read_text("distill: {heads: auxiliary, weight: 3, averaged: true, adapter_lr: 0.5}", "m.yaml"))
    assert read.distill == Distill(heads="auxiliary", weight=3.0, averaged=True)
    assert model_of(read_text("distill:", "m.yaml")).distill == Distill(), "both heads, all defaults"
    assert model_of(read_text("distill: {heads: none, weight: 3}", "m.yaml")) == ModelSpec()
    assert model_of(read_text("{}", "m.yaml")).distill is None


def test_a_knob_is_asked_where_its_heads_are_on() -> None:
    made = space(ALL)
    assert made.decisions[1].path == "distill.heads", "asked before all that it decides"
    for heads in HEADS:
        values = made.replay({"distill.heads": heads}).values
        asked = {path.removeprefix("distill.") for path in values if path.startswith("distill.")} - {"heads"}
        assert asked == {name for name, readers in READ_BY.items() if heads in readers}


def test_the_order_of_the_options_does_not_matter() -> None:
    one, other = space(ALL), space(ALL.replace("[both, adapter, plain, none,", "[none, plain, both, adapter,"))
    assert one.decisions == other.decisions
    assert one.default().values["distill.heads"] == "both", "the knob's own default"
    without = space("distill: {heads: {choice: [auxiliary, none]}, weight: {log: [0.1, 10]}}")
    assert without.default().values["distill.heads"] == "auxiliary", "the first as written"


def test_the_size_counts_what_is_asked() -> None:
    text = "distill: {heads: {choice: [none, plain, auxiliary, both]}, averaged: {choice: [false, true]},\
 adapter_width: {choice: [0, 4, 8]}, tasks: {choice: [own, all]}}"
    assert space(text).size().discrete == 1 + 2 + 2 * 2 + 2 * 2 * 3
    assert space(text).size().knobs == 4


def test_constraints_and_conditions_see_the_knobs() -> None:
    made = space(
        ALL.replace("weight: {log: [0.1, 10]}", "weight: {log: [0.1, 10], when: not averaged}")
        + "where: ['distill.weight <= 5', 'not (distill.averaged and distill.tasks == all)', 'embedding.dim == 8 or "
        "distill.adapter_width > 0']"
    )

    def broken(**answers: object) -> tuple[str, ...]:
        values = {"embedding.dim": 8} | {f"distill.{name}": value for name, value in answers.items()}
        return made.violations(made.replay(values))  # type: ignore[arg-type]

    assert broken(heads="both", averaged=False, weight=6.0) == ("distill.weight <= 5",)
    assert broken(heads="none", weight=6.0) == (), "what is not there breaks nothing"
    assert broken(heads="both", averaged=True, weight=6.0) == (), "not asked: the default"
    assert len(broken(heads="both", averaged=True, tasks="all")) == 1
    assert broken(heads="plain", averaged=True, tasks="all") == (), "a plain recipe has no tasks"
    answers = made.sample(None, 300, np.random.default_rng(0))
    allowed = made.allowed(answers)
    assert 0 < allowed.sum() < 300
    assert allowed.tolist() == [made.allows(made.candidate(row)) for row in answers]


def test_heads_that_are_not_asked_are_none() -> None:
    made = space("""
embedding: {dim: {choice: [8, 16]}}
distill: {heads: {choice: [auxiliary, both], when: "embedding.dim == 8"}, weight: {log: [0.1, 10]}}
""")
    assert made.replay({"embedding.dim": 16}).model.distill is None
    assert made.replay({"embedding.dim": 8}).model.distill == Distill(heads="both")
    assert made.size().discrete == 2 + 1


def test_a_fixed_recipe_and_a_section_of_defaults() -> None:
    assert space("embedding: {dim: {choice: [8, 16]}}\ndistill:").default().model.distill == Distill()
    fixed = space("embedding: {dim: {choice: [8, 16]}}\ndistill: {heads: none, weight: 3}\nwhere: [distill.weight < 2]")
    assert fixed.default().model.distill is None
    assert fixed.allows(fixed.default()), "a recipe without a teacher has no weight"
    assert space_of(read_text(fixed.to_yaml(), "again.yaml"), INPUTS) == fixed


def test_models_are_located_with_and_without_a_teacher() -> None:
    made = space(ALL)
    plain = ModelSpec(embedding=replace(ModelSpec().embedding, dim=8))
    located = made.locate(plain)
    assert located is not None
    assert located.values == {"embedding.dim": 8, "distill.heads": "none"}
    assert located.key == plain.key
    taught = replace(plain, distill=Distill(heads="auxiliary", weight=3.0, half_life_hours=48))
    found = made.locate(taught)
    assert found is not None
    assert found.values["distill.weight"] == 3.0
    far = replace(taught, distill=Distill(heads="auxiliary", weight=20.0, half_life_hours=40))
    assert made.locate(far) is None
    near = made.nearest(far).model.distill
    assert near == Distill(heads="auxiliary", weight=10.0, half_life_hours=48)
    without = space("embedding: {dim: {choice: [8, 16]}}")
    assert without.locate(taught) is None
    assert without.nearest(taught).model == plain


def test_trials_of_before_stay_where_a_section_is_added() -> None:
    old = space("embedding: {dim: {choice: [8, 16]}}\ntrain: {dense_lr: {log: [1.0e-4, 1.0e-2]}}")
    text = old.to_yaml() + "distill: {heads: {choice: [none, auxiliary, both], default: %s}, weight: {log: [0.1, 10]}}"
    for default in ("none", "both"):
        edited, rng = space(text % default), np.random.default_rng(0)
        for _ in range(10):
            trial = old.random(rng)
            assert edited.candidate(edited.answers(trial)).key == trial.key
            if default == "none":
                assert edited.replay(trial.values).key == trial.key


def test_moves_change_the_recipe_and_stay_inside() -> None:
    made, rng = space(ALL), np.random.default_rng(1)
    start = made.default()
    seen = set()
    for _ in range(200):
        mutant = mutate(made, start, rng)
        assert mutant.key != start.key
        assert made.locate(mutant.model) == mutant
        seen |= {path for path in mutant.values if mutant.values[path] != start.values.get(path)}
    assert seen == {decision.path for decision in made.decisions}
    for _ in range(100):
        a, b = made.random(rng), made.random(rng)
        child = crossover(made, a, b, rng)
        assert made.locate(child.model) == child
        assert child.values["distill.heads"] in (a.values["distill.heads"], b.values["distill.heads"])


def test_the_knobs_are_raw_features() -> None:
    made = space(ALL)
    answers = made.sample(None, 60, np.random.default_rng(0))
    table, names = rows(made, answers)
    at = {name: column for column, name in enumerate(names)}
    for row, answered in zip(table, answers, strict=True):
        recipe = made.candidate(answered).model.distill or Distill(heads="none")
        assert row[at["distill.heads"]] == HEADS.index(recipe.heads)
        for name, heads in READ_BY.items():
            value = row[at[f"distill.{name}"]]
            if recipe.heads not in heads:
                assert np.isnan(value)
            elif name != "tasks":
                assert value == float(getattr(recipe, name))


def test_extends_takes_and_changes_a_section(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("extends: ctr-small\ndistill: {heads: {choice: [none, both]}, weight: 2}\n")
    (tmp_path / "top.yaml").write_text("extends: base.yaml\ndistill: {weight: {log: [0.5, 4]}}\n")
    paths = [d.path for d in load_space(tmp_path / "top.yaml").decisions if d.path.startswith("distill.")]
    assert paths == ["distill.heads", "distill.weight"]
    (tmp_path / "top.yaml").write_text("extends: base.yaml\ndistill: {heads: none, weight: {log: [0.5, 4]}}\n")
    with pytest.raises(InputError, match=r"top\.yaml:2:32: a question must be reachable"):
        load_space(tmp_path / "top.yaml")


@pytest.mark.parametrize("name", ["ctr-small", "dhen-small", "own"])
def test_a_space_without_the_section_answers_as_before(name: str) -> None:
    golden = json.loads(GOLDEN.read_text("utf-8"))
    told = golden[name]
    made = space(told["text"]) if "text" in told else load_space(name, INPUTS)
    assert made.to_yaml() == told["yaml"]
    assert [decision.path for decision in made.decisions] == told["paths"]
    assert [made.size().discrete, made.size().continuous, made.size().knobs] == told["size"]
    assert made.default().key == told["default"]
    assert ModelSpec().key == golden["empty"]
    answers = np.array(told["answers"], dtype=np.float64)
    drawn = made.sample(None, 6, np.random.default_rng(0))[: len(answers)]
    np.testing.assert_allclose(drawn, answers, rtol=1e-12)  # a draw takes logarithms; what follows is exact
    assert [made.candidate(row).key for row in answers] == told["keys"]
    assert made.allowed(answers).tolist() == told["allowed"]
    table, names = rows(made, answers)
    assert list(names) == told["features"]
    np.testing.assert_allclose(table, np.array(told["rows"], dtype=np.float64), rtol=1e-12)


def test_a_recipe_is_told_apart_by_every_knob_that_is_read() -> None:
    other = {"weight": 2.0, "alpha": 2.0, "beta": 0.5, "averaged": True, "adapter_width": 0, "adapter_lr": 0.1,
             "half_life_hours": 24.0, "tasks": "all"}  # fmt: skip
    for heads, name in itertools.product(HEADS, READ_BY):
        changed = Distill(**{"heads": heads, name: other[name]})  # type: ignore[arg-type]
        assert (changed == Distill(heads=heads)) == (heads not in READ_BY[name])
    assert ModelSpec(train=Train(epochs=2), distill=Distill()).to_tree()["distill"]["heads"] == "both"
