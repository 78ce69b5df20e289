"""The Python API: what the commands do, as functions. `automl` exports the public part."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from automl import status as status_screen
from automl.data.store import EncodedLog, open_log
from automl.finals import run_finals
from automl.problem import Problem, load_problem
from automl.report.build import report_data
from automl.report.data import ReportData
from automl.report.derived import View
from automl.report.formats import percent, ratio
from automl.report.page import write_report
from automl.report.tables import trial_row, trials_frame
from automl.runtime.driver import search as run_search
from automl.runtime.work import run_job
from automl.runtime.worker import Work
from automl.search.picks import picks, roles
from automl.study import Study, load_newest
from search_spaces.errors import InputError
from search_spaces.model import ModelSpec
from search_spaces.source import read_text
from search_spaces.space import SearchSpace, space_of


class StudyHandle:
    """A study on disk: read it, report it, take its models."""

    def __init__(self, folder: Path, study: Study, space: SearchSpace, log: EncodedLog | None) -> None:
        self.folder, self._study, self._space, self._log = folder, study, space, log

    def pareto(self) -> pd.DataFrame:
        """The front, from the most accurate model on; columns as in pareto.csv."""
        view = View(self._data())
        front = {point.trial.number for point in view.front}
        rows = [trial_row(view, trial) for trial in view.history.trials if trial.number in front]
        return pd.DataFrame(sorted(rows, key=lambda row: float(row["ne_gain_pct"])))

    def trials_dataframe(self) -> pd.DataFrame:
        """Every trial and every repeat of the baseline; columns as in trials.parquet."""
        view = View(self._data())
        return trials_frame(view, [trial_row(view, trial) for trial in view.history.trials])

    def best(self, role: str = "balanced") -> ModelSpec:
        """The model that the search picks for a role: accurate, fast, balanced or unlimited.

        Raises:
            InputError: where there is no such pick.
        """
        history = self._study.history()
        chosen = roles(picks(self._space, history, seed=self._seed()))
        if role not in chosen:
            raise InputError.of(str(self.folder), f"must have a pick {role!r}", ", ".join(chosen) or "none")
        return next(t.candidate.model for t in history.trials if t.number == chosen[role])

    def report(self) -> Path:
        """Write report.html, pareto.csv and trials.parquet; the page's path."""
        return write_report(self._data(), self.folder)

    def finals(
        self, *, seeds: int | None = None, top: int | None = None, workers: int = 2, address: str | None = None,
        console: Console | None = None,
    ) -> dict[str, Any]:
        """Retrain picks and baseline with several seeds on train + validate, test on the test window; finals.json."""
        problem = self._problem()
        return run_finals(problem, self._study, seeds=seeds, top=top, workers=workers, address=address, console=console)

    def status(self) -> str:
        """One screen: progress, best so far, failures by reason."""
        return status_screen.screen(self.folder, self._study)

    def summary(self) -> str:
        """How the search ended, in two lines."""
        return status_screen.summary(self._study)

    def _data(self) -> ReportData:
        return report_data(self._study, self._space, self._log, _config(self._study), self.folder)

    def _seed(self) -> int:
        return int(_config(self._study).get("seed", 0))

    def _problem(self) -> Problem:
        return load_problem(Path(self._study.facts["study_file"]), self.folder)


def search(
    file: Path | str,
    *,
    trials: int = 100,
    workers: int = 2,
    time_budget: float | None = None,
    out: Path | None = None,
    address: str | None = None,
    console: Console | None = None,
    command: str = "",
    work: Work = run_job,
) -> StudyHandle:
    """Start a search, or go on where it stopped; see docs/python.md.

    Raises:
        InputError: the study file, its space, its baseline or its data are wrong.
        automl.runtime.failures.RunFailed: the baseline or every trial failed.
    """
    problem = load_problem(Path(file), out)
    study = run_search(
        problem, trials=trials, workers=workers, time_budget=time_budget, address=address, console=console,
        command=command, work=work,
    )
    return StudyHandle(problem.folder, study, problem.space, problem.log)


def open_study(folder: Path | str) -> StudyHandle:
    """A study that was started before. Its log need not be there any more, but for finals.

    Raises:
        InputError: where the folder holds no study, or one without its baseline.
    """
    folder = Path(folder).absolute()
    stored = load_newest(folder)
    facts = stored.user_attrs
    if "study_file" not in facts:
        raise InputError.of(str(folder), "must hold a study that was started", "one without a baseline", "start it with `automl search`")
    space = space_of(read_text(facts["space"], f"{folder.name} (its space)"))
    encoded = folder / "data" / str(facts["data"])
    log = open_log(encoded) if encoded.exists() else None
    if log is not None:
        space = space.with_inputs(log.inputs)
    return StudyHandle(folder, Study(stored, space, _limits(facts)), space, log)


def terminal() -> Console:
    """Where progress goes: the error stream, so that a command's own output stays clean."""
    return Console(stderr=True, highlight=False)


def finals_lines(found: Mapping[str, Any]) -> list[str]:
    """finals.json in words, a line a pick."""
    lines = []
    margin = found["margin_pct"]
    for pick in found["picks"]:
        interval = f"[{pick['ci_low_pct']:+.2f}, {pick['ci_high_pct']:+.2f}]"
        words = {
            "better": f"better (p {pick['p_corrected']:.2g})",
            "faster": f"faster (NE no worse than {margin:+g}%)",
            "worse": f"worse (p {pick['p_corrected']:.2g})",
        }.get(pick["verdict"]) or f"no better: NE may be worse by up to {pick.get('smallest_margin_pct', 0.0):.2f}%"
        name = f"#{pick['trial']}"
        lines.append(f"{name:<5} {pick['role']:<10} NE {pick['ne_gain_pct']:+.2f}% {interval:<16} QPS x{pick['qps_ratio']:.2f}   {words}")
    if found["half_width_pct"] > margin:
        more = _seeds_for(found["half_width_pct"], margin, found["seeds"])
        lines.append(f"the intervals are wider than the margin of {margin:g}%: about {more} seeds would narrow them (--seeds {more})")
    return lines


def _seeds_for(half_width: float, margin: float, seeds: int) -> int:
    return min(100, max(seeds + 1, round(seeds * (half_width / margin) ** 2)))


def _config(study: Study) -> Mapping[str, Any]:
    data = read_text(study.facts["config_text"], "study.yaml").data
    assert isinstance(data, dict)
    return data


def _limits(facts: Mapping[str, Any]) -> Any:
    from automl.config import is_cost_limit, parse_limit

    data = read_text(str(facts["config_text"]), "study.yaml").data
    texts = data.get("constraints", []) if isinstance(data, dict) else []
    return tuple(parse_limit(text) for text in texts if not is_cost_limit(text))


__all__ = ["StudyHandle", "finals_lines", "open_study", "percent", "ratio", "search", "terminal"]
