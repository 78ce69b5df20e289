"""Where the seconds of a trial go."""

from __future__ import annotations

import time


class Stopwatch:
    """Seconds by part of a trial."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.cpu: dict[str, float] = {}  # of trainings
        self._last = time.perf_counter()
        self._cpu_start = time.process_time()

    def lap(self, part: str) -> None:
        now = time.perf_counter()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._last
        self._last = now

    def resume(self) -> None:
        """Leave out the time since the last lap: the trial was waiting for its driver."""
        self._last = time.perf_counter()

    def went_on(self, cpu_seconds: float) -> None:
        """So much was worked before, by a process that died."""
        self._cpu_start -= cpu_seconds

    def leave_out(self, cpu_seconds: float) -> None:
        """So much was worked at something else."""
        self._cpu_start += cpu_seconds

    @property
    def cpu_seconds(self) -> float:
        return time.process_time() - self._cpu_start
