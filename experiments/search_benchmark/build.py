"""Trains the candidates of a table: evenly drawn ones, and those of searches by several strategies on the real log.

    python -m experiments.search_benchmark.build --log kuairand|completejourney [--processes 2] [--minutes 60]

What was trained stands in .cache/search_benchmark/LOG.jsonl, a line a training; the same call goes on. At the end, or
with --pack, it is packed as experiments/search_benchmark/tables/LOG.parquet, which replays read. 400 candidates are
drawn evenly, 600 are proposed by six searches of 100; 100 of them, and the baseline, are trained on five orders.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from automl.ranking.process import prepare_process
from automl.stats.seeds import seed_of
from automl.strategies import Strategy, strategy_of
from automl.strategies.draft import Draft
from automl.strategies.opening import nearest_to_baseline
from automl.study.history import Failure, History, Origin, Proposal
from automl.study.problem import Problem
from experiments import json_lines
from experiments.search_benchmark.logs import LOGS, problem_of
from experiments.search_benchmark.play import Answer, baseline_of, begin, end, measured
from experiments.search_benchmark.table import Line, lines_of, pack, read_lines, unpack, waves_of
from experiments.search_benchmark.training import Trained, train_candidate
from search_spaces.model import ModelSpec
from search_spaces.moves import mutate
from search_spaces.space import Candidate, SearchSpace

EVEN, SEARCHED, BATCH = 400, 100, 10
ORDERS = 5
REPEATED = 100
SEARCHES: Mapping[str, tuple[str, int]] = {
    "controller-1": ("controller", 1),
    "controller-2": ("controller", 2),
    "tpe-1": ("tpe", 1),
    "tpe-2": ("tpe", 2),
    "evolution-1": ("evolution", 1),
    "baseline-1": ("mutations of the baseline", 1),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A training that is to be had."""

    candidate: Candidate
    order: int
    source: str  # of the candidate: "even", "baseline", or the search that proposed it


