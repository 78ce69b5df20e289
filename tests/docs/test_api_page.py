"""The public API, docs/python.md, and what `import automl` loads."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import automl
from automl.api import StudyHandle
from automl.exfm.handle import ExfmHandle
from automl.study.facts import Facts
from tests.docs.pages import ROOT, Fence, fences, names, page, rows, section
from tests.worlds.commands import write_study
from tests.worlds.processes import PATIENCE_S

HEAVY = ("torch", "ray", "optuna", "lightgbm")


def test_the_public_surface() -> None:
    studies, runs = {"StudyHandle", "open_study", "search"}, {"ExfmHandle", "exfm_run", "open_exfm"}
    assert set(automl.__all__) == {"VERSION", *studies, *runs}
    assert all(hasattr(automl, name) for name in automl.__all__)
    table = [names(row[0])[0] for row in rows(page("python.md")) if names(row[0])]
    assert all(any(word.startswith(f"automl.{name}") for word in table) for name in automl.__all__)


def test_arguments_of_search_are_told() -> None:
    table = {names(row[0])[0]: row[1] for row in rows(section(page("python.md"), "A search"))[1:]}
    parameters = inspect.signature(automl.search).parameters
    assert set(table) == set(parameters)
    for name in ("trials", "workers"):
        assert table[name] == str(parameters[name].default)


def test_what_a_study_handle_offers_is_told() -> None:
    told = {word.split("(")[0] for row in rows(section(page("python.md"), "A study")) for word in names(row[0])}
    public = {name for name in vars(StudyHandle) if not name.startswith("_")}
    assert told - {"StudyHandle"} == public | {"folder"}


def test_every_fact_of_a_study_is_told() -> None:
    told = {word for row in rows(section(page("python.md"), "Facts of a study"))[1:] for word in names(row[0])}
    assert told == {field.name for field in fields(Facts)}


def test_what_an_exfm_handle_offers_is_told() -> None:
    text = section(page("python.md"), "An ExFM run")
    told = {word.split("(")[0] for row in rows(text) for word in names(row[0])}
    public = {name for name in vars(ExfmHandle) if not name.startswith("_")}
    assert told - {"ExfmHandle"} == public | {"folder"}
    assert set(inspect.signature(automl.exfm_run).parameters) <= set(names(text))


@pytest.mark.parametrize("fence", fences("python"), ids=lambda fence: fence.place)
def test_python_in_the_pages_names_what_exists(fence: Fence) -> None:
    tree = ast.parse(fence.text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "study":
                assert hasattr(StudyHandle, node.attr) or node.attr == "folder", node.attr
            if node.value.id == "automl":
                assert hasattr(automl, node.attr), node.attr


def test_python_in_the_pages_runs(tmp_path: Path) -> None:
    """All blocks marked `run`, one after the other, in the folder of a small study."""
    write_study(tmp_path, rows=2000)
    script = tmp_path / "examples.py"
    body = "\n".join(fence.text for fence in fences("python", "run"))
    script.write_text(f"def main():\n{_indented(body)}\n\nif __name__ == '__main__':\n    main()\n")
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env=_environment(),
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").exists()
    assert "did you mean" in done.stdout


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize(
    "script",
    [
        "import automl",
        "import sys; from automl.cli import main; sys.argv = ['automl', '--help']; main()",
        "import sys; from automl.cli import main; sys.argv = ['automl', 'search', '--help']; main()",
    ],
)
def test_nothing_heavy_is_loaded_before_its_time(script: str) -> None:
    lines = ["import sys", "try:", f"    {script}", "except SystemExit as end:", "    assert not end.code"]
    lines.append(f"print('loaded:', *[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1].strip() == "loaded:"
