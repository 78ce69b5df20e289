"""What `automl check` predicts of trials against what they take: CPU seconds and memory, five studies.

    python -m experiments.check_cost [--study NAME]... [--quick]

The template ctr, KuaiRand with ctr-small and with ctr-ensemble, more than a million rows by `automl simulate` under the
draft of `automl init --data`, The Complete Journey. Of each the baseline and the models of the fastest and the slowest
tenth, predicted and then trained (experiments/watched_trials.py), on the machine as it is and beside as many busy
processes as there are cores.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from automl.commands.cost import TRIALS, WORKER_BYTES, drawn, model_bytes, predicted, spread
from automl.commands.init import init_study
from automl.data.simulated.log import simulate
from automl.ranking.place import busy_seconds
from automl.runtime.host import cores, room
from automl.study.problem import Problem, load_problem
from experiments import completejourney, kuairand
from experiments.record import write_result
from experiments.studies import STUDIES
from experiments.watched_trials import trained
from search_spaces.errors import InputError
from search_spaces.model import ModelSpec

ROOT = Path(__file__).parents[1]
LARGE_ROWS = 1_250_000  # two thirds of them train
MODELS = ("low", "baseline", "high")
WORKERS = 2


def template() -> Path:
    """The template as it is written; its study file."""
    folder = STUDIES / "cost-template"
    if not (folder / "study.yaml").exists():
        init_study(folder, None, "ctr")
    return folder / "study.yaml"


def large() -> Path:
    """A draft over a long log."""
    folder = STUDIES / "cost-large"
    if not (folder / "study.yaml").exists():
        simulate(folder / "log", rows=LARGE_ROWS, users=40_000, items=10_000, days=12, seed=3)
        init_study(folder, folder / "log" / "log.parquet", "ctr")
    return folder / "study.yaml"


FILES: Mapping[str, Callable[[], Path]] = {
    "template": template,
    "kuairand ctr-small": lambda: kuairand.write_study("cost-small", space="ctr-small"),
    "kuairand ctr-ensemble": lambda: kuairand.write_study("cost-ensemble", space="ctr-ensemble"),
    "large": large,
    "completejourney": lambda: completejourney.write_study("cost-journey"),
}


def main() -> None:
    """Predict and train, study by study; print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", action="append", choices=FILES, help="one of the studies; all if left out")
    parser.add_argument("--quick", action="store_true", help="the baselines alone, on the machine as it is")
    parser.add_argument("--predict", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--train", nargs="+", metavar=("FILE", "MODEL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.predict:
        print(json.dumps(told(Path(arguments.predict))))
    elif arguments.train:
        problem = load_problem(Path(arguments.train[0]))
        models = models_of(problem)
        print(json.dumps(trained(problem, {name: models[name] for name in arguments.train[1:]})))
    else:
        compare(arguments.study or list(FILES), arguments.quick)


def compare(studies: Sequence[str], quick: bool) -> None:
    """Both sides of every study, on both kinds of machine."""
    figures: dict[str, dict[str, Any]] = {}
    for name in studies:
        try:
            file = FILES[name]()
        except InputError as error:
            print(f"{name}: left out: {error}", flush=True)
            continue
        load_problem(file)  # encoded before anything is measured
        figures[name] = {}
        for condition, beside in (("as it is", 0), ("loaded", cores()))[: 1 if quick else 2]:
            with burning(beside):
                found = both(file, ("baseline",) if quick else MODELS)
            figures[name][condition] = found
            for line in lines(found):
                print(f"{name:<22} {condition:<8} {line}", flush=True)
    if not quick:
        write_result(
            "check_cost",
            settings={"large_rows": LARGE_ROWS, "trials": TRIALS, "workers": WORKERS, "busy beside": cores()},
            figures=figures,
            headline=headline([condition for study in figures.values() for condition in study.values()]),
        )


def both(file: Path, models: Sequence[str]) -> dict[str, Any]:
    """What is predicted, and what trials took: each in a process of its own."""
    load = round(os.getloadavg()[0], 1)
    predicted = own_process("--predict", str(file))
    return {"load_average": load, "predicted": predicted, "real": own_process("--train", str(file), *models)}


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """A model a line, and the worker."""
    predicted, real = found["predicted"], found["real"]
    for name, of in real["trials"].items():
        said = predicted["cpu_s"][name]
        ratio = said / of["cpu_s"]
        yield f"{name:<9} CPU {said:7.1f} of {of['cpu_s']:7.1f} s: {ratio:.2f}   wall {of['wall_s']:.1f} s"
    said, held = predicted["worker_mib"], real["worker_mib"]
    yield f"worker    {said:.0f} of {held:.0f} MiB: {said / held:.2f}; checked in {predicted['check_cpu_s']:.1f} CPU s"


def headline(found: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The worst of everything; a ratio is of what was predicted to what it took."""
    time_ratios = [
        one["predicted"]["cpu_s"][name] / of["cpu_s"] for one in found for name, of in one["real"]["trials"].items()
    ]
    memory_ratios = [one["predicted"]["worker_mib"] / one["real"]["worker_mib"] for one in found]
    return {
        "check_time_ratio_worst": round(max(max(ratio, 1 / ratio) for ratio in time_ratios), 2),
        "check_time_ratio_lowest": round(min(time_ratios), 2),
        "check_time_ratio_highest": round(max(time_ratios), 2),
        "check_memory_ratio_worst": round(max(max(ratio, 1 / ratio) for ratio in memory_ratios), 2),
        "check_cpu_s_worst": round(max(one["predicted"]["check_cpu_s"] for one in found), 1),
    }


def told(file: Path) -> dict[str, Any]:
    """What the check predicts, and what it took to say so; the worker's memory is that of the three models."""
    problem = load_problem(file)
    start, wall = time.process_time(), time.perf_counter()
    found = predicted(problem, drawn(problem), WORKERS, room(problem.folder), busy_seconds)
    return {
        "check_cpu_s": time.process_time() - start,
        "check_wall_s": time.perf_counter() - wall,
        "cpu_s": asdict(found.cost.trial_seconds),
        "worker_mib": (WORKER_BYTES + max(model_bytes(problem, one) for one in models_of(problem).values())) / 2**20,
        "search_minutes": found.cost.search_minutes,
        "memory_gib": found.cost.memory_gib,
        "disk_gib": found.cost.disk_gib,
        "notes": [note.text for note in found.notes],
    }


def models_of(problem: Problem) -> dict[str, ModelSpec]:
    """The models that are probed, by name."""
    models = spread(problem, drawn(problem))
    return {name: getattr(models, name) for name in MODELS}


def own_process(*words: str) -> Any:
    """What this module prints when it is called with these words."""
    command = [sys.executable, "-m", "experiments.check_cost", *words]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def burning(count: int) -> Iterator[None]:
    """So many processes that never rest, for the length of the block."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
