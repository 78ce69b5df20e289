"""The graph that serves: a copy in eval mode, batch norm folded into the linear map before it, no autograd."""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

from automl.ranking.blocks.mlp import MlpLayer
from automl.ranking.features import Features
from automl.ranking.graph_inputs import Cut, events_of
from automl.ranking.model import Ranker, members_of, reads_of
from search_spaces.history import EventsSpec


def serving_graph(model: Ranker) -> Ranker:
    """A model that gives the same probabilities with fewer operations, of the features that the model reads and no
    others; tables are shared, not copied."""
    served = copy.deepcopy(model, {id(member.table): member.table for member in members_of(model)}).eval()
    served.inputs = reads_of(model).inputs
    for member in members_of(served):
        member.inputs, member.reads.all = served.inputs, True
        for layer in member.deep:
            if isinstance(layer, MlpLayer):
                _fold(layer)
    for part in served.parameters():
        part.requires_grad_(False)
    return served


def cuts_of(model: Ranker) -> tuple[Cut, ...]:
    """Which events it reads of each sequence feature that it reads."""
    history = model.spec.history
    if not isinstance(history, EventsSpec):
        return ()
    read = reads_of(model).inputs.histories
    return tuple(Cut(history.length, history.action, one.timed, one.actions > 0) for one in read)


class TensorsIn(nn.Module):
    """A model as an exported graph has it: tensors side by side, one argument each."""

    def __init__(self, model: Ranker) -> None:
        super().__init__()
        self.model, self.cuts = model, cuts_of(model)

    def forward(self, ids_BF: Tensor, dense_BD: Tensor, *lists: Tensor) -> Tensor:
        logits: Tensor = self.model(Features(ids_BF, dense_BD), events_of(lists, self.cuts))
        return logits


def _fold(layer: MlpLayer) -> None:
    if isinstance(layer.norm, nn.BatchNorm1d):
        layer.linear = fuse_linear_bn_eval(layer.linear, layer.norm)
        layer.norm = nn.Identity()
    layer.dropout = nn.Identity()
