"""Field weights of SENET (FiBiNET, arXiv 1905.09433): v_i' = a_i v_i, a = sigmoid(W2 relu(W1 mean(v)))."""

from __future__ import annotations

from torch import Tensor, nn

from automl.ranking.blocks.base import Block
from search_spaces.blocks import Fields, Senet


class SenetBlock(Block):
    """One weight between 0 and 1 for each field of an example."""

    def __init__(self, spec: Senet, fields: Fields) -> None:
        super().__init__()
        self.squeeze = nn.Linear(fields.count, spec.hidden)
        self.excite = nn.Linear(spec.hidden, fields.count)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        weight_BN: Tensor = self.excite(self.squeeze(x_BNE.mean(2)).relu()).sigmoid()
        return x_BNE * weight_BN.unsqueeze(2)
