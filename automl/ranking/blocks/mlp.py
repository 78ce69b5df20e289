"""One layer of the deep tower: linear, norm, activation, dropout."""

from __future__ import annotations

from torch import Tensor, nn

from automl.ranking.blocks.dropout import Dropout
from automl.ranking.place import Noise
from search_spaces.blocks import Mlp

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}


class MlpLayer(nn.Module):
    """(B, D) to (B, width)."""

    def __init__(self, spec: Mlp, width_in: int, noise: Noise) -> None:
        super().__init__()
        self.linear = nn.Linear(width_in, spec.width)
        self.norm = _norm(spec)
        self.activation = ACTIVATIONS[spec.activation]()
        self.dropout: nn.Module = Dropout(spec.dropout, noise)

    def forward(self, x_BD: Tensor) -> Tensor:
        out: Tensor = self.dropout(self.activation(self.norm(self.linear(x_BD))))
        return out


def _norm(spec: Mlp) -> nn.Module:
    if spec.norm == "batch":
        return nn.BatchNorm1d(spec.width)
    return nn.LayerNorm(spec.width) if spec.norm == "layer" else nn.Identity()
