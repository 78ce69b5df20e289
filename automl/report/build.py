"""From a study's record to what the report shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automl.data.store import EncodedLog
from automl.finals import read_finals
from automl.history import State
from automl.report.data import ReportData, StudyFacts
from automl.search.outlook import track_record
from automl.search.picks import picks, roles
from automl.study import Study
from search_spaces.space import SearchSpace

_MIN_FOR_IMPORTANCE = 12
CHANCE_TAU = 0.0


def report_data(study: Study, space: SearchSpace, log: EncodedLog | None, config: Mapping[str, Any], folder: Path) -> ReportData:
    """Everything of a report; `config` is the study file as plain data."""
    history = study.history()
    complete = history.of_state(State.COMPLETE)
    ranked = track_record(history)
    return ReportData(
        facts=_facts(study, space, log, config),
        history=history,
        finals=read_finals(folder),
        picks=roles(picks(space, history, seed=int(config.get("seed", 0)))) if complete else None,
        importances=study.importances() if len(complete) >= _MIN_FOR_IMPORTANCE else {},
        rankings=[(r.round, r.tau, r.count) for r in ranked],
    )


def _facts(study: Study, space: SearchSpace, log: EncodedLog | None, config: Mapping[str, Any]) -> StudyFacts:
    facts = study.facts
    data = config["data"]
    size = space.size()
    return StudyFacts(
        name=config["name"],
        command=facts.get("command") or f"automl search {Path(facts['study_file']).name}",
        versions=facts["versions"],
        machine=facts["machine"],
        started_at=facts.get("started_at"),
        workers=int(facts["workers"]),
        data=_data_words(data, log),
        space=f"{config['space']}, {len(space.decisions)} questions",
        space_size=str(size),
        split_days=_days(data["split"]),
        seed=int(config.get("seed", 0)),
        strategy=config.get("search", {}).get("strategy", "controller"),
        wall_seconds=float(facts.get("wall_seconds", 0.0)),
        core_seconds_inside_trials=sum(t.cpu_seconds or 0.0 for t in (*study.trials, *study.baseline_repeats())),
        config_text=facts["config_text"],
        qps_conditions=_qps_words(config.get("qps", {})),
        bayes_ne=_bayes(Path(facts["study_file"]).parent, data, log),
        notes=tuple(log.notes) if log else (),
    )


def _data_words(data: Mapping[str, Any], log: EncodedLog | None) -> str:
    words = str(data["path"])
    if log is not None:
        words += f", {len(log):,} rows, {len(log.fields)} id fields, {len(log.dense)} dense, label {log.label}"
    return words


def _days(split: Mapping[str, Any]) -> dict[str, str]:
    if "random" in split:
        return {name: f"{share:.0%} of the rows, at random" for name, share in split["random"].items() if name != "seed"}
    return {name: f"{days[0]} to {days[1]}" for name, days in split.items()}


def _qps_words(qps: Mapping[str, Any]) -> str:
    clock = "CPU time" if qps.get("clock", "cpu") == "cpu" else "derived from FLOPs and bytes, not timed"
    return f"PyTorch, float32, 1 thread, batches of {qps.get('batch_rows', 512)} rows, {clock}"


def _bayes(base: Path, data: Mapping[str, Any], log: EncodedLog | None) -> dict[str, float]:
    """Bayes NE by window, where the log is a simulated one and its own windows are used."""
    truth = (base / str(data["path"])).parent / "truth.json"
    if log is None or not truth.exists():
        return {}
    known = json.loads(truth.read_text())
    windows = {name: [str(day) for day in days] for name, days in data["split"].items() if name != "random"}
    if known.get("windows") != windows:
        return {}
    return {name: float(ne) for name, ne in known["bayes_ne"].get(log.label, {}).items()}
