"""What crosses the border to a worker, and what comes back: plain values that JSON could hold."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal, Protocol

from pydantic import TypeAdapter

from automl.study.config import TRAININGS
from automl.study.history import CurvePoint, Failure, Limit, Measurement, PartNE, Speed

CURVE_POINTS = 20  # of a trial's learning curve
CHECKPOINT_S = 60.0  # of training, before a checkpoint is worth its time


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How a model is timed against a reference model; `clock` as in the study file."""

    reference: Mapping[str, Any]  # tree of the reference model
    batch_rows: int
    max_seconds: float
    clock: Literal["cpu", "gpu", "analytic"]
    limits: tuple[Limit, ...] = ()  # on qps_ratio: a model that breaks one is not trained


class Payload(Protocol):
    """What a worker is asked to do: a frozen dataclass of plain values.

    `work` names the function that does it, "package.module:function". It is called with the payload in a worker's
    process and gives Steps; the last of them says done. What it raises is the job's failure.

    A payload may have a `checkpoint`: a path of the driver's machine, of a file that its work writes now and then. A
    job whose process dies once it has moved that on is given out again.

    On a cluster a payload may have `reads` and `writes` besides: paths among its own values, which are of the driver's
    machine. A worker on another one is given paths of its own in their place (automl/runtime/carried.py).
    """

    @property
    def work(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainModel:
    """One model to be built, timed, trained and scored. Another `work` is another way to train it.

    With `days` the scored window is gone through day by day: each is scored with what was known before it, then trained
    on, but for the last.
    """

    model: Mapping[str, Any]  # tree of the model
    log: str  # folder of the encoded log
    task: str | None = None  # of several labels the one whose NE is the model's; None: the first
    train: tuple[str, ...] = ("train",)  # windows, in the order of time
    score: str = "validate"
    weights_seed: int = 0
    order_seed: int = 0
    days: tuple[int, ...] = ()  # rows of the scored window at which another day begins; its first is not among them
    stops: tuple[float, ...] = ()  # shares of the training at which the driver may end it
    check_rows: int = 0  # of the scored window, whose NE is told at each stop; 0: none
    parts: tuple[int, ...] = ()  # first a training of its own on one row in n, for each of these n
    timing: Timing | None = None
    predictions: str | None = None  # file for the probabilities of the scored rows (NumPy, float64, sealed)
    predictions_name: str = ""  # what they are sealed with: whose they are, wherever the file is written
    weights: str | None = None  # file for the weights as trained on `train` (torch, the model's state_dict)
    device: Literal["cpu", "gpu"] = "cpu"  # on which it is trained and scored
    checkpoint: str | None = None  # file to go on from, where it is there; a long training writes it as it goes on
    checkpoint_s: float = CHECKPOINT_S  # seconds between two of them, at least; 0: one at each point
    work: str = TRAININGS["standard"]

    @property
    def reads(self) -> tuple[str, ...]:
        """What a worker on another machine needs a copy of."""
        return (self.log,)

    @property
    def writes(self) -> tuple[str, ...]:
        """Files that are to be at the driver when it ends."""
        return tuple(path for path in (self.predictions, self.weights) if path is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a job may take: seconds of wall time, bytes of memory beyond what its process held before."""

    timeout_s: float = 600.0
    memory_bytes: int = 4 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """How many jobs run at once, and what each holds."""

    workers: int
    cpu: float = 1.0
    gpu: float = 0.0
    elsewhere: bool = False  # on a cluster that is there: machines that need not see the driver's files

    def needs(self) -> dict[str, float]:
        """Of one job, by Ray's names."""
        return {name: need for name, need in (("CPU", self.cpu), ("GPU", self.gpu)) if need > 0}


def room_words(needs: Mapping[str, float], free: Mapping[str, float]) -> str:
    """What is waited for, and how much of it there is."""
    name = next((name for name, need in needs.items() if need > free.get(name, 0.0)), next(iter(needs)))
    return f"waiting for {amount(name, needs[name])}: the cluster has {free.get(name, 0.0):g} free"


def amount(name: str, need: float) -> str:
    """So many cores or GPUs, by Ray's name."""
    word = {"CPU": "core", "GPU": "GPU"}[name]
    return f"{need:g} {word}" if need == 1 else f"{need:g} {word}s"


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work for one worker."""

    name: str  # unique in a run, and a file name
    payload: Payload
    limits: Limits = Limits()


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
    """A job on its way, at one of its stops. A share of 0: only `parts` of the rows were trained on so far."""

    share: float
    curve: tuple[CurvePoint, ...]
    qps_ratio: float | None
    parts: tuple[PartNE, ...] = ()


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
    """The job as plain values, for Ray Tune's trial config.

    Raises:
        TypeError: where the payload is not a dataclass.
    """
    kind = type(job.payload)
    values = asdict(job.payload)  # type: ignore[call-overload]  # a protocol cannot say that it is a dataclass
    return {
        "name": job.name,
        "limits": asdict(job.limits),
        "kind": f"{kind.__module__}:{kind.__qualname__}",
        "payload": values,
    }


def job_of(config: Mapping[str, Any]) -> Job:
    """Inverse of job_config.

    Raises:
        ImportError, AttributeError: where the payload's class is not known here.
        ValueError: where its values are not of the types that the class says.
    """
    payload = _adapter(pkgutil.resolve_name(config["kind"])).validate_python(config["payload"])
    return Job(config["name"], payload, Limits(**config["limits"]))


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a worker tells at a stop or at the end. One that is `kept` is told by the work to its worker alone: a new
    checkpoint is there."""

    share: float
    curve: tuple[CurvePoint, ...] = ()
    measurement: Measurement | None = None
    failure: Failure | None = None
    done: bool = False
    cpu_seconds: float = 0.0
    kept: bool = False


def step_text(step: Step) -> str:
    """The step as JSON."""
    return json.dumps(asdict(step))


def step_of(text: str) -> Step:
    """Inverse of step_text."""
    data = json.loads(text)
    measurement, failure = data["measurement"], data["failure"]
    if measurement is not None:
        parts = tuple(PartNE(**part) for part in measurement["parts"])
        measurement = Measurement(**{**measurement, "speed": Speed(**measurement["speed"]), "parts": parts})
    return Step(
        share=data["share"],
        curve=tuple(CurvePoint(**point) for point in data["curve"]),
        measurement=measurement,
        failure=None if failure is None else Failure(**failure),
        done=data["done"],
        cpu_seconds=data["cpu_seconds"],
    )


def progress_of(step: Step) -> Progress:
    """What the driver may judge a job by at a stop."""
    found = step.measurement
    ratio, parts = (None, ()) if found is None else (found.speed.qps_ratio, found.parts)
    return Progress(share=step.share, curve=step.curve, qps_ratio=ratio, parts=parts)
