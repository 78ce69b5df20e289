"""One search of 60 trials of which a tenth each raise, exit, diverge, take 10 GiB, sleep for ever in Python, and hang
in C with the GIL held: how many ended, for which reasons, and what each kind cost.

A trial's turn decides what becomes of it (experiments/bad_training.py), so the kinds are counted by reason: sleep and
hang are both ended by their time.

python -m experiments.bad_trials [--quick]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import automl as toolkit
from automl.runtime.leftovers import FOLDER, marked
from automl.study.history import State, Trial
from experiments import bad_training
from experiments.bad_training import REASONS, kind_of
from experiments.record import write_result
from experiments.small_study import write_small_study

TRIALS, WORKERS = 60, 2
TIMEOUT_S, MEMORY = 60, "2GiB"


def main() -> None:
    """Search, count, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="ten trials; nothing is written")
    trials = 10 if parser.parse_args().quick else TRIALS
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        plugin = Path(bad_training.__file__)
        file = write_small_study(home, plugin=plugin, training="bad", timeout=f"{TIMEOUT_S}s", memory=MEMORY)
        begin = time.monotonic()
        words = ["search", str(file), "--trials", str(trials), "--workers", str(WORKERS)]
        done = subprocess.run([Path(sys.executable).with_name("automl"), *words], check=False, text=True)
        seconds = time.monotonic() - begin
        left = len(marked(FOLDER, str(home.absolute())))
        figures = figures_of(toolkit.open_study(home).history.trials, trials)
    figures |= {"exit_code": done.returncode, "wall_seconds": round(seconds, 1), "left_behind": left}
    print(figures)
    if trials == TRIALS:
        write_result(
            "bad_trials",
            settings={"trials": trials, "workers": WORKERS, "timeout_s": TIMEOUT_S, "memory": MEMORY},
            figures=figures,
            headline={
                "ended": figures["ended"],
                "right_reasons": figures["right_reasons"],
                "left_behind": left,
                "wall_seconds": figures["wall_seconds"],
                **{f"lost_s_{reason}": one["lost_seconds"] for reason, one in figures["by_reason"].items()},
            },
        )


def figures_of(trials: Sequence[Trial], asked: int) -> dict[str, Any]:
    """Ended, by reason, against what the turns say; wall time that went to each reason."""
    wanted = Counter(REASONS[kind] for turn in range(asked) if (kind := kind_of(turn)) is not None)
    ended = [trial for trial in trials if trial.ended]
    found = Counter(trial.failure.kind for trial in ended if trial.failure)
    starts = np.sort([trial.started_at for trial in ended])
    return {
        "asked": asked,
        "ended": len(ended),
        "healthy": sum(trial.state is not State.FAILED for trial in ended),
        "right_reasons": sum((found & wanted).values()),
        "wrong_reasons": sum((found - wanted).values()),
        "by_reason": {reason: _cost(ended, reason, starts) for reason in sorted(wanted)},
        "reasons": {reason: _example(ended, reason) for reason in sorted(found)},
    }


def _cost(ended: Sequence[Trial], reason: str, starts: Any) -> dict[str, Any]:
    """Of the trials with that reason: from their starts to their ends, and on to the next start of any trial."""
    of = [trial for trial in ended if trial.failure and trial.failure.kind == reason]
    on_it = [trial.ended_at - trial.started_at for trial in of]
    gaps = [
        float(starts[starts > trial.ended_at][0] - trial.ended_at) for trial in of if (starts > trial.ended_at).any()
    ]
    return {
        "trials": len(of),
        "lost_seconds": round(sum(on_it) + sum(gaps), 1),
        "median_trial_seconds": round(float(np.median(on_it)), 2) if on_it else None,
        "median_seconds_to_the_next": round(float(np.median(gaps)), 2) if gaps else None,
    }


def _example(ended: Sequence[Trial], reason: str) -> str:
    return next(trial.failure.reason for trial in ended if trial.failure and trial.failure.kind == reason)


if __name__ == "__main__":
    main()
