"""What holds for every space: spaces are drawn, written to YAML and read, then walked."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from typing import Any

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from search_spaces.blocks import INTERACTION_BLOCKS, Mlp
from search_spaces.decisions import Decision, Flag, Integer, Real, bin_of, bins
from search_spaces.dense_forms import DENSE_FORMS
from search_spaces.errors import InputError
from search_spaces.history import HISTORIES
from search_spaces.inputs import HistoryShape
from search_spaces.knobs import Knob, Value, knobs_of
from search_spaces.model import Distill, Embedding, InputShape, ModelSpec, Tasks, Train
from search_spaces.moves import crossover, mutate
from search_spaces.source import read_text
from search_spaces.space import Candidate, SearchSpace, space_of

LISTS = HistoryShape(1, 4, ((5, 3, 2, 0, 6), *[(9, 4, 3, 0, 0)] * 8), timed=True)
NAMES = ("user", "@hour", "age", "price", "watched")
INPUTS = InputShape(((9, 5, 2, 1), (7, 7, 1)), dense=2, train_rows=1000, histories=(LISTS,), names=NAMES)
PROPERTY = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def domains(draw: st.DrawFn, knob: Knob, when: tuple[str, ...] = ()) -> Any:
    """A value or a domain for a knob."""
    if knob.choices:
        options = draw(st.lists(st.sampled_from(knob.choices), min_size=1, max_size=3, unique=True))
        domain: Any = {"choice": options}
    elif knob.kind is bool:
        domain = {"choice": draw(st.sampled_from([[True, False], [False, True], [True]]))}
    elif knob.kind is int:
        low = int(knob.ge or 0) + draw(st.integers(0, 4 if knob.le is None else min(4, int(knob.le - (knob.ge or 0)))))
        steps, step = draw(st.integers(1, 5)), draw(st.integers(1, 3))
        high = min(low + steps * step, int(knob.le)) if knob.le is not None else low + steps * step
        forms = [{"choice": list(range(low, high + 1, step))}]
        if high > low and (high - low) % step == 0:
            forms.append({"int": [low, high], "step": step})
        if high > low >= 1:
            forms.append({"log": [low, high]})
        domain = draw(st.sampled_from(forms))
    else:
        low = draw(st.sampled_from([0.05, 0.1]))
        domain = draw(st.sampled_from([{"float": [low, 0.3]}, {"log": [low, 0.4]}, {"choice": [low, 0.2]}]))
    if when and draw(st.booleans()):
        domain = {**domain, "when": draw(st.sampled_from(when))}
    fixed = domain["choice"][0] if "choice" in domain else knob.default
    return draw(st.sampled_from([domain, domain, fixed]))


@st.composite
def blocks(draw: st.DrawFn, spec: type, when: tuple[str, ...] = ()) -> dict[str, Any]:
    """Some of the knobs of a block."""
    knobs = knobs_of(spec)
    names = draw(st.lists(st.sampled_from(sorted(knobs)), unique=True, max_size=3)) if knobs else []
    return {name: draw(domains(knobs[name], when)) for name in names}


REPEATS = st.sampled_from([1, 2, {"int": [0, 2]}, {"int": [1, 3], "default": 3}, {"choice": [2, 0]}])


@st.composite
def layers(draw: st.DrawFn) -> dict[str, Any]:
    """The form of an interaction layer."""
    names = draw(st.lists(st.sampled_from(sorted(INTERACTION_BLOCKS)), min_size=1, max_size=3, unique=True))
    when = ("wiring == stacked", "interaction.repeat >= 1")
    made = {name: draw(blocks(INTERACTION_BLOCKS[name], when)) for name in names}
    fuse = draw(st.sampled_from(["sum", {"choice": ["concat", "sum"]}]))
    forms: list[dict[str, Any]] = [{"one_of": made}, {"any_of": made, "fuse": fuse}]
    forms.append({names[0]: made[names[0]]} if len(names) == 1 else {**made, "fuse": fuse})
    return draw(st.sampled_from(forms))


def shared_in(layer: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What repeated layers may share: all, nothing, or some of what each of them has."""
    chosen = layer.get("one_of", layer if "any_of" not in layer else {})
    blocks = {name: knobs for name, knobs in chosen.items() if name not in ("fuse", "default")}
    names = [f"{block}.{knob}" for block, knobs in blocks.items() for knob in knobs or {}]
    names += ["fuse"] if "fuse" in layer or "any_of" in layer else []
    always = ["block"] if len(layer.get("one_of", ())) > 1 else []
    some = st.lists(st.sampled_from(names), unique=True) if names else st.just([])
    return st.booleans() | some.map(lambda found: [*always, *found])


