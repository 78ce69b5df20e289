"""Do the finals' intervals hold what they say? Twelve models and the baseline, trained on many orders of KuaiRand.

    python -m experiments.coverage [--log kuairand-ctr] [--orders 20] [--models 12] [--quick]

Truth would be all orders and all users. The nearest thing: the gain over all orders, on nine tenths of the users. An
interval as the finals make it, from 3 or from 5 of the orders and the last tenth of the users, should hold it 95 times
in 100; so should one from all users, where only the orders' luck is asked for, hold the gain over all orders. Ten
tenths and many draws of orders of twelve models: intervals overlap, so the spread over models is told too.
Predictions stay under studies/, and a stopped run goes on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from automl.cli.common import terminal
from automl.commands.repeats import BASELINE, FINAL, RepeatsSource, scored_window
from automl.runtime.cluster import cluster
from automl.runtime.console import ProgressLine, now
from automl.runtime.engine import run
from automl.runtime.jobs import Resources
from automl.runtime.lock import hold
from automl.stats.compared import ScoredRows
from automl.study.problem import FINALS_FIT, Problem, encode, load_problem
from experiments.live import LOGS
from experiments.record import write_result
from search_spaces.model import ModelSpec
from search_spaces.moves import mutate

Floats = NDArray[np.float64]
CORES, TENTHS, DRAWS = 2, 10, 12
SEEDS = (3, 5)


def main() -> None:
    """Train what is left, then count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", choices=list(LOGS), default="kuairand-ctr")
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--models", type=int, default=12)
    parser.add_argument("--quick", action="store_true", help="six orders of two models")
    asked = parser.parse_args()
    if asked.quick:
        asked.orders, asked.models = 6, 2
    problem = load_problem(LOGS[asked.log].write(f"coverage-{asked.log}"))
    names = {BASELINE: problem.baseline, **near(problem, asked.models)}
    window, probs = trained(problem, names, asked.orders)
    base = probs.pop(BASELINE)
    rows = [covered(window, base, of, seeds) for seeds in SEEDS for of in probs.values()]
    figures = {seeds: rows[i * len(probs) : (i + 1) * len(probs)] for i, seeds in enumerate(SEEDS)}
    shown: dict[str, float] = {"models": len(probs), "orders": asked.orders}
    for seeds, of_models in figures.items():
        for what in ("whole", "orders"):
            shares = [row[what] for row in of_models]
            shown[f"{what}_{seeds}_seeds"] = round(fmean(shares), 4)
            shown[f"{what}_{seeds}_seeds_std_over_models"] = round(float(np.std(shares)), 4)
    write_result(
        f"coverage_{asked.log.replace('-', '_')}",
        settings={"orders": asked.orders, "draws": DRAWS, "tenths": TENTHS},
        figures={"models": {name: spec.to_tree() for name, spec in names.items()}, "coverage": figures},
        headline=shown,
    )
    print(shown)


def near(problem: Problem, count: int) -> dict[str, ModelSpec]:
    """Models that a search would try: one to three mutations away from the baseline, all different."""
    rng, found = np.random.default_rng(11), dict[str, ModelSpec]()
    start = problem.space.locate(problem.baseline) or problem.space.nearest(problem.baseline)
    while len(found) < count:
        candidate = start
        for _ in range(int(rng.integers(1, 4))):
            candidate = mutate(problem.space, candidate, rng)
        model = candidate.model
        if model.train.order == "shuffled" and model.key not in {spec.key for spec in found.values()}:
            found[str(len(found) + 1)] = model
    return found


def trained(problem: Problem, models: dict[str, ModelSpec], orders: int) -> tuple[ScoredRows, dict[str, Floats]]:
    """Predictions (orders, rows) of the test window by model; a model that failed on an order is left out."""
    log = encode(problem, FINALS_FIT)
    with hold(problem.folder):
        source = RepeatsSource(problem, log, models, orders, FINAL)
        progress = ProgressLine(terminal(), source.describe, now)
        source.told = progress.update
        if source.waiting:
            with cluster(problem.folder, CORES, None), progress:
                run(source, Resources(workers=CORES, cpu=1.0, gpu=0.0), clock=time.time)
    return scored_window(log, "test"), source.whole()


def covered(window: ScoredRows, base_SN: Floats, of_SN: Floats, seeds: int) -> dict[str, Any]:
    """Shares of intervals that hold the gain: whole ones from a tenth of the users, and of orders alone."""
    rng = np.random.default_rng(seeds)
    truth = 100 * (window.ne(of_SN) / window.ne(base_SN) - 1).mean()
    difference_S = _differences(window, base_SN, of_SN)
    tenth_N = tenths(window, rng)
    rest = [
        _differences(window.part(many_N), base_SN[:, many_N], of_SN[:, many_N]).mean()
        for many_N in (tenth_N != tenth for tenth in range(TENTHS))
    ]
    of_orders, whole = [], []
    for chosen in drawn(len(base_SN), seeds, rng):
        left = np.setdiff1d(np.arange(len(base_SN)), chosen)
        of_orders.append(holds_orders(difference_S, chosen, left))
        tenth = int(rng.integers(TENTHS))
        few_N = tenth_N == tenth
        (gain,) = window.part(few_N).gains(base_SN[np.ix_(chosen, few_N)], [of_SN[np.ix_(chosen, few_N)]])
        whole.append(gain.low_pct <= rest[tenth] <= gain.high_pct)
    return {"gain_pct": float(truth), "orders": fmean(of_orders), "whole": fmean(whole)}


def _differences(window: ScoredRows, base_SN: Floats, of_SN: Floats) -> Floats:
    """Of NE by order, in percent of the baseline's mean."""
    ne_S = window.ne(base_SN)
    return np.asarray(100 * (window.ne(of_SN) - ne_S) / ne_S.mean(), dtype=np.float64)


def holds_orders(difference_S: Floats, chosen: NDArray[np.intp], left: NDArray[np.intp]) -> bool:
    """Whether Student's interval of the chosen orders, widened by what the others' mean does not know, holds it."""
    inside, outside = difference_S[chosen], difference_S[left]
    error = inside.std(ddof=1) * np.sqrt(1 / len(inside) + 1 / len(outside))
    return bool(abs(inside.mean() - outside.mean()) <= stdtrit(len(inside) - 1, 0.975) * error)


def tenths(window: ScoredRows, rng: np.random.Generator) -> NDArray[np.int64]:
    """A number from 0 to 9 for each row; rows of one user have the same."""
    _, user_N = np.unique(window.clusters_N, return_inverse=True)
    return rng.integers(TENTHS, size=int(user_N.max()) + 1)[user_N]


def drawn(orders: int, seeds: int, rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Sets of orders, each drawn anew."""
    choices: Sequence[int] = range(orders)
    for _ in range(DRAWS * TENTHS):
        yield np.sort(rng.choice(choices, size=seeds, replace=False))


if __name__ == "__main__":
    main()
