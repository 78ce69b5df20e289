"""A log twenty times as large as usual, end to end: simulated, encoded, killed on the way, trained.

    python -m experiments.large [--rows 20000000] [--columns 40] [--files 20] [--keep]

Encoding is compared with Arrow's bare scan of the same columns, before and after it; training from the mapped columns
with training from copies of them in memory, in turns. Everything lies under a temporary folder and goes at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from automl.data.encode.pieces import PIECE_ROWS, pieces_of
from automl.data.encode.plan import make_plan
from experiments.held import Held
from experiments.large_log import described
from experiments.large_parts import digest
from experiments.record import write_result

GIB = 1 << 30
KILL_AT = 0.4  # of the pieces


def main() -> None:
    """Make the log, take the figures, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--columns", type=int, default=40)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="in place of a temporary one; what is there is gone on with")
    parser.add_argument("--keep", action="store_true", help="leave the log where it is, and write no result")
    asked = parser.parse_args()
    with _folder(asked.folder, asked.keep) as folder:
        asked.folder = folder
        figures = measured(asked)
    for name, told in figures.items():
        print(f"{name:<10} {json.dumps(told)}")
    if not asked.keep:
        settings = {name: getattr(asked, name) for name in ("rows", "columns", "files")}
        write_result("large", settings=settings, figures=figures, headline=headline(figures))


@contextmanager
def _folder(asked: Path | None, keep: bool) -> Iterator[Path]:
    folder = asked or Path(tempfile.mkdtemp(prefix="large-"))
    folder.mkdir(exist_ok=True)
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder)


def measured(asked: argparse.Namespace) -> dict[str, Any]:
    """Part after part, each in a process of its own."""
    figures: dict[str, Any] = {"load_average": round(os.getloadavg()[0], 1)}
    for name in ("simulate", "widen"):
        figures[name] = part(asked, name)
        print(name, figures[name], flush=True)
    scans = [part(asked, "scan")]
    figures["encode"] = part(asked, "encode")
    scans.append(part(asked, "scan"))
    figures["scan"] = scans
    print("encode", figures["encode"], "scans", scans, flush=True)
    figures["kill"] = killed(asked)
    print("kill", figures["kill"], flush=True)
    figures["train"] = part(asked, "train")
    return figures


def headline(figures: Mapping[str, Any]) -> dict[str, float]:
    """The few numbers that matter."""
    encode, train = figures["encode"], figures["train"]
    scan = float(np.mean([one["cpu_s"] for one in figures["scan"]]))
    return {
        "encode_rss_gib": round(encode["resident_gib"], 3),
        "worker_rss_gib": round(train["anonymous_gib"], 3),
        "encode_vs_scan": round(scan / encode["cpu_s"], 3),
        "train_vs_memory": round(train["mapped_vs_memory"], 3),
        "kept_after_kill": round(figures["kill"]["kept"], 3),
    }


def part(asked: argparse.Namespace, name: str) -> dict[str, Any]:
    """A part in a process of its own: what it says, its seconds, and what it held of memory with its children."""
    start = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = _started(asked, name)
    with Held(child.pid) as held:
        out, _ = child.communicate()
    if child.returncode:
        raise RuntimeError(f"{name} ended with code {child.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    wall = time.monotonic() - start
    return {
        "wall_s": round(wall, 2),
        "cpu_s": round(cpu, 2),
        **({} if name == "train" else {"rows_s": round(asked.rows / wall)}),  # it goes over some of them
        "anonymous_gib": round(held.anonymous / GIB, 3),
        "resident_gib": round(held.resident / GIB, 3),
        "processes": held.processes,
        **json.loads(out.splitlines()[-1]),
    }


def killed(asked: argparse.Namespace) -> dict[str, Any]:
    """Encode into another cache, kill it in the middle of reading and begin it again: how much was kept, and whether
    the bits are those of the run that nobody killed."""
    log = make_plan(described(asked.folder, asked.columns), asked.folder).log
    pieces = pieces_of(log, [sum(part.group_rows() or ()) for part in log.parts], PIECE_ROWS)
    cache = asked.folder / "killed"
    child = _started(asked, "encode", "killed")
    while child.poll() is None and len(_pieces(cache)) < KILL_AT * len(pieces):
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    time.sleep(1.0)  # helpers end with their parent
    there = {path: path.stat().st_ino for path in _pieces(cache)}
    making = len(list(cache.glob("*.rows/*.part")))
    child, anew = _started(asked, "encode", "killed"), 0
    while child.poll() is None:
        anew = max(anew, sum(_inode(path) not in (None, inode) for path, inode in there.items()))
        time.sleep(0.2)
    child.communicate()
    (one,), (other,) = (list((asked.folder / name).glob("*/facts.json")) for name in ("cache", "killed"))
    equal = digest(one.parent) == digest(other.parent)
    shutil.rmtree(cache)
    return {
        "pieces": len(pieces),
        "there": len(there),
        "in_the_making": making,
        "read_anew": anew,
        "kept": len(there) / (len(there) + making),
        "equal": equal,
    }


def _pieces(cache: Path) -> list[Path]:
    return [path for path in cache.glob("*.rows/[0-9]*") if not path.name.endswith(".part")]


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _started(asked: argparse.Namespace, name: str, *more: str) -> subprocess.Popen[str]:
    numbers = map(str, (asked.rows, asked.columns, asked.files))
    words = [sys.executable, "-m", "experiments.large_parts", name, str(asked.folder), *numbers, *more]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


if __name__ == "__main__":
    main()
