"""What the driver looks at while Tune runs: whether it is to stop, whether a worker cannot keep its limits any more,
whether there is room for the next job."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import ray
from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.util import placement_group_table

from automl.runtime.errors import RunError
from automl.runtime.jobs import Resources, amount, room_words

LOOK_EVERY_S = 0.5
PATIENCE_S = 3.0  # without any job on its way, before it is asked why
GRACE_S = 15.0  # a worker keeps its limit itself; one that is silent for so long beyond it cannot
DEAF_S = 2.0  # nor can one that holds too much memory for so long: C code has it and lets nothing else run


def check_room(resources: Resources) -> None:
    """Ray must be up.

    Raises:
        RunError: where no node is large enough for one job.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    for name, need in resources.needs().items():
        most = max((node.get(name, 0.0) for node in nodes), default=0.0)
        if need > most:
            raise RunError(
                f"a trial asks for {amount(name, need)} (`resources` of the study), but the largest node of the "
                f"cluster has {most:g}: ask for less, or start a larger one"
            )


def waiting_words(resources: Resources) -> str:
    """Why no job starts, where it is for want of room; else nothing."""
    job = ray.get_runtime_context().get_job_id()  # a group's name ends with it
    ours = {group["state"] for name, group in placement_group_table().items() if name.endswith(job)}
    if "PENDING" not in ours or "CREATED" in ours:  # created: a process is being started in it
        return ""
    return room_words(resources.needs(), ray.available_resources())  # type: ignore[no-untyped-call]


class Books(Protocol):
    """What the engine's desk tells of a job, and is told."""

    @property
    def stopping(self) -> bool:
        """Everything is to end now."""

    def to_end(self, trial_id: str, seconds: float) -> bool:
        """A job has been on its way for so much longer; whether its process is to be ended, since it does not keep the
        job's limits itself."""


class Watch(Callback):
    """Looks now and then, from Tune's loop. Time counts only as far as the driver itself was running."""

    def __init__(
        self,
        books: Books,
        resources: Resources,
        told: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        words: Callable[[Resources], str] = waiting_words,
    ) -> None:
        self._books, self._resources, self._told, self._clock, self._words = books, resources, told, clock, words
        self._looked = clock()
        self._idle = 0.0
        self._waiting = ""

    def __reduce__(self) -> tuple[Any, ...]:
        """Tune pickles its callbacks for a restore that is never asked for."""
        return (str, ())

    def on_step_begin(self, iteration: int, trials: Sequence[Trial], **info: Any) -> None:
        """Called ten times a second and more.

        Raises:
            KeyboardInterrupt: past Tune, which would wait for workers in the middle of a step.
        """
        if self._books.stopping:
            for trial in trials:
                _kill(trial)
            raise KeyboardInterrupt
        if self._clock() - self._looked >= LOOK_EVERY_S:
            passed = min(self._clock() - self._looked, 2 * LOOK_EVERY_S)
            self._looked = self._clock()
            self._look(trials, passed)

    def _look(self, trials: Sequence[Trial], passed: float) -> None:
        running = [trial for trial in trials if trial.status == Trial.RUNNING]
        for trial in running:
            if self._books.to_end(trial.trial_id, passed):
                _kill(trial)
        wanting = not running and any(trial.status == Trial.PENDING for trial in trials)
        self._idle = self._idle + passed if wanting else 0.0
        words = self._words(self._resources) if self._idle >= PATIENCE_S else ""
        if words != self._waiting:
            self._waiting = words
            self._told(words)


def _kill(trial: Trial) -> None:
    actor = trial.temporary_state.ray_actor
    if actor is not None:
        ray.kill(actor)
