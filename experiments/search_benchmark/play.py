"""A search played against a world that answers at once: any strategy, in batches, from the baseline on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from automl.stats.seeds import trial_seeds
from automl.strategies import Strategy
from automl.study.baselines import summarize_baseline
from automl.study.history import Baseline, Failure, History, Measurement, Origin, Proposal, Speed, State, Trial
from automl.study.precedents import Precedent
from automl.testing.made_up import running
from experiments.search_benchmark.logs import SEED
from search_spaces.model import ModelSpec
from search_spaces.space import Candidate, SearchSpace

QPS = 1e5  # of the baseline: searches look at ratios only


@dataclass(frozen=True, slots=True)
class Answer:
    """What a training of a candidate gave."""

    measurement: Measurement | None
    failure: Failure | None = None


def measured(ne: float, qps_ratio: float, *, params: int, flops: int) -> Answer:
    """A training that came to its end; its speed is known within 2%."""
    speed = Speed(qps_ratio=qps_ratio, qps_ratio_low=0.98 * qps_ratio, qps_ratio_high=1.02 * qps_ratio)
    return Answer(
        Measurement(ne=ne, auc=None, calibration=None, speed=speed, params=params, flops=flops, activation_bytes=0)
    )


Train = Callable[[Candidate, int], Answer]
"""A candidate on an order of the data."""


def ended(trial: Trial, answer: Answer, order: int = 0) -> Trial:
    """A trial as its training left it."""
    return replace(
        trial,
        state=State.FAILED if answer.failure is not None else State.COMPLETE,
        measurement=answer.measurement,
        failure=answer.failure,
        seeds=trial_seeds(SEED, order),
    )


def baseline_of(model: ModelSpec, answers: Sequence[Answer]) -> Baseline:
    """The human's model, trained on orders 0, 1, 2 and so on."""
    candidate = Candidate({}, model)
    begun = Trial(number=0, candidate=candidate, origin=Origin.BASELINE, state=State.RUNNING)
    trials = tuple(ended(begun, answer, order) for order, answer in enumerate(answers))
    return summarize_baseline(trials, qps=QPS)


def begin(history: History, proposals: Sequence[Proposal]) -> History:
    """The history with these proposals under way."""
    first = len(history.trials) + 1
    round_ = max((trial.round for trial in history.trials), default=0) + 1
    begun = tuple(running(number, round_, proposal) for number, proposal in enumerate(proposals, first))
    return replace(history, trials=history.trials + begun)


def end(history: History, train: Train) -> History:
    """The history with all that runs trained on order 0."""
    trials = (trial if trial.ended else ended(trial, train(trial.candidate, 0)) for trial in history.trials)
    return replace(history, trials=tuple(trials))


def play(
    space: SearchSpace,
    baseline: Baseline,
    strategy: Strategy,
    train: Train,
    *,
    trials: int,
    batch: int,
    seed: int,
    precedents: tuple[Precedent, ...] = (),
) -> History:
    """A search of so many trials, a batch at a time; shorter only where the strategy has nothing new."""
    history = History(baseline, precedents=precedents)
    while (left := trials - len(history.trials)) > 0:
        proposals = strategy(space, history, min(batch, left), seed)
        if not proposals:
            break
        history = end(begin(history, proposals), train)
    return history
