"""A plug-in file as a user would write one: a block, a strategy and a training."""

from __future__ import annotations

from pathlib import Path

from tests.worlds.commands import write_study

NAME = "scale_plugin"
TEXT = '''\
"""A block that scales every field, a strategy that draws at random, a training that says it was here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from automl.ranking.blocks import Block
from automl.runtime.jobs import Step, TrainModel
from automl.runtime.work import train_and_score
from automl.strategies.draft import Draft
from automl.study.history import History, Origin, Proposal
from search_spaces.blocks import BlockSpec, Cost, Fields
from search_spaces.blocks.base import elementwise_cost
from search_spaces.knobs import knob
from search_spaces.plugins import Plugins
from search_spaces.space import SearchSpace


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale(BlockSpec):
    """x' = x * (1 + gain * tanh(w)), a weight for each field."""

    name: ClassVar[str] = "scale"
    module: ClassVar[str] = f"{__name__}:ScaleBlock"
    gain: float = knob(0.5, above=0, le=1, doc="how far a field may be scaled")

    def out_shape(self, fields: Fields) -> Fields:
        return fields

    def cost(self, fields: Fields) -> Cost:
        return elementwise_cost(fields.width, params=fields.count)


class ScaleBlock(Block):
    def __init__(self, spec: Scale, fields: Fields) -> None:
        super().__init__()
        self.gain = spec.gain
        self.weight = nn.Parameter(0.1 * torch.randn(fields.count))

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        return x_BNE * (1 + self.gain * torch.tanh(self.weight)[:, None])


def propose(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    rng = np.random.default_rng([seed, len(history.trials)])
    draft = Draft(space, history)
    draft.fill(count, lambda: space.random(rng), Origin.RANDOM)
    return draft.proposals


def train(asked: TrainModel) -> Iterator[Step]:
    Path(asked.log, "trained-by-plug-in").touch()
    yield from train_and_score(asked)


def plug(tables: Plugins) -> None:
    tables.block(Scale)
    tables.strategy("draws", f"{__name__}:propose")
    tables.training("noted", f"{__name__}:train")
'''
INTERACTION = """\
interaction:
  repeat: {int: [1, 2]}
  one_of:
    scale: {gain: {choice: [0.25, 0.5, 1.0]}}
    linear: {}
"""


def write_plugged_study(folder: Path) -> Path:
    """A small study that uses all that the plug-in adds; its file. The plug-in stands in a folder of its own."""
    file = write_study(folder, rows=3000, strategy="draws", stop_early=False)
    text = file.read_text().replace("name: small\n", f"name: small\nplugins: [own/{NAME}.py]\n")
    file.write_text(text.replace("trial: {", "trial: {training: noted, "))
    space = (folder / "space.yaml").read_text()
    start, end = space.index("interaction:"), space.index("deep:")
    (folder / "space.yaml").write_text(space[:start] + INTERACTION + space[end:])
    (folder / "own").mkdir()
    (folder / "own" / f"{NAME}.py").write_text(TEXT)
    return file
