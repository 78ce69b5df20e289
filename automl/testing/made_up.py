"""A made-up world in which candidates have a true NE and QPS at once: what a search is tried on in milliseconds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from automl.stats import pareto
from automl.strategies import Strategy
from automl.study.history import Baseline, Failure, History, Limit, Measurement, Origin, Proposal, Speed, State, Trial
from search_spaces.blocks import Cross, Mlp
from search_spaces.model import Embedding, InputShape, Layer, ModelSpec, Train
from search_spaces.source import read_text
from search_spaces.space import Candidate, SearchSpace, space_of

INPUTS = InputShape(
    id_counts=tuple(tuple(max(1, 20_000 // (rank + 1)) for rank in range(30 * (f + 1))) for f in range(20)),
    dense=6,
    train_rows=150_000,
)
HUMAN = ModelSpec(
    embedding=Embedding(dim=16, lr=0.02),
    interaction=(Layer((Cross(rank=32),)), Layer((Cross(rank=32),))),
    deep=(Mlp(width=256, dropout=0.1), Mlp(width=128, dropout=0.1)),
    train=Train(batch_size=1024, dense_lr=1e-3),
)
HUMAN_QPS = 140_000.0


SPACE = """\
embedding:
  dim: {choice: [4, 8, 12, 16, 24, 32, 48, 64], default: 16}
  lr: {log: [0.003, 0.2], default: 0.02}
  init_std: {log: [1.0e-4, 0.1], default: 0.01}
  weight_decay: {choice: [0, 1.0e-7, 1.0e-6, 1.0e-5, 1.0e-4], default: 0}
  min_count: {choice: [1, 2, 3, 5, 10], default: 2}
interaction:
  repeat: {int: [0, 3], default: 2}
  one_of:
    cross: {rank: {choice: [8, 16, 32, 64], default: 32}}
    dot: {compress: {choice: [8, 16, 32], default: 16}}
    fm: {}
    masknet: {width: {choice: [32, 64, 128, 256], default: 128}, hidden: {choice: [16, 32, 64, 128], default: 64}}
    attention: {heads: {choice: [1, 2, 4], default: 2}, head_dim: {choice: [4, 8, 16], default: 8}}
    linear: {}
wiring: {choice: [stacked, parallel], default: stacked}
deep:
  repeat: {int: [1, 4], default: 2}
  mlp:
    width: {choice: [32, 64, 96, 128, 192, 256, 384, 512], default: 128}
    norm: {choice: [none, batch, layer], default: none}
    activation: {choice: [relu, gelu, silu], default: relu}
    dropout: {float: [0, 0.4], default: 0.1}
train:
  batch_size: {choice: [256, 512, 1024, 2048, 4096], default: 1024}
  dense_lr: {log: [1.0e-4, 1.0e-2], default: 1.0e-3}
  schedule: {choice: [constant, linear, cosine], default: constant}
  order: {choice: [shuffled, time], default: shuffled}
