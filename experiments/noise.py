"""Where the variance of NE comes from, and what takes it away: KuaiRand (clicks) and the simulated log.

python -m experiments.noise [--train kuairand|simulated|none] [--groups own,crn,...]

Trains what is missing under studies/noise-*, one line of noise.jsonl each, and then writes the result of what is there.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

from automl.commands.init import init_study
from automl.ranking.process import prepare_process
from automl.ranking.progress import Diverged
from automl.stats.seeds import seed_of
from automl.study.problem import Problem, load_problem
from experiments.kuairand import write_study
from experiments.noise_models import hastened, models, slowed
from experiments.noise_result import SHIPPED, figures_of, headline_of
from experiments.noise_train import REFIT_ROWS, SHARES, Run, Store, train_once
from experiments.record import write_result
from experiments.studies import STUDIES

SEED = 7
ORDERS = 6
BASELINE_ORDERS = 20
FEW = 3  # models whose variance is taken apart
DRAWS = 4
TIMEZONES = {"kuairand": "Asia/Shanghai", "simulated": "UTC"}
SETTINGS = {"seed": 7, "shares": SHARES, "refit_rows": REFIT_ROWS, "shipped": SHIPPED}
CRN = ("baseline", "small", "m1", "m3", "parallel", "m5")  # models trained again with the draws of all others


def main() -> None:
    """Train what is missing, then write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", choices=["kuairand", "simulated", "none"], default="none")
    parser.add_argument("--groups", default="own,changed,shared,more,weights,dropout,orders")
    arguments = parser.parse_args()
    if arguments.train != "none":
        prepare_process()
        problem = load_problem(study_file(arguments.train))
        train_missing(problem, Store(problem.folder), arguments.groups.split(","), arguments.train == "simulated")
    tell()


def tell() -> None:
    """Write the result of all that was trained, and print its heads."""
    found = {log: load_problem(study_file(log)) for log in TIMEZONES if (STUDIES / f"noise-{log}/noise.jsonl").exists()}
    stores = {log: Store(problem.folder) for log, problem in found.items()}
    figures = {log: figures_of(found[log].log, stores[log], zone) for log, zone in TIMEZONES.items() if log in found}
    for log, problem in found.items():
        figures[log]["models"] = {
            name: each.to_tree() for name, each in models(problem.space, problem.baseline).items()
        }
    heads = {log: headline_of(figures[log], stores[log].found) for log in found}
    if "kuairand" in found:
        write_result("noise", settings=SETTINGS, figures=figures, headline=heads["kuairand"])
    for log, head in heads.items():
        print(log, head)


def study_file(log: str) -> Path:
    """The study of a log, written where it is not there."""
    if log == "kuairand":
        return write_study("noise-kuairand")
    folder = STUDIES / "noise-simulated"
    if not (folder / "study.yaml").exists():
        init_study(folder, None, "ctr")
    return folder / "study.yaml"


def train_missing(problem: Problem, store: Store, groups: list[str], simulated: bool) -> None:
    """One after the other, each told on its line."""
    base = problem.baseline
    drawn, changed = models(problem.space, base), {**(slowed(base) if simulated else {}), **hastened(base)}
    specs = {**drawn, **changed}
    every = [run for run in planned(list(drawn), list(changed), simulated) if run.group in groups]
    for number, run in enumerate(every, start=1):
        if run.name in store.found:
            continue
        start = time.process_time()
        try:
            figures, logits_MN = train_once(run, specs[run.config], problem.log, SEED)
        except Diverged as wrong:
            store.add(run, {"failed": str(wrong)}, None)
            print(f"{number}/{len(every)} {run.name} {wrong}", flush=True)
            continue
        seconds = round(time.process_time() - start, 1)
        store.add(run, {**figures, "cpu_seconds": seconds}, logits_MN)
        told = "  ".join(f"{name} {scores['ne']:.5f}" for name, scores in figures["scores"].items())
        print(f"{number}/{len(every)} {run.name} {told}  {seconds} s", flush=True)


def planned(names: list[str], changed: list[str], simulated: bool) -> Iterator[Run]:
    """Every training, the most telling first. A model's own seeds are of its name and the order, as in a search."""

    def own(group: str, config: str, order: int) -> Run:
        seed = seed_of(config, order) % 10**6
        return Run(group, config, order, seed, seed)

    few = names[:6] if simulated else names
    for order in range(4 if simulated else ORDERS):
        yield from (own("own", config, order) for config in few)
        yield from (own("changed", config, order) for config in changed)
    for order in range(4 if simulated else ORDERS):
        yield from (Run("shared", config, order, order, order) for config in few if config in CRN)
    for order in range(ORDERS, BASELINE_ORDERS):
        yield own("more", names[0], order)
    for draw in range(1, 1 + DRAWS):
        for config in names[:FEW]:
            yield Run("weights", config, 0, draw, draw)
            yield Run("dropout", config, 0, 1, 100 + draw)
            yield Run("orders", config, 100 + draw, 1, 1)


if __name__ == "__main__":
    main()
