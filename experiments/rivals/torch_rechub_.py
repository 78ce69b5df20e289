"""torch-rechub: its ranking models under its CTRTrainer, fed by its DataGenerator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch_rechub.basic.features import DenseFeature, SparseFeature
from torch_rechub.models.ranking import AutoInt, DCNv2, DeepFM
from torch_rechub.trainers import CTRTrainer
from torch_rechub.utils.data import DataGenerator

from experiments.rivals.made import Wanted
from experiments.rivals.rows import Rows


def make(wanted: Wanted, rows: Rows, lr: float, seed: int) -> RechubModel | None:
    """Its tower has batch norm, always."""
    torch.manual_seed(seed)
    ids = [SparseFeature(name, size, wanted.dim) for name, size in zip(rows.names, rows.sizes, strict=False)]
    dense = [DenseFeature(name) for name in rows.names[len(rows.sizes) :]]
    tower = {"dims": list(wanted.deep), "dropout": wanted.dropout, "activation": "relu"}
    match wanted.model:
        case "dcnv2":
            module = DCNv2([*ids, *dense], wanted.layers, tower, "stacked", use_low_rank_mixture=False)
        case "deepfm":
            module = DeepFM([*ids, *dense], ids, tower)
        case "autoint":
            module = AutoInt(ids, dense, wanted.layers, wanted.heads, mlp_params=tower)
        case _:
            return None
    return RechubModel(module, lr)


class RechubModel:
    """Weight decay is its default."""

    def __init__(self, module: Any, lr: float) -> None:
        self.module = module
        self._trainer = CTRTrainer(module, optimizer_params={"lr": lr, "weight_decay": 1e-5})

    def loader(self, rows: Rows, batch: int) -> Iterable[Any]:
        none = {name: column[:1] for name, column in rows.columns().items()}
        made = DataGenerator(rows.columns(), rows.labels_N)
        loaders = made.generate_dataloader(none, rows.labels_N[:1], none, rows.labels_N[:1], batch_size=batch)
        first: Iterable[Any] = loaders[0]
        return first

    def learn(self, batches: Iterable[Any]) -> None:
        self._trainer.train_one_epoch(batches)

    def inputs(self, rows: Rows) -> Any:
        return {name: torch.from_numpy(column.copy()) for name, column in rows.columns().items()}

    def probabilities(self, inputs: Any) -> Tensor:
        out: Tensor = self.module(inputs)
        return out.reshape(-1)
