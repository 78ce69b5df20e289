"""A model that was exported, loaded to serve: rows of a table in, probabilities out. Needs torch, NumPy, pyarrow.

N rows, B batch, F id fields, D dense features, T tasks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl.data.store.encoder_files import read_served
from automl.data.store.encoders import Encoders, Rows
from automl.ranking.features import Features
from automl.ranking.scoring import logits_of, probabilities_of
from automl.stats.metrics import undo_sampling
from search_spaces.errors import InputError, first_line

FORMAT = 1
MODEL, FACTS = "model.pt2", "facts.json"


@dataclass(frozen=True, eq=False)
class Served:
    """An exported model with its encoders."""

    encoders: Encoders
    facts: Mapping[str, Any]
    graph: Callable[[Tensor, Tensor], Tensor]  # ids (B, F) int32, dense (B, D) float32 -> logits (B,) or (B, T)

    @property
    def tasks(self) -> tuple[str, ...]:
        """What is predicted, in the order of the columns of a prediction."""
        return tuple(self.facts["tasks"])

    def predict(self, table: Rows, name: str = "table") -> NDArray[np.float64]:
        """Probabilities (N,) of one task or (N, T) of several, corrected where the log kept a share of its negatives.

        Raises:
            InputError: where the table lacks what the model reads.
        """
        return self.probabilities(Features.of(*self.encoders.encode(table, name)))

    def probabilities(self, features: Features) -> NDArray[np.float64]:
        """The same from encoded rows."""
        if not len(features):
            return np.zeros((0, len(self.tasks)) if len(self.tasks) > 1 else 0)
        learned = self.learned(features)
        kept = self.facts["negatives_kept"]
        return learned if kept is None else undo_sampling(learned, kept)

    def learned(self, features: Features) -> NDArray[np.float64]:
        """What the model learned of the log as it was sampled; of one row or more."""
        return probabilities_of(logits_of(lambda part: self.graph(*part.tensors), features.parts()))


def load_served(file: Path | str) -> Served:
    """A model that export_model wrote.

    Raises:
        InputError: where the file holds none, or one of another version.
    """
    try:
        with ZipFile(file) as held:
            facts = json.loads(held.read(FACTS))
            if facts["format"] != FORMAT:
                raise InputError.of(str(file), f"must be an exported model of format {FORMAT}", str(facts["format"]))
            encoders = read_served(held)
            graph = load_graph(held.read(MODEL))
    except (OSError, BadZipFile, KeyError, ValueError) as error:
        raise InputError.of(str(file), "must be an exported model", first_line(error)) from error
    return Served(encoders, facts, graph)


def load_graph(held: bytes) -> Callable[[Tensor, Tensor], Tensor]:
    """The module of an exported program."""
    graph: Callable[[Tensor, Tensor], Tensor] = torch.export.load(BytesIO(held)).module()
    return graph
