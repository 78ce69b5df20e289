"""A search from its study file to its last trial: the one place where problem, record, strategy and engine meet."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from rich.console import Console

from automl.commands.failing import all_failed
from automl.commands.held import RecordHeld
from automl.commands.repeats import CHECKPOINTS
from automl.commands.search_source import Budget, SearchSource
from automl.commands.together import have_baseline, joins, others_ended, reaching
from automl.commands.tuning import tuned_problem
from automl.commands.warm import told_at_start
from automl.runtime.cluster import check_gpu, check_machine, cluster
from automl.runtime.console import ProgressLine, now, search_words
from automl.runtime.engine import run
from automl.runtime.errors import RunError
from automl.runtime.host import machine, versions
from automl.runtime.jobs import Resources
from automl.runtime.lock import hold
from automl.runtime.rate_line import says
from automl.runtime.resumed import clear
from automl.study.claims import TAKEN_OVER, Subject, ask
from automl.study.drivers import ALONE, others
from automl.study.facts import Facts
from automl.study.history import Prefer
from automl.study.places import told
from automl.study.plugins import digests
from automl.study.precedents import WarmStart
from automl.study.problem import Problem
from automl.study.record import Study
from automl.study.shared import note_shared, plugins_of
from automl.study.storage import open_study


def search(
    problem: Problem,
    *,
    trials: int,
    workers: int,
    time_budget: float | None = None,
    address: str | None = None,
    console: Console | None = None,
    command: str = "",
    clock: Callable[[], float] = time.time,
    timer: Callable[[], float] = time.monotonic,
) -> Study:
    """Start a search, or go on where it stopped.

    Args:
        trials: candidates to be ended in all, whether complete, stopped early or failed.
        workers: trials that run at once.
        time_budget: seconds; trials that run at its end are finished.
        clock: what moments are written down by.
        timer: what the budget and the time that was taken are measured with. It never jumps, as clocks do.

    Raises:
        InputError: where the folder holds a study of other data, of another baseline, another scale or tuning of it, or
            is in use; where a trial asks for more cores than there are, or for a GPU where there is none.
        RunError: where the baseline failed, or every trial; where Ray cannot be had, or the cluster is too small.
        KeyboardInterrupt: stopped by hand; the same call goes on.
    """
    console = console or Console(quiet=True)
    config = problem.config.resources
    resources = Resources(workers=workers, cpu=config.cpu, gpu=config.gpu, elsewhere=address is not None)
    check_machine(problem.document.at("resources", "cpu"), resources.cpu, address)
    check_gpu(problem.document.at("resources", "gpu"), resources.gpu, address)
    with hold(problem.folder), ExitStack() as stack:
        start = lru_cache(lambda: stack.enter_context(cluster(problem.folder, workers * config.cpu, address)))
        held = RecordHeld(console)
        shared = note_shared(problem.folder, problem.config.storage, problem.name, told(problem.file, problem.folder))
        stack.enter_context(reaching(problem.folder))
        drivers = ALONE if shared is None else stack.enter_context(shared.driven(held))

        def asked(known: Facts) -> None:
            recorded = Subject.recorded(known, problem.folder)
            ask(recorded, problem.subject, problem.file, problem.folder, taken=TAKEN_OVER)

        opened = problem.folder, problem.name, problem.space, problem.config.limits
        study = open_study(*opened, drivers=drivers, waiting=held, asked=asked, told=says(console))
        began = timer()
        with study.turn():
            prepare(
                study, problem, trials=trials, time_budget=time_budget, workers=workers, command=command, now=clock()
            )
        budget = Budget(trials=trials, deadline=began + time_budget if time_budget is not None else float("inf"))

        def train(until: Budget) -> None:
            against = tuned_problem(problem, study, resources, console, start)
            _run_trials(against, study, until, resources, console, start, clock, timer)

        try:
            if shared is not None:
                have_baseline(study, console, lambda: train(Budget(trials=0)))
            train(budget)
            while shared is not None and others_ended(study, console, lambda: timer() >= budget.deadline):
                train(budget)
        except KeyboardInterrupt:
            held.give_up()
            raise
        finally:
            with study.turn():
                study.note(replace(study.facts, wall_seconds=study.facts.wall_seconds + timer() - began))
        if study.facts.exhausted and len(study.trials) < trials:
            line = f"nothing new was proposed after {len(study.trials)} different models: all of the space were tried"
            console.print(line, highlight=False)
        clear(problem.folder / CHECKPOINTS)
    reason = all_failed(study.trials)
    if reason is not None:
        raise RunError(reason)
    return study


def _run_trials(
    problem: Problem,
    study: Study,
    budget: Budget,
    resources: Resources,
    console: Console,
    start: Callable[[], object],
    clock: Callable[[], float],
    timer: Callable[[], float],
) -> None:
    """The baseline's repeats and the trials, as far as they are not done.

    Raises:
        RunError: where the baseline or a strategy failed.
    """
    progress = ProgressLine(console, lambda: _progress(study), now)
    source = SearchSource(problem, study, budget, workers=resources.workers, told=progress.update, timer=timer)
    patient = True
    try:
        if not source.finished:
            start()
            with progress:
                progress.update()
                run(source, resources, told=progress.wait, clock=clock)
    except KeyboardInterrupt:
        patient = False
        raise
    finally:
        failed = _close(source, wait=patient)
        with study.turn():
            late = not source.finished and timer() >= budget.deadline
            study.note(replace(study.facts, exhausted=source.exhausted, out_of_time=late))
    if failed is not None:
        raise failed


def prepare(
    study: Study, problem: Problem, *, trials: int, time_budget: float | None, workers: int, command: str, now: float
) -> None:
    """Write down what the study is about, and what is asked of it this time.

    Raises:
        InputError: where other drivers search by another text at this moment.
    """
    known = study.facts if study.started else None
    warm = told_at_start(problem) if known is None else WarmStart(known.warm_start, known.warm_sources)
    facts = Facts(
        study_file=told(problem.file, problem.folder),
        config_text=problem.document.text,
        data=problem.log.fingerprint,
        baseline_key=problem.subject.baseline,
        baseline_qps=measure_baseline_qps(problem) if known is None else known.baseline_qps,
        baseline_seeds=problem.config.baseline_seeds,
        workers=workers,
        command=command,
        versions={"python": platform.python_version(), **versions()},
        machine=machine(),
        started_at=now if known is None else known.started_at,
        plugins=_plugins_of(problem, known),
        tune_baseline=problem.config.search.tune_baseline,
        scaled=problem.scaled,
        tuned=None if known is None else known.tuned,
        prefer=Prefer(problem.config.search.prefer),
        warm_start=warm.precedents,
        warm_sources=warm.sources,
        finals_data=problem.finals_data,
        trials_wanted=trials,
        time_budget=time_budget,
        exhausted=known is not None and known.exhausted,
        wall_seconds=0.0 if known is None else known.wall_seconds,
        tested={} if known is None else known.tested,
        family=None if known is None else known.family,
    )
    study.note(joins(study, problem, facts) if known is not None and others(study.drivers) else facts)


def _plugins_of(problem: Problem, known: Facts | None) -> dict[str, str]:
    """The plug-ins that the study names, and those that it did before, whose blocks its trials may hold; of all that
    this process has loaded, since it may hold those of other studies."""
    own = {str((problem.file.parent / name).resolve()) for name in problem.config.plugins}
    if known is not None:
        own |= plugins_of(known, problem.folder).keys()
    return {told(Path(file), problem.folder): digest for file, digest in digests().items() if file in own}


def measure_baseline_qps(problem: Problem) -> float:
    """Rows that the baseline scores a second, before anything else runs."""
    from automl.ranking.clocks import make_clock
    from automl.ranking.model import build_model  # with torch, of which a search that goes on has no need
    from automl.ranking.process import prepare_process
    from automl.ranking.throughput import quiet_qps, timed_batches

    prepare_process()
    model = build_model(problem.baseline, problem.log.inputs, seed=0)
    rows = problem.log.windows["validate"]
    config = problem.config.qps
    return quiet_qps(
        model,
        timed_batches(problem.log, rows, config.batch_rows),
        max_seconds=config.max_seconds,
        clock=make_clock(config.clock),
    )


def _progress(study: Study) -> tuple[int, int, str]:
    ended, trials = sum(trial.ended for trial in study.trials), study.facts.trials_wanted or 0
    return ended, trials, "training the baseline" if study.baseline() is None else search_words(study.history())


def _close(source: SearchSource, *, wait: bool) -> RunError | None:
    try:
        source.close(wait=wait)
    except RunError as failed:
        return failed
    return None
