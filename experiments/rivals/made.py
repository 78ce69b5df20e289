"""What each library gives: a model, its own loader and training loop, and what a forward pass takes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from experiments.rivals.rows import Rows

LIBRARIES: Mapping[str, str] = {
    "fuxictr": "fuxictr",
    "torch-rechub": "torch_rechub",
    "deepctr-torch": "deepctr_torch",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model in sizes that every library knows: E, layers of the interaction, widths and dropout of the tower."""

    model: str
    dim: int
    deep: tuple[int, ...]
    dropout: float = 0.0
    layers: int = 2
    width: int = 0  # of an interaction that has one: maps of a CIN, all heads of attention
    heads: int = 2


class Made(Protocol):
    """A model of a library; `loader` and `learn` are its own, with its defaults."""

    module: nn.Module

    def loader(self, rows: Rows, batch: int) -> Iterable[Any]:
        """Batches in random order, as the library makes them."""
        ...

    def learn(self, batches: Iterable[Any]) -> None:
        """One pass."""
        ...

    def inputs(self, rows: Rows) -> Any:
        """What `probabilities` takes, ready."""
        ...

    def probabilities(self, inputs: Any) -> Tensor:
        """Of a forward pass, flat."""
        ...


def found() -> dict[str, str]:
    """The libraries that are there, and of each that is not the reason."""
    folder = os.environ.get("AUTOML_RIVALS")
    if folder is None:
        return dict.fromkeys(LIBRARIES, "AUTOML_RIVALS names no folder of packages")
    if folder not in sys.path:
        sys.path.append(folder)
    return {
        name: "" if (Path(folder) / package).is_dir() else f"{folder} has no {package}"
        for name, package in LIBRARIES.items()
    }


def make(library: str, wanted: Wanted, rows: Rows, lr: float, seed: int) -> Made | None:
    """The model of a library; None where it has none of that name."""
    found()
    module = import_module(f"experiments.rivals.{LIBRARIES[library]}_")
    made: Made | None = module.make(wanted, rows, lr, seed)
    return made