@st.composite
def features(draw: st.DrawFn) -> dict[str, Any]:
    """Some features by themselves or in a group."""
    asked = domains(Knob(bool, True), ("wiring == stacked", "embedding.dim > 4"))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    if draw(st.booleans()):
        return {"some": {"of": names, "read": draw(asked)}}
    return {name: draw(asked) for name in names}


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    """The plain data of a space file."""
    tree: dict[str, Any] = {
        "embedding": draw(blocks(Embedding, ("train.batch_size > 1", "wiring != parallel"))),
        "train": draw(blocks(Train, ("deep.repeat == 2", "count(interaction) >= 1"))),
        "wiring": draw(st.sampled_from(["stacked", {"choice": ["stacked", "parallel"]}])),
    }
    members = draw(st.sampled_from([None, 2, {"choice": [1, 2, 4]}, {"int": [1, 3], "when": "wiring == parallel"}]))
    if members is not None:
        tree["members"] = members
    layer = draw(layers())
    tree["interaction"] = {"repeat": draw(REPEATS), "shared": draw(shared_in(layer)), **layer}
    mlp = draw(blocks(Mlp, ("norm == none", "deep.mlp.activation != gelu or wiring == stacked", "width > 2")))
    repeated = {"repeat": draw(REPEATS), "shared": draw(shared_in({"mlp": mlp})), "mlp": mlp}
    tree["deep"] = draw(st.sampled_from([repeated, [{"mlp": mlp}, {"mlp": {}}]]))
    if draw(st.booleans()):
        tree["interaction"] = [draw(layers()), draw(layers())]
    if draw(st.booleans()):
        tree["tasks"] = draw(blocks(Tasks, ("sharing != ple", "not esmm", "wiring == stacked", "tower_layers > 1")))
    if draw(st.booleans()):
        tree["distill"] = draw(blocks(Distill, ("heads != plain", "not averaged", "wiring == stacked")))
    if draw(st.booleans()):
        ways = draw(st.lists(st.sampled_from(sorted(HISTORIES)), min_size=1, max_size=3, unique=True))
        read = {way: draw(blocks(HISTORIES[way], ("wiring == stacked", "embedding.dim > 4"))) for way in ways}
        tree["history"] = read if len(ways) == 1 else {"one_of": read, "default": ways[-1]}
    if draw(st.booleans()):
        forms = draw(st.lists(st.sampled_from(sorted(DENSE_FORMS)), min_size=1, max_size=3, unique=True))
        formed = {form: draw(blocks(DENSE_FORMS[form], ("wiring == stacked", "embedding.dim > 4"))) for form in forms}
        tree["dense"] = formed if len(forms) == 1 else {"one_of": formed, "default": forms[-1]}
    if draw(st.booleans()):
        tree["features"] = draw(features())
    where = ["embedding.dim <= 8", "sum(deep.mlp.width) <= 700", "not (wiring == parallel and embedding.lr > 0.1)",
             "count(interaction) >= 1", "params <= 10K", "max(deep.mlp.width) > min(deep.mlp.width)"]  # fmt: skip
    if "distill" in tree:
        where.append("distill.weight <= 0.2 or distill.heads == both")
    tree["where"] = draw(st.lists(st.sampled_from(where), max_size=2, unique=True))
    return tree


FORESEEN = (
    "at least one knob open", "must be reachable", "must be satisfiable", "must not go in a circle",
    "a name must be a knob", "must name a", "is repeated",
)  # fmt: skip


def yaml_of(tree: Any) -> str:
    out = StringIO()
    YAML(typ="safe", pure=True).dump(tree, out)
    return out.getvalue()


