"""The Python API: what the commands do, as functions. `automl` exports the public part.

A function loads what it needs when it is called, after the files that it was given are found to be sound: a mistake in
a study file is told before a model library is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.commands.warm import warm_start_of
from automl.runtime.rate_line import RateLine, says
from automl.study.claims import Subject, ask, finals_of, recorded_config, recorded_file
from automl.study.history import History
from automl.study.parts import untrained
from automl.study.problem import Problem, load_problem
from automl.study.scaled import loaded_at
from search_spaces.errors import InputError
from search_spaces.model import ModelSpec
from search_spaces.space import SearchSpace

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from automl.commands.replay import Replay
    from automl.data.store.log import EncodedLog
    from automl.ranking.narrow import Numbers
    from automl.report.study.data import ReportData
    from automl.study.facts import Facts
    from automl.study.record import Study
    from automl.study.results import Finals
    from automl.study.scale_up import ScaleUp
    from automl.study.sqlite import Version


class StudyHandle:
    """A study on disk: read it, report it, take its models. Whatever is asked is answered of the record as it is then:
    another process may go on with it while a handle is kept.

    Raises:
        InputError: from all that is asked, where another study was searched in the folder since.
    """

    def __init__(
        self, folder: Path, study: Study, space: SearchSpace, log: EncodedLog | None, version: Version | None = None
    ) -> None:
        """`version` is of the record as `study` has it."""
        self.folder, self._study, self._space, self._log, self._version = folder, study, space, log, version

    @property
    def history(self) -> History:
        """The baseline and every trial.

        Raises:
            InputError: where the baseline is not measured yet.
        """
        from automl.study.record import measured_history

        return measured_history(self._now(), self.folder)

    @property
    def space(self) -> SearchSpace:
        """What was searched, bound to the log's shape where the log is there."""
        self._now()
        return self._space

    @property
    def facts(self) -> Facts:
        """What was written down of the run: files, data, versions, machine, budget, wall time."""
        return self._now().facts

    def pareto(self) -> pd.DataFrame:
        """The front, from the most accurate model on; columns as in pareto.csv."""
        from automl.report.study.derived import View
        from automl.report.study.tables import front_frame

        return front_frame(View(self._data()))

    def trials_dataframe(self) -> pd.DataFrame:
        """Every trial and every repeat of the baseline; columns as in trials.parquet."""
        from automl.report.study.derived import View
        from automl.report.study.tables import trials_frame

        return trials_frame(View(self._data()))

    def best(self, role: str = "balanced") -> ModelSpec:
        """The model picked for a role (accurate, fast, balanced or unlimited): by the finals, else by the search alone.

        Raises:
            InputError: where there is no such pick, the finals found it unfit, or it breaks a limit taken over since.
        """
        return self._model(self._picked(role))

    def export(
        self,
        file: Path | str,
        *,
        trial: int | None = None,
        pick: str | None = None,
        numbers: Numbers = "fp32",
        console: Console | None = None,
    ) -> Mapping[str, Any]:
        """Retrain a trial (or the pick of a role) on train + validate, as the finals do, and write it with its encoders
        to one file that serves, its wide products in `numbers`: fp32, bf16 or int8; what was written of it.

        Raises:
            InputError: where there is no such trial or pick, the finals found the pick unfit, it breaks a limit that
                was taken over since, or the log is not there any more.
            automl.runtime.errors.RunError: where the training diverged, or these numbers cost too much of NE.
        """
        if (trial is None) == (pick is None):
            raise InputError.of(str(self.folder), "must be told one of trial and pick to export")
        problem = self._problem(console)
        from automl.commands.export import export_spec

        number = trial if trial is not None else self._picked(pick or "")
        finals = self._finals()
        found = None if finals is None else finals.of_trial(number)
        about = {"trial": number, "pick": pick, "finals": None if found is None else found.to_json()}
        return export_spec(problem, self._model(number), Path(file), about, console, numbers)

    def report(self, out: Path | None = None) -> Path:
        """Write report.html, pareto.csv and trials.parquet into the folder, or into another; the page's path."""
        from automl.report.study.page import write_report

        return write_report(self._data(), self.folder, out)

    def finals(
        self,
        *,
        seeds: int | None = None,
        top: int | None = None,
        trials: Sequence[int] = (),
        workers: int = 2,
        address: str | None = None,
        console: Console | None = None,
    ) -> Finals:
        """Retrain picks (or the `trials` named) and baseline with several seeds on train + validate, test on the test
        window, write finals.json. Nobody else drives the study meanwhile."""
        from automl.commands.together import reaching
        from automl.runtime.lock import hold
        from automl.study.shared import finals_claimed

        with hold(self.folder), finals_claimed(self.folder), reaching(self.folder):
            problem = self._problem(console)
            from automl.commands.finals import run_finals

            return run_finals(
                problem,
                self._now(),
                seeds=seeds,
                top=top,
                trials=trials,
                workers=workers,
                address=address,
                console=console,
            )

    def replay(self, *, console: Console | None = None) -> Replay:
        """Ask for every batch of proposals anew, from what the record says was known when it was asked for.

        Raises:
            InputError: where the encoded log is not there any more, or the record is of a version that did not hold
                what was known.
        """
        from rich.console import Console as Quiet

        from automl.commands.replay import replay
        from automl.runtime.console import ProgressLine, now

        done, total = 0, 0
        progress = ProgressLine(console or Quiet(quiet=True), lambda: (done, total, "proposals asked for again"), now)

        def told(*far: int) -> None:
            nonlocal done, total
            done, total = far
            progress.update()

        with progress:
            return replay(self.folder, self._log, told)

    def status(self) -> str:
        """One screen: progress, best so far, failures by reason."""
        from automl.commands.status import screen

        return screen(self.folder, self._now())

    def scale_up(self) -> ScaleUp | None:
        """Of a study that was scaled: NE at equal cost, cost at equal NE, gain per core-hour; None of any other.

        Raises:
            InputError: where the baseline is not measured yet.
        """
        from automl.study.record import measured_history

        study = self._now()
        measured_history(study, self.folder)
        return study.scale_up()

    def summary(self) -> str:
        """How the search ended, in two lines."""
        from automl.commands.status import summary

        return summary(self._now())

    def _now(self) -> Study:
        """The record as it is now; read anew where somebody has written to it."""
        from automl.study.sqlite import version_of

        version = version_of(self.folder)
        if version is None or version != self._version:
            study, space = _read(self.folder)
            if _known_by(study.facts) != _known_by(self._study.facts):
                must, found = "must hold the study that was opened", "another one that was searched there since"
                raise InputError.of(str(self.folder), must, found, "open it anew")
            self._space = space if self._log is None else space.with_inputs(self._log.inputs)
            self._study, self._version = study, version
        return self._study

    def _picked(self, role: str) -> int:
        from automl.report.study.build import chosen_picks
        from automl.report.study.notes import unfit_words
        from automl.strategies.picks import roles

        finals, history = self._finals(), self.history
        config = recorded_config(self._now().facts)
        tested = {} if finals is None else {pick.role: pick.trial for pick in finals.picks}
        chosen = {**roles(chosen_picks(self._space, history, config, finals)), **tested}
        if role not in chosen:
            raise InputError.of(str(self.folder), f"must have a pick {role!r}", ", ".join(chosen) or "none")
        number = chosen[role]
        found = None if finals is None else finals.of_trial(number)
        if found is not None and found.unfit is not None:
            told = f"#{number}, which {unfit_words(found.unfit)}"
            raise InputError.of(str(self.folder), f"the pick {role} must be fit to ship", told, f"--trial {number}")
        if any(trial.number == number and not history.eligible(trial) for trial in history.trials):
            must, hint = f"the pick {role} must keep the study's limits, and train each time", "`automl finals` again"
            raise InputError.of(str(self.folder), must, f"#{number}, which does not", f"{hint}, or --trial {number}")
        return number

    def _finals(self) -> Finals | None:
        """Those of this study, where they were run."""
        study = self._now()
        return finals_of(self.folder, study.facts, study.trials)[0]

    def _model(self, number: int) -> ModelSpec:
        missing = untrained(self.history.trials, [number])
        if missing:
            must = "must hold the trial, trained to its end, in the space as it is now"
            raise InputError.of(str(self.folder), must, f"no {missing[0]}")
        return self._now().trial(number).candidate.model

    def _data(self) -> ReportData:
        from automl.report.study.build import report_data

        study = self._now()
        return report_data(study, self._space, self._log, recorded_config(study.facts), self.folder)

    def _problem(self, console: Console | None) -> Problem:
        """What the study is about, in the space that was searched, against the baseline that its gains are against.

        Raises:
            InputError: where its files are not there, or not those that its record speaks of.
        """
        facts, folder = self._now().facts, self.folder
        file, known = recorded_file(facts, folder), Subject.recorded(facts, folder)
        with RateLine(lambda: console) as passed:
            asking = partial(ask, replace(known, scaled=None), file=file, folder=folder)
            problem = load_problem(file, folder, passed, asking, says(console), self._space)
        self._log = problem.log
        return problem.at_scale(facts.scaled).against(facts.tuned)


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
    scale: float | None = None,
) -> StudyHandle:
    """Start a search, or go on where it stopped; see docs/python.md. With `scale` around the baseline at so many times
    its FLOPs, in a folder of its own (`scale-8x` in the study's) unless `out` names one.

    Raises:
        InputError: the study file, its space, its baseline or its data are wrong; where the baseline cannot be widened
            to the scale, or the space does not reach it.
        automl.runtime.errors.RunError: the baseline or every trial failed.
    """

    def load(folder: Path | None) -> Problem:
        with RateLine(lambda: console) as passed:
            problem = load_problem(Path(file), folder, passed, told=says(console), warm=warm_start_of)
        for _, text in problem.warm.notes if problem.warm is not None else ():
            says(console)(f"note: {text}")
        return problem

    problem = loaded_at(scale, Path(file), out, load)
    from automl.commands.search import search as run_search
    from automl.study.sqlite import version_of

    study = run_search(
        problem,
        trials=trials,
        workers=workers,
        time_budget=time_budget,
        address=address,
        console=console,
        command=command,
    )
    return StudyHandle(problem.folder, study, problem.space, problem.log, version_of(problem.folder))


