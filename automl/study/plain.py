"""Frozen values to what JSON holds, and back; their fields are the keys, their docstrings the schema's words."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Generic, TypeVar, cast

from pydantic import BeforeValidator, PlainSerializer, PlainValidator, TypeAdapter, ValidationError, WithJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from search_spaces.errors import InputError, Mistake, Position
from search_spaces.model import ModelSpec

T = TypeVar("T")
Plain = dict[str, object]  # an object as json.loads gives it


def _model(found: object) -> ModelSpec:
    if isinstance(found, ModelSpec):
        return found
    if not isinstance(found, Mapping):
        raise ValueError("must be a model as a mapping")
    return ModelSpec.from_tree(found)


Number = Annotated[
    float,
    BeforeValidator(lambda found: math.nan if found is None else found),
    PlainSerializer(lambda value: value if math.isfinite(value) else None, return_type=float | None),
    WithJsonSchema({"type": ["number", "null"]}),
]
"""NaN where nothing was measured; null in JSON, which knows no NaN."""

Model = Annotated[
    ModelSpec,
    PlainValidator(_model),
    PlainSerializer(ModelSpec.to_tree, return_type=dict),
    WithJsonSchema({"type": "object", "description": "A model, as a model file has it, all knobs filled in."}),
]


class Codec(Generic[T]):
    """Values of one kind, a frozen dataclass, to plain data and back. What it needs is made when it is first used."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind

    def plain(self, value: T) -> Plain:
        """What JSON holds of a value: its fields as keys, without NaN."""
        return cast(Plain, self._adapter.dump_python(value, mode="json"))

    def value(self, found: object, file: str) -> T:
        """The value that JSON holds. Keys that it does not know are left alone.

        Raises:
            InputError: every key that is missing or holds something else, each by its path.
        """
        try:
            return self._adapter.validate_python(found)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
        at = Position(file)
        raise InputError(Mistake(at, f"{'.'.join(map(str, one['loc']))}: {one['msg'].lower()}") for one in details)

    def read(self, file: Path) -> T:
        """The value that a file holds.

        Raises:
            InputError: where it is no JSON, or holds something else.
        """
        return self.value(read_json(file), str(file))

    def schema(self) -> Plain:
        """The JSON schema of what `plain` gives."""
        return self._adapter.json_schema(mode="serialization", schema_generator=_Schema)

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        return TypeAdapter(self._kind)


def read_json(file: Path) -> object:
    """What a file holds.

    Raises:
        InputError: where it is no JSON.
    """
    try:
        found: object = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError.of(str(file), "must be JSON", str(error)) from error
    return found


class _Schema(GenerateJsonSchema):
    """Every key is always written, and a name says enough: no titles, no defaults."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def field_is_required(self, field: object, total: bool) -> bool:
        return True

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])
