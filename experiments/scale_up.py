"""Models scaled up: at 2, 8 and 50 times the FLOPs of a DCN-V2, against that baseline widened.

    python -m experiments.scale_up [--rows 2000000] [--trials 20] [--scales 2 8 50] [--minutes 60] [--gpu 0.25]

On a week of KuaiRand, or with --rows on a simulated log of so many, whose rows feed more capacity. At each scale the
project's search, then random candidates from the same space for as many core-seconds, repeats counted. A search goes on
where it stopped; one that has ended leaves its figures under .cache/scale_up and is not opened again. --minutes ends
this call's part of each search. With --gpu models train on a part of a GPU each, and are timed on a core all the same.
Writes experiments/results/scale_up.json (scale_up_simulated.json with --rows), where what was found at other scales
stays.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import automl
from automl.cli.common import terminal
from automl.runtime.host import machine
from automl.study.scale_up import Reached, ScaleUp, core_seconds
from experiments import kuairand, simulated
from experiments.record import runs_of, write_result
from experiments.studies import changed

CACHE = Path(__file__).parents[1] / ".cache" / "scale_up"
SPACE = "ctr-large"
SCALES = (2.0, 8.0, 50.0)
OURS, RIVAL = "controller", "random"
SPENT = 0.97  # of our core-seconds, from which on the rival has had as many
MOST = 4  # times our trials that the rival may have, should its trials be stopped at once

Run = dict[str, Any]


def main() -> None:
    """Go on with the searches in turn; table and result once all have ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, help="of a simulated log, in place of KuaiRand's week")
    parser.add_argument("--trials", type=int, default=20, help="of our search at each scale")
    parser.add_argument("--scales", type=float, nargs="+", default=SCALES)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--minutes", type=float, help="of each search, in this call; the next one goes on")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--gpu", type=float, default=0.0, help="the part of one that a trial holds")
    parser.add_argument("--quick", action="store_true", help="3 trials at 2 times the FLOPs")
    asked = parser.parse_args()
    if asked.quick:
        asked.trials, asked.scales = 3, (2.0,)
    result = "scale_up" if asked.rows is None else "scale_up_simulated"
    runs: list[Run] = [run for run in runs_of(result) if run["scale"] not in asked.scales]
    for scale in asked.scales:
        ours = ended(OURS, scale, asked)
        if ours is None:
            return
        rival = ended(RIVAL, scale, asked, spend=ours["core_seconds"])
        if rival is None:
            return
        runs += [ours, rival]
        print(*table(runs), sep="\n", flush=True)
    settings = {"seed": asked.seed, "space": SPACE, "rows": asked.rows}
    path = write_result(result, settings=settings, figures={"runs": runs}, headline=headline(runs))
    print(path)


