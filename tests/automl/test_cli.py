"""What each command loads: of a wrong file it tells before anything heavy is there, and each verb loads its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from automl.commands.init import EXFM_FILES, template_text
from automl.data.simulated.log import simulate
from tests.worlds.studies import begun_study

HEAVY = (
    "deltalake", "lightgbm", "moocore", "numpy", "optuna", "pandas", "plotly", "pyarrow", "pydantic", "ray",
    "scipy.stats", "sklearn", "sqlalchemy", "statsmodels", "torch",
)  # fmt: skip
MODELS = {"numpy", "pydantic"}  # files as typed values, answers as matrices
TABLES = {*MODELS, "pyarrow", "pandas"}  # pandas is loaded by pyarrow itself where it is there
RECORD = {*MODELS, "optuna", "sqlalchemy"}
BOTH = TABLES | RECORD  # which file a study is of stands in its record
SCRIPT = """
import json, sys
from automl.cli import main
try:
    main()
finally:
    print(json.dumps([name for name in json.loads({heavy!r}) if name in sys.modules]), file=sys.stderr)
"""

# verb and what is wrong -> (words, what is told, what may be loaded)
WRONG = {
    "check, its data": (["check", "data.yaml"], "data.yaml:4:3: unknown key `tim`", MODELS),
    "check, a key": (["check", "key.yaml"], "key.yaml:14:10: must be at least 2", TABLES),
    "check, a space": (["check", "bad-space.yaml"], "bad-space.yaml:1:31: the options of a choice must differ", MODELS),
    "check, an ExFM run": (["check", "exfm.yaml"], "exfm.yaml:", MODELS),
    "search": (["search", "key.yaml"], "key.yaml:14:10: must be at least 2", TABLES),
    "search, a warm start": (["search", "warm.yaml"], "warm.yaml:15:23: nowhere must hold a study", BOTH),
    "exfm run": (["exfm", "run", "exfm.yaml"], "exfm.yaml:", MODELS),
    "finals": (["finals", "begun"], "key.yaml:14:10: must be at least 2", BOTH),
    "export": (
        ["export", "begun", "--pick", "fast", "--to", "m"],
        "key.yaml:14:10: must be at least 2",
        {*TABLES, *RECORD},
    ),
    "status": (["status", "nowhere"], "must hold a study", RECORD),
    "report": (["report", "nowhere"], "must hold a study", RECORD),
}
RIGHT = {
    "help": (["--help"], set()),
    "version": (["--version"], set()),
    "help of a verb": (["search", "--help"], set()),
    "init": (["init", "made", "--template", "cvr"], TABLES),
    "simulate": (["simulate", "made", "--rows", "1000", "--users", "20", "--items", "20", "--days", "3"], TABLES),
    "check of a space": (["check", "space.yaml"], MODELS),
    "check of a study": (["check", "good.yaml"], TABLES | {"torch"}),
    "status": (["status", "begun"], RECORD),
}  # fmt: skip
STUDY = """\
name: small
data:
  path: log/log.parquet
  time: time_ms
  label: click
  features: {categorical: {user_id: {}, item_id: {}}}
  split:
    train: [2024-03-04, 2024-03-08]
    validate: [2024-03-10, 2024-03-10]
    test: [2024-03-11, 2024-03-11]
space: space.yaml
baseline: baseline.yaml
finals:
  seeds: 3
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    simulate(folder / "log", rows=1000, users=20, items=20, seed=1)
    for name in ("space.yaml", "baseline.yaml"):
        (folder / name).write_text(template_text("ctr", name))
    (folder / "good.yaml").write_text(STUDY)
    (folder / "key.yaml").write_text(STUDY.replace("seeds: 3", "seeds: 0"))
    (folder / "warm.yaml").write_text(STUDY + "search: {warm_start: [nowhere]}\n")
    (folder / "data.yaml").write_text(STUDY.replace("time: time_ms", "tim: time_ms"))
    (folder / "bad-space.yaml").write_text("embedding: {dim: {choice: [8, 8]}}\n")
    for name in EXFM_FILES:
        (folder / name).write_text(template_text("exfm", name).replace("seeds:", "seedz:"))
    study = begun_study(folder / "begun")
    study.note(replace(study.facts, study_file=str(folder / "key.yaml"), config_text=STUDY))
    return folder


def loaded(folder: Path, words: list[str]) -> tuple[str, set[str]]:
    """What a command says, and which heavy packages are there when it ends."""
    script = SCRIPT.format(heavy=json.dumps(HEAVY))
    done = subprocess.run([sys.executable, "-c", script, *words], cwd=folder, capture_output=True, text=True)
    *said, modules = done.stderr.splitlines()
    return "\n".join([*said, done.stdout]), set(json.loads(modules))


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_told_before_anything_heavy_is_loaded(name: str, folder: Path) -> None:
    words, told, allowed = WRONG[name]
    said, there = loaded(folder, words)
    assert told in said
    assert there <= allowed


@pytest.mark.parametrize("name", RIGHT)
def test_a_command_loads_what_it_needs(name: str, folder: Path, tmp_path: Path) -> None:
    words, allowed = RIGHT[name]
    there = loaded(folder, [str(tmp_path / word) if word == "made" else word for word in words])[1]
    assert there <= allowed


def test_the_package_alone_is_light(folder: Path) -> None:
    code = f"import sys, automl; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_a_search_that_goes_on_needs_no_torch(folder: Path) -> None:
    """Its workers load it. Only a new one measures its baseline."""
    code = f"import sys, automl.commands.search; print([name for name in {HEAVY!r} if name in sys.modules])"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert "ray" in there
    assert not any(name in there for name in ("torch", "statsmodels", "lightgbm"))
