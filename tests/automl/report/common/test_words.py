"""A model in words and as YAML: what is copied from the page must be the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.report.common.words import architecture, changes, difference, knobs, short_difference, to_yaml, training
from search_spaces.blocks import Cross, Mlp
from search_spaces.dense_forms import PiecewiseForm
from search_spaces.history import DinHistory
from search_spaces.model import Distill, Embedding, Layer, ModelSpec, Train
from search_spaces.source import read_text
from search_spaces.space import load_space, model_of
from tests.worlds.report_studies import HUMAN, small_space

SPACES = {name: load_space(name) for name in ("ctr-small", "dhen-small")}


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(SPACES)), st.integers(0, 2**32))
def test_yaml_of_a_model_reads_as_the_model(name: str, seed: int) -> None:
    model = SPACES[name].random(np.random.default_rng(seed)).model
    assert model_of(read_text(to_yaml(model), "copied.yaml")) == model


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_difference_holds_both_files(seed: int) -> None:
    model = small_space().random(np.random.default_rng(seed)).model
    marked = difference(model, HUMAN)
    assert "\n".join(line for mark, line in marked if mark != "-") + "\n" == to_yaml(model)
    assert "\n".join(line for mark, line in marked if mark != "+") + "\n" == to_yaml(HUMAN)
    short = short_difference(marked)
    assert [item for item in short if item[0] != " "] == [item for item in marked if item[0] != " "]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_something_is_said_wherever_models_differ(seed: int) -> None:
    model = small_space().random(np.random.default_rng(seed)).model
    assert bool(changes(model, HUMAN)) == (model != HUMAN)
    assert (knobs(model) == knobs(HUMAN)) == (model == HUMAN)


def test_the_human_model_in_words() -> None:
    assert architecture(HUMAN) == "embeddings of 16, 2 × cross (rank 32), deep tower 256-128 (relu, dropout 0.1)"
    assert training(HUMAN) == (
        "batch 1,024, dense rate 0.001, embedding rate 0.02, constant schedule, shuffled order, "
        "ids seen 2 times or more"
    )
    assert changes(HUMAN, HUMAN) == []
    assert short_difference(difference(HUMAN, HUMAN)) == []


def test_how_histories_are_read_stands_as_yaml() -> None:
    (line,) = [line for mark, line in difference(replace(HUMAN, history=DinHistory(units=8)), HUMAN) if "din:" in line]
    assert line == "  din: {length: 50, action: 0, gaps: true, units: 8, softmax: false, nearest: 0}"


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (ModelSpec(deep=(Mlp(width=64),)), "no interaction layer"),
        (ModelSpec(interaction=(Layer((Cross(rank=0),)),)), "cross (full matrix)"),
        (ModelSpec(interaction=(Layer((Cross(rank=8),)),)), "no deep tower"),
        (
            ModelSpec(interaction=(Layer((Cross(rank=8),)),), deep=(Mlp(width=64),), wiring="parallel"),
            "deep tower 64 (relu) beside it",
        ),
        (ModelSpec(deep=(Mlp(width=64, norm="layer"), Mlp(width=32))), "64-32 (norm layer/none, relu)"),
    ],
)
def test_words_of_special_models(model: ModelSpec, words: str) -> None:
    assert words in architecture(model)


def test_changes_name_the_knobs() -> None:
    model = ModelSpec(
        embedding=Embedding(dim=8, lr=0.02),
        interaction=HUMAN.interaction[:1],
        deep=HUMAN.deep[1:],
        train=Train(batch_size=512, dense_lr=1e-3),
    )
    assert changes(model, HUMAN) == [
        "embedding dim 16 → 8",
        "train batch size 1,024 → 512",
        "interaction 2 × cross (rank 32) → cross (rank 32)",
        "deep 256-128 (relu, dropout 0.1) → 128 (relu, dropout 0.1)",
    ]


def test_what_is_left_out_and_merged_is_told() -> None:
    model = replace(HUMAN, without=("price", "@hour"), embedding=replace(HUMAN.embedding, merge=8, split=2000))
    words = "features of up to 8 ids as one field, more than 2,000 ids in two tables, without @hour, price, "
    assert architecture(model).startswith(f"embeddings of 16, {words}")
    assert changes(model, HUMAN) == [
        "embedding merge 0 → 8",
        "embedding split 0 → 2,000",
        "features left out none → @hour, price",
    ]
    assert {name: value for name, value in knobs(model).items() if knobs(HUMAN).get(name) != value} == {
        "features.@hour": False,
        "features.price": False,
        "embedding.merge": 8,
        "embedding.split": 2000,
    }
    assert model_of(read_text(to_yaml(model), "copied.yaml")) == model
    odd = replace(HUMAN, without=("@rate(click | user_id; 6h)", "no", "a: b", "ünï", '"'))
    assert model_of(read_text(to_yaml(odd), "copied.yaml")) == odd
    many = replace(HUMAN, without=tuple("abcdef"))
    assert "without a, b, c and 3 more" in architecture(many)


def test_a_teacher_is_told() -> None:
    taught = replace(HUMAN, distill=Distill(heads="auxiliary", weight=3.0))
    words = "auxiliary (weight 3, alpha 1, beta 1, averaged no, half life hours 0, tasks own)"
    assert training(taught) == f"{training(HUMAN)}, teacher {words}"
    assert changes(taught, HUMAN) == [f"teacher none → {words}"]
    assert changes(HUMAN, taught) == [f"teacher {words} → none"]
    assert model_of(read_text(to_yaml(taught), "copied.yaml")) == taught
    assert knobs(taught) == {**knobs(HUMAN), **{f"distill.{k}": v for k, v in taught.to_tree()["distill"].items()}}


def test_a_form_of_numbers_is_told() -> None:
    formed = replace(HUMAN, dense=PiecewiseForm(bins=8))
    words = "piecewise (together no, bins 8)"
    assert architecture(formed).startswith(f"embeddings of 16, numbers by {words}, ")
    assert changes(formed, HUMAN) == [f"numbers linear → {words}"]
    assert changes(HUMAN, formed) == [f"numbers {words} → linear"]
    assert knobs(formed)["dense.block"] == "piecewise"
    assert knobs(formed)["dense.piecewise.bins"] == 8


def test_a_history_is_told() -> None:
    reading = replace(HUMAN, history=DinHistory(units=16))
    words = "din (length 50, action 0, gaps yes, units 16, softmax no, nearest 0)"
    assert architecture(reading).startswith(f"embeddings of 16, history by {words}, ")
    assert changes(reading, HUMAN) == [f"history none → {words}"]
    assert changes(HUMAN, reading) == [f"history {words} → none"]
    assert model_of(read_text(to_yaml(reading), "copied.yaml")) == reading
    assert knobs(reading)["history.din.units"] == 16


def test_a_precision_that_only_one_names_is_told() -> None:
    half = replace(HUMAN, train=replace(HUMAN.train, precision="bf16"))
    assert changes(half, HUMAN) == ["train precision fp32 → bf16"]
    assert changes(HUMAN, half) == ["train precision bf16 → fp32"]


def test_optimizers_are_told_where_they_are_not_the_usual_ones() -> None:
    other = replace(
        HUMAN,
        embedding=replace(HUMAN.embedding, optimizer="adam"),
        train=replace(HUMAN.train, optimizer="sgd", accumulate=4),
    )
    assert "dense weights by sgd, embeddings by adam, 4 batches a step" in training(other)
    assert " by " not in training(HUMAN)
