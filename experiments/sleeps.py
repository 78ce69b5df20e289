"""Jobs that mostly wait: what they cost beyond their waiting is what the engine costs."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from automl.runtime.jobs import Done, Job, Limits, Outcome, Progress, Step, Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleep:
    """A job that waits; with `exits` it ends its own process in place of telling its end."""

    folder: str
    name: str
    seconds: float
    exits: bool = False
    work: str = "experiments.sleeps:sleep"


def sleep(asked: Sleep) -> Iterator[Step]:
    """The work of a Sleep."""
    begun = Path(asked.folder) / f"{asked.name}-{uuid.uuid4().hex}.json"
    begun.write_text(json.dumps({"name": asked.name, "pid": os.getpid(), "at": time.time()}))
    time.sleep(asked.seconds)
    if asked.exits:
        os._exit(3)
    yield Step(share=1.0, done=True)


class Sleeps:
    """So many of them; the first `exits` of them end their processes."""

    def __init__(self, folder: Path, jobs: int, seconds: float, exits: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ended_jobs: list[dict[str, object]] = []
        self._left = deque(
            Sleep(folder=str(folder), name=f"job-{number}", seconds=seconds, exits=number < exits)
            for number in range(jobs)
        )

    def next(self, running: int) -> Job | Wait | Done:
        if not self._left:
            return Done()
        payload = self._left.popleft()
        return Job(payload.name, payload, Limits(timeout_s=600.0))

    def keep_going(self, job: Job, progress: Progress) -> bool:
        return True

    def ended(self, job: Job, outcome: Outcome) -> None:
        failure = None if outcome.failure is None else asdict(outcome.failure)
        self.ended_jobs.append({"name": job.name, "failure": failure, "ended_at": outcome.ended_at})
