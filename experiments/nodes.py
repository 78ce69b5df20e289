"""A search on machines that come and go: what is lost, what is sent, and what it costs.

    python -m experiments.nodes [--quick]

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
from experiments.record import write_result
from tests.worlds.commands import write_study

TRIALS = 40
AUTOML = Path(sys.executable).with_name("automl")
ROOT = Path(__file__).parents[1]

PLUG_IN = '''
"""A training that leaves a line on its machine each time that it begins."""
import hashlib, json, os
from pathlib import Path
from automl.runtime.work import train_and_score

def plug(tables):
    tables.training("told", "told:told")

def told(asked):
    key = hashlib.sha256(json.dumps([asked.model, asked.order_seed], sort_keys=True).encode()).hexdigest()
    with (Path(os.environ["AUTOML_CARRIED"]) / "begun").open("a") as file:
        file.write(f"{key}\\n")
    yield from train_and_score(asked)
'''


class World:
    """A study, and machines that do not see it."""

    def __init__(self, home: Path) -> None:
        self.home, self.study = home, home / "study"
        self.file = write_study(self.study, strategy="random", stop_early=False)
        (self.study / "told.py").write_text(PLUG_IN)
        text = self.file.read_text().replace("trial: {", "plugins: [told.py]\ntrial: {training: told, ")
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


def undisturbed(home: Path, trials: int) -> dict[str, Any]:
    world = World(home)
    with Raylets() as ray:
        world.machine(ray)
        world.machine(ray)
        start = time.time()
        _finish(world.search(ray, trials))
        return {"wall_s": time.time() - start, **world.record()}


def disturbed(home: Path, trials: int) -> dict[str, Any]:
    world = World(home)
    with Raylets() as ray:
        lost = world.machine(ray)
        world.machine(ray)
        start = time.time()
        search = world.search(ray, trials)
        _wait(search, world, trials // 4)
        lost.kill()
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


def efficiency(home: Path, machines: int, jobs: int, seconds: float) -> dict[str, float]:
    """Waiting in all by the time that the machines had for it, from the first job's begin to the last one's end."""
    with Raylets() as ray:
        for _ in range(machines):
            ray.add(1)
        home.mkdir(parents=True)
        words = ["--jobs", str(jobs * machines), "--seconds", str(seconds), "--workers", str(machines)]
        done = subprocess.run(
            [sys.executable, "-m", "experiments.waiting", ray.address, str(home), *words],
            env=ray.environment, cwd=ROOT, text=True, capture_output=True, check=True,
        )  # fmt: skip
    told = json.loads(done.stdout.splitlines()[-1])
    begun = [json.loads(file.read_text())["at"] for file in home.glob("job-*.json")]
    wall = max(job["ended_at"] for job in told["ended"]) - min(begun)
    return {"wall_s": wall, "with_start_s": told["wall_s"], "efficiency": jobs * seconds / wall}


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
    parser.add_argument("--seconds", type=float, default=10.0, help="that a waiting trial takes")
    asked = parser.parse_args()
    trials, jobs = (8, 2) if asked.quick else (TRIALS, 6)
    home = Path(tempfile.mkdtemp(prefix="nodes-"))
    try:
        figures: dict[str, Any] = {"undisturbed": undisturbed(home / "quiet", trials)}
        print(json.dumps(figures["undisturbed"]), flush=True)
        figures["disturbed"] = disturbed(home / "disturbed", trials)
        print(json.dumps(figures["disturbed"]), flush=True)
        figures["waiting"] = {}
        for machines in (1, 2, 3, 4):
            figures["waiting"][machines] = efficiency(home / f"wait-{machines}", machines, jobs, asked.seconds)
            print(machines, json.dumps(figures["waiting"][machines]), flush=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if not asked.quick:
        settings = {"trials": trials, "jobs": jobs, "seconds": asked.seconds, "load": os.getloadavg()[0]}
        write_result("nodes", settings=settings, figures=figures, headline=_headline(figures, trials))


def _headline(figures: Mapping[str, Any], trials: int) -> dict[str, Any]:
    found = figures["disturbed"]
    return {
        "nodes_killed": 1,
        "heads_killed": 1,
        "lost": trials - found["trials"] + found["states"].get("failed", 0),
        "repeated": found["trials"] - trials,
        "begun_again": found["begun_again"],
        "head_s": found["head_killed"]["seconds"],
        "wall_ratio": found["wall_s"] / figures["undisturbed"]["wall_s"],
        "efficiency_4": figures["waiting"][4]["efficiency"],
    }


if __name__ == "__main__":
    main()
