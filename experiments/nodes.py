"""A search on machines that come and go: what is lost, what is sent, and what it costs.

    python -m experiments.nodes [--quick] [--part PART]

Each machine is a raylet with its own view of the file system, in which the study's folder is not to be seen. First 40
trials undisturbed on two of them; then one is killed in the middle and another added, then the head is killed, and the
same command ends the rest on a new cluster. Last, 1 to 4 machines with trials that only wait.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import automl as toolkit
from automl.runtime.carried import HOME
from experiments.raylets import Node, Raylets
from experiments.record import figures_of, write_result
from tests.worlds.commands import write_study

TRIALS = 40
PARTS = ("undisturbed", "disturbed", "waiting")
AUTOML = Path(sys.executable).with_name("automl")
ROOT = Path(__file__).parents[1]

PLUG_IN = '''
"""A training that leaves a line on its machine each time that it begins, and takes longer than a worker to start."""
import hashlib, json, os, time
from pathlib import Path
from automl.runtime.work import train_and_score

def plug(tables):
    tables.training("told", f"{__name__}:told")

def told(asked):
    key = hashlib.sha256(json.dumps([asked.model, asked.order_seed], sort_keys=True).encode()).hexdigest()
    with (Path(os.environ["AUTOML_CARRIED"]) / "begun").open("a") as file:
        file.write(f"{key}\\n")
    time.sleep(%(seconds)s)
    yield from train_and_score(asked)
'''


class World:
    """A study, and machines that do not see it."""

    def __init__(self, home: Path, seconds: float) -> None:
        self.home, self.study = home, home / "study"
        self.file = write_study(self.study, strategy="random", stop_early=False)
        plugin = self.study / f"told_{home.name}.py"  # one process reads the records of several
        plugin.write_text(PLUG_IN % {"seconds": seconds})
        text = self.file.read_text().replace("trial: {", f"plugins: [{plugin.name}]\ntrial: {{training: told, ")
        self.file.write_text(text)
        (self.study / "tmp").mkdir()
        self.machines = 0

    def machine(self, ray: Raylets) -> Node:
        self.machines += 1
        copies = self.home / f"machine-{self.machines}"
        return ray.add(1, hide=self.study, environment={HOME: str(copies)})

    def search(self, ray: Raylets, trials: int) -> subprocess.Popen[str]:
        words = [AUTOML, "search", self.file, "--trials", str(trials), "--workers", "2", "--address", ray.address]
        environment = {**ray.environment, "TMPDIR": str(self.study / "tmp")}
        return subprocess.Popen(
            list(map(str, words)), env=environment, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def ended(self) -> int:
        """Trials that the record says have ended."""
        try:
            with sqlite3.connect(f"file:{self.study}/study.db?mode=ro", uri=True, timeout=30.0) as record:
                return int(record.execute("SELECT count(*) FROM trials WHERE state != 'RUNNING'").fetchone()[0])
        except sqlite3.OperationalError:  # not there yet
            return 0

    def sent(self) -> dict[str, list[dict[str, Any]]]:
        """By machine, what was fetched to it: bytes and a name."""
        lines = {
            copies.name: (copies / "fetched.log").read_text().splitlines()
            for copies in sorted(self.home.glob("machine-*"))
            if (copies / "fetched.log").exists()
        }
        return {
            name: [{"bytes": int(line.split(" ", 1)[0]), "what": Path(line.split(" ", 1)[1]).name} for line in found]
            for name, found in lines.items()
        }

    def begun(self) -> Counter[str]:
        """How often each training was begun, on all machines."""
        files = self.home.glob("machine-*/begun")
        return Counter(line for file in files for line in file.read_text().splitlines())

    def begun_on(self, machine: int) -> int:
        """How many trainings have begun there."""
        file = self.home / f"machine-{machine}" / "begun"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def record(self) -> dict[str, Any]:
        frame = toolkit.open_study(self.study).trials_dataframe()
        trials = frame[frame["trial"] > 0]
        return {
            "trials": len(trials),
            "numbers_unique": bool(trials["trial"].is_unique),
            "states": {str(k): int(v) for k, v in trials["state"].value_counts().items()},
            "begun": sum(self.begun().values()),
            "begun_again": sum(count - 1 for count in self.begun().values()),
            "sent": self.sent(),
        }


def undisturbed(home: Path, trials: int, seconds: float) -> dict[str, Any]:
    world = World(home, seconds)
    with Raylets() as ray:
        world.machine(ray)
        world.machine(ray)
        start = time.time()
        _finish(world.search(ray, trials))
        return {"wall_s": time.time() - start, **world.record()}


def disturbed(home: Path, trials: int, seconds: float) -> dict[str, Any]:
    world = World(home, seconds)
    with Raylets() as ray:
        lost = world.machine(ray)
        world.machine(ray)
        start = time.time()
        search = world.search(ray, trials)
        _wait(search, world, trials // 4)
        begun = world.begun_on(1)
        while world.begun_on(1) == begun and search.poll() is None:
            time.sleep(0.05)
        lost.kill()  # in the middle of a trial
        world.machine(ray)
        _wait(search, world, trials * 5 // 8)
        ray.head.kill()
        killed = time.time()
        _, said = search.communicate()
        head = {"code": search.returncode, "seconds": time.time() - killed, "said": said.strip().splitlines()[-1]}
        first_s, before = time.time() - start, world.ended()
    with Raylets() as ray:
        world.machine(ray)
        world.machine(ray)
        start = time.time()
        _finish(world.search(ray, trials))
        return {
            "wall_s": first_s + time.time() - start,
            "head_killed": head,
            "ended_before_it": before,
            **world.record(),
        }


def waiting(home: Path, jobs: int, seconds: float) -> dict[str, Any]:
    """1 to 4 machines with jobs that only wait, so many for each machine."""
    found: dict[str, Any] = {}
    with Raylets() as ray:
        for machines in (1, 2, 3, 4):
            ray.add(1)
            folder = home / str(machines)
            words = ["--jobs", str(machines * jobs), "--seconds", str(seconds), "--workers", str(machines)]
            done = subprocess.run(
                [sys.executable, "-m", "experiments.waiting", ray.address, str(folder), *words],
                env=ray.environment, cwd=ROOT, text=True, capture_output=True, check=True,
            )  # fmt: skip
            ended = json.loads(done.stdout.splitlines()[-1])["ended"]
            found[str(machines)] = _efficiency(folder, ended, machines, seconds)
            print(machines, json.dumps(found[str(machines)]), flush=True)
    return found


def _efficiency(folder: Path, told: list[dict[str, Any]], machines: int, seconds: float) -> dict[str, float]:
    """Waiting in all by the time that the workers had for it, each from its first job's begin to its last one's end;
    and by the time of all from the very first begin to the very last end, in which they start one after the other."""
    begun = [json.loads(file.read_text()) for file in folder.glob("job-*.json")]
    ended = {job["name"]: job["ended_at"] for job in told if job["failure"] is None}
    spans: dict[int, list[tuple[float, float]]] = {}
    for one in begun:
        spans.setdefault(one["pid"], []).append((one["at"], ended[one["name"]]))
    had = sum(max(end for _, end in of) - min(start for start, _ in of) for of in spans.values())
    wall = max(ended.values()) - min(one["at"] for one in begun)
    waited = len(begun) * seconds
    return {
        "workers": len(spans),
        "jobs": len(begun),
        "efficiency": waited / had,
        "efficiency_from_the_first_begin": waited / (machines * wall),
    }


def _wait(search: subprocess.Popen[str], world: World, ended: int) -> None:
    while world.ended() < ended:
        if search.poll() is not None:
            raise RuntimeError(f"the search must go on, but ended: {search.communicate()}")
        time.sleep(0.2)


def _finish(search: subprocess.Popen[str]) -> None:
    _, said = search.communicate()
    if search.returncode:
        raise RuntimeError(f"the search must end, but said {said}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer trials; no result is written")
    parser.add_argument("--part", choices=PARTS, help="only this one; the others stay as they were measured")
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--seconds", type=float, default=10.0, help="that a trial takes: longer than a worker's start")
    asked = parser.parse_args()
    trials, jobs, seconds = (asked.trials, 2, asked.seconds) if not asked.quick else (8, 1, 1.0)
    home = Path(tempfile.mkdtemp(prefix="nodes-"))
    figures = figures_of("nodes") if asked.part else {}
    try:
        for part in [asked.part] if asked.part else PARTS:
            if part == "waiting":
                figures[part] = waiting(home / part, jobs, seconds)
            else:
                figures[part] = (undisturbed if part == "undisturbed" else disturbed)(home / part, trials, seconds)
            figures[part]["load"] = os.getloadavg()[0]
            print(part, json.dumps(figures[part]), flush=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if not asked.quick:
        settings = {"trials": trials, "jobs": jobs, "seconds": seconds}
        write_result("nodes", settings=settings, figures=figures, headline=_headline(figures, trials))


def _headline(figures: Mapping[str, Any], trials: int) -> dict[str, Any]:
    found, quiet = figures.get("disturbed"), figures.get("undisturbed")
    told: dict[str, Any] = {}
    if found is not None:
        told = {
            "nodes_killed": 1,
            "heads_killed": 1,
            "lost": trials - found["trials"] + found["states"].get("failed", 0),
            "repeated": found["trials"] - trials,
            "begun_again": found["begun_again"],
            "head_s": found["head_killed"]["seconds"],
        }
    if found is not None and quiet is not None:
        told["wall_ratio"] = found["wall_s"] / quiet["wall_s"]
    if "waiting" in figures:
        told["efficiency_4"] = figures["waiting"]["4"]["efficiency"]
    return told


if __name__ == "__main__":
    main()
