"""What a table stands for when a search is replayed: an answer at once for every candidate, with a training's luck.

`Surrogate` answers for the whole space: the mean of neural networks and of a forest of extremely randomised trees for
the NE gain, cost and networks for speed; searches here use boosted trees and a Gaussian process. `LookUp` answers
with the nearest candidate of the table that this search has not had yet: nothing is modelled, but the space is a
thousand points.
Luck is put back as the repeats show it. N candidates, F features.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls
from sklearn.ensemble import ExtraTreesRegressor

from automl.stats.seeds import seed_of
from automl.study.history import Baseline
from experiments.search_benchmark.play import Answer, baseline_of, measured
from experiments.search_benchmark.table import Table
from search_spaces.encoding import Encoder
from search_spaces.space import Candidate

Floats = NDArray[np.float64]
FEWEST_REPEATED = 20
NETWORKS, STEPS = 5, 300
CLIPPED = 12.0  # percent: what is worse is as bad


@dataclass(frozen=True, slots=True)
class Truth:
    """Of a candidate: NE gain in percent, log2 of the QPS ratio."""

    gain: float
    log2_ratio: float


class World(Protocol):
    """What a replay trains in."""

    @property
    def table(self) -> Table: ...

    @property
    def luck(self) -> Luck: ...

    def truth(self, candidate: Candidate) -> Truth: ...

    def answer(self, candidate: Candidate, order: int, seed: int) -> Answer: ...


@dataclass(frozen=True)
class Luck:
    """Standard deviation of one training's gain around the model's, which grows with how bad a model is."""

    level: float
    slope: float

    @classmethod
    def of(cls, table: Table) -> Luck:
        """Of the candidates that were trained on several orders: models and orders taken out."""
        gain_NO = table.gain_NO[np.isfinite(table.gain_NO).all(axis=1)]
        if len(gain_NO) < FEWEST_REPEATED:
            return cls(np.log(0.1), 0.12)
        left = gain_NO - gain_NO.mean(axis=1, keepdims=True)
        left = left - np.median(left, axis=0)
        freedom = gain_NO.shape[1] - 1
        variance = np.maximum((left**2).sum(axis=1) / freedom, 1e-6)
        slope, level = np.polyfit(np.clip(gain_NO.mean(axis=1), 0.0, CLIPPED), np.log(variance) / 2, 1)
        return cls(float(level), float(slope))

    def std(self, gain: float) -> float:
        return float(np.exp(self.level + self.slope * np.clip(gain, 0.0, CLIPPED)))

    def draw(self, candidate: Candidate, order: int, seed: int, gain: float) -> float:
        rng = np.random.default_rng(seed_of("luck", seed, candidate.key, order))
        return float(self.std(gain) * rng.normal())


@dataclass(frozen=True)
class Features:
    """Standardised feature rows of a space; what is not asked stands at the mean, with a flag."""

    encoder: Encoder
    middle_F: Floats
    spread_F: Floats
    kept_F: NDArray[np.bool_]
    optional_F: NDArray[np.bool_]  # of the kept ones, those that are not asked of every candidate

    @classmethod
    def of(cls, table: Table) -> Features:
        encoder = Encoder(table.space)
        rows = encoder.rows_and_costs(table.answers_ND)[0]
        known = np.isfinite(rows)
        ever = np.where(known.any(axis=0), rows, 0.0)
        middle, spread = np.nanmean(ever, axis=0), np.nanstd(ever, axis=0)
        kept = spread > 0
        return cls(encoder, middle, np.where(kept, spread, 1.0), kept, ~known[:, kept].all(axis=0))

    def rows(self, answers_ND: Floats) -> tuple[Floats, Floats]:
        """Rows and costs."""
        rows, costs = self.encoder.rows_and_costs(answers_ND)
        scaled = np.clip((rows - self.middle_F) / self.spread_F, -4.0, 4.0)[:, self.kept_F]
        asked = np.isfinite(scaled)
        return np.hstack([np.where(asked, scaled, 0.0), 0.5 * asked[:, self.optional_F]]), costs


@dataclass
class Surrogate:
    """Fitted on a table."""

    table: Table
    seed: int = 0
    luck: Luck = field(init=False)
    _known: dict[str, Truth] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.luck = Luck.of(self.table)
        self._features = Features.of(self.table)
        rows, costs = self._features.rows(self.table.answers_ND)
        gain = np.nanmean(self.table.gain_NO, axis=1)
        trained = np.isfinite(self.table.gain_NO).sum(axis=1)
        self._gain = GainModel.fit(rows, gain, trained, self.luck, self.seed)
        self._speed = RatioModel.fit(rows, costs, self.table.log2_ratio_N, self.seed)
        inside = self.table.space.locate(self.table.baseline)
        answers = self.table.answers_ND[:1] if inside is None else self.table.space.answers(inside)[None, :]
        rows, costs = self._features.rows(answers)
        self._zero = Truth(0.0, 0.0)
        self._zero = Truth(float(self._gain.predict(rows)[0]), float(self._speed.predict(rows, costs)[0]))

    def truths(self, answers_ND: Floats) -> tuple[Floats, Floats]:
        """Gains and logs of ratios; the baseline's are 0."""
        rows, costs = self._features.rows(answers_ND)
        return self._gain.predict(rows) - self._zero.gain, self._speed.predict(rows, costs) - self._zero.log2_ratio

    def truth(self, candidate: Candidate) -> Truth:
        found = self._known.get(candidate.key)
        if found is None:
            gain, ratio = self.truths(self.table.space.answers(candidate)[None, :])
            found = self._known[candidate.key] = Truth(float(gain[0]), float(ratio[0]))
        return found

    def answer(self, candidate: Candidate, order: int, seed: int) -> Answer:
        true = self.truth(candidate)
        return told(self.table, candidate, true, true.gain + self.luck.draw(candidate, order, seed, true.gain))


