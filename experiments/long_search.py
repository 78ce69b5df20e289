"""A search of a thousand trials that cost nothing: what the driver itself takes of memory, files and time, and how long
its report takes.

python -m experiments.long_search [--trials 1000] [--quick]

The real engine, record and strategy on a made-up world (automl.testing.made_up): a trial tells its true NE with the
luck of its order. The search lies in studies/long-search and goes on where it stopped; with --quick 120 trials.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from automl.data.simulated.log import simulate
from experiments.record import write_result
from experiments.studies import STUDIES

FOLDER = STUDIES / "long-search"
LINES = FOLDER / "driver.jsonl"
EARLY = 100  # trials, at which the driver is looked at first
STUDY = """\
name: long-search
plugins: [free_trials.py]
data:
  path: log/log.parquet
  time: {column: time_ms, unit: ms, timezone: UTC}
  label: click
  features: {categorical: {user_id: {}, item_id: {}, tab: {}}}
  split: {train: [2024-03-04, 2024-03-09], validate: [2024-03-10, 2024-03-10], test: [2024-03-11, 2024-03-11]}
space: ctr-small
baseline: baseline.yaml
trial: {training: free}
qps: {clock: analytic}
seed: 1
"""
BASELINE = """\
embedding: {dim: 16, lr: 0.02}
interaction: [{cross: {rank: 32}}, {cross: {rank: 32}}]
deep: [{mlp: {width: 256, dropout: 0.1}}, {mlp: {width: 128, dropout: 0.1}}]
train: {batch_size: 1024, dense_lr: 0.001}
"""
PLUGIN = '''\
"""A training that costs nothing: the made-up world's NE with the luck of its order."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator

import numpy as np

from automl.runtime.jobs import CURVE_POINTS, Step, TrainModel
from automl.study.history import CurvePoint, Failure, Measurement, Speed
from search_spaces.model import ModelSpec
from search_spaces.plugins import Plugins

NOISE = 0.001


def free(asked: TrainModel) -> Iterator[Step]:
    """What the made-up world says of a model; its curve falls to it. One in fifty diverges."""
    from automl.testing import made_up  # not where the file is only read

    model = ModelSpec.from_tree(asked.model)
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(f"{model.key} {asked.order_seed}".encode()).digest()[:8]))
    ne, ratio, cost = made_up.true_ne(model) + NOISE * rng.normal(), made_up.true_qps_ratio(model), model.cost(
        made_up.INPUTS
    )
    curve = tuple(
        CurvePoint(1000 * k, ne * (1 + 0.1 / k) + 0.002 * float(rng.normal()), ne * (1 + 0.2 / k))
        for k in range(1, CURVE_POINTS + 1)
    )
    speed = Speed(qps_ratio=ratio, qps_ratio_low=0.98 * ratio, qps_ratio_high=1.02 * ratio, train_qps=4e4)
    found = Measurement(
        ne=math.nan, auc=None, calibration=None, speed=speed, params=cost.params, flops=cost.flops,
        activation_bytes=cost.bytes, seconds={"train": 0.01},
    )
    for share in asked.stops:
        yield Step(share=share, curve=curve[: round(share * CURVE_POINTS)], measurement=found)
    if asked.stops and rng.random() < 0.02:
        yield Step(share=1.0, curve=curve, failure=Failure("diverged", "NE rose to 3.1"), done=True)
        return
    measured = Measurement(
        ne=ne, auc=0.7, calibration=1.0, speed=speed, params=cost.params, flops=cost.flops,
        activation_bytes=cost.bytes, seconds={"train": 0.01},
    )
    yield Step(share=1.0, curve=curve, measurement=measured, done=True, cpu_seconds=0.01)


def plug(tables: Plugins) -> None:
    tables.training("free", f"{__name__}:free")
