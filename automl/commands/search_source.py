"""A study as a source of jobs: the baseline's repeats, then what the strategy proposes, until the budget is spent."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from automl.commands.stopping import STOPS, extrapolated_ne, should_stop
from automl.runtime.errors import RunError, explain
from automl.runtime.jobs import Done, Job, Limits, Outcome, Progress, Timing, TrainModel, Wait
from automl.stats.seeds import trial_seeds
from automl.strategies import Strategy, strategy_of
from automl.study.config import TRAININGS
from automl.study.history import Failure, History, Measurement, Metric, Origin, Proposal, State, Trial
from automl.study.problem import Problem
from automl.study.record import Study
from search_spaces.model import ModelSpec
from search_spaces.space import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Until when to search: candidates ended, and a moment of the clock."""

    trials: int
    deadline: float = math.inf


class SearchSource:
    """Hands out trials and writes what became of them. Proposals are made in a thread while trials run, from the
    history as it stood when they were ordered, so that no worker waits and the order of events alone decides."""

    def __init__(
        self,
        problem: Problem,
        study: Study,
        budget: Budget,
        *,
        workers: int,
        told: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._problem, self._study, self._budget = problem, study, budget
        self._workers, self._told, self._clock = workers, told, clock
        self._strategy: Strategy = strategy_of(problem.config.search.strategy)
        done = {trial.seeds["repeat"] for trial in study.baseline_repeats()}  # they need not have ended in order
        self._repeats = deque(repeat for repeat in range(problem.config.baseline_seeds) if repeat not in done)
        self._queue: deque[Trial] = deque(study.take_over())
        self._trials: dict[str, Trial] = {}
        self._proposer = ThreadPoolExecutor(1, thread_name_prefix="propose")
        self._order: Future[list[Proposal]] | None = None
        self._exhausted = False
        self._broken: str | None = None

    @property
    def exhausted(self) -> bool:
        """The space holds nothing new."""
        return self._exhausted

    @property
    def finished(self) -> bool:
        """Nothing is left to run: the budget was spent before."""
        return not self._repeats and not self._queue and self._wanted() <= 0

    def next(self, running: int) -> Job | Wait | Done:
        if self._broken is not None:
            return Done()
        if self._repeats:
            return self._baseline_job(self._repeats.popleft())
        if self._study.baseline() is None:
            return Wait()
        if self._clock() >= self._budget.deadline:
            return Done()
        self._refill(block=running == 0)
        if self._queue and len(self._study.trials) - len(self._queue) < self._budget.trials:
            return self._trial_job(self._queue.popleft())
        return Wait() if self._order is not None or (self._wanted() > 0 and not self._exhausted) else Done()

    def keep_going(self, job: Job, progress: Progress) -> bool:
        trial = self._trials.get(job.name)
        if trial is None or not self._problem.config.search.stop_early or progress.qps_ratio is None:
            return True
        return not should_stop(trial, progress.curve, progress.qps_ratio, self._study.trials)

    def ended(self, job: Job, outcome: Outcome) -> None:
        trial = self._trials.pop(job.name, None)
        if trial is None:
            self._end_baseline(job, outcome)
        else:
            self._study.end(self._ended_trial(trial, outcome))
        self._told()

    def close(self) -> None:
        """Let the thread of proposals end. Raises what broke the run, if anything did."""
        self._proposer.shutdown(wait=True, cancel_futures=True)
        if self._broken is not None:
            raise RunError(self._broken)

    # ------------------------------------------------------------------ proposals

    def _wanted(self) -> int:
        """How many more candidates the budget allows beyond those begun."""
        return self._budget.trials - len(self._study.trials)

    def _refill(self, *, block: bool) -> None:
        """Order a batch before the queue runs empty; take one in that is ready (or wait for it, if nothing runs)."""
        self._order_batch()
        while self._order is not None and (self._order.done() or (block and not self._queue)):
            proposals = self._order.result()
            self._order = None
            self._exhausted = not proposals
            round_ = 1 + max((trial.round for trial in self._study.trials), default=0)
            self._queue.extend(self._study.begin(proposals, round_))
            self._order_batch()

    def _order_batch(self) -> None:
        if self._order is not None or self._exhausted or len(self._queue) > self._workers or self._wanted() <= 0:
            return
        count = min(self._problem.config.search.batch, self._wanted())
        self._order = self._proposer.submit(
            partial(_proposed, self._problem, self._strategy, self._study.history(), count)
        )

    # ------------------------------------------------------------------ jobs

    def _baseline_job(self, repeat: int) -> Job:
        return self._job(f"baseline-{repeat}", self._problem.baseline, repeat, stops=())

    def _trial_job(self, trial: Trial) -> Job:
        job = self._job(f"trial-{trial.number}", trial.candidate.model, 0, stops=STOPS)
        self._trials[job.name] = trial
        return job

    def _job(self, name: str, model: ModelSpec, repeat: int, stops: tuple[float, ...]) -> Job:
        config, seeds = self._problem.config, trial_seeds(self._problem.config.seed, model.key, repeat)
        timing = Timing(
            reference=self._problem.baseline.to_tree(),
            batch_rows=config.qps.batch_rows,
            max_seconds=config.qps.max_seconds,
            clock=config.qps.clock,
            limits=tuple(limit for limit in config.limits if limit.metric is Metric.QPS_RATIO),
        )
        payload = TrainModel(
            model=model.to_tree(),
            log=str(self._problem.log.folder),
            weights_seed=seeds["weights"],
            order_seed=seeds["order"],
            stops=stops if config.search.stop_early else (),
            timing=timing,
            work=TRAININGS[config.trial.training],
        )
        return Job(name, payload, Limits(timeout_s=config.trial.timeout, memory_bytes=config.trial.memory))

    # ------------------------------------------------------------------ outcomes

    def _end_baseline(self, job: Job, outcome: Outcome) -> None:
        if outcome.failure is not None or outcome.measurement is None or not math.isfinite(outcome.measurement.ne):
            reason = outcome.failure or Failure("diverged", "NE is not a number")
            self._broken = f"the baseline must train, but it failed: {reason.kind}: {reason.reason}"
            return
        repeat = int(job.name.rpartition("-")[2])
        proposal = Proposal(Candidate({}, self._problem.baseline), Origin.BASELINE)
        trial = Trial(number=0, candidate=proposal.candidate, origin=Origin.BASELINE, state=State.RUNNING)
        seeds = trial_seeds(self._problem.config.seed, self._problem.baseline.key, repeat)
        self._study.add_baseline_repeat(
            proposal, replace(with_outcome(trial, outcome, outcome.measurement), seeds=seeds)
        )

    def _ended_trial(self, trial: Trial, outcome: Outcome) -> Trial:
        measurement = outcome.measurement
        if outcome.stopped and measurement is not None:
            measurement = replace(measurement, ne=extrapolated_ne(outcome.curve, self._study.trials))
        seeds = trial_seeds(self._problem.config.seed, trial.candidate.key, 0)
        return replace(with_outcome(trial, outcome, measurement), seeds=seeds)


def _proposed(problem: Problem, strategy: Strategy, history: History, count: int) -> list[Proposal]:
    """What a strategy proposes.

    Raises:
        RunError: where it fails, or proposes what was tried before, one model twice, or more than it was asked for.
    """
    name = f"the strategy `{problem.config.search.strategy}`"
    try:
        proposals = list(strategy(problem.space, history, count, problem.config.seed))
        keys = [proposal.candidate.key for proposal in proposals]
    except Exception as error:
        raise RunError(f"{name} failed: {explain(error)}") from error
    different, known = set(keys), history.taken() & set(keys)
    if len(keys) > count or len(different) < len(keys) or known:
        told = f"{len(keys)} ({len(different)} different, {len(known)} known)"
        raise RunError(f"{name} must propose at most {count} models, all different and new, but gave {told}")
    return proposals


def with_outcome(trial: Trial, outcome: Outcome, measurement: Measurement | None) -> Trial:
    """A running trial as it ended."""
    failure = outcome.failure
    if failure is None and not outcome.stopped:
        if measurement is None:
            failure = Failure("error", "its training ended without a measurement")
        elif not math.isfinite(measurement.ne):
            failure = Failure("diverged", "NE is not a number")
    state = State.FAILED if failure else State.STOPPED if outcome.stopped else State.COMPLETE
    return replace(
        trial,
        state=state,
        measurement=measurement,
        failure=failure,
        curve=outcome.curve,
        started_at=outcome.started_at,
        ended_at=outcome.ended_at,
        cpu_seconds=outcome.cpu_seconds,
    )


def all_failed(trials: Sequence[Trial]) -> str | None:
    """Why a search has nothing to show: the most frequent reason, if every ended trial failed."""
    ended = [trial for trial in trials if trial.ended]
    if not ended or any(trial.state is not State.FAILED for trial in ended):
        return None
    reasons = [f"{t.failure.kind}: {t.failure.reason}" if t.failure else "error: not recorded" for t in ended]
    most = max(reasons, key=reasons.count)
    return f"every trial failed ({len(ended)}); most often ({reasons.count(most)}): {most}"
