"""Training speed beside other libraries: rows a CPU second of one core, same rows, model and batch.

    AUTOML_RIVALS=FOLDER python -m experiments.training_speed [--quick] [--again CASE]

Every library trains with its own loader and loop in a process of its own, in the order A B C, C B A, so that what a
neighbour on the machine does falls on all. CPU seconds hold those of a loader's worker. Ours averages the last tenth of
its steps; what it refits on scored rows afterwards is not part of it. Beside it the same with batches that were ready
before the clock started, what a pass adds to the memory, and the limit: bare products, gather and scatter of the same
shapes. Goes on where it stopped; --again forgets the runs of a case.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from statistics import fmean
from typing import Any, TypedDict

import torch

from automl.ranking.features import read
from automl.ranking.model import RankingModel, build_model
from automl.ranking.process import prepare_process
from experiments.record import runs_of, write_result
from experiments.rivals.cases import CASES, OURS, OURS_BF16, Case
from experiments.rivals.made import found
from experiments.trial_profile import bare_seconds

NAME = "training_speed"
CORE = "1"
MODES = ("own loader", "batches ready")


class Run(TypedDict):
    """One pass in a process of its own."""

    case: str
    library: str
    mode: str
    number: int
    rows_per_cpu_s: float
    memory_mb: float


def main() -> None:
    """Run what is left, write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="only with their own loaders")
    parser.add_argument("--pairs", type=int, default=1, help="times there and back")
    parser.add_argument("--again", choices=[*CASES, "all"], help="measure a case anew")
    asked = parser.parse_args()
    prepare_process()
    runs: list[Run] = runs_of(NAME)
    runs = [run for run in runs if asked.again not in (run["case"], "all")]
    limits: dict[str, dict[str, float]] = {}
    there = found()
    for name, reason in there.items():
        if reason:
            print(f"{name} is left out: {reason}")
    rivals = [name for name, reason in there.items() if not reason]
    for case in CASES:
        for mode in MODES[: 1 if asked.quick else None]:
            measure(runs, case, mode, rivals, asked.pairs)
        limits[case] = limit(CASES[case])
    table = [row(runs, case, limits[case]) for case in CASES]
    write(runs, table, there)
    for told in table:
        print(json.dumps(told))


def measure(runs: list[Run], case: str, mode: str, rivals: Sequence[str], pairs: int) -> None:
    """There and back through the libraries, as often as asked; batches are always ready in ours."""
    ours = [OURS, OURS_BF16] if mode == MODES[0] else []
    there = [*ours, *rivals]
    for number, library in enumerate([*there, *reversed(there)] * pairs):
        known = {(run["case"], run["mode"], run["number"]) for run in runs}
        if (case, mode, number) in known:
            continue
        asked = [sys.executable, "-m", "experiments.rivals.worker", case, library, CORE, str(MODES.index(mode))]
        done = subprocess.run(asked, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        if done.returncode:
            raise SystemExit(f"{library} on {case}: {done.stderr[-2000:]}")
        told = json.loads(done.stdout.splitlines()[-1])
        runs.append({"case": case, "library": library, "mode": mode, "number": number, **told})
        print(f"{case} {mode}: {library:<14} {told['rows_per_cpu_s']:>9,.0f} rows/s {told['memory_mb']:>6,.0f} MiB")
        write(runs, [], {})


def limit(case: Case) -> dict[str, float]:
    """Rows a CPU second of bare arithmetic, in either precision."""
    rows, spec = case.rows(), case.spec()
    model = build_model(spec, rows.inputs, seed=1)
    assert isinstance(model, RankingModel)
    features = read(rows, slice(0, case.batch))
    return {
        name: case.batch / bare_seconds(model, features, dtype)
        for name, dtype in ((OURS, torch.float32), (OURS_BF16, torch.bfloat16))
    }


def row(runs: Sequence[Run], case: str, limits: dict[str, float]) -> dict[str, Any]:
    """Rows a second of each, and ours over the fastest of the others."""
    told: dict[str, Any] = {"case": case, "limit": {name: round(rate) for name, rate in limits.items()}}
    for mode in MODES:
        rates = {
            library: fmean(run["rows_per_cpu_s"] for run in runs if kind(run) == (case, library, mode))
            for library in dict.fromkeys(run["library"] for run in runs)
            if any(kind(run) == (case, library, mode) for run in runs)
        }
        told[mode] = {name: round(rate) for name, rate in rates.items()}
        theirs = [rate for name, rate in rates.items() if name not in limits]
        if theirs:
            ours = {run: told[MODES[0]][run] for run in limits}
            told[f"ratio, {mode}"] = {name: rate / max(theirs) for name, rate in ours.items()}
    told["share_of_limit"] = {name: told[MODES[0]][name] / rate for name, rate in limits.items()}
    told["memory_mb"] = {
        library: round(max(run["memory_mb"] for run in runs if kind(run) == (case, library, MODES[0])))
        for library in told[MODES[0]]
    }
    return told


def kind(run: Run) -> tuple[str, str, str]:
    """What was run."""
    return run["case"], run["library"], run["mode"]


def write(runs: Sequence[Run], table: Sequence[dict[str, Any]], there: dict[str, str]) -> None:
    """All runs so far, and the table once all are there."""
    headline: dict[str, Any] = {}
    for told in table:
        ratios, share = told.get(f"ratio, {MODES[0]}", {}), told["share_of_limit"]
        headline |= {f"ratio_{told['case']}{_of(name)}": round(ratio, 2) for name, ratio in ratios.items()}
        headline |= {f"share_of_limit_{told['case']}{_of(name)}": round(part, 3) for name, part in share.items()}
    write_result(
        NAME,
        settings={"core": CORE, "left_out": {name: reason for name, reason in there.items() if reason}},
        figures={"runs": runs, "table": table},
        headline=headline,
    )


def _of(name: str) -> str:
    return "" if name == OURS else "_bf16"


if __name__ == "__main__":
    main()