'''


def main() -> None:
    """Run or go on, then look at report and status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="120 trials")
    parser.add_argument("--drive", action="store_true", help="be the driver that is looked at")
    arguments = parser.parse_args()
    trials = 120 if arguments.quick else arguments.trials
    if arguments.drive:
        drive(trials)
        return
    write_study()
    subprocess.run([sys.executable, "-m", "experiments.long_search", "--drive", "--trials", str(trials)], check=True)
    figures = {"driver": driver_figures(), "after": after()}
    early, late = figures["driver"]["at"][0], figures["driver"]["at"][-1]
    write_result(
        "long_search",
        settings={"trials": trials, "strategy": "controller", "batch": 10, "workers": 2},
        figures=figures,
        headline={
            "rss_growth_mib": round(late["rss_mib"] - early["rss_mib"], 1),
            "files_early": early["files"],
            "files_late": late["files"],
            "proposal_worst_s": max(figures["driver"]["proposal_s"].values()),
            "commit_worst_s": max(figures["driver"]["commit_s"].values()),
            "report_s": figures["after"]["report_s"],
            "status_s": figures["after"]["status_s"],
            "page_mb": figures["after"]["page_mb"],
        },
    )


def write_study() -> None:
    """The study with its log; what is there stays."""
    if (FOLDER / "study.yaml").exists():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    simulate(FOLDER / "log", rows=4000, users=300, items=100, seed=1)
    for name, text in (("baseline.yaml", BASELINE), ("free_trials.py", PLUGIN), ("study.yaml", STUDY)):
        (FOLDER / name).write_text(text)


# ---------------------------------------------------------------------- the driver


def drive(trials: int) -> None:
    """Search in this process, and write a line for each thing it does."""
    from automl import api
    from automl.commands import search_source
    from automl.study.record import Study

    with LINES.open("a") as lines:

        def tell(**what: object) -> None:
            print(json.dumps({"pid": os.getpid(), **what}), file=lines, flush=True)

        def timed(holder: Any, name: str, what: str, count: Callable[..., int]) -> None:
            plain = getattr(holder, name)

            def call(*args: Any, **named: Any) -> Any:
                start, busy = time.perf_counter(), time.thread_time()
                try:
                    return plain(*args, **named)
                finally:
                    seconds, cpu = time.perf_counter() - start, time.thread_time() - busy
                    tell(what=what, trials=count(*args), seconds=seconds, cpu=cpu, **seen())

            setattr(holder, name, call)

        timed(Study, "end", "commit", lambda study, *rest: sum(trial.ended for trial in study.trials))
        timed(search_source, "proposed", "proposal", lambda p, s, history, *rest: len(history.trials))
        timed(search_source.SearchSource, "next", "next", lambda source, running: len(source._study.trials))
        timed(search_source.SearchSource, "ended", "ended", lambda source, *rest: len(source._study.trials))
        api.search(FOLDER / "study.yaml", trials=trials, workers=2)


def seen() -> dict[str, float]:
    """Memory and open files of this process, and seconds of processor that it has used."""
    status = Path("/proc/self/status").read_text()
    rss = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024
    used = os.times()
    return {
        "rss_mib": rss,
        "files": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "wall": time.time(),
        "used": used.user + used.system,
    }


def driver_figures() -> dict[str, Any]:
    """By hundreds of trials: memory, files, and the median seconds that each thing took."""
    told = [json.loads(line) for line in LINES.read_text().splitlines()]
    told = [line for line in told if line["pid"] == told[-1]["pid"]]
    commits = [line for line in told if line["what"] == "commit"]
    last = commits[-1]["trials"]
    marks = sorted({EARLY, *range(200, last, 100), last})
    at = []
    for mark in marks:
        one = next((line for line in commits if line["trials"] >= mark), commits[-1])
        at.append({"trials": mark, **{name: one[name] for name in ("rss_mib", "files", "used", "wall")}})
    found: dict[str, Any] = {"at": at}
    for what in ("proposal", "commit", "ended", "next"):
        found[f"{what}_s"] = {}
        for low in range(0, last, 100):
            some = [line["seconds"] for line in told if line["what"] == what and low < line["trials"] <= low + 100]
            if some:
                found[f"{what}_s"][str(low + 100)] = round(float(np.median(some)), 5)
                found.setdefault(f"{what}_max_s", {})[str(low + 100)] = round(max(some), 5)
    return found


# ---------------------------------------------------------------------- after it


def after() -> dict[str, Any]:
    """Seconds of report (a first one, and one that finds what the first left) and status, each a command."""
    took = {}
    for name, words in (("report_s", ["report"]), ("report_again_s", ["report"]), ("status_s", ["status"])):
        start = time.perf_counter()
        subprocess.run([Path(sys.executable).with_name("automl"), *words, FOLDER], check=True, capture_output=True)
        took[name] = round(time.perf_counter() - start, 2)
    page = FOLDER / "report.html"
    return {**took, "page_mb": round(page.stat().st_size / 1e6, 2), "record_mb": size(FOLDER / "study.db")}


def size(file: Path) -> float:
    """In MB."""
    return round(file.stat().st_size / 1e6, 2)


if __name__ == "__main__":
    main()
