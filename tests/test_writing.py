"""Files appear whole or not at all: who writes one asks automl/files for the place, or lies where nobody looks yet."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.docs.pages import ROOT

WRITES = {"write_text", "write_bytes", "save", "savez", "to_csv", "to_parquet", "write_table", "open_memmap", "tofile"}
WHOLE = ("whole_file", "whole_folder", "whole_files")
# Modules that write without asking, each with where what they write lies.
_FOLDER, _SCRATCH = "a folder that is made whole", "scratch of a folder that is being made"
ELSEWHERE = {
    "automl/data/encode/lessons.py": _FOLDER,
    "automl/data/encode/log.py": _FOLDER,
    "automl/data/encode/pools.py": _SCRATCH,
    "automl/data/encode/rows.py": _FOLDER,
    "automl/data/encode/spill.py": _FOLDER,
    "automl/data/encode/stream.py": _FOLDER,
    "automl/data/encode/uniting.py": _SCRATCH,
    "automl/data/past/rows.py": _SCRATCH,
    "automl/data/store/encoder_files.py": _FOLDER,
    "automl/data/store/folder.py": _FOLDER,
    "automl/exfm/student/facts.py": _FOLDER,
    "automl/exfm/student/jobs.py": "what a worker is told: written anew before it is read",
    "automl/exfm/teacher/ensemble.py": _FOLDER,
    "automl/runtime/limits.py": "last words of a worker: none where they are cut off",
}


def writers() -> Iterator[tuple[str, str]]:
    for room in ("automl", "search_spaces", "predictors"):
        for file in sorted((ROOT / room).rglob("*.py")):
            text = file.read_text()
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Call) and _writes(node) and not any(word in text for word in WHOLE):
                    yield str(file.relative_to(ROOT)), ast.unparse(node)[:90]


def _writes(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute):
        return False
    if call.func.attr == "open" and call.args:
        return any(isinstance(word, ast.Constant) and str(word.value)[:1] in "wax" for word in call.args)
    return call.func.attr in WRITES


def test_whoever_writes_a_file_asks_for_its_place() -> None:
    found: dict[str, list[str]] = {}
    for module, call in writers():
        found.setdefault(module, []).append(call)
    assert found.keys() == ELSEWHERE.keys(), found
