"""The controller: REINFORCE inside the frozen predictor, in NumPy.

A policy is a table of logits, one row a decision (numbers in at most 8 bins, then a draw inside the bin). Several
policies run side by side, each with its own trade-off between NE and QPS, so that together they sweep the front. The
gradient of a softmax table is closed: sum of advantage * (one-hot of the bin - probabilities) over the candidates in
which the decision was asked. On the real rewards, a hundred of them, this would lose to random; on predicted ones it
beats mutation. Shapes: P policies, D decisions, K bins, N candidates of a policy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_spaces.decisions import bin_of, bins
from search_spaces.space import SearchSpace

Floats = NDArray[np.float64]
Reward = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerConfig:
    """Settings of one run."""

    policies: int = 3
    steps: int = 80
    samples: int = 128
    rate: float = 0.5  # times the square root of a decision's bins
    entropy: float = 0.01
    last_steps: int = 20
    kept: int = 60  # best candidates of each policy over its last steps


def imagine(
    space: SearchSpace, reward: Reward, rng: np.random.Generator, config: ControllerConfig | None = None
) -> Floats:
    """Answers (n, D) of the candidates that the policies came to like.

    `reward(answers_ND, trade_off_N)` is higher for better candidates; a trade-off of 0 asks for NE alone, of 1 for QPS
    alone.
    """
    config = config or ControllerConfig()
    trade_off_P = rng.uniform(size=config.policies)
    trade_off_N = np.repeat(trade_off_P, config.samples)
    table = _Table(space, config.policies)
    late: list[tuple[Floats, Floats]] = []
    for step in range(config.steps):
        answers_ND = table.sample(config.samples, rng)
        rewards_N = reward(answers_ND, trade_off_N)
        table.climb(answers_ND, rewards_N.reshape(config.policies, -1), config)
        if step >= config.steps - config.last_steps:
            late.append((answers_ND, rewards_N))
    return _best(late, config)


class _Table:
    """Logits of all policies, padded to K bins with -inf."""

    def __init__(self, space: SearchSpace, policies: int) -> None:
        self._space = space
        self._bins_D = np.array([bins(decision) for decision in space.decisions], dtype=np.intp)
        valid_DK = np.arange(self._bins_D.max())[None, :] < self._bins_D[:, None]
        self._logits_PDK = np.where(valid_DK, 0.0, -np.inf) * np.ones((policies, 1, 1))

    def sample(self, samples: int, rng: np.random.Generator) -> Floats:
        """(P * samples, D): `samples` candidates of each policy, one policy after the other."""
        tables = [[row[:count] for row, count in zip(t, self._bins_D, strict=True)] for t in self._logits_PDK]
        return np.vstack([self._space.sample(table, samples, rng) for table in tables])

    def climb(self, answers_ND: Floats, rewards_PN: Floats, config: ControllerConfig) -> None:
        """One step up the gradient of expected reward plus a little entropy."""
        policies, samples = rewards_PN.shape
        advantage_PN = rewards_PN - rewards_PN.mean(axis=1, keepdims=True)
        advantage_PN /= rewards_PN.std(axis=1, keepdims=True) + 1e-9
        bins_ND = np.column_stack([bin_of(q, answers_ND[:, d]) for d, q in enumerate(self._space.decisions)])
        bins_PND = bins_ND.reshape(policies, samples, -1)  # -1 where not asked
        probability_PDK = self._probabilities()
        gradient_PDK = _score_gradient(bins_PND, advantage_PN / samples, probability_PDK)
        gradient_PDK += config.entropy * _entropy_gradient(probability_PDK)
        self._logits_PDK += config.rate * np.sqrt(self._bins_D)[None, :, None] * gradient_PDK

    def _probabilities(self) -> Floats:
        power = np.exp(self._logits_PDK - self._logits_PDK.max(axis=2, keepdims=True))
        return np.asarray(power / power.sum(axis=2, keepdims=True), dtype=np.float64)


def _score_gradient(bins_PND: NDArray[np.intp], advantage_PN: Floats, probability_PDK: Floats) -> Floats:
    policies, _, decisions = bins_PND.shape
    kinds = probability_PDK.shape[2]
    asked_PND = bins_PND >= 0
    row = (np.arange(policies)[:, None, None] * decisions + np.arange(decisions)) * kinds
    weight_PND = np.broadcast_to(advantage_PN[:, :, None], bins_PND.shape)
    chosen = np.bincount((row + bins_PND)[asked_PND], weight_PND[asked_PND], minlength=probability_PDK.size)
    asked_PD = np.einsum("pn,pnd->pd", advantage_PN, asked_PND)
    return np.asarray(chosen.reshape(probability_PDK.shape) - asked_PD[:, :, None] * probability_PDK, dtype=np.float64)


def _entropy_gradient(probability_PDK: Floats) -> Floats:
    log = np.log(np.maximum(probability_PDK, 1e-300))
    entropy = -(probability_PDK * log).sum(axis=2, keepdims=True)
    return np.asarray(-probability_PDK * (log + entropy), dtype=np.float64)


def _best(late: list[tuple[Floats, Floats]], config: ControllerConfig) -> Floats:
    answers = np.stack([a.reshape(config.policies, config.samples, -1) for a, _ in late], axis=1)
    rewards = np.stack([r.reshape(config.policies, config.samples) for _, r in late], axis=1)
    kept = []
    for policy in range(config.policies):
        flat = answers[policy].reshape(-1, answers.shape[-1])
        order = np.argsort(-rewards[policy].ravel(), kind="stable")
        _, first = np.unique(flat[order], axis=0, return_index=True)
        kept.append(flat[order][np.sort(first)[: config.kept]])
    return np.vstack(kept)