"""
"""A space like `ctr-small`, which stays what it is: what the library learns must not move what is tried here."""


@cache
def small_space() -> SearchSpace:
    return space_of(read_text(SPACE, "made-up.yaml"), INPUTS)


def true_ne(model: ModelSpec) -> float:
    """Learning budget first, then capacity with a best size, then blocks; about .85 to .95."""
    steps = INPUTS.train_rows * model.train.epochs / model.train.batch_size
    scheduled = 1.0 if model.train.schedule == "constant" else 0.5
    dense = math.log(model.train.dense_lr * steps * scheduled) - math.log(0.25)
    sparse = math.log(model.embedding.lr * math.sqrt(steps) * scheduled) - math.log(0.6)
    size = math.log2(model.embedding.dim * (1 + len(model.interaction))) - 5.0
    width = sum(math.log2(mlp.width) for mlp in model.deep) - 16.0
    names = [block.name for layer in model.interaction for block in layer.blocks]
    crossed = 0.004 * min(names.count("cross"), 2) + 0.006 * ("masknet" in names) + 0.002 * ("dot" in names)
    dropped = sum((mlp.dropout - 0.15) ** 2 for mlp in model.deep)
    loss = 0.008 * min(dense**2, 8) + 0.006 * min(sparse**2, 8) + 0.0015 * size**2 + 0.0002 * width**2
    return 0.858 + loss + 0.03 * dropped - crossed + 0.004 * (model.train.order == "time")


def true_qps_ratio(model: ModelSpec) -> float:
    return _seconds(HUMAN) / _seconds(model)


def _seconds(model: ModelSpec) -> float:
    cost = model.cost(INPUTS)
    return 1.5e-6 + 1.2e-11 * cost.flops + 8e-11 * cost.bytes


def baseline() -> Baseline:
    trial = ended(Trial(number=0, candidate=Candidate({}, HUMAN), origin=Origin.BASELINE, state=State.RUNNING), 0.0)
    return Baseline(
        candidate=trial.candidate, trials=(trial,) * 3, ne=true_ne(HUMAN), ne_std=0.001, qps=HUMAN_QPS, train_qps=4e4
    )


def ended(trial: Trial, luck: float) -> Trial:
    model = trial.candidate.model
    ratio = true_qps_ratio(model)
    cost = model.cost(INPUTS)
    measurement = Measurement(
        ne=true_ne(model) + luck,
        auc=0.75,
        calibration=1.0,
        speed=Speed(
            qps_ratio=ratio,
            qps_ratio_low=0.98 * ratio,
            qps_ratio_high=1.02 * ratio,
            train_qps=4e4 * ratio**0.7 * (model.train.batch_size / 1024) ** 0.2,
        ),
        params=cost.params,
        flops=cost.flops,
        activation_bytes=cost.bytes,
    )
    return replace(trial, state=State.COMPLETE, measurement=measurement)


def failed(trial: Trial) -> Trial:
    return replace(trial, state=State.FAILED, failure=Failure("diverged", "NE is not finite"))


def running(number: int, round_: int, proposal: Proposal) -> Trial:
    """A trial that was begun."""
    return Trial(
        number=number,
        candidate=proposal.candidate,
        origin=proposal.origin,
        forecast=proposal.forecast,
        state=State.RUNNING,
        round=round_,
    )


@dataclass
class Search:
    """A study played in the made-up world."""

    space: SearchSpace
    history: History
    noise: float = 0.001

    @classmethod
    def start(cls, space: SearchSpace, limits: tuple[Limit, ...] = (), noise: float = 0.001) -> Search:
        return cls(space, History(baseline(), (), limits), noise)

    def begin(self, proposals: list[Proposal]) -> None:
        first = len(self.history.trials) + 1
        round_ = max((t.round for t in self.history.trials), default=0) + 1
        begun = tuple(running(n, round_, p) for n, p in enumerate(proposals, first))
        self.history = replace(self.history, trials=self.history.trials + begun)

    def end_all(self) -> None:
        self.history = replace(self.history, trials=tuple(self._end(t) for t in self.history.trials))

    def _end(self, trial: Trial) -> Trial:
        luck = np.random.default_rng(int(trial.candidate.key, 16) % (1 << 32)).normal()
        return trial if trial.ended else ended(trial, self.noise * float(luck))

    def play(self, strategy: Strategy, trials: int, batch: int, seed: int) -> History:
        while len(self.history.trials) < trials:
            self.begin(strategy(self.space, self.history, min(batch, trials - len(self.history.trials)), seed))
            self.end_all()
        return self.history


def true_hypervolume(history: History) -> float:
    """Hypervolume of the true values of the front that was observed."""
    done = [t for t in history.trials if t.state is State.COMPLETE]
    gain = np.array([history.baseline.gain_pct(t.measurement.ne) for t in done if t.measurement])
    true = np.array([history.baseline.gain_pct(true_ne(t.candidate.model)) for t in done])
    ratio = np.array([true_qps_ratio(t.candidate.model) for t in done])
    chosen = pareto.front(pareto.objectives(gain, ratio))
    return pareto.hypervolume(pareto.objectives(true[chosen], ratio[chosen]))
