"""The demo with ten seeds: of how many worlds it proves a better model and a student that gains, and how long it takes.

    python -m experiments.demo_ten [--count 10] [--quick]

Each seed has a world, a study and an ExFM run of its own under studies/demo-SEED. What has ended is not run again, a
demo that was stopped goes on. experiments/results/demo.json is written after each.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from experiments.demo import TRIALS
from experiments.record import write_result
from experiments.studies import STUDIES

Run = dict[str, Any]


def main() -> None:
    """Run what is left, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="two seeds")
    asked = parser.parse_args()
    runs: list[Run] = []
    for seed in range(1, 1 + (2 if asked.quick else asked.count)):
        runs.append(demo(seed))
        told = runs[-1]
        print(seed, told["search"]["words"], *(student["words"] for student in told["students"].values()), sep="\n  ")
        write_result("demo", settings={"trials": TRIALS}, figures={"runs": runs}, headline=headline(runs))
    print(headline(runs))


def demo(seed: int) -> Run:
    """What the demo of a seed found; run where it was not."""
    folder = STUDIES / f"demo-{seed}"
    if not (folder / "demo.json").exists():
        words = [sys.executable, "-m", "experiments.demo", "--folder", str(folder), "--seed", str(seed)]
        subprocess.run(words, check=True)
    found: Run = json.loads((folder / "demo.json").read_text())
    return {"seed": seed, **found}


def headline(runs: Sequence[Run]) -> dict[str, Any]:
    """better: runs with a pick that is proven better; students: those with a student that is proven to gain.

    better_of_10 are the runs with both.
    """
    picks = [run["search"]["better"] > 0 for run in runs]
    students = [any(s["verdict"] == "better" for s in run["students"].values()) for run in runs]
    return {
        "better_of_10": sum(pick and student for pick, student in zip(picks, students, strict=True)),
        "minutes": round(fmean(run["minutes"] for run in runs), 1),
        "runs": len(runs),
        "better": sum(picks),
        "students": sum(students),
        "ne_gain_pct": round(fmean(run["search"]["ne_gain_pct"] for run in runs), 2),
        "closed_pct": round(fmean(run["search"]["closed_pct"] for run in runs)),
    }


if __name__ == "__main__":
    main()
