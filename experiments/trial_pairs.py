"""What a trial costs here and in another checkout of the project, in pairs: rows a second of training, CPU seconds.

    python -m experiments.trial_pairs --against CHECKOUT [--rounds 5] [--quick]

A study over KuaiRand (clicks, the tuned DCN-V2) is searched for one trial with one worker in either checkout, taking
turns; compared are the repeats of its baseline, which both train on the same rows in the same orders.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.kuairand import write_study
from experiments.record import write_result

ROOT = Path(__file__).parents[1]
REPEATS = 3  # of the baseline, in each round


def main() -> None:
    """Take turns, print the ratios, write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, required=True, help="another checkout with a .venv")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round")
    arguments = parser.parse_args()
    rounds = 1 if arguments.quick else arguments.rounds
    checkouts = {"here": ROOT, "against": arguments.against.absolute()}
    file = write_study("trial-pairs", rest=f"baseline_seeds: {REPEATS}\n")
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in checkouts}
    with tempfile.TemporaryDirectory() as scratch:
        for turn in range(rounds):
            order = list(checkouts.items())
            for name, checkout in order if turn % 2 == 0 else reversed(order):
                found[name].append(repeats_of(checkout, file, Path(scratch) / f"{name}-{turn}"))
    pairs = {column: ratios(found, column) for column in ("train_qps", "cpu_seconds")}
    same = all((a["ne"].to_numpy() == b["ne"].to_numpy()).all() for a, b in zip(*found.values(), strict=True))
    for column, values in pairs.items():
        print(f"{column:<12} here / against: median {np.median(values):.3f}, {min(values):.3f} to {max(values):.3f}")
    print("NE of every repeat is", "the same to the last bit" if same else "NOT the same")
    write_result(
        "trial_pairs",
        settings={"rounds": rounds, "repeats": REPEATS},
        figures={name: [frame.to_dict("list") for frame in frames] for name, frames in found.items()},
        headline={
            "train_qps_ratio": round(float(np.median(pairs["train_qps"])), 3),
            "cpu_seconds_ratio": round(float(np.median(pairs["cpu_seconds"])), 3),
            "pairs": len(pairs["train_qps"]),
            "same_ne": same,
        },
    )


def repeats_of(checkout: Path, file: Path, out: Path) -> pd.DataFrame:
    """The baseline's repeats of a fresh search."""
    words = [checkout / ".venv/bin/automl", "search", file, "--trials", "1", "--workers", "1", "--out", out]
    subprocess.run(list(map(str, words)), check=True, capture_output=True, cwd=checkout)
    trials = pd.read_parquet(out / "trials.parquet")
    return trials.loc[trials["trial"] == 0, ["ne", "train_qps", "cpu_seconds"]].reset_index(drop=True)


def ratios(found: dict[str, list[pd.DataFrame]], column: str) -> list[float]:
    """Here over there, repeat by repeat."""
    here, there = (np.concatenate([frame[column].to_numpy() for frame in frames]) for frames in found.values())
    return [float(ratio) for ratio in here / there]


if __name__ == "__main__":
    main()
