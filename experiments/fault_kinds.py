"""The ways in which a run is killed or held up: an explicit table, and how often each is in the suite."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow.parquet as pq

from experiments.fault_scene import OverError, Scene
from experiments.fault_worlds import command, digest

SIGKILL, SIGTERM, SIGSTOP, SIGCONT = signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGCONT
HELD_S = 6.0
SHM = 'mount -t tmpfs -o size=256m none /dev/shm && exec "$@"'
FILLER = "filler"  # the file with which a disk is filled


@dataclass(frozen=True, slots=True)
class Kind:
    """How often in the suite of a search, and of an ExFM run; `root`: only where one may mount."""

    strike: Callable[[Scene], None]
    search: int
    exfm: int
    root: bool = False


def signalled(scene: Scene, name: str, *signals: signal.Signals, held: float = 0.0) -> None:
    """Signals to one process, some seconds between them."""
    process = scene.find(name)
    for number, one in enumerate(signals):
        if number:
            time.sleep(held)
        with suppress(psutil.NoSuchProcess):
            process.send_signal(one)


def early(scene: Scene) -> None:
    """kill -9 of the driver while it starts."""
    scene.stop()
    run = scene.start()
    time.sleep(scene.rng.uniform(0.0, 6.0))
    run.kill()


def in_commit(scene: Scene) -> None:
    """kill -9 of the driver while something is committed: it is halted first, so that this is certain."""
    process = scene.find("driver")
    while scene.until(scene.world.committing, every=0.0002):
        process.suspend()
        while process.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
            time.sleep(0.0002)
        if scene.world.committing():
            process.kill()
            return
        process.resume()
    raise OverError


def in_encoding(scene: Scene) -> None:
    """kill -9 while the log is encoded for another folder; the next one finds or makes what the first run has."""
    out = scene.world.root / "encoded"
    shutil.rmtree(out, ignore_errors=True)
    words = scene.world.words(out)
    run = scene.aside(words, "encoding")
    parts = ("data/*.part", "data/*.rows", "data/*/*.part")
    while run.poll() is None and not any(next(out.glob(part), None) for part in parts):
        time.sleep(0.0005)
    run.kill()
    run.wait()
    run = scene.aside(words, "encoding")
    while run.poll() is None and not any(out.glob("data/*/facts.json")):
        time.sleep(0.01)
    run.kill()
    run.wait()
    mine, other = (next((at / "data").glob("*/facts.json"), None) for at in (scene.world.folder, out))
    if other is None:
        scene.broken.append("a log is not encoded after a death in its encoding")
    elif mine is not None and digest(mine.parent) != digest(other.parent):
        scene.broken.append("a log is encoded to other bytes after a death in its encoding")


def in_report(scene: Scene) -> None:
    """kill -9 of a report in the making; the files are whole, or those of before, or not there."""
    folder = scene.world.folder
    run = scene.aside(command("report", folder), "report")
    moment = time.monotonic() + scene.rng.uniform(0.0, 12.0)
    while run.poll() is None and time.monotonic() < moment and not any(folder.glob("*.part")):
        time.sleep(0.001)
    run.kill()
    run.wait()
    page, table = folder / "report.html", folder / "trials.parquet"
    if page.exists() and not page.read_text().rstrip().endswith("</html>"):
        scene.broken.append("report.html is a part")
    if table.exists():
        pq.read_table(table)


def in_finals(scene: Scene) -> None:
    """kill -9 of finals, which go on where they were when they are asked for again."""
    scene.stop()
    run = scene.start(command("finals", scene.world.folder, "--workers", "2"))
    scene.until(lambda: False, scene.rng.uniform(3.0, 20.0))
    if run.poll() not in (None, 0):
        scene.broken.append(f"finals ended with {run.poll()}: {scene.said()[-300:]}")
    run.kill()
    run.wait()
    scene.process = None


def full_disk(scene: Scene) -> None:
    """No byte left on the disk of the run's folder, for some seconds."""
    scene.find("driver")
    with filled(scene.world.folder / FILLER):
        scene.until(lambda: False, HELD_S)


def full_shm(scene: Scene) -> None:
    """No byte left in /dev/shm, for some seconds; the run has one of its own."""
    scene.stop()
    units = scene.world.ended()
    run = scene.start(before=["unshare", "--mount", "sh", "-c", SHM, "sh"])
    scene.until(lambda: scene.world.ended() > units)
    with suppress(FileNotFoundError), filled(Path(f"/proc/{run.pid}/root/dev/shm") / FILLER):
        scene.until(lambda: False, HELD_S)


def read_only(scene: Scene) -> None:
    """Nothing can be made or removed in the run's folder, for some seconds."""
    scene.find("driver")
    with immutable(scene.world.folder):
        scene.until(lambda: False, HELD_S)


