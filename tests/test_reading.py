"""Nothing that is read from a disk runs code: no source names a reader that could, but between our own processes."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from automl.data.past.files import read_past
from automl.data.store.lessons import LESSONS
from automl.ranking.served import load_served
from automl.study.file import config_of
from automl.study.results import read_finals
from search_spaces.errors import InputError
from search_spaces.source import read
from search_spaces.space import load_model, load_space
from tests.docs.pages import ROOT

RUNS = {"pickle.load", "pickle.loads", "cloudpickle.loads", "marshal.loads", "eval", "exec", "spec.loader.exec_module"}
RUNS |= {"shelve.open", "joblib.load", "yaml.load", "yaml.unsafe_load", "torch.jit.load", "torch.export.load"}
# Who answers for what runs: helpers talk through pipes, a worker reads what its driver wrote for it, a driver what Tune
# wrote in it; a graph is looked through first, and plug-ins are code that the study names.
ANSWERED = {
    ("automl/data/encode/crew.py", "pickle.load"),
    ("automl/exfm/student/jobs.py", "cloudpickle.loads"),
    ("automl/ranking/graphs.py", "torch.export.load"),
    ("automl/runtime/lost.py", "pickle.loads"),
    ("search_spaces/plugins.py", "spec.loader.exec_module"),
}


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    for room in ("automl", "search_spaces", "predictors"):
        for file in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call):
                    yield str(file.relative_to(ROOT)), node, ast.unparse(node.func)


def test_no_reader_runs_what_it_reads() -> None:
    found = {(file, name) for file, _, name in calls() if name in RUNS}
    assert found <= ANSWERED


def test_weights_and_arrays_are_read_without_pickles() -> None:
    for file, call, name in calls():
        told = {word.arg: ast.unparse(word.value) for word in call.keywords}
        if name == "torch.load":
            assert told.get("weights_only") == "True", file
        if name in ("np.load", "numpy.load"):
            assert told.get("allow_pickle", "False") == "False", file


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!!python/name:os.system", "!x", "!!python/module:os"]
)
@pytest.mark.parametrize("reader", [load_space, load_model, lambda file: config_of(read(file))])
def test_a_tag_of_yaml_is_refused(tmp_path: Path, reader: Callable[[Path], object], tag: str) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(f"name: {tag} ['touch {tmp_path / 'run'}']\n")
    with pytest.raises(InputError):
        reader(file)
    assert not (tmp_path / "run").exists()


class Touches:
    """Unpickled, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path(self.mark),)


def test_a_column_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    LESSONS.write(tmp_path, {"rows": 1})
    np.save(tmp_path / "label.npy", np.array([Touches(tmp_path / "run")], object), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects in dtype"):
        LESSONS.open(tmp_path).column("label", np.float32)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("read_it", [load_served, read_past, lambda file: read_finals(file.parent)])
def test_a_pickle_in_the_place_of_a_file_is_refused(tmp_path: Path, read_it: Callable[[Path], object]) -> None:
    file = tmp_path / "finals.json"
    file.write_bytes(pickle.dumps(Touches(tmp_path / "run")))
    with pytest.raises(InputError):
        read_it(file)
    assert not (tmp_path / "run").exists()
