"""Ray Tune as the engine: jobs from a JobSource run in parallel, and each is told back, whatever became of it."""

from __future__ import annotations

import gc
import json
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from automl.files.passed import Told, untold
from automl.runtime.depot import open_depot
from automl.runtime.errors import RunError
from automl.runtime.head import cluster_address, node_address, watched_head
from automl.runtime.interrupt import Stop, deferred_interrupt
from automl.runtime.jobs import Done, Job, JobSource, Outcome, Resources, Step, Wait, job_config, progress_of
from automl.runtime.leftovers import scratch_folder
from automl.runtime.limits import Words, forget, held_bytes, too_much
from automl.runtime.lost import PATIENCE_S, RUNS, STEP_S, Death, Fate, actor_of, death_of, last_words
from automl.runtime.resumed import remove, stamp
from automl.runtime.watch import DEAF_S, GRACE_S, Watch, check_room
from automl.runtime.worker import Worker, started_at, told_by
from automl.study.history import Failure
from automl.study.plugins import files


def run(
    source: JobSource,
    resources: Resources,
    *,
    told: Told = untold,
    clock: Callable[[], float] = time.time,
) -> None:
    """Run until the source is done. Ray must be up (see cluster.py). `told` hears what is waited for before a job can
    start, and nothing ("") when that is over.

    Raises:
        RunError: where the cluster could never run a job.
        ClusterLostError: where the cluster's head has ended, or what of it runs on this machine.
        KeyboardInterrupt: by hand; jobs on their way were killed, and the source was told nothing of them.
    """
    check_room(resources)
    try:
        with (
            scratch_folder() as scratch,
            deferred_interrupt() as stop,
            watched_head(cluster_address(), node=node_address()) as check_head,
            open_depot(scratch.name) if resources.elsewhere else nullcontext(),
        ):
            desk = Desk(source, resources.workers, scratch, clock, stop, check_head)
            _fit(desk, resources, scratch, Watch(desk, resources, told))
    except _Left as left:
        raise left.reason from None
    except KeyboardInterrupt as error:
        traceback.clear_frames(error.__traceback__)  # Tune's own go, and with them the room that it held in a cluster
        gc.collect()
        raise


class _Left(BaseException):
    """Leaves Tune's loop at once: of an Exception it would first wait for trials that cannot be reached any more."""

    def __init__(self, reason: RunError) -> None:
        super().__init__(reason)
        self.reason = reason


def _fit(desk: Desk, resources: Resources, scratch: Path, watch: Watch) -> None:
    every = {"threads": max(1, int(resources.cpu)), "notes": str(scratch), "plugins": files()}
    if resources.elsewhere:
        every |= {"depot": scratch.name, "node": ray.get_runtime_context().get_node_id()}
    tuner = tune.Tuner(
        tune.with_resources(Worker, {"cpu": resources.cpu, "gpu": resources.gpu}),
        tune_config=tune.TuneConfig(
            search_alg=DeskSearcher(desk, every),
            scheduler=DeskScheduler(desk),
            num_samples=-1,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="run",
            storage_path=str(scratch),
            callbacks=[watch, DeskCallback(desk)],
            failure_config=tune.FailureConfig(max_failures=0, fail_fast=False),
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            verbose=0,
        ),
    )
    results = tuner.fit()
    del results


@dataclass(slots=True)
class Running:
    """A job in Tune's hands."""

    job: Job
    started_at: float
    last: Step | None = None
    stopped: bool = False
    actor: str | None = None  # Ray's name of its process, once that was lost
    silent_since: float | None = None  # when it was lost without a word
    seconds: float = 0.0  # on its way, as far as the driver was there to see it
    over: float = 0.0  # of these, the latest with more memory than it may hold
    broken: Failure | None = None  # the limit for which the driver ended it
    kept: int = 0  # when the checkpoint was written that it goes on from


