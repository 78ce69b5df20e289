"""From parts of a logit to probabilities with the base rate and the NE that are asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from automl.data.simulated.world import Floats

LABELS = ("click", "convert")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a simulated log aims at. NE of the true probabilities says how much of the luck can be known."""

    click: float = 0.3
    convert: float = 0.15
    click_ne: float = 0.82
    convert_ne: float = 0.85


RATES = Rates()


@dataclass(frozen=True, slots=True)
class Logit:
    """intercept + scale * sum of the parts, each weighted and brought to mean 0, deviation 1."""

    parts: Callable[[Mapping[str, Floats]], list[tuple[float, Floats]]]
    moments: tuple[tuple[float, float], ...]
    scale: float
    intercept: float

    def probability(self, parts: Mapping[str, Floats]) -> Floats:
        return sigmoid(self.value(parts))

    def value(self, parts: Mapping[str, Floats]) -> Floats:
        """The logit."""
        return self.intercept + self.scale * _combined(self.parts(parts), self.moments)


def fitted(
    chosen: Callable[[Mapping[str, Floats]], list[tuple[float, Floats]]],
    parts: Mapping[str, Floats],
    rate: float,
    ne: float,
    weight: Floats,
) -> Logit:
    """Intercept and scale that give this base rate and this NE of the true probabilities over a pilot."""
    weighted = chosen(parts)
    moments = tuple((float(values.mean()), float(values.std()) or 1.0) for _, values in weighted)
    total = _combined(weighted, moments)

    def intercept(scale: float) -> float:
        return float(brentq(lambda b: np.average(sigmoid(b + scale * total), weights=weight) - rate, -50, 50))

    def excess(scale: float) -> float:
        p = sigmoid(intercept(scale) + scale * total)
        entropy = -(p * np.log(p) + (1 - p) * np.log1p(-p))
        known = float(np.average(entropy, weights=weight))
        return known / -(rate * math.log(rate) + (1 - rate) * math.log1p(-rate)) - ne

    scale = float(brentq(excess, 1e-3, 8.0, xtol=1e-4))
    return Logit(chosen, moments, scale, intercept(scale))


def _combined(weighted: list[tuple[float, Floats]], moments: tuple[tuple[float, float], ...]) -> Floats:
    total = np.zeros(len(weighted[0][1]))
    for (weight, values), (mean, std) in zip(weighted, moments, strict=True):
        total += weight * (values - mean) / std
    return total


def sigmoid(x: Floats) -> Floats:
    """Probabilities that are neither 0 nor 1 whatever the logit."""
    p: Floats = expit(np.clip(x, -30, 30))
    return p