def ended(strategy: str, scale: float, asked: argparse.Namespace, spend: float | None = None) -> Run | None:
    """The figures of a search that has ended; None where it goes on with the next call. `spend` are the core-seconds
    that it gets in place of a number of trials."""
    name = f"scale-{strategy}-{asked.seed}-{asked.trials}" + (f"-simulated-{asked.rows}" if asked.rows else "")
    cached = CACHE / f"{name}-{scale:g}x.json"
    if cached.exists():
        found: Run = json.loads(cached.read_text())
        return found
    file = written(name, strategy, asked)
    budget = None if asked.minutes is None else 60 * asked.minutes
    trials = asked.trials if spend is None else max(1, asked.trials // 2)
    while True:
        study = automl.search(
            file,
            scale=scale,
            trials=trials,
            workers=asked.workers,
            time_budget=budget,
            console=terminal(),
            command=name,
        )
        done, spent = sum(t.ended for t in study.history.trials), core_seconds(study.history.trials)
        if done < trials and not study.facts.exhausted:
            print(f"{name} at {scale:g}x: {done} of {trials} trials; call it again to go on")
            return None
        trials = more(trials, done, spent, spend, MOST * asked.trials)
        if trials == done or study.facts.exhausted:
            break
    print(study.summary(), study.report(), sep="\n", flush=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    figures = figures_of(study, strategy, asked)
    cached.write_text(json.dumps(figures, indent=1))
    return figures


def more(trials: int, done: int, spent: float, spend: float | None, most: int) -> int:
    """How many trials to ask for next, so that their cost so far comes to `spend`; as many as are done where it has."""
    if spend is None or spent >= SPENT * spend or trials >= most:
        return done
    each = spent / max(done, 1)
    return min(most, done + max(1, round((spend - spent) / each)))


def written(name: str, strategy: str, asked: argparse.Namespace) -> Path:
    """The study file; trials may take long at the largest scale."""

    def patient(tree: Any) -> None:
        tree["trial"] = {"timeout": "60m", "memory": "6GiB"}
        tree["resources"] = {"gpu": asked.gpu}

    told = {"space": SPACE, "strategy": strategy, "seed": asked.seed}
    if asked.rows is None:
        return changed(kuairand.write_study(name, split=kuairand.WEEK, **told), patient)
    return changed(simulated.write_study(name, rows=asked.rows, **told), patient)


def figures_of(study: automl.StudyHandle, strategy: str, asked: argparse.Namespace) -> Run:
    """What a run found. Cost: seconds of a core for a million rows served."""
    found, history = study.scale_up(), study.history
    assert found is not None
    qps = history.baseline.qps
    return {
        "strategy": strategy,
        "machine": machine(),
        "workers": asked.workers,
        "gpu": asked.gpu,
        "scale": found.scaled.factor,
        "reached": found.scaled.reached,
        "flops": found.scaled.flops,
        "target_flops": found.scaled.target,
        "brought": {"ne": found.brought_ne, "cost": 1e6 / (qps * found.brought_qps_ratio)},
        "widened": {"ne": found.widened_ne, "ne_std": found.widened_ne_std, "cost": 1e6 / qps},
        "capacity_gain_pct": found.capacity_gain_pct,
        "capacity_error_pct": found.capacity_error_pct,
        "equal_cost": _reached(found, found.equal_cost, qps),
        "equal_ne": _reached(found, found.equal_ne, qps),
        "gain_per_core_hour_pct": found.gain_per_core_hour_pct,
        "core_seconds": core_seconds(history.trials),
        "trials": len(history.trials),
        "points": [
            {
                "trial": trial.number,
                "ne_gain_pct": history.gain(trial).pct,
                "cost": 1e6 / (qps * trial.measurement.speed.qps_ratio),
                "flops": trial.measurement.flops,
                "cpu_seconds": trial.cpu_seconds,
            }
            for trial in history.trials
            if trial.measurement is not None and history.eligible(trial)
        ],
    }


def _reached(found: ScaleUp, one: Reached | None, qps: float) -> Run | None:
    if one is None:
        return None
    return {**asdict(one), "ne": found.widened_ne * (1 + one.gain_pct / 100), "cost": 1e6 / (qps * one.qps_ratio)}


def table(runs: Sequence[Run]) -> list[str]:
    """NE against cost, a line a model: the baseline as brought and as widened, then what each search found."""
    lines = [f"{'':<34}{'NE':>8}{'gain':>9}{'cost':>9}{'core-h':>8}{'gain/core-h':>13}"]
    for run in runs:
        at, hours = f"{run['scale']:g}x", run["core_seconds"] / 3600
        if run["strategy"] == OURS:
            brought, wide = run["brought"], run["widened"]
            lines.append(f"{at:<6}{'as brought':<28}{brought['ne']:>8.4f}{'':>9}{brought['cost']:>9.2f}")
            against = f"{run['capacity_gain_pct']:+.2f}%*"
            lines.append(f"{at:<6}{'widened':<28}{wide['ne']:>8.4f}{against:>9}{wide['cost']:>9.2f}")
        rate = f"{run['gain_per_core_hour_pct']:+.2f}%"
        for key, words in (("equal_cost", "equal cost"), ("equal_ne", "equal NE")):
            name, one = f"{run['strategy']}, {words}", run[key]
            if one is None:
                lines.append(f"{at:<6}{name:<28}{'none':>8}{'':>18}{hours:>8.2f}")
                continue
            gain = f"{one['gain_pct']:+.2f}%"
            line = f"{at:<6}{name:<28}{one['ne']:>8.4f}{gain:>9}{one['cost']:>9.2f}{hours:>8.2f}"
            lines.append(line + (f"{rate:>13}" if key == "equal_cost" else ""))
    return [*lines, "gain against the widened baseline (*: against the one brought); cost in core-s a million rows"]


def headline(runs: Sequence[Run]) -> Mapping[str, float | None]:
    """By scale: what widening gains, and each search at equal cost and, as a ratio of costs, at equal NE."""
    found: dict[str, float | None] = {}
    for run in runs:
        at = f"{run['scale']:g}x_{run['strategy']}"
        if run["strategy"] == OURS:
            found[f"{run['scale']:g}x_widening_pct"] = round(run["capacity_gain_pct"], 3)
        cost, ne = run["equal_cost"], run["equal_ne"]
        found[f"{at}_equal_cost_pct"] = None if cost is None else round(cost["gain_pct"], 3)
        found[f"{at}_equal_ne_cost"] = None if ne is None else round(1 / ne["qps_ratio"], 3)
        found[f"{at}_per_core_hour_pct"] = round(run["gain_per_core_hour_pct"], 3)
    return found


if __name__ == "__main__":
    main()
