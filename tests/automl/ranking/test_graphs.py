"""What an exported file may hold: nothing of it is run before it is known to be a graph."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import torch

from automl.ranking.export import load_served
from automl.ranking.graphs import GraphError, load_graph
from automl.ranking.model import build_model
from automl.ranking.served import MODEL
from search_spaces.errors import InputError
from tests.automl.ranking.test_export import exported
from tests.worlds.models import INPUTS, spec

GRAPH, CONFIG = "archive/models/model.json", "archive/data/weights/model_weights_config.json"
Edit = Callable[[dict[str, bytes], str], None]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("graphs") / "model.automl"
    exported(build_model(spec(), INPUTS, seed=0), file)
    return file


class Touches:
    """Unpickled, it makes a file."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.mark),)


def code(mark: str) -> str:
    return f"__import__('pathlib').Path({mark!r}).touch()"


def examples(parts: dict[str, bytes], mark: str) -> None:
    held = BytesIO()
    torch.save(((Touches(mark),), {}), held)
    parts["archive/data/sample_inputs/model.pt"] = held.getvalue()


def examples_of_old(parts: dict[str, bytes], mark: str) -> None:
    parts["archive/data/sample_inputs/model.pt"] = pickle.dumps(Touches(mark))


def weight(parts: dict[str, bytes], mark: str) -> None:
    config = json.loads(parts[CONFIG])
    next(iter(config["config"].values()))["use_pickle"] = True
    parts[CONFIG] = json.dumps(config).encode()
    held = BytesIO()
    torch.save(Touches(mark), held)
    parts["archive/data/weights/weight_0"] = held.getvalue()


def constant(parts: dict[str, bytes], mark: str) -> None:
    name = "archive/data/constants/model_constants_config.json"
    payload = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": False, "tensor_meta": None}
    parts[name] = json.dumps({"config": {"x": payload}}).encode()
    parts["archive/data/constants/opaque_obj_0"] = pickle.dumps(Touches(mark))


def library(parts: dict[str, bytes], mark: str) -> None:
    parts["archive/data/aotinductor/model/model.so"] = b"\x7fELF"


def in_graph(change: Callable[[dict[str, Any], str], None]) -> Edit:
    def edit(parts: dict[str, bytes], mark: str) -> None:
        tree = json.loads(parts[GRAPH])
        change(tree, mark)
        parts[GRAPH] = json.dumps(tree).encode()

    return edit


def target(tree: dict[str, Any], mark: str) -> None:
    node = tree["graph_module"]["graph"]["nodes"][0]
    node["target"] = "torch.serialization.os.system"
    node["inputs"] = [{"name": "command", "arg": {"as_string": f"touch {mark}"}, "kind": 1}]


def file(tree: dict[str, Any], mark: str) -> None:
    tree["graph_module"]["graph"]["nodes"][0]["target"] = "torch.ops.aten.from_file.default"


def name(tree: dict[str, Any], mark: str) -> None:
    text = json.dumps(tree)
    tree.update(json.loads(text.replace('"ids_bf"', json.dumps(f"ids_bf={code(mark)}").strip())))


def shape(tree: dict[str, Any], mark: str) -> None:
    text, wanted = json.dumps(tree), json.dumps({"expr_str": code(mark)})[1:-1]
    key = text.index('"expr_str"')
    end = text.index(")", key)
    tree.update(json.loads(text[:key] + wanted + text[text.index(chr(34), end) + 1 :]))


def nesting(tree: dict[str, Any], mark: str) -> None:
    (call, *_) = [c for c in tree["graph_module"]["module_call_graph"] if c["signature"]]
    call["signature"]["in_spec"] = json.dumps([1, {"type": "os.system", "context": "null", "children_spec": []}])


HOSTILE: dict[str, Edit] = {
    "examples": examples,
    "examples of old": examples_of_old,
    "weight": weight,
    "constant": constant,
    "library": library,
    **{edit.__name__: in_graph(edit) for edit in (target, file, name, shape, nesting)},
}


def edited(model: Path, edit: Edit, out: Path, mark: Path) -> bytes:
    """The model's graph, edited; in a whole file too."""
    with ZipFile(model) as whole:
        with ZipFile(BytesIO(whole.read(MODEL))) as graph:
            parts = {part: graph.read(part) for part in graph.namelist()}
        edit(parts, str(mark))
        held = BytesIO()
        with ZipFile(held, "w") as made:
            for part, content in parts.items():
                made.writestr(part, content)
        with ZipFile(out, "w") as made:
            for part in whole.namelist():
                made.writestr(part, held.getvalue() if part == MODEL else whole.read(part))
    return held.getvalue()


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_file_that_would_run_something_is_refused(model: Path, tmp_path: Path, kind: str) -> None:
    mark = tmp_path / "run"
    held = edited(model, HOSTILE[kind], tmp_path / "m.automl", mark)
    with pytest.raises(GraphError, match=r"a graph may not hold|example inputs that are not only tensors"):
        load_graph(held)
    with pytest.raises(InputError, match=r"m.automl: must be an exported model, but found "):
        load_served(tmp_path / "m.automl")
    assert not mark.exists()


def test_guards_of_a_file_are_not_run(model: Path, tmp_path: Path) -> None:
    mark = tmp_path / "run"
    guard = in_graph(lambda tree, mark: tree.update(guards_code=[code(mark)]))
    graph = load_graph(edited(model, guard, tmp_path / "m.automl", mark))
    assert graph(torch.zeros(2, INPUTS.fields, dtype=torch.int32), torch.zeros(2, INPUTS.dense)).shape[0] == 2
    assert not mark.exists()


def test_a_graph_that_is_none_is_told(model: Path, tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="its graph cannot be read"):
        load_graph(b"PK\x03\x04nothing")
