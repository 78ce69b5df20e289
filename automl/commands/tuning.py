"""The tuning of a baseline, before anything is compared with it: its own training knobs, never its architecture.

A hundred trials against rates that nobody tuned prove that rates can be tuned. What is tried depends on the record
alone, not on which training ended first, so that a run that was killed goes on and comes to the same model.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from rich.console import Console

from automl.commands.outcomes import with_outcome
from automl.commands.repeats import Stage, resumable, trained_again
from automl.commands.status import tuning_line
from automl.runtime.console import ProgressLine, now
from automl.runtime.engine import run
from automl.runtime.errors import RunError
from automl.runtime.jobs import Done, Job, Limits, Outcome, Progress, Resources, TrainModel, Wait
from automl.stats.significance import one_sided
from automl.strategies.rates import next_models
from automl.study.history import Origin, State, Trial
from automl.study.problem import SEARCH_FIT, Problem
from automl.study.record import Study
from automl.study.tuning import BROUGHT, TuningPlan, decided, first_ne, leading
from search_spaces.model import ModelSpec
from search_spaces.space import Candidate

# Orders that neither the search nor the finals see: the tuned baseline is not chosen for its luck on theirs.
TUNE = Stage("tune", SEARCH_FIT, "validate", first_order=2000)


def tuned_problem(
    problem: Problem, study: Study, resources: Resources, console: Console, start: Callable[[], object]
) -> Problem:
    """The problem against its tuned baseline, which is looked for where the record does not have it; the problem itself
    where the study file asks for no tuning. `start` starts the cluster.

    Raises:
        RunError: where the model as brought failed.
    """
    trainings = study.facts.tune_baseline
    if trainings and study.facts.tuned is None:
        source = TuningSource(problem, study, TuningPlan.of(trainings))
        progress = ProgressLine(console, source.describe, now)
        source.told = progress.update
        start()
        with progress:
            run(source, resources, told=progress.wait)
        if source.broken is not None:
            raise RunError(source.broken)
        study.note(replace(study.facts, tuned=decided(study.baselines.tunings, source.plan, one_sided)))
        found = study.tuning()
        assert found is not None
        console.print(tuning_line(found), highlight=False, soft_wrap=True)
    return problem.against(study.facts.tuned)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A training: which model on which of the tuning's orders."""

    number: int
    model: ModelSpec
    order: int


class TuningSource:
    """The trainings of a tuning as jobs, wave by wave: a wave is ordered when the one before has ended."""

    def __init__(self, problem: Problem, study: Study, plan: TuningPlan) -> None:
        self.plan = plan
        self.broken: str | None = None  # why it cannot go on
        self.told: Callable[[], None] = lambda: None
        self._problem, self._study = problem, study
        self._ready: deque[Wanted] = deque()
        self._running: dict[str, Wanted] = {}

    def next(self, running: int) -> Job | Wait | Done:
        if self.broken is not None:
            return Done()
        if not self._ready:
            if self._running:
                return Wait()
            self._ready.extend(self._wave())
        if not self._ready:
            return Done()
        wanted = self._ready.popleft()
        job = self._job(wanted)
        self._running[job.name] = wanted
        return job

    def keep_going(self, job: Job, progress: Progress) -> bool:
        return True

    def ended(self, job: Job, outcome: Outcome) -> None:
        wanted = self._running.pop(job.name)
        origin = Origin.BASELINE if wanted.number == BROUGHT else Origin.MUTATION
        trial = Trial(number=wanted.number, candidate=Candidate({}, wanted.model), origin=origin, state=State.RUNNING)
        payload = self._payload(wanted)
        seeds = {"weights": payload.weights_seed, "order": payload.order_seed, "repeat": wanted.order}
        trial = replace(with_outcome(trial, outcome, outcome.measurement), seeds=seeds)
        if wanted.number == BROUGHT and trial.failure is not None:
            self.broken = f"the baseline must train, but it failed: {trial.failure.kind}: {trial.failure.reason}"
        else:
            self._study.baselines.add_tuning(trial)
        self.told()

    def describe(self) -> tuple[int, int, str]:
        """Done, total, words: for a line of progress."""
        trials = self._study.baselines.tunings
        total = self.plan.explored + self.plan.orders * (1 + self.plan.leaders)
        ne = first_ne(trials)
        words = "tuning the baseline's training"
        best = min((value for value in ne.values() if math.isfinite(value)), default=math.nan)
        if BROUGHT in ne and best < ne[BROUGHT]:
            words += f": NE {ne[BROUGHT]:.4f} as brought, best {100 * (best / ne[BROUGHT] - 1):+.2f}%"
        return len(trials), total, words

    # ------------------------------------------------------------------ what is tried

    def _wave(self) -> list[Wanted]:
        """The trainings that come next, from what is recorded; none where all is done."""
        trials = self._study.baselines.tunings
        models = {trial.number: trial.candidate.model for trial in trials}
        tried = {models[number].key: ne for number, ne in first_ne(trials).items()}
        train = self._problem.log.windows["train"]
        rows, timed = train.stop - train.start, self._problem.log.times_N is not None
        new = next_models(self._problem.baseline, tried, self.plan.explored, most_rows=rows, timed=timed)
        if new:
            numbers = (number for number in range(self.plan.explored) if number not in models)
            return [Wanted(number, model, 0) for number, model in zip(numbers, new, strict=False)]
        done = {(trial.number, trial.seeds["repeat"]) for trial in trials}
        leaders = leading(trials, self.plan)
        again = [BROUGHT, *leaders] if leaders else []
        wanted = [Wanted(n, models[n], order) for order in range(1, self.plan.orders + 1) for n in again]
        return [one for one in wanted if (one.number, one.order) not in done]

    # ------------------------------------------------------------------ jobs

    def _job(self, wanted: Wanted) -> Job:
        trial = self._problem.config.trial
        limits = Limits(timeout_s=trial.timeout, memory_bytes=trial.memory)
        name = f"tune-{wanted.number}-{wanted.order}"
        return Job(name, resumable(self._problem, name, self._payload(wanted)), limits)

    def _payload(self, wanted: Wanted) -> TrainModel:
        return trained_again(self._problem, self._problem.log, wanted.model, TUNE, wanted.order)
