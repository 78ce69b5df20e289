"""The main job on the simulated log, as its user would type it: init, check, search, finals, report.

python -m experiments.demo [--trials 40] [--folder demo]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    """Run the commands, then say how close the best model came to what can be known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--folder", type=Path, default=Path("demo"))
    arguments = parser.parse_args()
    folder, start = arguments.folder, time.monotonic()
    if not (folder / "study.yaml").exists():
        automl("init", str(folder))
    automl("check", f"{folder}/study.yaml")
    automl("search", f"{folder}/study.yaml", "--trials", str(arguments.trials))
    automl("finals", str(folder), "--seeds", "3")
    print("\n" + against_bayes(folder))
    print(f"{(time.monotonic() - start) / 60:.1f} minutes. Open {folder}/report.html")


def automl(*words: str) -> None:
    """Type a command; what it says goes to the terminal."""
    print(f"\n$ automl {' '.join(words)}", flush=True)
    done = subprocess.run([Path(sys.executable).with_name("automl"), *words], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def against_bayes(folder: Path) -> str:
    """NE of the best final and of the baseline on the test window, and the NE of the true probabilities there."""
    finals = json.loads((folder / "finals.json").read_text())
    bayes = json.loads((folder / "log" / "truth.json").read_text())["bayes_ne"]["click"]["test"]
    best = min(finals["picks"], key=lambda pick: pick["ne"])
    baseline = finals["baseline"]["ne"]
    closed = 100 * (baseline - best["ne"]) / (baseline - bayes)
    return (
        f"test window: Bayes NE {bayes:.4f} (nobody can do better), baseline {baseline:.4f}, best pick "
        f"#{best['trial']} {best['ne']:.4f}: it closes {closed:.0f}% of the gap"
    )


if __name__ == "__main__":
    main()
