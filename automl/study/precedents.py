"""What an earlier study found, as a search that starts warm from it is told: written down with its facts, so that the
other study need not be there any more."""

from __future__ import annotations

from dataclasses import dataclass

from automl.study.plain import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Precedent:
    """A trial of another study that was trained to its end; its figures are against that study's own baseline."""

    study: str
    trial: int
    model: Model
    ne_gain_pct: float
    qps_ratio: float
