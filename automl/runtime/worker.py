"""The Ray Tune trainable: one process that runs one job after the other."""

from __future__ import annotations

import gc
import json
import pkgutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import ray
from ray import tune

from automl.runtime.carried import Carrier, notes_folder
from automl.runtime.depot import FarDepot
from automl.runtime.errors import explain
from automl.runtime.jobs import Limits, Payload, Step, job_of, step_of, step_text
from automl.runtime.limits import MemoryWatch, time_limit
from automl.runtime.resumed import checkpoint_of
from automl.study.history import Failure
from automl.study.plugins import plug_in_files

_STARTED = "started_at"  # key in Tune's result: when the worker took the job up, in seconds since the epoch
_STEP = "step"  # key in Tune's result; the value is text, since Tune flattens what is nested


_UNFINISHED = Step(share=0.0, failure=Failure("error", "its work ended without a step that says done"), done=True)


class Worker(tune.Trainable):
    """Tune calls step() until a result says done; with reuse_actors the process goes on to the next job."""

    _steps: Iterator[Step]

    def setup(self, config: dict[str, Any]) -> None:
        from automl.ranking.process import prepare_process  # with torch: the driver, which loads this file, needs none

        prepare_process(max(1, int(config["threads"])))
        self._carrier = _carrier(config)
        self._memory = MemoryWatch()
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        self._memory.begin(self._limits.memory_bytes, self._notes / f"{self._name}.json")
        start = time.monotonic()
        try:
            with time_limit(self._limits.timeout_s - self._used, self._notes / f"{self._name}.stack"):
                step = next(self._steps, _UNFINISHED)
            text = _text(step)
        except Exception as error:
            step = Step(share=0.0, failure=Failure("error", explain(error)), done=True)
            text = step_text(step)
        finally:
            self._used += time.monotonic() - start
            self._memory.end()
        if step.done:
            self._steps = _nothing()
            gc.collect()
        return {_STEP: text, _STARTED: self._started_at, "done": step.done}

    def cleanup(self) -> None:
        self._steps = _nothing()
        if self._carrier is not None:
            self._carrier.close()

    def _begin(self, config: dict[str, Any]) -> None:
        job = json.loads(config["job"])
        self._limits = Limits(**job["limits"])
        self._notes = Path(config["notes"])
        if self._carrier is not None:
            self._notes = notes_folder(self._notes.name)
            self._notes.mkdir(parents=True, exist_ok=True)
        self._name = str(job["name"])
        self._used = 0.0
        self._started_at = time.time()
        self._steps = _work(job, config["plugins"], self._carrier)


def _carrier(config: Mapping[str, Any]) -> Carrier | None:
    """None on the driver's own machine, whose files are there."""
    depot, node = config.get("depot"), config.get("node")
    return None if depot is None or node == ray.get_runtime_context().get_node_id() else Carrier(FarDepot(depot))


def _work(config: Mapping[str, Any], plugins: Iterable[str], carrier: Carrier | None) -> Iterator[Step]:
    """A generator, so that whatever goes wrong from the first line on is the job's failure, not the worker's."""
    plug_in_files(plugins if carrier is None else [str(carrier.copy(file)) for file in plugins])
    payload = job_of(config).payload
    last: Step | None = None
    here: AbstractContextManager[Payload] = nullcontext(payload) if carrier is None else carrier.brought(payload)
    with here as asked:
        steps = pkgutil.resolve_name(asked.work)(asked)
        if not isinstance(steps, Iterator):
            raise TypeError(f"{asked.work} must be a generator of Steps, but gave {type(steps).__name__}")
        for step in steps:
            if isinstance(step, Step) and step.kept:
                _bring_checkpoint(carrier, payload, asked)
                continue
            if isinstance(step, Step) and step.done:
                last = step  # told when what was written has arrived
                break
            yield step
    if last is not None:
        yield last


def _bring_checkpoint(carrier: Carrier | None, payload: Payload, here: Payload) -> None:
    """To the driver, where this is another machine: whoever goes on need not be here."""
    there, written = checkpoint_of(payload), checkpoint_of(here)
    if carrier is not None and there is not None and written is not None:
        carrier.bring(Path(written), there)


def _text(step: Step) -> str:
    if not isinstance(step, Step):
        raise TypeError(f"a job's work must give Steps, but gave {type(step).__name__}")
    return step_text(step)


def _nothing() -> Iterator[Step]:
    yield from ()


def told_by(result: Mapping[str, Any]) -> Step:
    """The step in one of Tune's results."""
    return step_of(result[_STEP])


def started_at(result: Mapping[str, Any]) -> float:
    """When the worker took the job up."""
    return float(result[_STARTED])
