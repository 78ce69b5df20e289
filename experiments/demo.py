"""The main job on the simulated log, as its user would type it: init, check, search, finals, report; then an ExFM run.

    python -m experiments.demo [--trials 30] [--folder demo] [--seed 1]

With --seed another world is simulated, and the study draws anew. What stands at the end is in FOLDER/demo.json too.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd

from automl.commands.init import template_log, template_stream
from automl.stats.metrics import ne

TRIALS = 30


def main() -> None:
    """Run the commands, then say what was proven and how close the best models came to what can be known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--folder", type=Path, default=Path("demo"))
    parser.add_argument("--seed", type=int, help="of the worlds, the study and the ExFM run")
    arguments = parser.parse_args()
    folder, streamed, start = arguments.folder, arguments.folder / "exfm", time.monotonic()
    if not (folder / "study.yaml").exists():
        automl("init", str(folder))
        if arguments.seed is not None:
            shutil.rmtree(folder / "log")
            template_log(folder / "log", arguments.seed)
            reseed(folder / "study.yaml", arguments.seed)
    automl("check", f"{folder}/study.yaml")
    automl("search", f"{folder}/study.yaml", "--trials", str(arguments.trials))
    automl("finals", str(folder))
    searched = against_bayes(folder)
    print("\n" + searched["words"])
    if not (streamed / "exfm.yaml").exists():
        automl("init", str(streamed), "--template", "exfm")
        if arguments.seed is not None:
            shutil.rmtree(streamed / "log")
            template_stream(streamed / "log", arguments.seed)
            reseed(streamed / "exfm.yaml", arguments.seed)
    automl("exfm", "run", f"{streamed}/exfm.yaml")
    taught = students_against_bayes(streamed)
    print("\n" + "\n".join(student["words"] for student in taught.values()))
    minutes = (time.monotonic() - start) / 60
    (folder / "demo.json").write_text(json.dumps({"minutes": minutes, "search": searched, "students": taught}))
    print(f"{minutes:.1f} minutes. Open {folder}/report.html and {streamed}/exfm.html")


def automl(*words: str) -> None:
    """Type a command; what it says goes to the terminal."""
    print(f"\n$ automl {' '.join(words)}", flush=True)
    done = subprocess.run([Path(sys.executable).with_name("automl"), *words], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def reseed(file: Path, seed: int) -> None:
    """Another `seed` at the top of a file."""
    file.write_text(re.sub(r"(?m)^seed: \d+$", f"seed: {seed}", file.read_text()))


def against_bayes(folder: Path) -> dict[str, Any]:
    """What the finals proved, and what of the gap between the baseline and the true probabilities it closes.

    The pick that is told is the best of those proven better; where there is none, the best of all.
    """
    finals = json.loads((folder / "finals.json").read_text())
    bayes = json.loads((folder / "log" / "truth.json").read_text())["bayes_ne"]["click"]["test"]
    better = [pick for pick in finals["picks"] if pick["verdict"] == "better"]
    best = min(better or finals["picks"], key=lambda pick: pick["ne"])
    baseline = finals["baseline"]["ne"]
    closed = 100 * (baseline - best["ne"]) / (baseline - bayes)
    interval = f"[{best['ci_low_pct']:+.2f}, {best['ci_high_pct']:+.2f}]"
    words = (
        f"test window: Bayes NE {bayes:.4f} (nobody can do better), baseline {baseline:.4f}. Pick #{best['trial']} has "
        f"{best['ne']:.4f}: {best['ne_gain_pct']:+.2f}% {interval}, {best['verdict']}, {closed:.0f}% of the gap closed"
    )
    return {
        "better": len(better), "ne_gain_pct": best["ne_gain_pct"], "qps_ratio": best["qps_ratio"], "baseline": baseline,
        "bayes": bayes, "closed_pct": closed, "words": words,
    }  # fmt: skip


def students_against_bayes(folder: Path) -> dict[str, dict[str, Any]]:
    """Of each student: NE without a teacher and with its own recipe, whether that is proven, and the Bayes NE."""
    found = json.loads((folder / "exfm.json").read_text())
    log, truth = pd.read_parquet(folder / "log" / "log.parquet"), pd.read_parquet(folder / "log" / "truth.parquet")
    first = next(window["name"] for window in found["windows"] if window["scored"])
    scored = pd.to_datetime(log["time_ms"], unit="ms") >= first
    rows = {
        "large_domain": (scored & (log["domain"] == 0), "click", "p_click"),
        "small_domains": (scored & (log["domain"] != 0), "click", "p_click"),
        "conversions": (scored & (log["click"] == 1), "convert", "p_convert_given_click"),
    }
    told = {}
    for name, (kept, label, p) in rows.items():
        recipes = found["students"][name]["all"]["recipes"]
        gain = recipes["auto"]["gain"]
        bayes, none, taught = ne(log[label][kept], truth[p][kept]), recipes["none"]["ne"], recipes["auto"]["ne"]
        closed = 100 * (none - taught) / (none - bayes)
        interval = f"{gain['pct']:+.2f}% [{gain['low_pct']:+.2f}, {gain['high_pct']:+.2f}], {gain['verdict']}"
        words = (
            f"student {name}: NE {none:.4f} alone, {taught:.4f} taught, {interval}; {closed:.0f}% of the gap to Bayes"
        )
        told[name] = {"verdict": gain["verdict"], "ne_gain_pct": gain["pct"], "closed_pct": closed, "words": words}
    return told


if __name__ == "__main__":
    main()
