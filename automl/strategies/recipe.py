"""What a proposal is made of. Every part is there because a search without it is worse: experiments/search_benchmark
takes them away one by one."""

from __future__ import annotations

from dataclasses import dataclass, field

from automl.strategies.controller import ControllerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The parts of the controller's proposals, and how much of each."""

    opening: bool = True  # near the baseline; without it at random
    trees: bool = True  # of the NE predictor
    process: bool = True
    extra: bool = True  # trees whose thresholds are drawn
    policies: ControllerConfig | None = field(default_factory=ControllerConfig)
    mutations: int = 100
    crossovers: int = 50
    random: int = 30
    parents: int = 8  # of the front, and the baseline
    rounds: int = 2  # more of mutations and children, of what looked best in the round before
    derived: bool = True  # features beyond the raw answers
    aware: bool = True  # of what is under way, and of the places already given
    thompson: bool = True  # a member of the bag for each place, not its mean
    ends: bool = True  # places for the accurate end of the front, as is preferred


STANDARD = Recipe()
