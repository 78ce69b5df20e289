"""A part of the space in which every trial fails is left alone, whatever it fails of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from automl.strategies import strategy_of
from automl.study.history import Failure, State, Trial
from automl.testing import made_up as world

TRIALS, LATER = 50, 30
BY_CHANCE = 0.43  # of what is drawn at random


def doomed(trial: Trial) -> bool:
    """Two kinds of blocks that never train."""
    return any(
        block.name in ("masknet", "dot") for layer in trial.candidate.model.interaction for block in layer.blocks
    )


@dataclass
class Broken(world.Search):
    kind: str = "error"

    def _end(self, trial: Trial) -> Trial:
        if trial.ended or not doomed(trial):
            return super()._end(trial)
        return replace(trial, state=State.FAILED, failure=Failure(self.kind, "as always"))


@pytest.mark.parametrize(("name", "kind"), [("controller", "lost"), ("evolution", "timeout"), ("tpe", "error")])
def test_what_always_fails_is_not_proposed_again_and_again(name: str, kind: str) -> None:
    search = Broken.start(world.small_space())
    assert isinstance(search, Broken)
    search.kind = kind
    search.play(strategy_of(name), TRIALS, 10, seed=1)
    later = [doomed(trial) for trial in search.history.trials[LATER:]]
    assert sum(later) <= BY_CHANCE * len(later) / 2
