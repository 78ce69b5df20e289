"""Does a search that repeats find better models than one that does not, with as many trainings?

    python -m experiments.repeats_pay [--seeds 8] [--trainings 100] [--quick]

Searches in the made-up world, with luck as large as on a real log: the order of the data moves all models by .15% NE,
and each by .06 to .15% of its own on top, which one run cannot tell. Gains over the human's model are small: .2 to .5%
for the best of a hundred. Repeats count as trainings. What is told of a search is the truth: the hypervolume of the
front that it believes in and of its picks, the gain of its accurate pick, and how much that pick was flattered (the
winner's curse: believed minus true, negative is flattery). Each search is judged before the finals' repeats and after
them (about ten trials on three orders). The controller takes fewer steps than in a study: there are many searches.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from automl.stats import pareto
from automl.stats.seeds import seed_of, trial_seeds
from automl.strategies import Strategy, propose
from automl.strategies.again import again
from automl.strategies.believed import believe
from automl.strategies.controller import ControllerConfig, imagine
from automl.strategies.picks import entrants, picks
from automl.study.baselines import summarize_baseline
from automl.study.history import Baseline, History, Origin, Proposal, Repeat, State, Trial
from automl.testing import made_up as world
from experiments.record import write_result
from search_spaces.space import Candidate

ORDER_PCT, OWN_PCT = 0.15, (0.06, 0.15)
GAINS = 0.4  # of the made-up world's gains over the human's model
ORDERS, MARGIN_PCT = 4, 0.2
LATE = 60  # candidates, before which the late form repeats nothing: about two thirds of what it comes to
LIGHT = ControllerConfig(steps=30, samples=48, last_steps=10, kept=40)
Rule = Callable[[History], int | None]


class NoisyWorld:
    """What a training measures: the truth, the luck of its order and its own."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.human = world.true_ne(world.HUMAN)

    def gain(self, candidate: Candidate) -> float:
        """True NE gain in percent."""
        raw = 100.0 * (world.true_ne(candidate.model) / self.human - 1.0)
        return GAINS * raw if raw < 0 else raw

    def ne(self, candidate: Candidate, order: int) -> float:
        common = ORDER_PCT * _normal("order", self.seed, order)
        width = np.random.default_rng(seed_of("width", candidate.key)).uniform(*OWN_PCT)
        own = width * _normal("own", self.seed, candidate.key, order)
        return self.human * (1.0 + (self.gain(candidate) + common + own) / 100.0)

    def baseline(self) -> Baseline:
        return summarize_baseline(
            [self.ended(world.running(0, 0, _human()), order) for order in range(ORDERS)], world.HUMAN_QPS
        )

    def ended(self, trial: Trial, order: int = 0) -> Trial:
        done = world.ended(trial, 0.0)
        assert done.measurement is not None
        measured = replace(done.measurement, ne=self.ne(trial.candidate, order))
        return replace(done, measurement=measured, seeds=trial_seeds(self.seed, order))

    def repeated(self, trial: Trial, order: int) -> Trial:
        one = self.ended(trial, order)
        repeat = Repeat(order=order, measurement=one.measurement, seeds=one.seeds)
        return replace(trial, repeats=(*trial.repeats, repeat))


FORMS: dict[str, tuple[Rule, float]] = {
    "none": (lambda history: None, 0.0),
    "2 each": (partial(again, most=2, margin_pct=MARGIN_PCT), 0.3),
    "3 each": (partial(again, most=3, margin_pct=MARGIN_PCT), 0.3),
    "late": (lambda history: again(history, 3, MARGIN_PCT) if len(history.trials) >= LATE else None, 0.3),
}


