"""Exported graphs, read so that nothing in them is run before it is known to be a graph.

torch.export.load takes a file for one of its own: it unpickles example inputs and constants, evaluates the expressions
of shapes, runs the code of guards, resolves any name below `torch` and writes names into Python source. So a file is
looked through first, and is refused where it holds more than weights and plain operations on tensors.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import torch
from torch import Tensor

from automl.ranking.lean import lean
from automl.ranking.narrow import Narrow, NumbersError

_WEIGHTS = "archive/data/weights/"
_MODEL = "archive/models/model.json"
_EXAMPLES = "archive/data/sample_inputs/model.pt"
_CONFIGS = (f"{_WEIGHTS}model_weights_config.json", "archive/data/constants/model_constants_config.json")
_FILES = re.compile(
    r"archive/(?:data/weights/weight_\d+|data/weights/model_weights_config\.json"
    r"|data/constants/(?:tensor_\d+|model_constants_config\.json)|data/sample_inputs/model\.pt|models/model\.json"
    r"|archive_format|archive_version|byteorder|\.data/\w+)"
)
_PAYLOAD = re.compile(r"(?:weight|tensor)_\d+")

_COMPARED = "add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|le|lt|ge|gt|and_|or_|not_"
_PATTERNS = {
    "name": re.compile(r"[A-Za-z_]\w*"),
    "target": re.compile(
        rf"torch\.ops\.(?:aten|prims)\.(?!from_file)[a-z_]\w*(?:\.\w+)?|_operator\.(?:getitem|{_COMPARED})"
        r"|torch\.sym_(?:max|min|not|int|float)"
    ),
    "expr_str": re.compile(
        r"(?:(?:Mul|Add|Pow|Max|Min|Mod|FloorDiv|Integer|Symbol)\("
        r"|'[su]\d+'|[su]\d+|(?:positive|integer)=True|[-+*\d(), ])*"
    ),
}
_MOST_POWERS = 4
_PLAIN = re.compile(r"[\w .,+>-]*")
_SPECS = ("in_spec", "out_spec")
_UNUSED = ("metadata", "guards_code")  # where a node came from, never called; guards, left out
_CONTAINERS = (None, "builtins.tuple", "builtins.list", "builtins.dict")


class GraphError(ValueError):
    """What a file holds is no plain graph."""


def load_graph(held: bytes, narrow: Narrow | None = None) -> Callable[..., Tensor]:
    """The function of an exported program, its wide products in the numbers of `narrow`.

    Raises:
        GraphError: where it holds more than weights and operations on tensors, or cannot be read.
        NumbersError: where it has not these products, or this machine not these numbers.
    """
    try:
        look_through(held)
        graph = lean(torch.export.load(BytesIO(held)), narrow)
    except (GraphError, NumbersError):
        raise
    except Exception as error:  # of a library that expects a file of its own
        raise GraphError(f"its graph cannot be read ({type(error).__name__})") from error
    return graph


def look_through(held: bytes) -> None:
    """
    Raises:
        GraphError: where loading it would run something, or might.
    """
    with ZipFile(BytesIO(held)) as archive:
        names = archive.namelist()
        for name in names:
            _hold(bool(_FILES.fullmatch(name)) and names.count(name) == 1, f"the part {name}")
        for config in _CONFIGS:
            for payload in json.loads(archive.read(config))["config"].values():
                _hold(payload["use_pickle"] is False, "a pickled weight")
                _hold(bool(_PAYLOAD.fullmatch(payload["path_name"])), f"the weight {payload['path_name']}")
        try:
            torch.load(BytesIO(archive.read(_EXAMPLES)), weights_only=True)
        except Exception as error:
            raise GraphError(f"example inputs that are not only tensors ({type(error).__name__})") from error
        for key, text in _texts("", json.loads(archive.read(_MODEL))):
            _check(key, text)


def _check(key: str, text: str) -> None:
    if key in _SPECS:
        _hold(len(text) < 1 << 16, f"a long {key}")
        _check_spec(json.loads(text)[1])
    else:
        _hold(bool(_PATTERNS.get(key, _PLAIN).fullmatch(text)), f"the {key} {text[:80]!r}")
        if "Pow(" in text:
            _hold(_small_powers(text), f"the {key} {text[:80]!r}")


def _small_powers(text: str) -> bool:
    """Whether an expression has few powers, all of them squares: others may take for ever to evaluate."""
    calls = [node for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Call)]
    powers = [call for call in calls if ast.unparse(call.func) == "Pow"]
    squares = [call for call in powers if len(call.args) == 2 and ast.unparse(call.args[1]) == "Integer(2)"]
    return len(squares) == len(powers) <= _MOST_POWERS


def _check_spec(spec: Any) -> None:
    """How inputs and outputs are nested: in tuples, lists, and dictionaries by plain keys."""
    keys = json.loads(spec["context"] or "null") or ()
    plainly = all(isinstance(key, str) and _PLAIN.fullmatch(key) for key in keys)
    _hold(spec["type"] in _CONTAINERS and plainly, f"a nesting by {spec['type']!r:.80}")
    for child in spec["children_spec"]:
        _check_spec(child)


def _texts(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every text of a JSON tree that is used, with the nearest key above it; keys are texts without one."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(key, item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield "", name
            if name not in _UNUSED:
                yield from _texts(name, item)


def _hold(holds: bool, found: str) -> None:
    if not holds:
        raise GraphError(f"a graph may not hold {found}")
