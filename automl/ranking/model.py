"""A ranking model in torch: the graph that search_spaces/model.py describes.

B batch, F id fields, D dense features, N fields of X (F, and one more for the dense features), E dimension, W width of
the top, T tasks.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from automl.ranking.blocks import build_layer
from automl.ranking.blocks.mlp import MlpLayer
from automl.ranking.embedding import FusedEmbedding
from automl.ranking.features import Features
from automl.ranking.place import Noise, seeded
from search_spaces.blocks import Dense
from search_spaces.model import InputShape, ModelSpec


class RankingModel(nn.Module):
    """Ids and dense features to logits; several tasks share all but their row of the head (a shared bottom).

    The table is a buffer: its optimizer is not autograd's.
    """

    def __init__(self, spec: ModelSpec, inputs: InputShape, noise: Noise, tasks: int = 1) -> None:
        super().__init__()
        self.spec, self.inputs, self.noise, self.tasks = spec, inputs, noise, tasks
        shape = spec.fields_shape(inputs)
        self.table = FusedEmbedding(
            inputs.table_rows(spec.embedding.min_count), spec.embedding.dim, spec.embedding.init_std
        )
        self.project = nn.Linear(inputs.dense, shape.dim) if inputs.dense else None
        self.layers = nn.ModuleList(build_layer(layer, shape) for layer in spec.interaction)
        beside = [
            out.width
            for layer in spec.interaction
            if layer.fuse is None and isinstance(out := layer.blocks[0].out_shape(shape), Dense)
        ]
        crossed = shape.width + sum(beside)
        self.stacked = spec.wiring == "stacked"
        width = crossed if self.stacked else shape.width
        self.deep = nn.Sequential()
        for mlp in spec.deep:
            self.deep.append(MlpLayer(mlp, width, noise))
            width = mlp.width
        self.head = nn.Linear(width if self.stacked else width + crossed, tasks)
        nn.init.zeros_(self.head.bias)

    def forward(self, features: Features) -> Tensor:
        """Logits, (B,) of one task, (B, T) of several; any cut-off of ids is applied here."""
        return self.logits(self.table(features.ids_BF), features.dense_BD)

    def logits(self, embedded_BFE: Tensor, dense_BD: Tensor) -> Tensor:
        """From gathered embeddings on: the part that autograd sees."""
        out_BT: Tensor = self.head(self.top(embedded_BFE, dense_BD))
        return out_BT.squeeze(1) if self.tasks == 1 else out_BT

    def top(self, embedded_BFE: Tensor, dense_BD: Tensor) -> Tensor:
        """What the head reads (B, W): the whole backbone."""
        x0_BNE = embedded_BFE
        if self.project is not None:
            x0_BNE = torch.cat([embedded_BFE, self.project(dense_BD).unsqueeze(1)], 1)
        x_BNE, beside = x0_BNE, []
        for layer in self.layers:
            out = layer(x0_BNE, x_BNE)
            if out.dim() == 3:
                x_BNE = out
            else:
                beside.append(out)
        crossed = [x_BNE.flatten(1), *beside]
        if self.stacked:
            out_BW: Tensor = self.deep(_beside_each_other(crossed))
            return out_BW
        return _beside_each_other([self.deep(x0_BNE.flatten(1)), *crossed])

    def start_at(self, *base_rates: float) -> None:
        """Let an untrained model predict each task's base rate from the first step on, instead of learning it."""
        clamped = [min(max(rate, 1e-6), 1 - 1e-6) for rate in base_rates]
        with torch.no_grad():
            self.head.bias.copy_(torch.tensor([math.log(rate / (1 - rate)) for rate in clamped]))


def build_model(spec: ModelSpec, inputs: InputShape, *, seed: int, tasks: int = 1) -> RankingModel:
    """A model with initial weights drawn from the seed; the process's own random state is left as it was."""
    with seeded(seed):
        return RankingModel(spec, inputs, Noise(seed), tasks)


def _beside_each_other(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)
