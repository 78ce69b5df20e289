"""A model made larger by one factor: more FLOPs asked for are more reached, and all but the widths stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.blocks import INTERACTION_BLOCKS, Attention, Cross, Dot, Fm, Linear, Masknet, Mlp, Wukong
from search_spaces.history import DinHistory
from search_spaces.knobs import knobs_of
from search_spaces.model import Embedding, InputShape, Layer, ModelSpec
from search_spaces.widened import NEAR, is_near, widened

INPUTS = InputShape(id_counts=tuple((900, 80, 7, 1) for _ in range(20)), dense=3, train_rows=10_000)
HUMAN = ModelSpec(
    embedding=Embedding(dim=16, lr=0.05),
    interaction=(Layer((Cross(rank=32),)), Layer((Attention(heads=2, head_dim=8), Dot(compress=8)), "sum")),
    deep=(Mlp(width=256, dropout=0.1), Mlp(width=128, norm="layer")),
)
BLOCKS = st.sampled_from([Cross(rank=32), Cross(rank=0), Masknet(), Wukong(), Attention(), Linear()])
MODELS = st.builds(
    lambda blocks, widths, dim: ModelSpec(
        embedding=Embedding(dim=dim),
        interaction=tuple(Layer((block,)) for block in blocks),
        deep=tuple(Mlp(width=width) for width in widths),
    ),
    st.lists(BLOCKS, max_size=3),
    st.lists(st.integers(8, 600), min_size=1, max_size=3),
    st.sampled_from([4, 16]),
)


def flops(model: ModelSpec) -> int:
    return model.cost(INPUTS).flops


def shape(model: ModelSpec) -> object:
    """All but its widths, and the dimension of its embeddings."""

    def rest(spec: object) -> object:
        return type(spec), {name: getattr(spec, name) for name, k in knobs_of(type(spec)).items() if not k.widens}

    layers = [([rest(block) for block in layer.blocks], layer.fuse) for layer in model.interaction]
    own = replace(model.embedding, dim=1), model.train, model.wiring, model.members
    return layers, [rest(mlp) for mlp in model.deep], own


@pytest.mark.parametrize("factor", [1.5, 2, 8, 50, 200])
def test_it_reaches_what_is_asked_for(factor: float) -> None:
    wide = widened(HUMAN, INPUTS, factor * flops(HUMAN))
    assert is_near(flops(wide), factor * flops(HUMAN))
    assert shape(wide) == shape(HUMAN)
    assert wide.embedding == HUMAN.embedding, "the table stays where the rest is wide enough"
    assert wide == widened(HUMAN, INPUTS, factor * flops(HUMAN))


def test_once_its_flops_is_the_model_itself() -> None:
    assert widened(HUMAN, INPUTS, flops(HUMAN)) == HUMAN


@settings(max_examples=40, deadline=None)
@given(model=MODELS, factors=st.tuples(st.floats(1, 300), st.floats(1, 300)))
def test_more_asked_for_is_never_less_reached(model: ModelSpec, factors: tuple[float, float]) -> None:
    few, many = (widened(model, INPUTS, factor * flops(model)) for factor in sorted(factors))
    assert flops(model) <= flops(few) <= flops(many)
    assert shape(few) == shape(many) == shape(model)


def test_widths_grow_together_and_round_to_eights() -> None:
    wide = widened(HUMAN, INPUTS, 8 * flops(HUMAN))
    widths = [mlp.width for mlp in wide.deep]
    assert all(width % 8 == 0 for width in widths)
    assert widths[0] / 256 == pytest.approx(widths[1] / 128, rel=0.05)


def test_a_rank_ends_where_the_full_matrix_is_cheaper_and_a_full_one_stays() -> None:
    ranks = [replace(HUMAN, interaction=(Layer((Cross(rank=rank),)),)) for rank in (32, 0)]
    low, full = (widened(model, INPUTS, 300 * flops(model)).interaction[0].blocks[0] for model in ranks)
    assert isinstance(low, Cross)
    assert low.rank == HUMAN.fields_shape(INPUTS).width // 2
    assert full == Cross(rank=0)


def test_without_another_width_the_embeddings_grow() -> None:
    plain = ModelSpec(embedding=Embedding(dim=8), interaction=(Layer((Fm(),)), Layer((Linear(),))))
    wide = widened(plain, INPUTS, 4 * flops(plain))
    assert wide.embedding.dim > 8
    assert is_near(flops(wide), 4 * flops(plain))


def test_what_it_cannot_reach_falls_short() -> None:
    least = ModelSpec(embedding=Embedding(dim=1024), interaction=(Layer((Fm(),)),))
    wide = widened(least, INPUTS, 100 * flops(least))
    assert flops(wide) < (1 - NEAR) * 100 * flops(least)


def test_how_histories_are_read_is_widened_too() -> None:
    reads = replace(HUMAN, history=DinHistory(units=16))
    wide = widened(reads, INPUTS, 8 * flops(reads))
    assert isinstance(wide.history, DinHistory)
    assert wide.history.units > 16


def test_every_width_of_a_block_is_an_integer_of_one_or_more() -> None:
    for block in INTERACTION_BLOCKS.values():
        assert all(k.kind is int and k.ge is not None for k in knobs_of(block).values() if k.widens)
