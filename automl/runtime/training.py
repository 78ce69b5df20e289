"""What trains a model: the loop that a study's `training` names, the usual one or that of a plug-in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from automl.data.store.log import EncodedLog
from automl.ranking.model import Ranker
from automl.ranking.progress import Progress
from automl.ranking.training import Steppers
from search_spaces.model import ModelSpec


class Training(Protocol):
    """What trains a model over rows of a log, as automl.ranking.training.train does.

    It is called once, and once more for each day that is scored and then trained on: then it is given the same
    `steppers` every time, whose state it goes on with.
    """

    def __call__(
        self,
        model: Ranker,
        spec: ModelSpec,
        log: EncodedLog,
        rows: slice,
        *,
        order_seed: int,
        weights_seed: int,
        points: int,
        steppers: Steppers | None,
    ) -> Iterator[Progress]: ...
