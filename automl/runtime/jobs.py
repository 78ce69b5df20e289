"""What crosses the border to a worker, and what comes back: plain values that JSON could hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from automl.study.history import CurvePoint, Failure, Limit, Measurement, Metric

CURVE_POINTS = 20  # of a trial's learning curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How a job's model is timed against a reference model; `clock` as in the study file."""

    reference: Mapping[str, Any]  # tree of the reference model
    batch_rows: int
    max_seconds: float
    clock: Literal["cpu", "analytic"]
    limits: tuple[Limit, ...] = ()  # on qps_ratio: a model that breaks one is not trained


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One model to be built, timed, trained and scored."""

    name: str  # unique in a run, and a file name
    model: Mapping[str, Any]  # tree of the model
    log: str  # folder of the encoded log
    train: tuple[str, ...] = ("train",)  # windows, in the order of time
    score: str = "validate"
    weights_seed: int = 0
    order_seed: int = 0
    stops: tuple[float, ...] = ()  # shares of the training at which the driver may end it
    timing: Timing | None = None
    timeout_s: float = 600.0
    memory_bytes: int = 4 << 30
    notes: str = ""  # folder for last words of a worker that must end itself
    predictions: str | None = None  # file for the probabilities of the scored rows (NumPy, float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a job ended. `stopped` is by the driver's wish; then `measurement` has the speed and a NaN NE."""

    measurement: Measurement | None = None
    failure: Failure | None = None
    curve: tuple[CurvePoint, ...] = ()
    stopped: bool = False
    started_at: float = 0.0
    ended_at: float = 0.0
    cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A job on its way, at one of its stops."""

    share: float
    curve: tuple[CurvePoint, ...]
    qps_ratio: float | None


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to run at this moment."""


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing more to run, ever."""


class JobSource(Protocol):
    """Where the engine's work comes from and where it goes. Called from one thread, never at once."""

    def next(self, running: int) -> Job | Wait | Done:
        """The next job. With nothing running this must not return Wait."""

    def keep_going(self, job: Job, progress: Progress) -> bool:
        """Whether the job shall go on after one of its stops."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Told once for every job that next() gave."""


def job_config(job: Job) -> dict[str, Any]:
    """The job as Ray Tune's trial config."""
    return asdict(job)


def job_of(config: Mapping[str, Any]) -> Job:
    """Inverse of job_config."""
    timing = config["timing"]
    if timing is not None:
        timing = Timing(**{**timing, "limits": tuple(map(_limit_of, timing["limits"]))})
    return Job(**{**config, "train": tuple(config["train"]), "stops": tuple(config["stops"]), "timing": timing})


def _limit_of(config: Mapping[str, Any]) -> Limit:
    return Limit(Metric(config["metric"]), config["low"], config["high"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a worker tells at a stop or at the end."""

    share: float
    curve: tuple[CurvePoint, ...] = ()
    measurement: Measurement | None = None
    failure: Failure | None = None
    done: bool = False
    cpu_seconds: float = 0.0
