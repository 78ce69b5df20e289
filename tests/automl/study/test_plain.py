"""Frozen values as JSON: NaN, models, and what is said of a file that holds something else."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from automl.study.plain import Codec, Model, Number
from search_spaces.distill import Distill
from search_spaces.errors import InputError
from search_spaces.model import Embedding, ModelSpec


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a thing."""

    size: Number
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing. model: what it is."""

    model: Model
    parts: Mapping[str, Part]


THING = Thing(
    ModelSpec(embedding=Embedding(dim=4), distill=Distill(heads="plain")),
    {"a": Part(0.1 + 0.2, ("x", "y")), "b": Part(math.nan)},
)
CODEC = Codec(Thing)


def test_a_value_comes_back_as_it_was() -> None:
    text = json.dumps(CODEC.plain(THING), allow_nan=False)
    found = CODEC.value(json.loads(text), "thing.json")
    assert found.model == THING.model
    assert found.parts["a"] == THING.parts["a"]
    assert math.isnan(found.parts["b"].size)
    assert json.dumps(CODEC.plain(found)) == text


def test_what_was_not_measured_is_null() -> None:
    plain = CODEC.plain(THING)
    assert plain["parts"] == {"a": {"size": 0.1 + 0.2, "names": ["x", "y"]}, "b": {"size": None, "names": []}}
    assert CODEC.plain(Thing(THING.model, {"a": Part(math.inf)}))["parts"] == {"a": {"size": None, "names": []}}


def test_keys_of_later_files_are_left_alone() -> None:
    later = {**CODEC.plain(THING), "colour": "red"}
    assert CODEC.value(later, "thing.json").model == THING.model


def test_every_fault_is_told_with_its_path() -> None:
    broken = {"model": {"embeding": {}}, "parts": {"a": {"size": "large"}, "b": {"names": 3, "size": 1}}}
    with pytest.raises(InputError) as caught:
        CODEC.value(broken, "thing.json")
    told = [str(mistake) for mistake in caught.value.mistakes]
    assert [line.split(": ")[:2] for line in told] == [
        ["thing.json", "model"],
        ["thing.json", "parts.a.size"],
        ["thing.json", "parts.b.names"],
    ]
    assert "unknown keys embeding" in told[0]
    with pytest.raises(InputError, match="must be a model as a mapping"):
        CODEC.value({"model": 3, "parts": {}}, "thing.json")


def test_a_file_that_is_no_json_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "thing.json").write_text("{")
    with pytest.raises(InputError, match=r"thing\.json: must be JSON"):
        CODEC.read(tmp_path / "thing.json")
    (tmp_path / "thing.json").write_text(json.dumps(CODEC.plain(THING)))
    assert CODEC.read(tmp_path / "thing.json").model == THING.model


def test_the_schema_says_what_is_written() -> None:
    schema = CODEC.schema()
    assert schema["description"] == "A thing. model: what it is."
    assert schema["required"] == ["model", "parts"]
    parts = schema["$defs"]["Part"]
    assert parts["required"] == ["size", "names"], "what has a default is written too"
    assert parts["properties"]["size"] == {"type": ["number", "null"]}
