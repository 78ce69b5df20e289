"""Finals: picks and baseline trained anew with several seeds on train + validate, scored on days no search ever saw."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from automl.commands.judge import Trained, confirmed_gains, judge
from automl.commands.parts import further_models, parts_of
from automl.commands.repeats import BASELINE, CHECKPOINTS, CONFIRM, FINAL, Failed, RepeatsSource, Stage, scored_window
from automl.data.store.log import EncodedLog
from automl.runtime.cluster import check_gpu, check_machine, cluster
from automl.runtime.console import ProgressLine, now
from automl.runtime.engine import run
from automl.runtime.errors import RunError
from automl.runtime.jobs import Resources
from automl.runtime.rate_line import RateLine, says
from automl.runtime.resumed import clear
from automl.stats.compared import ScoredRows
from automl.stats.planned import planned_pct
from automl.stats.race import FIRST_LOOK, can_win, is_race, orders_of_the_rest
from automl.stats.verdicts import FASTER
from automl.strategies.picks import Pick, entrants, picks
from automl.study.facts import Facts
from automl.study.family import family_of, ledger_folder
from automl.study.history import History, State
from automl.study.parts import untrained
from automl.study.problem import FINALS_FIT, Problem, encode
from automl.study.record import Study, measured_history
from automl.study.results import Finals, SpokenOf, level_at, write_finals
from automl.study.tested import asked_of, judged_with, tested_before
from search_spaces.errors import InputError
from search_spaces.model import ModelSpec

Floats = NDArray[np.float64]


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
    """Run the finals of a study, whose folder the caller holds, and write finals.json.

    First the promising trials are trained again on train and scored on validate, on other orders of the data: the best
    single run of a search is mostly a lucky one. From what they reach on average the picks are made, and only those
    meet the test window, in a race. `trials` names the trials to test instead. What was trained in an earlier call is
    not trained again, so seeds may be added.

    Raises:
        InputError: where the baseline is not measured yet, the search has nothing to pick, or the study cannot have its
            place in its family.
        RunError: where the baseline failed, or every promising trial before the picks. A pick that does is told as
            unfit to ship.
    """
    console = console or Console(quiet=True)
    config = problem.config
    has = config.resources
    resources = Resources(workers=workers, cpu=has.cpu, gpu=has.gpu, elsewhere=address is not None)
    check_machine(problem.document.at("resources", "cpu"), resources.cpu, address)
    check_gpu(problem.document.at("resources", "gpu"), resources.gpu, address)
    seeds = seeds or config.finals.seeds
    if config.finals.family is not None:
        ledger_folder(problem)
    with ExitStack() as stack:
        history = measured_history(study, problem.folder)
        named = _named(problem, history, trials)
        entered = () if named else entrants(problem.space, history, seed=config.seed)
        if not entered and not named:
            must = "must hold a trial that was trained to the end within the limits"
            raise InputError.of(str(problem.folder), must, "none", "search longer: automl search ... --trials N")
        start = lru_cache(lambda: stack.enter_context(cluster(problem.folder, workers * resources.cpu, address)))

        def train(on: EncodedLog, models: Mapping[str, ModelSpec], orders: int, stage: Stage = FINAL) -> Trained:
            source = RepeatsSource(problem, on, {BASELINE: problem.baseline, **models}, orders, stage)
            for file in source.anew:
                says(console)(f"{file} is not what was written there; it is made anew")
            _run(source, resources, console, clock, start)
            others = [task for task in on.tasks if task != on.label]
            return Trained(source.whole(), source.failed, {task: source.whole(task) for task in others})

        repeats: Mapping[str, Floats] = {}
        if not named:
            again = train(problem.log, _models(study, entered), config.finals.repeats, CONFIRM)
            repeats = again.probs
            for line in failed_lines(again.failed):
                console.print(line, highlight=False, soft_wrap=True)
            if len(repeats) < 2:
                raise RunError("every promising trial failed when it was trained again: there is nothing to pick from")
        seen = scored_window(problem.log, CONFIRM.score)
        confirmed = None if named else confirmed_gains(seen, repeats)
        margin = config.finals.margin_pct
        chosen = named or picks(
            problem.space, history, seed=config.seed, top=top, margin_pct=margin, confirmed=confirmed
        )
        study.read_again()
        before = tested_before(study.facts, study.trials, problem.folder)
        family = family_of(problem, study, before)
        with RateLine(lambda: console) as passed:
            log = encode(problem, FINALS_FIT, passed, says(console))
        test = scored_window(log, FINAL.score)
        picked = [repeats[name] for name in (str(pick.trial) for pick in chosen) if name in repeats]
        planned = math.nan
        if picked:
            planned = planned_pct(seen, repeats[BASELINE], picked, test, seeds, level_at(family))
        if math.isfinite(planned):
            console.print(f"planned: with {seeds} seeds an NE gain of about {planned:.2f}% can be told from chance")
        models = _models(study, [pick.trial for pick in chosen])
        tested = asked_of(study, before, models.values(), clock())
        even = not (config.finals.race and is_race(seeds))
        trained = train(log, models, seeds) if even else race(test, study, models, seeds, margin, partial(train, log))
        found = judge(problem, log, trained, chosen, study, seeds, planned, family, tested)
        judged_with(study, found)
        found = replace(
            found,
            trials=sum(trial.ended for trial in history.trials),
            confirmed={number: tuple(gains.tolist()) for number, gains in (confirmed or {}).items()},
            of=_spoken_of(problem, study.facts, log, models, trained),
        )
        made = study.facts.tune_baseline or study.facts.scaled is not None
        further = further_models(problem, found, models) if made else {}
        if further:
            beside = train(log, further, min(seeds, found.baseline.orders))
            found = replace(found, parts=parts_of(test, found, {**beside.probs, **trained.probs}))
        write_finals(problem.folder, found)
        clear(problem.folder / CHECKPOINTS)
    return found


def race(
    test: ScoredRows,
    study: Study,
    models: Mapping[str, ModelSpec],
    seeds: int,
    margin_pct: float,
    train: Callable[[Mapping[str, ModelSpec], int], Trained],
) -> Trained:
    """Train models and the baseline, so that trainings go where they decide (automl.stats.race).

    `train(models, orders)` has models and the baseline trained on the first so many orders, and trains nothing twice.
    Who goes on hangs on predictions alone and on what the search had timed: the same call decides the same.
    """
    first = train(models, FIRST_LOOK)
    fit = [name for name in models if name in first.probs]
    searched = {str(trial.number): trial.measurement for trial in study.trials}
    fast = [one is not None and one.speed.qps_ratio_high > FASTER for one in map(searched.get, fit)]
    looked = test.gains(first.probs[BASELINE], [first.probs[name] for name in fit])
    left = [name for name, goes in zip(fit, can_win(looked, fast, seeds, margin_pct), strict=True) if goes]
    if not left:
        return first
    rest = train({name: models[name] for name in left}, orders_of_the_rest(len(models), len(left), seeds))
    return first.and_then(rest)


def failed_lines(failed: Mapping[str, Failed]) -> list[str]:
    """Trials that cannot be picked, since a training of theirs failed before the picks; a line each."""
    return [
        f"#{name} is unfit to ship: trained again on order {one.repeat + 1} it failed: {one.failure.kind}: "
        f"{one.failure.reason}"
        for name, one in failed.items()
    ]


def _named(problem: Problem, history: History, trials: Sequence[int]) -> tuple[Pick, ...]:
    """Trials named by hand as picks.

    Raises:
        InputError: where one was not trained to its end.
    """
    complete = {trial.number: trial for trial in history.of_state(State.COMPLETE)}
    missing = ", ".join(untrained(history.trials, trials))
    if missing:
        raise InputError.of(str(problem.folder), "must hold the trials, trained to their end", f"no {missing}")
    gain = history.baseline.gain_pct
    return tuple(
        Pick(number, "named", gain(measured.ne))
        for number in dict.fromkeys(trials)
        if (measured := complete[number].measurement) is not None
    )


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
            run(source, resources, told=progress.wait, clock=clock)


def _spoken_of(
    problem: Problem, facts: Facts, log: EncodedLog, models: Mapping[str, ModelSpec], trained: Trained
) -> SpokenOf:
    return SpokenOf(
        data=problem.log.fingerprint,
        finals_data=log.fingerprint,
        baseline=problem.baseline.key,
        models={int(name): model.key for name, model in models.items()},
        name=problem.config.name,
        started_at=facts.started_at,
        predictions={name: hashlib.sha256(found.tobytes()).hexdigest()[:16] for name, found in trained.probs.items()},
    )


def _models(study: Study, numbers: Sequence[int]) -> dict[str, ModelSpec]:
    models = {trial.number: trial.candidate.model for trial in study.trials}
    return {str(number): models[number] for number in numbers}
