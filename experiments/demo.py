"""The main job on the simulated log, as its user would type it: init, check, search, finals, report; then an ExFM run.

python -m experiments.demo [--trials 40] [--folder demo]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from automl.stats.metrics import ne


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
    streamed = folder / "exfm"
    if not (streamed / "exfm.yaml").exists():
        automl("init", str(streamed), "--template", "exfm")
    automl("exfm", "run", f"{streamed}/exfm.yaml")
    print("\n" + students_against_bayes(streamed))
    print(f"{(time.monotonic() - start) / 60:.1f} minutes. Open {folder}/report.html and {streamed}/exfm.html")


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


def students_against_bayes(folder: Path) -> str:
    """NE of each student without a teacher and with its own recipe, and of the true probabilities on the same rows."""
    found = json.loads((folder / "exfm.json").read_text())
    log, truth = pd.read_parquet(folder / "log" / "log.parquet"), pd.read_parquet(folder / "log" / "truth.parquet")
    first = next(window["name"] for window in found["windows"] if window["scored"])
    scored = pd.to_datetime(log["time_ms"], unit="ms") >= first
    rows = {
        "large_domain": (scored & (log["domain"] == 0), "click", "p_click"),
        "small_domains": (scored & (log["domain"] != 0), "click", "p_click"),
        "conversions": (scored & (log["click"] == 1), "convert", "p_convert_given_click"),
    }
    words = []
    for name, (kept, label, p) in rows.items():
        recipes = found["students"][name]["all"]["recipes"]
        bayes, none, taught = ne(log[label][kept], truth[p][kept]), recipes["none"]["ne"], recipes["auto"]["ne"]
        closed = 100 * (none - taught) / (none - bayes)
        words.append(f"{name} {none:.4f} alone, {taught:.4f} taught, Bayes {bayes:.4f}: {closed:.0f}% of the gap")
    return "NE of the students: " + "; ".join(words)


if __name__ == "__main__":
    main()
