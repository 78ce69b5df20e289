"""Where the training of a model is: all that it takes to go on from a point of it to the same weights, as tensors."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from automl.ranking.model import RankingModel
from automl.ranking.progress import Prequential
from automl.ranking.stepper import Stepper

_NOISE, _SUMS = "noise.", "sums_so_far"


class Course:
    """Of one training. It takes the state of an earlier run of the same: model, rows, seeds and spec are the caller's
    to compare. The order of the rows is not in it: it is drawn again.
    """

    def __init__(self, state: Mapping[str, Tensor] | None = None) -> None:
        self._earlier = state or {}
        self._members: list[tuple[RankingModel, Stepper, Prequential]] = []

    def begin(self, model: RankingModel, stepper: Stepper, prequential: Prequential) -> None:
        """Told by each member in its turn, once its noise is seeded; what an earlier run has left is restored."""
        prefix = f"{len(self._members)}."
        self._members.append((model, stepper, prequential))
        own = {name.removeprefix(prefix): part for name, part in self._earlier.items() if name.startswith(prefix)}
        if own:
            stepper.restore(own)
            prequential.restore(own[_SUMS])
            model.noise.restore({name.removeprefix(_NOISE): own[name] for name in own if name.startswith(_NOISE)})

    def state(self) -> dict[str, Tensor]:
        """At a point; what it names goes on changing, nothing is copied."""
        found: dict[str, Tensor] = {}
        for number, (model, stepper, prequential) in enumerate(self._members):
            noise = {_NOISE + name: part for name, part in model.noise.state().items()}
            own = {**stepper.live(), **noise, _SUMS: prequential.state()}
            found |= {f"{number}.{name}": part for name, part in own.items()}
        return found
