"""Encoders as files: beside the columns of an encoded folder, and in the file of an exported model.

Needs NumPy and pyarrow only; nothing is unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pyarrow as pa
import pyarrow.parquet as pq

from automl.data.columns.numbers import Scales
from automl.data.columns.times import Unit, is_made
from automl.data.columns.vocabulary import Vocabulary
from automl.data.store.encoders import UNTOLD, Encoders, Origin, ServedTime, SideColumns
from automl.data.store.folder import read_facts
from automl.data.store.keyed import whole
from automl.data.store.served_lists import ServedSequence
from automl.files.parts import Parts
from search_spaces.errors import InputError, first_line

_SCALES = "dense.json"
_FILE = "encoders/encoders.json"


def write_encoders(folder: Path, vocabularies: Sequence[Vocabulary], scales: Scales) -> None:
    """Beside the columns, for whoever encodes a new table the same way."""
    (folder / _SCALES).write_text(json.dumps(scales.to_json()))
    (folder / "vocabularies").mkdir()
    for f, vocabulary in enumerate(vocabularies):
        pq.write_table(pa.table({"value": vocabulary.values, "count": vocabulary.counts}), _vocabulary_file(folder, f))


def read_vocabulary(folder: Path, f: int) -> pa.Array:
    """Values of an id field of an encoded folder: id k is the k-th, from 1."""
    return whole(pq.read_table(_vocabulary_file(folder, f), columns=["value"])["value"])


def _vocabulary_file(folder: Path, f: int) -> Path:
    return folder / "vocabularies" / f"{f:03d}.parquet"


def encoders_of(
    folder: Path,
    time: ServedTime | None = None,
    sides: Sequence[SideColumns] = (),
    origin: Origin = UNTOLD,
    sequences: Sequence[ServedSequence] = (),
) -> Encoders:
    """Encoders from the folder of an encoded log or stream.

    `time` is needed where a feature is made from it. What a folder's facts do not hold, how its tables were joined and
    timed, is told by the data description.

    Raises:
        InputError: where the folder holds no encoders, or a feature is made from a time that is not told.
    """
    facts = read_facts(folder, "must hold an encoded log")
    try:
        scales = Scales.of_json(json.loads((folder / _SCALES).read_text()))
    except (OSError, ValueError) as error:
        raise InputError.of(str(folder), "must hold an encoded log", first_line(error)) from error
    made = [name for name in (*facts["fields"], *facts["dense"]) if is_made(name)]
    if made and time is None:
        raise InputError.of(str(folder), f"{', '.join(made)} must have a time to be made from", "none")
    return Encoders(
        fields=tuple(facts["fields"]),
        dense=tuple(facts["dense"]),
        values=tuple(read_vocabulary(folder, f) for f in range(len(facts["fields"]))),
        scales=scales,
        time=time,
        sides=tuple(sides),
        origin=origin,
        sequences=tuple(sequences),
        buckets=tuple(facts.get("buckets", ())),
    )


def told_actions(folder: Path) -> dict[str, tuple[str, ...]]:
    """The names of the actions of each sequence of an encoded log."""
    told = read_facts(folder, "must hold an encoded log").get("histories", ())
    return {one["name"]: tuple(one["actions"]) for one in told}


def told_unit(folder: Path) -> Unit | None:
    """The unit of a numeric time, where a folder's facts tell it."""
    unit: Unit | None = read_facts(folder, "must hold an encoded log").get("time_unit")
    return unit


def write_served(encoders: Encoders, parts: Parts) -> None:
    """Into the file of an exported model, below encoders/: as JSON, and an Arrow file for each field's values."""
    time = encoders.time
    told = {
        "fields": encoders.fields,
        "dense": encoders.dense,
        **encoders.scales.to_json(),
        "time": None if time is None else asdict(time),
        "sides": [{"key": side.key, "columns": side.columns} for side in encoders.sides],
        "origin": _origin_json(encoders.origin),
        "sequences": [sequence.to_json() for sequence in encoders.sequences],
        **({"buckets": encoders.buckets} if encoders.buckets else {}),
    }
    parts.write(_FILE, json.dumps(told, indent=1))
    for name, values in zip(_value_files(len(encoders.fields)), encoders.values, strict=True):
        held = BytesIO()
        table = pa.table({"value": values})
        with pa.ipc.new_file(held, table.schema) as writer:
            writer.write_table(table)
        parts.write(name, held.getvalue())


def read_served(file: ZipFile) -> Encoders:
    """Inverse of write_served.

    Raises:
        ValueError, KeyError: where the parts are not there, or are of another shape.
    """
    told = _shaped(json.loads(file.read(_FILE)))
    values = []
    for name in _value_files(len(told["fields"])):
        with pa.ipc.open_file(BytesIO(file.read(name))) as reader:
            table = reader.read_all()
        table.validate(full=True)
        values.append(whole(table["value"]))
    return Encoders(
        fields=tuple(told["fields"]),
        dense=tuple(told["dense"]),
        values=tuple(values),
        scales=Scales.of_json(told),
        time=None if told["time"] is None else _time(told["time"]),
        sides=tuple(SideColumns(side["key"], tuple(side["columns"])) for side in told["sides"]),
        origin=_origin(told.get("origin")),
        sequences=tuple(map(ServedSequence.of_json, told.get("sequences", ()))),
        buckets=tuple(told.get("buckets", ())),
    )


def _shaped(told: Any) -> Any:
    """What the JSON holds, where it has the shape of encoders.

    Raises:
        ValueError: where it has another.
    """
    names = (told.get("fields"), told.get("dense")) if isinstance(told, dict) else (None,)
    if not all(isinstance(part, list) and all(isinstance(name, str) for name in part) for part in names):
        raise ValueError("encoders without the names of their features")
    buckets = told.get("buckets", [])
    of_fields = isinstance(buckets, list) and len(buckets) in (0, len(told["fields"]))
    if not of_fields or not all(type(count) is int and count >= 0 for count in buckets):
        raise ValueError("encoders whose `buckets` are not a count for each of their fields")
    width = len(told["dense"])
    for key, kind in (("mean", float), ("scale", float), ("log", bool)):
        column = told.get(key)
        if not isinstance(column, list) or len(column) != width or not all(type(value) is kind for value in column):
            raise ValueError(f"encoders whose `{key}` is not one value for each of {width} numbers")
    return told


def _time(told: Mapping[str, Any]) -> ServedTime:
    span = told.get("span")
    return ServedTime(**{**told, "span": None if span is None else (span[0], span[1])})


def _origin_json(origin: Origin) -> dict[str, Any]:
    return {"csv": origin.csv, "types": dict(origin.types or {}), "untyped": origin.untyped, "single": origin.single}


def _origin(told: Mapping[str, Any] | None) -> Origin:
    """A file from before this was told says nothing of it."""
    if told is None:
        return UNTOLD
    return Origin(told["csv"], told["types"], tuple(told["untyped"]), tuple(told["single"]))


def _value_files(fields: int) -> Iterator[str]:
    return (f"encoders/{f:03d}.arrow" for f in range(fields))
