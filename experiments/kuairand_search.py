"""A search and its finals on KuaiRand: clicks (100 trials), or long views of the clicked (40 trials).

    python -m experiments.kuairand_search [--label ctr|cvr] [--trials N] [--quick]

Writes the study under studies/, the report beside it, and experiments/results/kuairand_LABEL.json.
"""

from __future__ import annotations

import argparse
from typing import Any

import automl
from automl.cli import terminal
from automl.report.study.lines import finals_lines
from automl.stats.verdicts import Verdict
from experiments.kuairand import CTR, CVR, TUNED, TUNED_CVR, write_study
from experiments.record import write_result

CORES = 2


def main() -> None:
    """Search (or go on), run the finals, write report and result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--label", choices=["ctr", "cvr"], default="ctr")
    parser.add_argument("--trials", type=int)
    parser.add_argument("--quick", action="store_true", help="12 trials, 2 seeds")
    arguments = parser.parse_args()
    ctr = arguments.label == "ctr"
    trials = 12 if arguments.quick else arguments.trials or (100 if ctr else 40)
    file = write_study(f"kuairand-{arguments.label}", label=CTR if ctr else CVR, baseline=TUNED if ctr else TUNED_CVR)
    study = automl.search(file, trials=trials, workers=CORES, console=terminal())
    print(study.summary())
    found = study.finals(seeds=2 if arguments.quick else 5, workers=CORES, console=terminal())
    print(*finals_lines(found), sep="\n")
    print(study.report())
    figures = {**search_figures(study), "finals": found.to_json()}
    picks = found.picks
    write_result(
        f"kuairand_{arguments.label}",
        settings={"trials": trials, "seeds": found.seeds, "workers": CORES},
        figures=figures,
        headline={
            "wall_s": round(figures["wall_seconds"], 1),
            "core_share": round(figures["core_share"], 3),
            **{state: figures["states"].get(state, 0) for state in ("complete", "stopped", "failed")},
            "better": sum(p.verdict is Verdict.BETTER for p in picks),
            "faster": sum(p.verdict is Verdict.FASTER for p in picks),
            "best_ne_gain_pct": round(min(p.ne_gain_pct for p in picks), 3),
            "best_faster_qps_ratio": round(
                max((p.qps_ratio for p in picks if p.verdict in (Verdict.BETTER, Verdict.FASTER)), default=0), 2
            ),
        },
    )


def search_figures(study: automl.StudyHandle) -> dict[str, Any]:
    """Wall time, how trials ended, what share of the cores they used, the front."""
    facts, frame = study.facts, study.trials_dataframe()
    trials = frame[frame["trial"] > 0]
    inside = float(frame["cpu_seconds"].fillna(0).sum())
    front = study.pareto()
    return {
        "wall_seconds": facts.wall_seconds,
        "core_seconds_inside_trials": inside,
        "core_share": inside / (CORES * facts.wall_seconds),
        "states": trials["state"].value_counts().to_dict(),
        "failures": trials["failure_kind"].dropna().value_counts().to_dict(),
        "origins_of_front": front["origin"].value_counts().to_dict(),
        "front": front[["trial", "ne", "ne_gain_pct", "qps_ratio", "origin", "words"]].to_dict("records"),
        "baseline": {
            "ne": study.history.baseline.ne,
            "ne_std": study.history.baseline.ne_std,
            "qps": study.history.baseline.qps,
        },
    }


if __name__ == "__main__":
    main()
