"""Results of an experiment as a file: experiments/results/NAME.json, with what is needed to repeat it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from automl.runtime.host import machine, versions

RESULTS = Path(__file__).parent / "results"


def write_result(
    name: str, *, settings: Mapping[str, Any], figures: Mapping[str, Any], headline: Mapping[str, Any]
) -> Path:
    """Write the result of a benchmark; `headline` is flat: the few numbers that matter."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    content = {
        "name": name,
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "settings": dict(settings),
        "figures": dict(figures),
        "headline": dict(headline),
    }
    path.write_text(json.dumps(content, indent=1, default=_plain) + "\n")
    return path


def summarise(name: str, keys: Sequence[str]) -> Path:
    """NAME.json of all NAME_*.json: their figures by name; of these keys of their headlines the mean where they have
    it."""
    runs = {file.stem: json.loads(file.read_text()) for file in sorted(RESULTS.glob(f"{name}_*.json"))}
    known = {key: [run["headline"][key] for run in runs.values() if run["headline"][key] is not None] for key in keys}
    headline = {key: round(fmean(values), 3) if values else None for key, values in known.items()}
    figures = {stem: run["figures"] for stem, run in runs.items()}
    return write_result(name, settings={"runs": list(runs)}, figures=figures, headline=headline)


def figures_of(name: str) -> dict[str, Any]:
    """The figures of a result that was written before; none where there is none."""
    path = RESULTS / f"{name}.json"
    figures: dict[str, Any] = json.loads(path.read_text())["figures"] if path.exists() else {}
    return figures


def runs_of(name: str) -> list[Any]:
    """The runs of a result that was written before, to go on from; none where there is none."""
    return list(figures_of(name).get("runs", ()))


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
