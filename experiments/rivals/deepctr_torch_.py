"""DeepCTR-Torch: its models under their own fit, whose loader is a DataLoader over one matrix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import deepctr_torch.models.basemodel as base
import numpy as np
import torch
from deepctr_torch.inputs import DenseFeat, SparseFeat
from deepctr_torch.models import DCN, AutoInt, DeepFM, xDeepFM
from torch import Tensor

from experiments.rivals.made import Wanted
from experiments.rivals.rows import Rows


def make(wanted: Wanted, rows: Rows, lr: float, seed: int) -> DeepctrModel | None:
    """With its own decay of weights; cross layers stand beside the tower."""
    count = len(rows.sizes)
    features = [SparseFeat(name, size, wanted.dim) for name, size in zip(rows.names, rows.sizes, strict=False)]
    features += [DenseFeat(name, 1) for name in rows.names[count:]]
    tower = {"dnn_hidden_units": wanted.deep, "dnn_dropout": wanted.dropout, "seed": seed}
    match wanted.model:
        case "dcnv2":
            module = DCN(features, features, wanted.layers, "matrix", **tower)
        case "deepfm":
            module = DeepFM(features, features, **tower)
        case "xdeepfm":
            module = xDeepFM(features, features, cin_layer_size=(wanted.width,) * wanted.layers, **tower)
        case "autoint":
            module = AutoInt(features, features, wanted.layers, wanted.heads, **tower)
        case _:
            return None
    return DeepctrModel(module, lr)


class DeepctrModel:
    """Its fit makes the loader itself; `learn` gives it the batches that it would have made."""

    def __init__(self, module: Any, lr: float) -> None:
        self.module = module
        module.compile(torch.optim.Adam(module.parameters(), lr=lr), "binary_crossentropy")

    def loader(self, rows: Rows, batch: int) -> Iterable[Any]:
        data = torch.utils.data.TensorDataset(self.inputs(rows), torch.from_numpy(rows.labels_N).reshape(-1, 1))
        return torch.utils.data.DataLoader(data, batch_size=batch, shuffle=True)

    def learn(self, batches: Iterable[Any]) -> None:
        made = base.DataLoader
        base.DataLoader = lambda **_: batches
        try:
            one = [np.zeros(1, np.float32) for _ in self.module.feature_index]
            self.module.fit(one, np.zeros(1, np.float32), batch_size=1, verbose=0)
        finally:
            base.DataLoader = made

    def inputs(self, rows: Rows) -> Tensor:
        return torch.from_numpy(np.column_stack(list(rows.columns().values())).astype(np.float32))

    def probabilities(self, inputs: Any) -> Tensor:
        out: Tensor = self.module(inputs)
        return out.reshape(-1)
