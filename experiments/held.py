"""What a process and its children hold of memory, looked at from outside: what no file backs, and all of it."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

LOOK_EVERY_S = 0.05


class Looking(ABC):
    """Looks again and again in the block, from a thread of its own."""

    def __init__(self, every_s: float = LOOK_EVERY_S) -> None:
        self._every_s = every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    @abstractmethod
    def look(self) -> None:
        """Once."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._over.wait(self._every_s):
            self.look()


class Held(Looking):
    """The most that a process with its children held at once in the block, in bytes: `anonymous`, and with the pages of
    files that it maps `resident`, where what several processes share counts several times."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self.anonymous = self.resident = self.processes = 0
        self._process = psutil.Process(pid)

    def look(self) -> None:
        with suppress(psutil.Error):
            sizes = [held_by(p.pid) for p in (self._process, *self._process.children(recursive=True))]
            self.anonymous = max(self.anonymous, sum(anonymous for anonymous, _ in sizes))
            self.resident = max(self.resident, sum(anonymous + mapped for anonymous, mapped in sizes))
            self.processes = max(self.processes, len(sizes))


def held_by(pid: int) -> tuple[int, int]:
    """Anonymous and file-mapped bytes; none where the process is gone."""
    found = {"RssAnon": 0, "RssFile": 0}
    with suppress(OSError), Path(f"/proc/{pid}/status").open() as file:
        for line in file:
            name, _, rest = line.partition(":")
            if name in found:
                found[name] = int(rest.split()[0]) * 1024
    return found["RssAnon"], found["RssFile"]
