"""Death at any moment: more than 200 kills and hold-ups of one search that goes on, and 50 of ExFM runs, from one seed.

python -m experiments.faults [--folder FOLDER] [--anew] [--share .25] [--kind KIND ...] [--world WORLD]

Before each, what has ended is read as bytes; after it the same command goes on, and what had ended must be there, with
the same bytes, and must not be trained again; what the dead run had started must be gone once the next one is at work.
Where it is stopped itself, the same command goes on with the kills that are left (FOLDER, in the system's place for
temporary files if left out). As root it mounts a small disk there, which can be full.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from experiments.fault_kinds import FILLER, KINDS
from experiments.fault_scene import PATIENCE_S, OverError, Scene
from experiments.fault_worlds import ExfmWorld, Record, SearchWorld, World, command, copied_record, figures
from experiments.record import write_result

SEED = 0
TRIALS = 500
DISK = "700m"
MORE = 4  # units that end after a hold-up, until a run is said to go on
ATTEMPTS = 4  # starts of the command until it is said not to go on
DYING_S = 10.0
GONE_S = 90.0  # with what a dead run has started, where no other follows it


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """What one kill came to. repeated: begun again although it had ended. left: processes of the dead run that were
    still there when the next was at work. codes: of runs that ended. seconds: until something more had ended."""

    world: str
    kind: str
    units: int
    lost: int
    changed: int
    repeated: int
    left: int
    broken: tuple[str, ...]
    codes: tuple[str, ...]
    rude: int
    seconds: float
    which: tuple[str, ...] = ()  # was lost or changed, or is left, in words


@dataclass
class Losses:
    """Of what had ended."""

    before: Record
    lost: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)

    def see(self, after: Record) -> None:
        self.lost |= self.before.keys() - after.keys()
        self.changed |= {name for name in self.before.keys() & after.keys() if self.before[name] != after[name]}


def strike(scene: Scene, kind: str) -> Struck:
    """Kill or hold up the run in one way, at some moment of it, and see it go on."""
    world, rng = scene.world, scene.rng
    scene.broken.clear()
    if scene.process is None:
        scene.start()
    wanted = world.ended() + rng.choice((0, 0, 1, 1, 2))
    scene.until(lambda: world.ended() >= wanted)
    time.sleep(rng.uniform(0.0, 0.6))
    losses, trained, began, units = Losses(world.record()), world.trained(), time.monotonic(), world.ended()
    with suppress(OverError):
        KINDS[kind].strike(scene)
        began = time.monotonic()
    codes, rude, dead = _go_on(scene, losses)
    seconds = time.monotonic() - began
    losses.see(world.record())
    leftovers = tuple(_words(process) for process in _staying(dead))
    return Struck(
        world=world.name,
        kind=kind,
        units=world.ended() - units,
        lost=len(losses.lost),
        changed=len(losses.changed),
        repeated=world.trained_again(trained),
        left=len(leftovers),
        broken=tuple(scene.broken),
        codes=tuple(codes),
        rude=rude,
        seconds=round(seconds, 1),
        which=(*sorted(losses.lost | losses.changed), *leftovers),
    )


def _go_on(scene: Scene, losses: Losses) -> tuple[list[str], int, list[psutil.Process]]:
    """Until something more has ended: how runs ended, how many spoke of stacks, and the processes of those."""
    world, codes, rude, dead = scene.world, list[str](), 0, list[psutil.Process]()
    wanted = world.ended() + MORE  # what was on its way may end after a run is lost
    while not scene.until(partial(_has, world, wanted)):
        if scene.process is not None and scene.process.poll() is None:
            codes.append("hung")
            scene.kill()
        elif scene.process is not None:
            codes.append(str(scene.process.returncode))
            rude += scene.rude()
            if scene.process.returncode == 0:
                losses.see(world.record())
                _ended(scene)
                losses.before = losses.before if world.name == "search" else {}  # else another folder comes next
        if len(codes) > ATTEMPTS:
            raise SystemExit(f"{world.name} does not go on: {codes}\n{scene.said()[-2000:]}")
        losses.see(copied_record(world, scene.home / "copy"))
        dead += scene.marked()
        wanted = world.ended() + 1
        scene.start()
    return codes, rude, dead


def _has(world: World, units: int) -> bool:
    return world.ended() >= units


def _ended(scene: Scene) -> None:
    """A run that says it is over must have kept its budget; then there is more to do."""
    world = scene.world
    if isinstance(world, SearchWorld) and world.ended() != world.trials:
        scene.broken.append(f"a run of {world.trials} trials ended with {world.ended()}")
    world.more()


def _staying(dead: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Those that stay: on a busy machine one that was killed at low priority takes seconds to be gone."""
    end = time.monotonic() + DYING_S
    while alive := [process for process in dead if process.is_running() and _lives(process)]:
        if time.monotonic() > end:
            break
        time.sleep(0.2)
    return alive


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _words(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return f"{process.pid} {process.status()} {' '.join(process.cmdline())[:200]}"
    return str(process.pid)


def plan(counts: Mapping[str, int], seed: int, done: Iterable[str] = ()) -> list[tuple[int, str]]:
    """Kinds in a random order, each as often as asked, with their places; less those that are done."""
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    random.Random(seed).shuffle(kinds)
    skip = Counter(done)
    left = []
    for place, kind in enumerate(kinds):
        if skip[kind] > 0:
            skip[kind] -= 1
        else:
            left.append((place, kind))
    return left


def torment(scene: Scene, kinds: Iterable[tuple[int, str]], seed: int) -> Iterator[Struck]:
    """The kills of a plan, one by one."""
    for place, kind in kinds:
        scene.rng = random.Random(f"{seed} {scene.world.name} {place}")
        yield strike(scene, kind)


def to_the_end(scene: Scene) -> dict[str, Any]:
    """Let the run end, and say what is there then: of the budget, of parts, and of processes."""
    world = scene.world
    run = scene.process or scene.start()
    run.wait()
    for _ in range(ATTEMPTS):
        if scene.process is not None and scene.process.returncode == 0:
            break
        scene.start().wait()
    found: dict[str, Any] = {"code": scene.process.returncode if scene.process else None}
    if isinstance(world, SearchWorld):
        found |= {"trials": world.trials, "ended": world.ended(), "budget_kept": world.ended() == world.trials}
        found["report_code"] = scene.aside(command("report", world.folder), "report").wait()
    found["parts"] = len([*world.folder.rglob("*.part"), *world.folder.rglob("*-journal")])
    found["scratch"] = 0 if scene.scratch is None else len([*scene.scratch.glob("automl-*")])
    found["left"] = len(gone_after(scene, 60.0)[1])
    return found


def gone_after(scene: Scene, patience: float) -> tuple[float, list[psutil.Process]]:
    """Seconds until no process of the folder's runs is alive; those that stay."""
    began = time.monotonic()
    while (alive := scene.marked()) and time.monotonic() - began < patience:
        time.sleep(0.2)
    return round(time.monotonic() - began, 1), alive


def rows_of(strikes: Iterable[Struck]) -> list[dict[str, Any]]:
    """A row a kind."""
    by_kind: dict[tuple[str, str], list[Struck]] = {}
    for one in strikes:
        by_kind.setdefault((one.world, one.kind), []).append(one)
    return [
        {
            "world": world,
            "kind": kind,
            "kills": len(all_),
            **{name: sum(getattr(one, name) for one in all_) for name in ("lost", "changed", "repeated", "left")},
            "broken": sum(len(one.broken) for one in all_),
            "hung": sum(one.codes.count("hung") for one in all_),
            "rude": sum(one.rude for one in all_),
            "exits": dict(Counter(code for one in all_ for code in one.codes)),
            "seconds": round(median(one.seconds for one in all_), 1),
            "seconds_worst": max(one.seconds for one in all_),
        }
        for (world, kind), all_ in sorted(by_kind.items(), key=lambda pair: (pair[0][0] != "search", pair[0][1]))
    ]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """For a terminal."""
    names = ("kills", "lost", "changed", "repeated", "left", "broken", "hung", "rude", "seconds", "seconds_worst")
    lines = [f"{'':<36}" + "".join(f"{name.replace('seconds_worst', 'worst'):>9}" for name in names) + "  exits"]
    for row in rows:
        exits = " ".join(f"{code} x{count}" for code, count in row["exits"].items())
        lines.append(f"{row['world'] + ', ' + row['kind']:<36}" + "".join(f"{row[n]:>9}" for n in names) + f"  {exits}")
    return "\n".join(lines)


def line(one: Struck) -> str:
    """For a terminal."""
    wrong = {
        n: getattr(one, n)
        for n in ("lost", "changed", "repeated", "left", "which", "rude", "broken")
        if getattr(one, n)
    }
    words = " ".join(one.codes) or "went on"
    return f"{one.world}: {one.kind:<30} {one.seconds:>6.1f} s  {words:<10} {wrong or ''}"


class State:
    """What is done, in a file; so the suite itself may be killed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.values: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        self.strikes = [
            Struck(**{**one, **{n: tuple(one[n]) for n in ("broken", "codes", "which") if n in one}})
            for one in self.values.get("strikes", [])
        ]

    def of(self, world: str) -> list[Struck]:
        return [one for one in self.strikes if one.world == world]

    def note(self, **values: Any) -> None:
        self.values |= {**values, "strikes": [asdict(one) for one in self.strikes]}
        self._file.with_suffix(".new").write_text(json.dumps(self.values, indent=1))
        self._file.with_suffix(".new").replace(self._file)


def run_world(home: Path, world: World, state: State, counts: Mapping[str, int]) -> None:
    """All kills of one world, and its end."""
    scene = Scene(world, home / "said" / world.name, random.Random(SEED), home / "tmp")
    scene.runs = state.values.get(f"{world.name}_runs", 0)
    scene.kill()  # what the suite has left where it was killed itself
    left = plan(counts, SEED, (one.kind for one in state.of(world.name)))
    for number, one in enumerate(torment(scene, left, SEED), start=1):
        state.strikes.append(one)
        now = {"trials": world.trials} if isinstance(world, SearchWorld) else {}
        now |= {"number": world.number} if isinstance(world, ExfmWorld) else {}
        state.note(**now, **{f"{world.name}_runs": scene.runs})
        _tidy(home)
        print(f"{number:>4}/{len(left)} {line(one)}", flush=True)
    if not left and f"{world.name}_end" in state.values:
        return
    end = to_the_end(scene)
    end |= _same_figures(world) if isinstance(world, ExfmWorld) else _without_next(scene)
    state.note(**{f"{world.name}_end": end})
    print(world.name, end, flush=True)


def _same_figures(world: ExfmWorld) -> dict[str, Any]:
    """Whether all runs found what a run finds that nobody disturbs."""
    whole = world.root / "run-whole"
    if not (whole / "exfm.json").exists():
        subprocess.run(world.words(whole), check=True, capture_output=True)
    runs = [folder for folder in sorted(world.root.glob("run-*[0-9]")) if (folder / "exfm.json").exists()]
    differ = [folder.name for folder in runs if figures(folder) != figures(whole)]
    return {"runs": len(runs), "runs_that_differ": len(differ)}


def _without_next(scene: Scene) -> dict[str, Any]:
    """kill -9 with no run after it: seconds until all that the run had started is gone."""
    scene.world.more()
    scene.start()
    with suppress(OverError):
        scene.find("worker")
        if scene.process is not None:
            scene.process.kill()
            scene.process.wait()
    seconds, left = gone_after(scene, GONE_S)
    scene.kill()
    return {"gone_after_s": seconds, "left_after_90_s": len(left)}


def _tidy(home: Path) -> None:
    """Ray's logs of runs that are over: all but those of the newest."""
    sessions = sorted((home / "tmp" / "ray").glob("session_2*"), key=lambda path: path.stat().st_mtime)
    for session in sessions[:-1]:
        shutil.rmtree(session, ignore_errors=True)


def disk(home: Path) -> tuple[Path, bool]:
    """A folder that is a disk of its own where one may mount, and whether it is."""
    folder = home / "disk"
    folder.mkdir(parents=True, exist_ok=True)
    if not folder.is_mount() and os.geteuid() == 0:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", folder], check=False)
    for search in folder.glob("*/"):
        subprocess.run(["chattr", "-i", search], check=False, capture_output=True)
        (search / FILLER).unlink(missing_ok=True)
    return folder, folder.is_mount()


def main() -> None:
    """Kill, go on, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "automl-faults")
    parser.add_argument("--anew", action="store_true", help="forget what was done in the folder")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only these; nothing is written then")
    parser.add_argument("--share", type=float, default=1.0, help="of the kills of each kind; more may be added later")
    parser.add_argument("--world", choices=("search", "exfm"), help="only this; nothing is written then")
    asked = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it, and so would all runs
    home = asked.folder.absolute()
    if asked.anew:
        disk(home)
        subprocess.run(["umount", home / "disk"], check=False, capture_output=True)
        shutil.rmtree(home, ignore_errors=True)
    place, mounted = disk(home)
    state = State(home / "state.json")
    kinds = {name: kind for name, kind in KINDS.items() if mounted or not kind.root}
    for name in KINDS.keys() - kinds.keys():
        print(f"skipped, since no disk can be mounted here: {name}")
    if asked.kind:
        kinds = {name: kinds[name] for name in asked.kind}
    search = SearchWorld(place, state.values.get("trials", max(100, math.ceil(asked.share * TRIALS))))
    exfm = ExfmWorld(place, state.values.get("number", 0))
    worlds: tuple[tuple[World, dict[str, int]], ...] = (
        (search, {name: math.ceil(asked.share * kind.search) for name, kind in kinds.items()}),
        (exfm, {name: math.ceil(asked.share * kind.exfm) for name, kind in kinds.items()}),
    )
    for world, counts in worlds:
        if asked.world not in (None, world.name):
            continue
        if not world.folder.exists() and not state.of(world.name):
            world.write()
        run_world(home, world, state, counts)
    rows = rows_of(state.strikes)
    print(table(rows))
    part = asked.kind or asked.world
    if not part:
        write(state, rows, [name for name in KINDS if name not in kinds], asked.share)
    if not part and asked.share >= 1:
        subprocess.run(["umount", place], check=False, capture_output=True)
        shutil.rmtree(home, ignore_errors=True)


def write(state: State, rows: Sequence[Mapping[str, Any]], skipped: Sequence[str], share: float) -> None:
    """The result's file."""
    search, exfm = state.values["search_end"], state.values["exfm_end"]
    write_result(
        "faults",
        settings={"seed": SEED, "share": share, "workers": 2, "patience_s": PATIENCE_S, "skipped": list(skipped)},
        figures={"by_kind": list(rows), "search": search, "exfm": exfm},
        headline={
            "kills": len(state.strikes),
            **{name: sum(row[name] for row in rows) for name in ("lost", "changed", "repeated", "hung", "broken")},
            "left_behind": sum(row["left"] for row in rows) + search["left"] + exfm["left"],
            "budget_kept": search["budget_kept"],
            "exfm_runs_that_differ": exfm["runs_that_differ"],
            "seconds_to_go_on": round(median(one.seconds for one in state.strikes), 1),
        },
    )


if __name__ == "__main__":
    main()
