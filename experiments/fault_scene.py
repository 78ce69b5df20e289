"""A command that is killed: started, watched from outside, started again. What it starts carries its folder's mark."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from automl.runtime.leftovers import FOLDER, marked
from experiments.fault_worlds import World

LOOK_EVERY_S = 0.05
PATIENCE_S = 150.0
_NAMES: dict[str, Callable[[psutil.Process], bool]] = {
    "worker": lambda process: "Trainable" in _said(process),
    "actor": lambda process: "ScoringActor" in _said(process),
    "raylet": lambda process: process.name() == "raylet",
    "gcs": lambda process: process.name() == "gcs_server",
}
_RUDE = ("Traceback", "*** SIG", "Stack trace", "C++")


class OverError(Exception):
    """The run ended by itself before it could be struck."""


@dataclass
class Scene:
    """One run at a time of a world's command, and what its runs said.

    home: where their words are written. scratch: their TMPDIR, the system's own if None. patience: seconds with what
    should go on; past them a run hangs.
    """

    world: World
    home: Path
    rng: random.Random
    scratch: Path | None = None
    patience: float = PATIENCE_S
    process: subprocess.Popen[bytes] | None = None
    since: float = 0.0
    runs: int = 0
    broken: list[str] = field(default_factory=list)  # files that are neither whole nor absent, and the like

    def start(self, words: Sequence[str] = (), *, before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Start the command, or `words`; behind other words where it is another that starts it in its own place."""
        self.runs += 1
        self.since = time.monotonic()
        self.process = self.aside([*before, *(words or self.world.words())], f"run-{self.runs}")
        return self.process

    def aside(self, words: Sequence[str], name: str) -> subprocess.Popen[bytes]:
        """Another command, beside the run."""
        self.home.mkdir(parents=True, exist_ok=True)
        environment = dict(os.environ)
        if self.scratch is not None:
            self.scratch.mkdir(parents=True, exist_ok=True)
            environment["TMPDIR"] = str(self.scratch)
        with (self.home / f"{name}.txt").open("ab") as said:
            return subprocess.Popen(words, stdout=said, stderr=said, env=environment, start_new_session=True)

    def running(self) -> subprocess.Popen[bytes]:
        """The run; started where there is none."""
        if self.process is None:
            return self.start()
        if self.process.poll() is not None:
            raise OverError
        return self.process

    def said(self) -> str:
        """By the last run."""
        return (self.home / f"run-{self.runs}.txt").read_text(errors="replace")

    def rude(self) -> bool:
        """Whether it told a person of stacks."""
        said = self.said()
        return any(word in said for word in _RUDE)

    def stop(self) -> None:
        """End the run as a person does."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            try:
                self.process.wait(self.patience)
            except subprocess.TimeoutExpired:
                self.broken.append("Ctrl-C was not heard")
                self.kill()
        self.process = None

    def kill(self) -> None:
        """End the run, one that a killed suite has left, and all that is marked by the folder."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        for process in [*_running(self.world.words()), *self.marked()]:
            with suppress(psutil.Error):
                process.kill()
        self.process = None

    def marked(self) -> list[psutil.Process]:
        """What runs over the folder have started and is alive."""
        return marked(FOLDER, str(self.world.folder))

    def find(self, name: str) -> psutil.Process:
        """One process of the run by its part in it; waited for.

        Raises:
            OverError: where the run ended first.
        """
        run = self.running()
        if name == "driver":
            return psutil.Process(run.pid)
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            found = [process for process in self.marked() if _is(process, name)]
            if found:
                return self.rng.choice(found)
            self.running()
            time.sleep(LOOK_EVERY_S)
        raise OverError

    def until(self, met: Callable[[], bool], seconds: float | None = None, every: float = LOOK_EVERY_S) -> bool:
        """Wait while the run lives and `met` is not so; whether it came to be."""
        end = time.monotonic() + (self.patience if seconds is None else seconds)
        while not met():
            if time.monotonic() > end or self.process is None or self.process.poll() is not None:
                return met()
            time.sleep(every)
        return True


def _running(words: Sequence[str]) -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["cmdline"]) if (p.info["cmdline"] or [])[-len(words) :] == list(words)]


def _is(process: psutil.Process, name: str) -> bool:
    try:
        return _NAMES[name](process)
    except psutil.Error:
        return False


def _said(process: psutil.Process) -> str:
    return " ".join(process.cmdline()[:1])