def main() -> None:
    """Play every form with every seed, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--trainings", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="two seeds of 40 trainings")
    arguments = parser.parse_args()
    seeds, trainings = (2, 40) if arguments.quick else (arguments.seeds, arguments.trainings)
    propose.imagine = partial(imagine, config=LIGHT)
    found: dict[str, list[dict[str, float]]] = {}
    for seed in range(seeds):
        for name, (rule, share) in FORMS.items():
            found.setdefault(name, []).append(figures(*play(propose.controller, rule, seed, trainings, share), seed))
            print(seed, name, found[name][-1])
    summary = {name: _summary(rows) for name, rows in found.items()}
    write_result(
        "repeats_pay",
        settings={"seeds": seeds, "trainings": trainings, "order_pct": ORDER_PCT, "own_pct": OWN_PCT},
        figures={"by_form": summary, "runs": found},
        headline={
            f"{figure}_{name.replace(' ', '_')}": round(of[figure][0], 3)
            for name, of in summary.items()
            for figure in ("accurate", "curse", "picks_hypervolume")
        },
    )


def _summary(rows: list[dict[str, float]]) -> dict[str, tuple[float, float]]:
    """Mean and standard error over the seeds."""
    columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    return {key: (float(v.mean()), float(v.std(ddof=1) / np.sqrt(len(v)))) for key, v in columns.items()}


def play(strategy: Strategy, rule: Rule, seed: int, trainings: int, share: float) -> tuple[NoisyWorld, History]:
    """A search of so many trainings, whatever they are spent on."""
    made, space = NoisyWorld(seed), world.small_space()
    history = History(made.baseline())
    queue: list[Proposal] = []
    spent = 0
    while spent < trainings:
        repeats = sum(len(trial.repeats) for trial in history.trials)
        number = rule(history) if repeats < int(share * len(history.trials)) else None
        if number is not None:
            trial = history.trials[number - 1]
            done = made.repeated(trial, 1 + len(trial.repeats))
            history = replace(history, trials=tuple(done if t.number == number else t for t in history.trials))
        else:
            if not queue:
                queue = list(strategy(space, history, 10, seed))
            number = len(history.trials) + 1
            done = made.ended(world.running(number, number // 10, queue.pop(0)))
            history = replace(history, trials=(*history.trials, done))
        spent += 1
    return made, history


def figures(made: NoisyWorld, history: History, seed: int) -> dict[str, float]:
    """What the search is worth, told by the truth."""
    space, trials = world.small_space(), [t for t in history.trials if t.state is State.COMPLETE]
    belief = believe(history, trials)
    ratio = np.array([t.measurement.speed.qps_ratio for t in trials if t.measurement])
    true = np.array([made.gain(t.candidate) for t in trials])
    on_front = pareto.front(pareto.objectives(belief.mean_N, ratio))
    entered = entrants(space, history, seed=seed)
    by_number = {t.number: t for t in trials}
    confirmed = {
        number: np.array([_paired(made, history, by_number[number], order) for order in range(1, ORDERS)])
        for number in entered
    }
    found = {
        "hypervolume": pareto.hypervolume(pareto.objectives(true[on_front], ratio[on_front])),
        "best_true": float(min(true[ratio >= 1.0], default=0.0)),
        "candidates": float(len(trials)),
        "repeats": float(sum(len(t.repeats) for t in trials)),
        "confirm_trainings": float(sum(ORDERS - 1 - len(by_number[number].repeats) for number in entered)),
    }
    for stage, chosen in (
        ("", picks(space, history, seed=seed, margin_pct=MARGIN_PCT)),
        ("_confirmed", picks(space, history, seed=seed, margin_pct=MARGIN_PCT, confirmed=confirmed)),
    ):
        accurate = next((pick for pick in chosen if pick.role == "accurate"), None)
        points = [(made.gain(by_number[p.trial].candidate), _ratio(by_number[p.trial])) for p in chosen]
        found[f"accurate{stage}"] = made.gain(by_number[accurate.trial].candidate) if accurate else 0.0
        found[f"curse{stage}"] = accurate.shrunken_gain_pct - found[f"accurate{stage}"] if accurate else 0.0
        found[f"picks_hypervolume{stage}"] = pareto.hypervolume(
            pareto.objectives(np.array([p[0] for p in points] or [0.0]), np.array([p[1] for p in points] or [1.0]))
        )
    return found


def _paired(made: NoisyWorld, history: History, trial: Trial, order: int) -> float:
    seeds = trial_seeds(made.seed, order)
    return history.baseline.gain_pct(made.ne(trial.candidate, order), seeds["order"])


def _ratio(trial: Trial) -> float:
    assert trial.measurement is not None
    return trial.measurement.speed.qps_ratio


def _human() -> Proposal:
    return Proposal(Candidate({}, world.HUMAN), Origin.BASELINE)


def _normal(*parts: str | int) -> float:
    return float(np.random.default_rng(seed_of(*parts)).normal())


if __name__ == "__main__":
    main()