class Desk:
    """Keeps the books between Tune's callbacks and the source: one job out, one outcome in.

    A job whose machine was lost is run again elsewhere, one whose process died (killed, or for want of the machine's
    memory) where it has left a new checkpoint; the source hears nothing of it.
    """

    def __init__(
        self,
        source: JobSource,
        workers: int,
        scratch: Path,
        clock: Callable[[], float],
        stop: Stop | None = None,
        check_head: Callable[[], None] = lambda: None,
        look: Callable[[str | None], Death] = death_of,
        words: Callable[[Path, str, str], Words] = last_words,
        held: Callable[[Path, str], int] = held_bytes,
    ) -> None:
        self._stop, self._check_head = stop or Stop(), check_head
        self._look, self._words, self._held = look, words, held
        self._source, self._workers, self._scratch, self._clock = source, workers, scratch, clock
        self._running: dict[str, Running] = {}
        self._again: deque[Job] = deque()
        self._losses = Counter[str]()  # machines and processes lost, by the job's name

    def __reduce__(self) -> tuple[Any, ...]:
        """Tune pickles its searcher and scheduler for a restore that is never asked for: the books stay here."""
        return (str, ())

    @property
    def stopping(self) -> bool:
        return self._stop.asked

    def to_end(self, trial_id: str, seconds: float) -> bool:
        running = self._running.get(trial_id)
        if running is None:
            return False
        if not running.seconds:
            running.started_at = self._clock()  # before that it may have waited for a worker
        running.seconds += seconds
        limits, held = running.job.limits, self._held(self._scratch, running.job.name)
        running.over = running.over + seconds if held > limits.memory_bytes else 0.0
        if running.over > DEAF_S:
            running.broken = too_much(held, limits.memory_bytes)
        elif running.seconds > limits.timeout_s + GRACE_S:
            told = f"silent for {GRACE_S:g} s beyond its limit of {limits.timeout_s:g} s (frozen), and ended"
            running.broken = running.broken or Failure("timeout", told)
        return running.broken is not None

    def look_up(self) -> None:
        """Called many times a second: see whether the cluster is there and who was lost with a machine."""
        try:
            self._check_head()
        except RunError as reason:
            raise _Left(reason) from None
        for trial_id, running in list(self._running.items()):
            if running.silent_since is not None:
                self._settle(trial_id, running, running.silent_since)

    def give(self, trial_id: str) -> Job | Wait | Done:
        if self.stopping:
            return Done()
        self.look_up()  # with nothing under way Tune asks for more a whole minute long before it turns again
        held = sum(running.silent_since is None for running in self._running.values())
        if held > self._workers:  # one job more than workers, so that none waits for the driver
            return Wait()
        job = self._again.popleft() if self._again else self._source.next(len(self._running))
        if isinstance(job, Done) and self._running:  # one of them may have to be run again
            return Wait()
        if isinstance(job, Job):
            self._running[trial_id] = Running(job, self._clock(), kept=stamp(job.payload))
        return job

    def keep_going(self, trial_id: str, step: Step, started_at: float) -> bool:
        """Whether the job shall go on after this step."""
        running = self._running[trial_id]
        running.last, running.started_at = step, started_at
        running.stopped = not self._source.keep_going(running.job, progress_of(step))
        return not running.stopped

    def lost(self, trial_id: str, actor: str | None) -> None:
        """The process of a trial is dead; why is asked when its end is told."""
        self._running[trial_id].actor = actor

    def end(self, trial_id: str, last: Step | None, started_at: float | None) -> None:
        """The trial is over: done or stopped, with its last step; or its process is dead. Of those that are killed
        since everything is to end now nobody hears: they are run again another time."""
        if self.stopping and (last is None or not last.done):
            return
        running = self._running[trial_id]
        running.started_at = started_at or running.started_at
        running.last = last or running.last
        if running.stopped or (last is not None and last.done):
            self._tell(trial_id, running, self._clock(), running.last.failure if running.last else None)
        else:
            running.silent_since = self._clock()

    def _settle(self, trial_id: str, running: Running, since: float) -> None:
        """Find out what became of a trial that ended without a word, if that is known by now."""
        waited = self._clock() - since
        if waited < STEP_S and running.broken is None:
            return
        death, job = Death(Fate.OWN) if running.broken else self._look(running.actor), running.job
        if death.fate is Fate.OPEN and waited < PATIENCE_S:
            return
        if death.fate is Fate.OWN:
            failure = self._last_words(running, since, death.node)
            if failure.kind != "lost" or stamp(job.payload) == running.kept:
                self._tell(trial_id, running, since, failure)
                return
        else:
            failure = Failure("lost", f"{RUNS} times it was lost with the machine it ran on")
        self._losses[job.name] += 1
        if self._losses[job.name] < RUNS:
            del self._running[trial_id]
            forget(self._scratch, job.name)
            self._again.append(job)
        else:
            self._tell(trial_id, running, since, failure)

    def _tell(self, trial_id: str, running: Running, ended_at: float, failure: Failure | None) -> None:
        del self._running[trial_id]
        last = running.last
        outcome = Outcome(
            measurement=last.measurement if last else None,
            failure=failure,
            curve=last.curve if last else (),
            stopped=running.stopped,
            started_at=running.started_at,
            ended_at=ended_at,
            cpu_seconds=last.cpu_seconds if last else 0.0,
        )
        self._source.ended(running.job, outcome)
        remove(running.job.payload)

    def _last_words(self, running: Running, ended_at: float, node: str) -> Failure:
        job = running.job
        if running.broken is not None:
            return running.broken
        words = self._words(self._scratch, job.name, node)
        if words.note is not None:
            return words.note
        if words.timeout:
            return Failure("timeout", f"took longer than its limit of {job.limits.timeout_s:g} s")
        return Failure(
            "lost", f"its process ended after {ended_at - running.started_at:.1f} s without a word (exit or signal)"
        )


