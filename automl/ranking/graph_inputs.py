"""What an exported graph is given, tensors side by side: ids, numbers, and of each sequence feature the events of the
batch. The signature of every file. B rows, L events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from automl.ranking.features import Features
from automl.ranking.lists import Events


@dataclass(frozen=True, slots=True)
class Cut:
    """Which events of a sequence feature a graph is given: the last `length` of one action, or of all (0); and whether
    they come with kinds of gaps and of actions."""

    length: int
    action: int
    timed: bool
    actions: bool

    @property
    def tensors(self) -> int:
        """How many an Events has."""
        return 5 + self.timed + self.actions

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def graph_tensors(features: Features, cuts: Sequence[Cut]) -> tuple[Tensor, ...]:
    """In the order of the arguments. Each list of tensors of events has one behind the end, so that none is empty."""
    made = [features.ids_BF, features.dense_BD]
    for lists, cut in zip(features.lists_S, cuts, strict=bool(cuts)):
        made += lists.latest(cut.length, cut.action).events(spare=True).tensors
    return tuple(made)


def events_of(tensors: Sequence[Tensor], cuts: Sequence[Cut]) -> list[Events]:
    """Of the tensors behind ids and numbers."""
    left, made = list(tensors), []
    for cut in cuts:
        own, left = left[: cut.tensors], left[cut.tensors :]
        ids_L, *kinds = own[:-4]
        gaps_L = kinds.pop(0) if cut.timed else None
        actions_L = kinds.pop(0) if cut.actions else None
        row_L, place_L, starts_B1, there_BK = own[-4:]
        made.append(Events(ids_L, gaps_L, actions_L, row_L, place_L, starts_B1, there_BK))
    return made
