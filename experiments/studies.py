"""Studies of experiments: each in a folder of its own under studies/, which git leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

STUDIES = Path(__file__).parents[1] / "studies"


def write_files(
    name: str,
    *,
    data: str,
    baseline: str,
    space: str,
    strategy: str,
    seed: int,
    tune_baseline: int,
    rest: str,
    finals: str = "margin_pct: 0.2, seeds: 5",
) -> Path:
    """Write studies/NAME/study.yaml and its baseline; the study file's path. `data` is that part of the file."""
    folder = STUDIES / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "baseline.yaml").write_text(baseline)
    file = folder / "study.yaml"
    file.write_text(
        f"name: {name}\n{data}space: {space}\nbaseline: baseline.yaml\n"
        f"search: {{strategy: {strategy}, batch: 10, tune_baseline: {tune_baseline}}}\n"
        f"trial: {{timeout: 3m, memory: 4GiB}}\n"
        f"finals: {{{finals}}}\nseed: {seed}\n{rest}"
    )
    return file


def changed(file: Path, change: Callable[[Any], None]) -> Path:
    """A study file whose tree is changed in place; its path."""
    yaml = YAML()
    tree = yaml.load(file.read_text())
    change(tree)
    yaml.dump(tree, file)
    return file
