"""A study as a source of jobs: the baseline on several orders of the data (where it was widened, also the one brought),
then what the strategy proposes and, in between, trials that are worth one more training, until the budget is spent."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from automl.commands.failing import Hope, some_hope
from automl.commands.once_more import TRIAL, Moment, OnceMore, OneMore
from automl.commands.outcomes import promoted_with, repeat_with, with_outcome
from automl.commands.proposing import awaited, pause, proposed
from automl.commands.repeats import CONFIRM, kept_in, predictions_file, predictions_folder, resumable, trained_again
from automl.runtime.errors import RunError
from automl.runtime.jobs import Done, Job, Limits, Outcome, Progress, Timing, Wait
from automl.stats.seeds import trial_seeds
from automl.strategies import Strategy, strategy_of
from automl.strategies.fidelity import PILOTS, Expected, chosen
from automl.strategies.stopping import STOPS, check_rows, extrapolated_ne, should_stop
from automl.study.drivers import Claim
from automl.study.history import Failure, Limit, Metric, Origin, Proposal, State, Trial
from automl.study.known import request_of
from automl.study.parts import is_pilot, parts_of
from automl.study.problem import Problem
from automl.study.record import Study
from automl.study.requests import Request
from search_spaces.model import ModelSpec
from search_spaces.space import Candidate

_BASELINE, _BROUGHT = "baseline-", "brought-"  # of the models that trials are compared with: then the order


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Until when to search: candidates ended, and a moment of the timer."""

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
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._problem, self._study, self._budget = problem, study, budget
        self._workers, self._told, self._timer = workers, told, timer
        self._strategy: Strategy = strategy_of(problem.config.search.strategy)
        self._baselines = deque(self._baselines_left())
        with study.turn():
            self._queue: deque[Trial] = deque(study.take_over())
        self._trials: dict[str, Trial] = {}
        self._pilots: set[str] = set()  # names of the jobs that are trained to their end whatever their parts say
        self._once_more = OnceMore(study, problem.config, budget.trials, workers)
        self._events = 0  # trainings that ended
        self._proposer = ThreadPoolExecutor(1, thread_name_prefix="propose")
        self._asked: tuple[Request, Future[list[Proposal]]] | None = None
        self._exhausted = False
        self._broken: str | None = None
        self._hope = Hope(trained=some_hope(study.trials))

    @property
    def exhausted(self) -> bool:
        """The space holds nothing new."""
        return self._exhausted

    @property
    def finished(self) -> bool:
        """Nothing is left to run: the budget was spent before."""
        return (
            not self._baselines
            and not self._queue
            and self._wanted() <= 0
            and not self._once_more.worth_it(self._now(0))
        )

    def next(self, running: int) -> Job | Wait | Done:
        if self._broken is not None:
            return Done()
        job = self._next(running)
        if isinstance(job, Job):
            self._once_more.given.append(job.name)
        return job

    def _next(self, running: int) -> Job | Wait | Done:
        if self._baselines:
            return self._baseline_job(*self._baselines.popleft())
        if self._study.baseline() is None:
            return Wait()
        if self._timer() >= self._budget.deadline:
            return Done()
        self._refill(block=running == 0)
        one_more = self._once_more.claimed(self._now(running))
        if one_more is not None:
            return self._job_again(one_more)
        if self._queue and len(self._study.trials) - len(self._queue) < self._budget.trials:
            return self._trial_job(self._queue.popleft())
        if self._asked is not None or (self._wanted() > 0 and not self._exhausted):
            return Wait()
        return Wait() if running and self._once_more.may_follow(self._now(running)) else Done()

    def keep_going(self, job: Job, progress: Progress) -> bool:
        trial = self._trials.get(job.name)
        if trial is None or progress.qps_ratio is None or job.name in self._pilots:
            return True
        if progress.parts and not progress.curve:
            return False  # it is parked
        return not (
            self._problem.config.search.stop_early
            and should_stop(trial, progress.curve, progress.qps_ratio, self._others())
        )

    def ended(self, job: Job, outcome: Outcome) -> None:
        self._events += 1
        with self._study.turn():
            if job.name in self._pilots:
                self._pilots.remove(job.name)
                outcome = _of_a_pilot(outcome)
            if job.name in self._once_more.under_way:
                one_more = self._once_more.under_way.pop(job.name)
                self._end_again(one_more, outcome)
                self._study.drivers.release(Claim.REPEAT, one_more.number)
            elif job.name in self._trials:
                self._end_trial(self._ended_trial(self._trials.pop(job.name), outcome))
            else:
                self._end_baseline(job, outcome)
        self._told()

    def close(self, *, wait: bool = True) -> None:
        """Let the thread of proposals end. Raises what broke the run, if anything did."""
        self._proposer.shutdown(wait=wait, cancel_futures=True)
        if self._asked is not None:
            self._study.drivers.release(Claim.PROPOSALS)
        if self._broken is not None:
            raise RunError(self._broken)

    # ------------------------------------------------------------------ proposals

    def _wanted(self) -> int:
        """How many more candidates the budget allows beyond those begun."""
        return self._budget.trials - len(self._study.trials)

    def _refill(self, *, block: bool) -> None:
        """Order a batch before the queue runs empty; take one in that is ready (or wait for it, if nothing runs)."""
        self._ask_batch()
        while block and not self._queue and self._asked is None and not self._exhausted and self._wanted() > 0:
            pause()  # another driver proposes
            self._ask_batch()
        while self._asked is not None and (self._asked[1].done() or (block and not self._queue)):
            request, future = self._asked
            proposals = awaited(future)
            self._asked = None
            self._exhausted = not proposals
            with self._study.turn():
                if proposals:
                    round_ = 1 + max((trial.round for trial in self._study.trials), default=0)
                    self._queue.extend(self._study.begin(proposals, round_, request))
                self._study.drivers.release(Claim.PROPOSALS)
            self._ask_batch()

    def _ask_batch(self) -> None:
        """Unless another driver proposes: from the same history it would propose the same."""
        if self._asked is not None or self._exhausted or len(self._queue) > self._workers or self._wanted() <= 0:
            return
        config = self._problem.config
        if not self._study.drivers.claim(Claim.PROPOSALS):
            return
        with self._study.turn():
            self._queue.extend(self._study.left_meanwhile())
            count = min(config.search.batch, self._wanted())
            if count <= 0 or len(self._queue) > self._workers:
                self._study.drivers.release(Claim.PROPOSALS)
                return
            request = request_of(self._study, strategy=config.search.strategy, seed=config.seed, count=count)
            history = self._study.history()
        answer = partial(proposed, self._problem.space, self._strategy, history, request)
        self._asked = request, self._proposer.submit(answer)

    def _now(self, running: int) -> Moment:
        last = self._exhausted or self._wanted() <= 0
        return Moment(events=self._events, queued=len(self._queue), running=running, last=last)

    # ------------------------------------------------------------------ jobs

    def _baselines_left(self) -> Iterator[tuple[str, int]]:
        """What trials are compared with that is not trained yet; repeats need not have ended in their order."""
        kinds = [(_BASELINE, self._study.baselines.repeats)]
        if self._problem.scaled is not None:
            kinds.append((_BROUGHT, self._study.baselines.brought))
        for kind, trained in kinds:
            done = {trial.seeds["order"] for trial in trained}
            for order in range(self._problem.config.baseline_seeds):
                if self._seeds(order)["order"] not in done:
                    yield kind, order

    def _model_of(self, kind: str) -> ModelSpec:
        brought = self._problem.brought
        return self._problem.baseline if kind == _BASELINE or brought is None else brought

    def _baseline_job(self, kind: str, order: int) -> Job:
        """It keeps no limit on speed: against itself it is as fast within noise, and nobody proposed it. Nor is a trial
        compared with the one brought while that trains."""
        first = order == 0 and kind == _BASELINE
        return self._job(
            f"{kind}{order}",
            self._model_of(kind),
            order,
            stops=self._stops() if first else (),
            parts=self._parts() if first else (),
            timing=self._timing(()),
        )

    def _stops(self) -> tuple[float, ...]:
        return STOPS if self._problem.config.search.stop_early else ()

    def _parts(self) -> tuple[int, ...]:
        """Those that pilots are trained on; none where fidelity is full."""
        return parts_of(self._train_rows) if self._problem.config.search.fidelity == "auto" else ()

    @property
    def _train_rows(self) -> int:
        train = self._problem.log.windows["train"]
        return int(train.stop - train.start)

    def _others(self) -> tuple[Trial, ...]:
        """Whom a trial is compared with: the baseline on the same order of the data, and all trials."""
        order = self._seeds(0)["order"]
        return (*(one for one in self._study.baselines.repeats if one.seeds["order"] == order), *self._study.trials)

    def _trial_job(self, trial: Trial) -> Job:
        name, parts = f"{TRIAL}{trial.number}", self._parts()
        fidelity = chosen(self._study.history()) if parts else None
        pilots = sum(is_pilot(one) for one in self._study.trials) + len(self._pilots)
        if parts and fidelity is None and pilots < PILOTS:
            self._pilots.add(name)
        else:
            parts = () if fidelity is None else (fidelity.every,)
        limits = tuple(limit for limit in self._problem.config.limits if limit.metric is Metric.QPS_RATIO)
        self._trials[name] = trial
        return self._job(name, trial.candidate.model, 0, stops=self._stops(), parts=parts, timing=self._timing(limits))

    def _job_again(self, asked: OneMore) -> Job:
        self._once_more.under_way[asked.job] = asked
        model = self._study.trial(asked.number).candidate.model
        return self._job(asked.job, model, asked.order, stops=(), parts=(), timing=None)

    def _timing(self, limits: tuple[Limit, ...]) -> Timing:
        """Beside the baseline; what is slower than `limits` is not trained."""
        config = self._problem.config
        return Timing(
            reference=self._problem.baseline.to_tree(),
            batch_rows=config.qps.batch_rows,
            max_seconds=config.qps.max_seconds,
            clock=config.qps.clock,
            limits=limits,
        )

    def _job(
        self,
        name: str,
        model: ModelSpec,
        order: int,
        *,
        stops: tuple[float, ...],
        parts: tuple[int, ...],
        timing: Timing | None,
    ) -> Job:
        """A model on an order: what the finals would train again lies where they look for it."""
        config = self._problem.config
        payload = trained_again(self._problem, self._problem.log, model, CONFIRM, order - CONFIRM.first_order)
        if order >= CONFIRM.first_order:
            predictions_folder(self._problem, self._problem.log).mkdir(parents=True, exist_ok=True)
            file = predictions_file(self._problem, self._problem.log, model, CONFIRM, order - CONFIRM.first_order)
            payload = kept_in(payload, file)
        rows = check_rows(self._train_rows) if stops else 0
        payload = replace(payload, stops=stops, check_rows=rows, parts=parts, timing=timing)
        payload = resumable(self._problem, name, payload)
        return Job(name, payload, Limits(timeout_s=config.trial.timeout, memory_bytes=config.trial.memory))

    def _seeds(self, order: int) -> dict[str, int]:
        return trial_seeds(self._problem.config.seed, order)

    # ------------------------------------------------------------------ outcomes

    def _end_baseline(self, job: Job, outcome: Outcome) -> None:
        if outcome.failure is not None or outcome.measurement is None or not math.isfinite(outcome.measurement.ne):
            reason = outcome.failure or Failure("diverged", "NE is not a number")
            self._broken = f"the baseline must train, but it failed: {reason.kind}: {reason.reason}"
            return
        kind, order = job.name.partition("-")[0] + "-", int(job.name.rpartition("-")[2])
        proposal = Proposal(Candidate({}, self._model_of(kind)), Origin.BASELINE)
        trial = Trial(number=0, candidate=proposal.candidate, origin=Origin.BASELINE, state=State.RUNNING)
        seeds = self._seeds(order)
        add = self._study.baselines.add_repeat if kind == _BASELINE else self._study.baselines.add_brought
        add(proposal, replace(with_outcome(trial, outcome, outcome.measurement), seeds=seeds))

    def _end_trial(self, trial: Trial) -> None:
        self._study.end(trial)
        self._hope.end(trial)
        self._broken = self._broken or self._hope.lost()

    def _end_again(self, asked: OneMore, outcome: Outcome) -> None:
        trial = self._study.trial(asked.number)
        if asked.order:
            self._study.add_repeat(trial.number, repeat_with(trial, asked.order, outcome, self._seeds(asked.order)))
        else:
            self._study.promote(promoted_with(trial, outcome))

    def _ended_trial(self, trial: Trial, outcome: Outcome) -> Trial:
        measurement = outcome.measurement
        if outcome.stopped and measurement is not None:
            if outcome.curve:
                ne = extrapolated_ne(trial, outcome.curve, self._others())
            else:
                expected = Expected(self._study.history())
                found = expected.by_part(measurement.parts[0], measurement.speed.qps_ratio)
                ne = math.nan if found is None else found.ne
            measurement = replace(measurement, ne=ne)
        return replace(with_outcome(trial, outcome, measurement), seeds=self._seeds(0))


def _of_a_pilot(outcome: Outcome) -> Outcome:
    """The same, and that its parts were to tell what parts are worth."""
    found = outcome.measurement
    return outcome if found is None else replace(outcome, measurement=replace(found, pilot=bool(found.parts)))