def locked(scene: Scene, seconds: float) -> None:
    """Another process holds the record."""
    scene.find("driver")
    with closing(sqlite3.connect(scene.world.folder / "study.db", timeout=60, isolation_level=None)) as db:
        try:
            db.execute("begin exclusive")
        except sqlite3.OperationalError:
            return
        scene.until(lambda: False, seconds)
        db.execute("rollback")


def clock(scene: Scene, seconds: float) -> None:
    """The clock jumps while trials run: a run whose clock is handed in."""
    scene.stop()
    units = scene.world.ended()
    words = scene.world.words()
    module = [sys.executable, "-m", "experiments.fault_clock", words[2], words[4], str(seconds)]
    run = scene.start(module)
    scene.until(lambda: scene.world.ended() > units + 2)
    if run.poll() is None:
        scene.stop()


@contextmanager
def filled(filler: Path) -> Iterator[None]:
    """A file as large as there is room for."""
    with filler.open("wb", buffering=0) as file:
        with suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(filler.parent).free)
        file.seek(0, os.SEEK_END)
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as full:
                if full.errno != errno.ENOSPC:
                    raise
    try:
        yield
    finally:
        filler.unlink(missing_ok=True)


@contextmanager
def immutable(folder: Path) -> Iterator[None]:
    """A folder in which not even root makes or removes a file."""
    subprocess.run(["chattr", "+i", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", folder], check=True)


def _signals(name: str, *signals: signal.Signals, held: float = 0.0) -> Callable[[Scene], None]:
    return lambda scene: signalled(scene, name, *signals, held=held)


KINDS: Mapping[str, Kind] = {
    "driver SIGKILL": Kind(_signals("driver", SIGKILL), 18, 6),
    "driver SIGKILL as it starts": Kind(early, 10, 4),
    "driver SIGTERM": Kind(_signals("driver", SIGTERM), 10, 3),
    "driver SIGSTOP, SIGCONT": Kind(_signals("driver", SIGSTOP, SIGCONT, held=3.0), 8, 2),
    "driver SIGSTOP, SIGKILL": Kind(_signals("driver", SIGSTOP, SIGKILL, held=3.0), 6, 2),
    "worker SIGKILL": Kind(_signals("worker", SIGKILL), 20, 3),
    "worker SIGTERM": Kind(_signals("worker", SIGTERM), 10, 1),
    "worker SIGSTOP, SIGCONT": Kind(_signals("worker", SIGSTOP, SIGCONT, held=3.0), 8, 1),
    "worker SIGSTOP, SIGKILL": Kind(_signals("worker", SIGSTOP, SIGKILL, held=3.0), 8, 1),
    "worker SIGSTOP": Kind(_signals("worker", SIGSTOP), 2, 0),
    "actor SIGKILL": Kind(_signals("actor", SIGKILL), 0, 4),
    "raylet SIGKILL": Kind(_signals("raylet", SIGKILL), 8, 3),
    "raylet SIGTERM": Kind(_signals("raylet", SIGTERM), 4, 1),
    "raylet SIGSTOP, SIGCONT": Kind(_signals("raylet", SIGSTOP, SIGCONT, held=4.0), 6, 1),
    "raylet SIGSTOP, SIGKILL": Kind(_signals("raylet", SIGSTOP, SIGKILL, held=4.0), 4, 1),
    "gcs SIGKILL": Kind(_signals("gcs", SIGKILL), 8, 3),
    "gcs SIGTERM": Kind(_signals("gcs", SIGTERM), 4, 1),
    "gcs SIGSTOP, SIGCONT": Kind(_signals("gcs", SIGSTOP, SIGCONT, held=4.0), 6, 1),
    "gcs SIGSTOP, SIGKILL": Kind(_signals("gcs", SIGSTOP, SIGKILL, held=4.0), 4, 1),
    "inside a commit": Kind(in_commit, 16, 6),
    "inside an encoding": Kind(in_encoding, 8, 3),
    "inside a report": Kind(in_report, 8, 0),
    "inside finals": Kind(in_finals, 8, 0),
    "disk full": Kind(full_disk, 6, 1, root=True),
    "shared memory full": Kind(full_shm, 4, 1, root=True),
    "folder read-only": Kind(read_only, 4, 1, root=True),
    "record locked for 8 s": Kind(lambda scene: locked(scene, 8.0), 6, 0),
    "record locked for 35 s": Kind(lambda scene: locked(scene, 35.0), 2, 0),
    "clock a day on": Kind(lambda scene: clock(scene, 86_400.0), 2, 0),
    "clock a day back": Kind(lambda scene: clock(scene, -86_400.0), 2, 0),
}
