"""Finals: picks and baseline trained anew with several seeds on train + validate, scored on days no search ever saw."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from automl.commands.repeats import BASELINE, CONFIRM, FINAL, RepeatsSource, Stage, scored_window
from automl.data.store.log import EncodedLog
from automl.ranking.model import build_model
from automl.ranking.process import prepare_process
from automl.ranking.throughput import time_ratio, timed_batches
from automl.report.study.notes import wide_words
from automl.runtime.cluster import cluster
from automl.runtime.console import ProgressLine, now
from automl.runtime.engine import Resources, run
from automl.runtime.errors import RunError
from automl.runtime.host import hold
from automl.runtime.work import make_clock
from automl.stats.compared import ScoredRows
from automl.stats.significance import seeds_wanted, verdict
from automl.stats.verdicts import Verdict
from automl.strategies.picks import Pick, entrants, picks
from automl.study.history import History, Speed, State
from automl.study.problem import FINALS_FIT, Problem, encode
from automl.study.record import Study
from automl.study.results import FinalBaseline, FinalPick, Finals, write_finals
from search_spaces.errors import InputError
from search_spaces.model import ModelSpec

Floats = NDArray[np.float64]
TIMING_SECONDS = 3.0  # of each pick against the baseline


def run_finals(
    problem: Problem,
    study: Study,
    *,
    seeds: int | None = None,
    top: int | None = None,
    trials: Sequence[int] = (),
    workers: int = 2,
    address: str | None = None,
    console: Console | None = None,
    clock: Callable[[], float] = time.time,
) -> Finals:
    """Run the finals of a study and write finals.json.

    First the promising trials are trained again on train and scored on validate, on other orders of the data: the best
    single run of a search is mostly a lucky one. From what they reach on average the picks are made, and only those
    meet the test window. `trials` names the trials to test instead. What was trained in an earlier call is not trained
    again, so seeds may be added.

    Raises:
        InputError: where the search has nothing to pick.
        RunError: where a pick or the baseline failed.
    """
    console = console or Console(quiet=True)
    config = problem.config
    history = study.history()
    named = _named(problem, history, trials)
    entered = () if named else entrants(problem.space, history, seed=config.seed)
    if not entered and not named:
        must = "must hold a trial that was trained to the end within the limits"
        raise InputError.of(str(problem.folder), must, "none", "search longer: automl search ... --trials N")
    resources = Resources(workers=workers, cpu=config.resources.cpu, gpu=config.resources.gpu)
    with hold(problem.folder), ExitStack() as stack:
        start = lru_cache(lambda: stack.enter_context(cluster(problem.folder, workers * resources.cpu, address)))
        confirmed: dict[int, Floats] = {}
        if not named:
            confirm = _source(problem, problem.log, study, entered, config.finals.repeats, CONFIRM)
            _run(confirm, resources, console, clock, start)
            confirmed = confirmed_gains(scored_window(problem.log, "validate"), confirm.whole())
        margin = config.finals.margin_pct
        chosen = named or picks(
            problem.space, history, seed=config.seed, top=top, margin_pct=margin, confirmed=confirmed
        )
        log = encode(problem, FINALS_FIT)
        final = _source(problem, log, study, [p.trial for p in chosen], seeds or config.finals.seeds, FINAL)
        _run(final, resources, console, clock, start)
        found = judge(problem, log, final.predictions(), chosen, study, final.models)
        found = replace(
            found,
            trials=sum(trial.ended for trial in history.trials),
            confirmed={number: tuple(gains.tolist()) for number, gains in confirmed.items()},
        )
        write_finals(problem.folder, found)
    return found


def _named(problem: Problem, history: History, trials: Sequence[int]) -> tuple[Pick, ...]:
    """Trials named by hand as picks.

    Raises:
        InputError: where one was not trained to its end.
    """
    complete = {trial.number: trial for trial in history.of_state(State.COMPLETE)}
    missing = [f"#{number}" for number in trials if number not in complete]
    if missing:
        raise InputError.of(
            str(problem.folder), "must hold the trials, trained to their end", f"no {', '.join(missing)}"
        )
    gain = history.baseline.gain_pct
    return tuple(
        Pick(number, "named", gain(measured.ne))
        for number in dict.fromkeys(trials)
        if (measured := complete[number].measurement) is not None
    )


def confirmed_gains(window: ScoredRows, probs: Mapping[str, Floats]) -> dict[int, Floats]:
    """NE gains in percent by trial, one on each order, against the baseline on the same order.

    The gain seen by the search is not among them: the trial was chosen for it.

    Raises:
        RunError: where the baseline failed.
    """
    if BASELINE not in probs:
        raise RunError("the baseline failed when it was trained again; its trials cannot be compared")
    base = window.ne(probs[BASELINE])
    return {int(name): 100 * (window.ne(of) / base - 1) for name, of in probs.items() if name != BASELINE}


def judge(
    problem: Problem,
    log: EncodedLog,
    probs: Mapping[str, Floats],
    chosen: Sequence[Pick],
    study: Study,
    models: Mapping[str, ModelSpec],
) -> Finals:
    """Predictions of the finals to verdicts; how many trials had ended is not known here, nor what the repeats said."""
    window = scored_window(log, "test")
    names = [str(pick.trial) for pick in chosen]
    gains = window.gains(probs[BASELINE], [probs[name] for name in names])
    ne = {name: window.ne(of_model) for name, of_model in probs.items()}
    speeds = time_together(problem, log, [models[name] for name in names])
    baseline = study.baseline()
    assert baseline is not None
    margin = problem.config.finals.margin_pct
    searched = {trial.number: trial for trial in study.trials}
    picked = []
    for pick, gain, speed in zip(chosen, gains, speeds, strict=True):
        measured = searched[pick.trial].measurement
        picked.append(
            FinalPick(
                trial=pick.trial,
                role=pick.role,
                ne=float(ne[str(pick.trial)].mean()),
                ne_gain_pct=gain.pct,
                ci_low_pct=gain.low_pct,
                ci_high_pct=gain.high_pct,
                p_corrected=gain.p_corrected,
                qps_ratio=speed.qps_ratio,
                qps_ratio_low=speed.qps_ratio_low,
                search_ne_gain_pct=baseline.gain_pct(measured.ne) if measured else math.nan,
                confirmed_ne_gain_pct=pick.shrunken_gain_pct,
                verdict=verdict(gain, speed.qps_ratio_low, margin),
            )
        )
    base = ne[BASELINE]
    wide = max(pick.half_width_pct for pick in picked) > margin
    return Finals(
        baseline=FinalBaseline(ne=float(base.mean()), ne_std=float(base.std(ddof=1)), qps=baseline.qps),
        margin_pct=margin,
        seeds=len(base),
        seeds_wanted=seeds_wanted(gains, margin) if wide else 0,
        picks=tuple(picked),
    )


def finals_lines(found: Finals) -> list[str]:
    """The finals in words, a line a pick."""
    lines = [_line(pick, found.margin_pct) for pick in found.picks]
    wide = wide_words(found.half_width_pct, found.margin_pct, found.seeds_wanted)
    return [*lines, wide] if wide else lines


def _line(pick: FinalPick, margin_pct: float) -> str:
    interval = f"[{pick.ci_low_pct:+.2f}, {pick.ci_high_pct:+.2f}]"
    figures = f"NE {pick.ne_gain_pct:+.2f}% {interval:<16} QPS x{pick.qps_ratio:.2f}"
    return f"{f'#{pick.trial}':<5} {pick.role:<10} {figures}   {_verdict_words(pick, margin_pct)}"


def _verdict_words(pick: FinalPick, margin_pct: float) -> str:
    match pick.verdict:
        case Verdict.BETTER | Verdict.WORSE:
            return f"{pick.verdict} (p {pick.p_corrected:.2g})"
        case Verdict.FASTER:
            return f"{pick.verdict} (NE no worse than {margin_pct:+g}%)"
        case Verdict.NO_BETTER:
            return f"{pick.verdict}: NE may be worse by up to {pick.smallest_margin_pct:.2f}%"


def time_together(problem: Problem, log: EncodedLog, models: Sequence[ModelSpec]) -> list[Speed]:
    """All models against the baseline in one run: over minutes the ratio itself drifts with what the neighbours do."""
    prepare_process()
    reference = build_model(problem.baseline, log.inputs, seed=0)
    config = problem.config.qps
    batches = timed_batches(log, log.windows["test"], config.batch_rows)
    return [
        time_ratio(
            build_model(model, log.inputs, seed=0),
            reference,
            batches,
            max_seconds=TIMING_SECONDS,
            clock=make_clock(config.clock),
        )
        for model in models
    ]


def _source(
    problem: Problem, log: EncodedLog, study: Study, trials: Sequence[int], repeats: int, stage: Stage
) -> RepeatsSource:
    models = {BASELINE: problem.baseline, **{str(number): _model(study, number) for number in trials}}
    return RepeatsSource(problem, log, models, repeats, stage)


def _run(
    source: RepeatsSource,
    resources: Resources,
    console: Console,
    clock: Callable[[], float],
    start: Callable[[], None],
) -> None:
    progress = ProgressLine(console, source.describe, now)
    source.told = progress.update
    if source.waiting:
        start()
        with progress:
            run(source, resources, clock=clock)


def _model(study: Study, number: int) -> ModelSpec:
    return next(trial.candidate.model for trial in study.trials if trial.number == number)
