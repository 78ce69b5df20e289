"""Mutation and crossover: what they change, and how far."""

from __future__ import annotations

import numpy as np

from search_spaces.moves import crossover, mutate
from search_spaces.source import read_text
from search_spaces.space import load_space, space_of


def test_a_mutant_differs_and_is_near() -> None:
    space, rng = load_space("ctr-small"), np.random.default_rng(0)
    start = space.default()
    shares = []
    for _ in range(300):
        mutant = mutate(space, start, rng)
        assert mutant.key != start.key
        common = set(start.values) & set(mutant.values)
        shares.append(sum(start.values[path] != mutant.values[path] for path in common))
    assert np.mean(shares) < 3


def test_numbers_move_by_the_strength() -> None:
    space = space_of(read_text("train: {dense_lr: {log: [1.0e-6, 1.0]}}", "s.yaml"))
    start = space.default()
    for strength in (0.02, 0.3):
        rng = np.random.default_rng(1)
        rates = [float(mutate(space, start, rng, strength).values["train.dense_lr"]) for _ in range(400)]
        spread = np.std(np.log10(rates)) / 6
        assert 0.6 * strength < spread < 1.1 * strength
        assert all(1e-6 <= rate <= 1 for rate in rates)


def test_layers_are_inserted_deleted_and_swapped() -> None:
    text = "interaction: {repeat: {int: [0, 4]}, one_of: {cross: {}, fm: {}, dot: {}, linear: {}}}"
    space = space_of(read_text(text, "s.yaml"))
    names = ["cross", "fm", "dot"]
    start = space.replay({"interaction.repeat": 3, **{f"interaction[{i}].block": name for i, name in enumerate(names)}})
    rng = np.random.default_rng(2)
    seen = set()
    for _ in range(400):
        mutant = mutate(space, start, rng)
        seen.add(tuple(layer.blocks[0].name for layer in mutant.model.interaction))
    assert ("fm", "dot") in seen, "the first layer deleted, the others kept"
    assert ("cross", "dot", "fm") in seen, "two layers swapped"
    at_first = [layers for layers in seen if len(layers) == 4 and list(layers[1:]) == names]
    assert at_first, "a layer inserted before the others"


def test_the_only_candidate_comes_back() -> None:
    space = space_of(read_text("embedding: {dim: {choice: [16]}}", "s.yaml"))
    assert mutate(space, space.default(), np.random.default_rng(0)) == space.default()


def test_a_child_takes_each_answer_from_a_parent() -> None:
    space, rng = load_space("ctr-small"), np.random.default_rng(3)
    for _ in range(100):
        a, b = space.random(rng), space.random(rng)
        child = crossover(space, a, b, rng)
        for path, value in child.values.items():
            parents = [parent.values[path] for parent in (a, b) if path in parent.values]
            assert value in parents


def test_moves_repeat_with_their_seed() -> None:
    space = load_space("dhen-small")
    keys = [[mutate(space, space.default(), np.random.default_rng(s)).key for s in range(20)] for _ in range(2)]
    assert keys[0] == keys[1]