class DeskSearcher(Searcher):
    """Tune's Searcher: asks the desk for jobs. None means wait."""

    def __init__(self, desk: Desk, every: dict[str, Any]) -> None:
        """`every` is what all workers are told beside their job."""
        super().__init__(metric="share", mode="max")
        self._desk, self._every = desk, every

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        job = self._desk.give(trial_id)
        if isinstance(job, Done):
            finished: str = Searcher.FINISHED
            return finished
        if isinstance(job, Wait):
            return None
        # As text: Tune keeps the config of every trial for good, and nested ones twice, a tenth of a MiB for each.
        return {"job": json.dumps(job_config(job)), **self._every}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        if error or not result:
            self._desk.end(trial_id, None, None)
        else:
            self._desk.end(trial_id, told_by(result), started_at(result))

    def save(self, checkpoint_path: str) -> None:
        """Nothing: a run goes on from the study alone."""

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a run goes on from the study alone")


class DeskCallback(tune.Callback):
    """Tune's callback: lets the desk look up at every turn, whether or not there is room for another trial.

    Tune keeps the last steps of all that a trial told, for good: 16 KiB a trial, a fifth of what the driver's memory
    grew by in a long search. Nobody asks for them.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self._desk.look_up()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        _forget(trial)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        _forget(trial)


def _forget(trial: Any) -> None:
    trial.metric_analysis.clear()
    trial.metric_n_steps.clear()


class DeskScheduler(FIFOScheduler):
    """Tune's scheduler: first come, first served; stops what the desk does not want to go on."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._desk = desk

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Called for every result but the last of a trial."""
        go_on = self._desk.keep_going(trial.trial_id, told_by(result), started_at(result))
        return str(TrialScheduler.CONTINUE if go_on else TrialScheduler.STOP)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Called before the searcher is told of the trial's end."""
        self._desk.lost(trial.trial_id, actor_of(trial))
