"""exfm.json: written and read here alone, whatever release wrote it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automl.files.whole import whole_file
from automl.study.exfm_figures import verdict_of
from automl.study.exfm_results import ExfmResult
from automl.study.plain import Codec, Plain, read_json
from search_spaces.errors import InputError

EXFM_JSON = "exfm.json"  # of a run's folder
VERSION = 1
"""Of the file. Files without one are of release 0.1: the same keys, but for names inside and verdicts."""
_RESULT = Codec(ExfmResult)
_Old = Mapping[str, Any]  # an object of a file without a version


def to_json(result: ExfmResult) -> Plain:
    """What exfm.json holds."""
    return {"version": VERSION, **_RESULT.plain(result)}


def of_json(found: object, file: str = EXFM_JSON) -> ExfmResult:
    """A run from what exfm.json holds; what an older release left out is worked out here.

    Raises:
        InputError: where it is of a newer release, or holds something else.
    """
    if isinstance(found, Mapping) and "version" not in found:
        found = _completed(found, file)
    elif isinstance(found, Mapping) and found["version"] != VERSION:
        hint = "another release wrote it: read it with that one"
        raise InputError.of(file, f"must be of version {VERSION}", str(found["version"]), hint)
    return _RESULT.value(found, file)


def write_exfm(folder: Path, result: ExfmResult) -> Path:
    """Write exfm.json of a run; its path."""
    file = folder / EXFM_JSON
    with whole_file(file) as part:
        part.write_text(json.dumps(to_json(result), indent=1, allow_nan=False), encoding="utf-8")
    return file


def is_exfm(folder: Path) -> bool:
    """Whether a folder holds a run that has ended."""
    return (folder / EXFM_JSON).exists()


def read_exfm(folder: Path) -> ExfmResult:
    """exfm.json of a run.

    Raises:
        InputError: where there is none, or it cannot be read.
    """
    file = folder / EXFM_JSON
    if not is_exfm(folder):
        raise InputError.of(str(file), "must be there", "no such file", "`automl exfm run` writes it when it ends")
    return of_json(read_json(file), str(file))


def exfm_schema() -> Plain:
    """The JSON schema of exfm.json, as docs/schemas/exfm.json has it."""
    made = _RESULT.schema()
    properties, required = made["properties"], made["required"]
    assert isinstance(properties, dict)
    assert isinstance(required, list)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "properties": {"version": {"const": VERSION}, **properties},
        "required": ["version", *required],
    }


# ---------------------------------------------------------------------- files of release 0.1


def _completed(found: _Old, file: str) -> Plain:
    """With what that release left to its readers: names inside what they name, and verdicts."""
    try:
        return {**found, "students": {name: _student(name, one) for name, one in found["students"].items()}}
    except (AttributeError, KeyError, TypeError) as error:
        lacks = f"no {error}" if isinstance(error, KeyError) else "something else"
        raise InputError.of(file, "must be what `automl exfm run` wrote", lacks) from error


def _student(name: str, found: _Old) -> Plain:
    return {
        **found,
        "name": name,
        "all": _part("all", found["all"]),
        "windows": [_part(window["name"], window) for window in found["windows"]],
        "segments": {segment: _part(segment, part) for segment, part in found["segments"].items()},
    }


def _part(name: str, found: _Old) -> Plain:
    recipes = found.get("recipes", {}).items()
    return {**found, "name": name, "recipes": {recipe: _recipe(recipe, figures) for recipe, figures in recipes}}


def _recipe(name: str, found: _Old) -> Plain:
    return {**found, "name": name, "gain": _gain(found["gain"]) if found["gain"] else None}


def _gain(found: _Old) -> Plain:
    p = found.get("p_corrected")
    verdict = verdict_of(found["low_pct"], found["high_pct"], found["p"] if p is None else p)
    return {**found, "p_corrected": p, "verdict": verdict}