@dataclass(frozen=True)
class GainModel:
    """Neural networks and extremely randomised trees, on a scale that is fine near the baseline."""

    networks: Networks
    trees: ExtraTreesRegressor

    @classmethod
    def fit(cls, rows: Floats, gain: Floats, trained: NDArray[np.int64], luck: Luck, seed: int) -> GainModel:
        target = np.arcsinh(np.clip(gain, -CLIPPED, CLIPPED))
        slope = 1.0 / np.sqrt(1.0 + np.clip(gain, 0.0, CLIPPED) ** 2)
        noise = (np.array([luck.std(g) for g in gain]) * slope) ** 2 / np.maximum(trained, 1)
        weights = 1.0 / (noise + np.median(noise))
        trees = ExtraTreesRegressor(300, min_samples_leaf=2, max_features=0.5, n_jobs=1, random_state=seed)
        return cls(Networks.fit(rows, target, weights, seed), trees.fit(rows, target, sample_weight=weights))

    def predict(self, rows: Floats) -> Floats:
        both = 0.5 * (self.networks.predict(rows) + self.trees.predict(rows))
        return np.asarray(np.sinh(both), dtype=np.float64)


@dataclass(frozen=True)
class Networks:
    """The mean of a few small networks of two hidden layers, each started from its own weights."""

    members: tuple[torch.nn.Module, ...]
    middle: float
    spread: float

    @classmethod
    def fit(cls, rows: Floats, target: Floats, weights: Floats, seed: int) -> Networks:
        middle, spread = float(target.mean()), float(target.std())
        scaled = torch.tensor((target - middle) / spread, dtype=torch.float32)
        share = torch.tensor(weights / weights.mean(), dtype=torch.float32)
        given = torch.tensor(rows, dtype=torch.float32)
        return cls(tuple(_trained(given, scaled, share, seed + k) for k in range(NETWORKS)), middle, spread)

    def predict(self, rows: Floats) -> Floats:
        given = torch.tensor(rows, dtype=torch.float32)
        with torch.inference_mode():
            said = torch.stack([member(given)[:, 0] for member in self.members]).mean(dim=0)
        return np.asarray(self.middle + self.spread * said.double().numpy(), dtype=np.float64)


def _trained(rows: torch.Tensor, target: torch.Tensor, weights: torch.Tensor, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    width, nn = 128, torch.nn
    layers = [nn.Linear(rows.shape[1], width), nn.SiLU(), nn.Dropout(0.2), nn.Linear(width, width), nn.SiLU()]
    network = nn.Sequential(*layers, nn.Dropout(0.2), nn.Linear(width, 1))
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=STEPS)
    for _ in range(STEPS):
        optimizer.zero_grad()
        losses = nn.functional.huber_loss(network(rows)[:, 0], target, reduction="none")
        (weights * losses).mean().backward()
        optimizer.step()
        schedule.step()
    return network.eval()


@dataclass(frozen=True)
class RatioModel:
    """Seconds a row as a combination of costs, and networks for what is left of its logarithm."""

    weights: Floats
    left: Networks

    @classmethod
    def fit(cls, rows: Floats, costs: Floats, log2_ratio: Floats, seed: int) -> RatioModel:
        seconds = np.exp2(-log2_ratio)
        weights = nnls(costs / seconds[:, None], np.ones(len(costs)))[0]
        left = log2_ratio + np.log2(costs @ weights)
        return cls(weights, Networks.fit(rows, left, np.ones(len(rows)), seed))

    def predict(self, rows: Floats, costs: Floats) -> Floats:
        return np.asarray(-np.log2(costs @ self.weights) + self.left.predict(rows), dtype=np.float64)


@dataclass
class LookUp:
    """A candidate is answered for by the nearest one of the table that this search has not had; one for each search."""

    table: Table
    luck: Luck
    features: Features
    _taken: dict[str, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._rows = self.features.rows(self.table.answers_ND)[0]
        self._left = np.ones(len(self.table), dtype=bool)

    def truth(self, candidate: Candidate) -> Truth:
        if candidate.key not in self._taken:
            row = self.features.rows(self.table.space.answers(candidate)[None, :])[0]
            away = np.square(self._rows - row).sum(axis=1)
            found = int(np.argmin(np.where(self._left, away, np.inf)))
            self._left[found] = False
            self._taken[candidate.key] = found
        found = self._taken[candidate.key]
        return Truth(float(np.nanmean(self.table.gain_NO[found])), float(self.table.log2_ratio_N[found]))

    def answer(self, candidate: Candidate, order: int, seed: int) -> Answer:
        true = self.truth(candidate)
        row = self.table.gain_NO[self._taken[candidate.key]]
        seen = np.flatnonzero(np.isfinite(row))
        return told(self.table, candidate, true, float(row[seen[order % len(seen)]]))


def told(table: Table, candidate: Candidate, truth: Truth, gain: float) -> Answer:
    """A training that gave this gain, as a search is told of it."""
    assert table.space.inputs is not None
    cost = candidate.model.cost(table.space.inputs)
    ne = float(table.baseline_ne_O.mean()) * (1 + gain / 100)
    return measured(ne, 2.0**truth.log2_ratio, params=cost.params, flops=cost.flops)


def baseline_in(world: World, seed: int, orders: int = 3) -> Baseline:
    """The baseline as a search has it: its own luck on each order moves all gains of that order alike."""
    candidate = Candidate({}, world.table.baseline)
    answers = [
        told(world.table, candidate, Truth(0.0, 0.0), world.luck.draw(candidate, order, seed, 0.0))
        for order in range(orders)
    ]
    return baseline_of(world.table.baseline, answers)