def loaded(tree: Any) -> SearchSpace | None:
    """None where the draw is no good space: nothing open, a branch out of reach, constraints that conflict."""
    try:
        return space_of(read_text(yaml_of(tree), "drawn.yaml"), INPUTS)
    except InputError as error:
        unexpected = [mistake for mistake in error.mistakes if not any(word in mistake.must for word in FORESEEN)]
        if unexpected:
            raise
        return None


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    space = loaded(draw(trees()))
    assume(space is not None)
    assert space is not None
    return space


def drawn(space: SearchSpace, seed: int) -> Candidate:
    rng = np.random.default_rng(seed)
    return space.walk(lambda decision: decision.draw(rng))


SEEDS = st.integers(0, 1000)


@PROPERTY
@given(spaces(), SEEDS)
def test_walk_and_batch_ask_the_same(space: SearchSpace, seed: int) -> None:
    space = replace(space, inputs=None)  # so that nothing is settled
    answers_ND = space.sample(None, 8, np.random.default_rng(seed))
    for row in answers_ND:
        at = {decision.path: number for decision, number in zip(space.decisions, row, strict=True)}
        asked: list[str] = []

        def choose(decision: Decision, at: dict[str, float] = at, asked: list[str] = asked) -> Value:
            asked.append(decision.path)
            return decision.decode(at[decision.path])

        walked = space.walk(choose)
        assert asked == [path for path, number in at.items() if not np.isnan(number)]
        assert walked == space.candidate(row)
        np.testing.assert_array_equal(space.answers(walked), row)
        assert list(walked.values) == asked


@PROPERTY
@given(spaces(), SEEDS)
def test_what_is_settled_is_the_same_model(space: SearchSpace, seed: int) -> None:
    """As far as costs and fields tell, whatever was answered; and it is settled once."""
    plain = replace(space, inputs=None)
    for row in space.sample(None, 6, np.random.default_rng(seed)):
        asked, taken = plain.candidate(row).model, space.candidate(row)
        if asked.read_of(INPUTS).fields:
            assert taken.model.cost(INPUTS) == asked.cost(INPUTS)
            assert taken.model.fields_shape(INPUTS) == asked.fields_shape(INPUTS)
        assert space.replay(taken.values) == taken
        np.testing.assert_array_equal(space.answers(taken), space.answers(space.candidate(space.answers(taken))))


@PROPERTY
@given(spaces(), SEEDS)
def test_masks_hold_for_walked_candidates(space: SearchSpace, seed: int) -> None:
    rows = np.stack([space.answers(drawn(space, seed + i)) for i in range(4)])
    for column, decision in enumerate(space.decisions):
        np.testing.assert_array_equal(decision.condition.mask(rows), ~np.isnan(rows[:, column]))
        assert [decision.condition.asked(row.tolist()) for row in rows] == decision.condition.mask(rows).tolist()
        assert all(look < column for look in decision.condition.columns())


@PROPERTY
@given(spaces(), SEEDS)
def test_an_any_of_layer_is_never_empty(space: SearchSpace, seed: int) -> None:
    silent = space.walk(lambda d: False if isinstance(d.domain, Flag) else d.default)
    assert all(layer.blocks for layer in silent.model.interaction)
    for row in space.sample(None, 16, np.random.default_rng(seed)):
        assert all(layer.blocks for layer in space.candidate(row).model.interaction)


@PROPERTY
@given(spaces())
def test_yaml_round_trip(space: SearchSpace) -> None:
    again = space_of(read_text(space.to_yaml(), "again.yaml"), INPUTS)
    assert again == space
    assert again.to_yaml() == space.to_yaml()
    assert again.decisions == space.decisions
    assert again.default() == space.default()


@PROPERTY
@given(spaces(), SEEDS)
def test_replay_and_locate_find_a_candidate_again(space: SearchSpace, seed: int) -> None:
    candidate = drawn(space, seed)
    assert space.replay(candidate.values) == candidate
    located = space.locate(candidate.model)
    assert located is not None
    assert located.key == candidate.key
    assert space.nearest(candidate.model).key == candidate.key
    assert ModelSpec.from_tree(candidate.model.to_tree()) == candidate.model