def open_study(folder: Path | str, *, console: Console | None = None) -> StudyHandle:
    """A study that was started before. Its log need not be there any more, or in the form of today, but for finals; one
    that is not what was encoded is passed over.

    Raises:
        InputError: where the folder holds no study, or one without its baseline.
    """
    from automl.data.store.log import LOG, open_log
    from automl.study.sqlite import version_of

    folder = Path(folder).absolute()
    version = version_of(folder)
    study, space = _read(folder)
    encoded = folder / "data" / study.facts.data
    with RateLine(lambda: console) as passed:
        task = recorded_config(study.facts).task
        log = open_log(encoded, task) if LOG.current(encoded, study.facts.data, passed) else None
    if log is None and encoded.exists():
        says(console)(f"{encoded} is not what was encoded there, and not read; `automl check` encodes it anew")
    if log is not None:
        space = space.with_inputs(log.inputs)
    return StudyHandle(folder, study, space, log, version)


def _read(folder: Path) -> tuple[Study, SearchSpace]:
    from automl.study.record import Study
    from automl.study.sqlite import reading
    from automl.study.storage import load_started

    stored, space, facts = load_started(folder)
    with reading(folder):
        return Study(stored, space, recorded_config(facts).limits), space


def _known_by(facts: Facts) -> tuple[str, float]:
    """A study is known by its name and its first start."""
    return recorded_config(facts).name, facts.started_at


__all__ = ["StudyHandle", "open_study", "search"]
