"""What a process and its children hold of memory, looked at from outside: what no file backs, and all of it."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

LOOK_EVERY_S = 0.05


class Held:
    """The most that a process with its children held at once in the block, in bytes: `anonymous`, and with the pages of
    files that it maps `resident`, where what several processes share counts several times."""

    def __init__(self, pid: int) -> None:
        self.anonymous = self.resident = self.processes = 0
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            with suppress(psutil.Error):
                sizes = [_sizes(p.pid) for p in (self._process, *self._process.children(recursive=True))]
                self.anonymous = max(self.anonymous, sum(anonymous for anonymous, _ in sizes))
                self.resident = max(self.resident, sum(anonymous + mapped for anonymous, mapped in sizes))
                self.processes = max(self.processes, len(sizes))


def _sizes(pid: int) -> tuple[int, int]:
    """Anonymous and file-mapped bytes; none where the process is gone."""
    found = {"RssAnon": 0, "RssFile": 0}
    with suppress(OSError), Path(f"/proc/{pid}/status").open() as file:
        for line in file:
            name, _, rest = line.partition(":")
            if name in found:
                found[name] = int(rest.split()[0]) * 1024
    return found["RssAnon"], found["RssFile"]