def main() -> None:
    """Go on with a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", choices=list(LOGS), required=True)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--pack", action="store_true", help="pack what there is, and train nothing")
    asked = parser.parse_args()
    if asked.pack or build(asked.log, asked.processes, 60 * asked.minutes):
        print(pack(asked.log))


def build(log: str, processes: int, seconds: float) -> bool:
    """Train what is left, wave by wave; whether all was trained in that time."""
    problem, file, until = problem_of(log), lines_of(log), time.monotonic() + seconds
    unpack(log)
    done = read_lines(file)
    with multiprocessing.get_context("spawn").Pool(processes, _begin, (log,)) as pool:
        for wave in waves(problem, done, waves_of(log)):
            left = [one for one in wave if (one.candidate.key, one.order) not in done]
            jobs = [(one.candidate.model.to_tree(), one.order, one.source) for one in left]
            for line in pool.imap_unordered(_train, jobs):
                json_lines.append(file, line)
                done[line["key"], line["order"]] = line
                if time.monotonic() > until:
                    print(f"{len(done)} trainings; call it again to go on", flush=True)
                    pool.terminate()
                    return False
            print(time.strftime("%H:%M"), log, len(done), "trainings", flush=True)
    return True


def waves(problem: Problem, done: Mapping[tuple[str, int], Line], kept: Path) -> Iterator[list[Wanted]]:
    """What is to be trained, in waves; a wave may hang on all those before it. `kept` holds what searches proposed."""
    baseline = Candidate({}, problem.baseline)
    yield [Wanted(baseline, order, "baseline") for order in range(ORDERS)]
    rng = np.random.default_rng(seed_of("table", "even"))
    even = [Wanted(problem.space.random(rng), 0, "even") for _ in range(EVEN)]
    answers = [_answer(done[baseline.key, order]) for order in range(ORDERS)]
    histories = {name: History(baseline_of(problem.baseline, answers)) for name in SEARCHES}
    rounds, tried, again = SEARCHED // BATCH, list[Candidate](), list[Candidate]()
    for turn in range(rounds):
        proposed = list(even[turn * EVEN // rounds : (turn + 1) * EVEN // rounds])
        for name, found in _proposed(problem, turn, histories, kept).items():
            histories[name] = begin(histories[name], found)
            proposed += [Wanted(proposal.candidate, 0, name) for proposal in found]
        yield _once(proposed)
        histories = {name: end(one, lambda c, order: _answer(done[c.key, order])) for name, one in histories.items()}
        tried += [one.candidate for one in proposed]
        if turn + 1 in (rounds // 2, rounds):
            again += _repeated(tried, again, done, REPEATED // 2)
            yield [Wanted(candidate, order, "") for candidate in again for order in range(1, ORDERS)]


def _proposed(problem: Problem, turn: int, histories: Mapping[str, History], kept: Path) -> dict[str, list[Proposal]]:
    """What each search proposes in its turn: written down, so that a table goes on as it began though the strategies
    have changed since."""
    lines = json_lines.read(kept)
    if turn >= len(lines):
        found = {
            name: _strategy(strategy)(problem.space, histories[name], BATCH, seed)
            for name, (strategy, seed) in SEARCHES.items()
        }
        trees = {name: [one.candidate.model.to_tree() for one in of] for name, of in found.items()}
        json_lines.append(kept, trees)
        return found
    told: dict[str, list[Any]] = lines[turn]
    models = {name: [ModelSpec.from_tree(tree) for tree in trees] for name, trees in told.items()}
    return {
        name: [Proposal(problem.space.locate(model) or Candidate({}, model), Origin.MUTATION) for model in of]
        for name, of in models.items()
    }


def _once(wanted: Sequence[Wanted]) -> list[Wanted]:
    return list({one.candidate.key: one for one in reversed(wanted)}.values())


def _repeated(
    tried: Sequence[Candidate],
    again: Sequence[Candidate],
    done: Mapping[tuple[str, int], Line],
    count: int,
) -> list[Candidate]:
    """Of what was tried and not repeated: half of them those of lowest NE on order 0, the others drawn evenly."""
    taken = {candidate.key for candidate in again}
    known = {c.key: c for c in tried if c.key not in taken and done[c.key, 0]["failure"] is None}
    best = sorted(known, key=lambda key: (float(done[key, 0]["ne"][-1]), key))
    rng = np.random.default_rng(seed_of("table", "repeated", len(tried)))
    rest = rng.choice(sorted(best[count // 2 :]), count - count // 2, replace=False)
    return [known[key] for key in (*best[: count // 2], *rest)]


def _strategy(name: str) -> Strategy:
    return near_baseline if name == "mutations of the baseline" else strategy_of(name)


def near_baseline(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    """Mutations of the baseline, one after the other for two steps in three."""
    rng = np.random.default_rng(seed_of("near", seed, len(history.trials)))
    draft, near = Draft(space, history), nearest_to_baseline(space, history)

    def moved() -> Candidate:
        found = near
        for _ in range(int(rng.integers(1, 4))):
            found = mutate(space, found, rng)
        return found

    draft.fill(count, moved, Origin.MUTATION)
    return draft.proposals


def _answer(line: Line) -> Answer:
    if line["failure"] is not None:
        return Answer(None, Failure("diverged", line["failure"]))
    return measured(line["ne"][-1], line["qps_ratio"] or 1.0, params=line["params"], flops=line["flops"])


# ---------------------------------------------------------------------- in a worker


@cache
def _problem(log: str) -> Problem:
    return problem_of(log)


_LOG: list[str] = []


def _begin(log: str) -> None:
    prepare_process()
    _LOG.append(log)


def _train(job: tuple[Mapping[str, Any], int, str]) -> dict[str, Any]:
    tree, order, source = job
    problem = _problem(_LOG[0])
    trained: Trained = train_candidate(tree, problem.log, order, problem.baseline)
    return {**trained.to_json(), "source": source, "model": tree}


if __name__ == "__main__":
    main()
