"""FuxiCTR: models of its layers, put together as its model zoo does, under its BaseModel and its npz loader."""

from __future__ import annotations

import math
import tempfile
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuxictr.features import FeatureMap
from fuxictr.pytorch import layers
from fuxictr.pytorch.dataloaders import RankDataLoader
from fuxictr.pytorch.models import BaseModel
from torch import Tensor, nn

from experiments.rivals.made import Wanted
from experiments.rivals.rows import Rows

_KNOWN = ("dcnv2", "deepfm", "xdeepfm", "dlrm")


def make(wanted: Wanted, rows: Rows, lr: float, seed: int) -> FuxiModel | None:
    """A number of a row is a field, as an id is."""
    if wanted.model not in _KNOWN:
        return None
    torch.manual_seed(seed)
    fields = _feature_map(rows, wanted.dim)
    return FuxiModel(_Model(wanted, fields, lr), fields)


class FuxiModel:
    """What fit() sets before a pass is set here; the pass is its own."""

    def __init__(self, module: Any, fields: Any) -> None:
        self.module, self._fields = module, fields
        module._max_gradient_norm, module._eval_steps = 10.0, math.inf
        module._total_steps, module._stop_training = 0, False

    def loader(self, rows: Rows, batch: int) -> Iterable[Any]:
        file = Path(tempfile.mkdtemp()) / "rows.npz"
        np.savez(file, **rows.columns(), label=rows.labels_N)
        loader: Iterable[Any] = RankDataLoader(self._fields, "train", str(file), batch_size=batch, shuffle=True)[0]
        return loader

    def learn(self, batches: Iterable[Any]) -> None:
        self.module.train_epoch(batches)

    def inputs(self, rows: Rows) -> Any:
        return {name: torch.from_numpy(column.copy()) for name, column in rows.columns().items()}

    def probabilities(self, inputs: Any) -> Tensor:
        out: Tensor = self.module(inputs)["y_pred"]
        return out.reshape(-1)


def _feature_map(rows: Rows, dim: int) -> Any:
    made = FeatureMap("rows", "")
    ids = [
        (name, {"type": "categorical", "source": "", "vocab_size": size})
        for name, size in zip(rows.names, rows.sizes, strict=False)
    ]
    numbers = [(name, {"type": "numeric", "source": ""}) for name in rows.names[len(rows.sizes) :]]
    made.features, made.labels, made.default_emb_dim = OrderedDict([*ids, *numbers]), ["label"], dim
    made.num_fields = made.get_num_fields()
    made.set_column_index()
    return made


class _Model(BaseModel):  # type: ignore[misc]  # of a library without types
    def __init__(self, wanted: Wanted, fields: Any, lr: float) -> None:
        super().__init__(fields, verbose=0, model_root="", metrics=["logloss"])
        count, width = fields.num_fields, fields.num_fields * wanted.dim
        self.kind = wanted.model
        self.embedding_layer = layers.FeatureEmbedding(fields, wanted.dim)
        out: int | None = 1
        if self.kind == "dcnv2":
            self.cross = layers.CrossNetV2(width, wanted.layers)
            out = None
        elif self.kind == "deepfm":
            self.fm = layers.FactorizationMachine(fields)
        elif self.kind == "xdeepfm":
            self.linear = layers.LogisticRegression(fields, use_bias=False)
            self.cin = layers.CompressedInteractionNet(count, [wanted.width] * wanted.layers)
        elif self.kind == "dlrm":
            self.dot = layers.InnerProductInteraction(count, output="inner_product")
            width += count * (count - 1) // 2
        self.mlp = layers.MLP_Block(width, list(wanted.deep), output_dim=out, dropout_rates=wanted.dropout)
        self.fc = nn.Linear(wanted.deep[-1], 1)
        self.compile("adam", "binary_crossentropy", lr)
        self.reset_parameters()

    def forward(self, inputs: Any) -> dict[str, Tensor]:
        x = self.get_inputs(inputs)
        fields_BNE = self.embedding_layer(x)
        flat_BW = fields_BNE.flatten(1)
        match self.kind:
            case "dcnv2":
                logit = self.fc(self.mlp(self.cross(flat_BW)))
            case "deepfm":
                logit = self.fm(x, fields_BNE) + self.mlp(flat_BW)
            case "xdeepfm":
                logit = self.linear(x) + self.cin(fields_BNE) + self.mlp(flat_BW)
            case _:
                logit = self.mlp(torch.cat([flat_BW, self.dot(fields_BNE)], 1))
        return {"y_pred": self.output_activation(logit)}