@PROPERTY
@given(spaces(), spaces(), SEEDS)
def test_replay_onto_another_space_lands_inside(space: SearchSpace, other: SearchSpace, seed: int) -> None:
    candidate = drawn(space, seed)
    for inside in (other.replay(candidate.values), other.nearest(candidate.model)):
        assert other.locate(inside.model) is not None
        other.answers(inside)


@PROPERTY
@given(spaces(), SEEDS)
def test_moves_stay_inside(space: SearchSpace, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = drawn(space, seed), drawn(space, seed + 1)
    for made in (mutate(space, a, rng), mutate(space, b, rng, strength=0.9), crossover(space, a, b, rng)):
        assert space.locate(made.model) is not None
        np.testing.assert_array_equal(space.answers(made), space.answers(space.replay(made.values)))


@PROPERTY
@given(spaces(), SEEDS)
def test_a_crossover_of_one_is_itself(space: SearchSpace, seed: int) -> None:
    candidate = drawn(space, seed)
    assert crossover(space, candidate, candidate, np.random.default_rng(seed)) == candidate


@PROPERTY
@given(spaces(), SEEDS)
def test_allowed_is_allows_of_each(space: SearchSpace, seed: int) -> None:
    answers_ND = space.sample(None, 12, np.random.default_rng(seed))
    assert space.allowed(answers_ND).tolist() == [space.allows(space.candidate(row)) for row in answers_ND]


@PROPERTY
@given(spaces(), SEEDS)
def test_logits_draw_their_bin(space: SearchSpace, seed: int) -> None:
    rng = np.random.default_rng(seed)
    wanted = [int(rng.integers(bins(decision))) for decision in space.decisions]
    logits = [np.where(np.arange(bins(d)) == w, 50.0, 0.0) for d, w in zip(space.decisions, wanted, strict=True)]
    answers_ND = space.sample(logits, 16, rng)
    for column, decision in enumerate(space.decisions):
        found = bin_of(decision, answers_ND[:, column])
        if not isinstance(decision.domain, Flag):  # a flag may be set where a layer would be empty
            assert set(found.tolist()) <= {-1, wanted[column]}
        assert ((found == -1) == np.isnan(answers_ND[:, column])).all()


def enumerated(space: SearchSpace) -> Iterator[Candidate]:
    """Every combination of discrete answers, by a walk for each: continuous ones at their defaults."""
    prefix: list[int] = []
    while True:
        counts: list[int] = []

        def choose(decision: Decision, counts: list[int] = counts) -> Value:
            if decision.domain.count is None:
                return decision.default
            place = len(counts)
            if place == len(prefix):
                prefix.append(0)
            counts.append(decision.domain.count)
            if isinstance(decision.domain, Integer):
                return decision.domain.low + prefix[place] * decision.domain.step
            return decision.decode(float(prefix[place]))

        yield space.walk(choose)
        while prefix and prefix[-1] + 1 == counts[len(prefix) - 1]:
            prefix.pop()
        if not prefix:
            return
        prefix[-1] += 1


@PROPERTY
@given(spaces())
def test_size_is_what_can_be_counted(space: SearchSpace) -> None:
    space = replace(space, inputs=None)
    looked_at = {c for d in space.decisions for c in d.condition.columns()}
    assume(not any(isinstance(space.decisions[c].domain, Real) for c in looked_at))
    size = space.size()
    assume(size.discrete <= 1500)
    found = {tuple(candidate.values.items()) for candidate in itertools.islice(enumerated(space), 20_000)}
    assert size.discrete == len(found)
    assert size.continuous == sum(isinstance(d.domain, Real) for d in space.decisions)


def test_modules_side_by_side_have_no_order() -> None:
    keys = set()
    for order in (("cross", "dot", "linear"), ("linear", "cross", "dot")):
        layer = {"repeat": 1, "any_of": {name: {} for name in order}}
        space = loaded({"interaction": layer, "embedding": {"dim": {"choice": [8, 16]}}})
        assert space is not None
        keys.add(space.replay({f"interaction[0].{name}": True for name in order}).key)
    assert len(keys) == 1
