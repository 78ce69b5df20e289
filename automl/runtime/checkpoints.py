"""What a long training leaves at its points, so that it goes on from there when its process dies: one file of tensors.

Written whole, read as tensors and nothing else, and believed only where the same training wrote it: model, rows, seeds,
and the versions of what computes; and where it holds what was written, by a digest of it all. One that cannot be
written costs the training nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from automl.files.whole import whole_file
from automl.ranking.place import fetch
from automl.runtime.host import versions
from automl.study.history import CurvePoint, PartNE

if TYPE_CHECKING:
    from automl.runtime.jobs import TrainModel

SHARE = 20  # a checkpoint is written when so many times as long as the latest took have passed
_WHOSE, _CURVE, _SECONDS, _COURSE, _SEAL = "whose", "curve", "cpu_seconds", "course.", "seal"
_PARTS, _PARTS_SECONDS = "parts", "parts_cpu_seconds"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """course: what automl.ranking.course.Course takes. curve: the points so far. cpu_seconds: of the training. parts:
    what trainings on parts of the rows came to before, and their CPU seconds."""

    course: Mapping[str, Tensor]
    curve: tuple[CurvePoint, ...] = ()
    cpu_seconds: float = 0.0
    parts: tuple[PartNE, ...] = ()
    parts_cpu_seconds: float = 0.0


class Checkpoints:
    """Those of one training, of which the latest is kept. `fingerprint` is that of its log."""

    def __init__(self, asked: TrainModel, fingerprint: str, clock: Callable[[], float] = time.monotonic) -> None:
        assert asked.checkpoint is not None
        self._file, self._whose, self._clock = Path(asked.checkpoint), whose(asked, fingerprint), clock
        self._apart, self._latest, self._parts = asked.checkpoint_s, clock(), asked.parts

    def read(self) -> Checkpoint:
        """The latest; an empty one where there is none, or that of another training, or none that can be read. Its
        tensors stay in the file until they are copied. It has parts where they are those that are asked for now."""
        try:
            found: dict[str, Tensor] = torch.load(self._file, map_location="cpu", weights_only=True, mmap=True)
            if not torch.equal(found[_WHOSE], self._whose) or not torch.equal(found.pop(_SEAL), _seal(found)):
                return Checkpoint({})
            curve = tuple(_point(*told) for told in found[_CURVE].tolist())
            course = {name.removeprefix(_COURSE): part for name, part in found.items() if name.startswith(_COURSE)}
            parts = tuple(PartNE(int(every), ne) for every, ne in found[_PARTS].tolist())
            same = tuple(part.every for part in parts) == self._parts
            told = (parts, float(found[_PARTS_SECONDS])) if same else ()
            return Checkpoint(course, curve, float(found[_SECONDS]), *told)
        except Exception:  # whatever stands there, training from the start is right
            return Checkpoint({})

    @property
    def due(self) -> bool:
        """Whether one is worth its time: `checkpoint_s` after the start or the latest, or so long that they take 5%."""
        return self._clock() - self._latest >= self._apart

    def write(self, reached: Checkpoint) -> bool:
        """In the place of the one before; whether it could be written."""
        start, written = self._clock(), False
        points = [[point.rows, point.window_ne, point.lifetime_ne, point.check_ne] for point in reached.curve]
        told = {
            _WHOSE: self._whose,
            _CURVE: torch.from_numpy(np.array(points, np.float64).reshape(-1, 4)),
            _SECONDS: torch.tensor(reached.cpu_seconds, dtype=torch.float64),
            _PARTS: torch.tensor([(part.every, part.ne) for part in reached.parts], dtype=torch.float64),
            _PARTS_SECONDS: torch.tensor(reached.parts_cpu_seconds, dtype=torch.float64),
            **{_COURSE + name: part.detach() for name, part in reached.course.items()},
        }
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self._file) as part:
                torch.save({**told, _SEAL: _seal(told)}, part)
            written = True
        self._latest = self._clock()
        if self._apart:
            self._apart = max(self._apart, SHARE * (self._latest - start))
        return written


def _point(rows: float, window_ne: float, lifetime_ne: float, check_ne: float) -> CurvePoint:
    return CurvePoint(int(rows), window_ne, lifetime_ne, check_ne if math.isfinite(check_ne) else None)


def _seal(tensors: Mapping[str, Tensor]) -> Tensor:
    """A digest of their names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        part = fetch(tensors[name].contiguous())
        digest.update(f"{name} {part.dtype} {part.shape}\0".encode())
        digest.update(part.data)
    return _bytes(digest.digest())


def _bytes(content: bytes) -> Tensor:
    return torch.tensor(list(content), dtype=torch.uint8)


def whose(asked: TrainModel, fingerprint: str) -> Tensor:
    """A digest of all that decides the weights of a training, as bytes."""
    told: dict[str, Any] = {
        "model": asked.model,
        "log": fingerprint,
        "task": asked.task,
        "train": asked.train,
        "seeds": [asked.weights_seed, asked.order_seed],
        "device": asked.device,
        "threads": torch.get_num_threads(),
        "versions": versions(),
    }
    return _bytes(hashlib.sha256(json.dumps(told, sort_keys=True).encode()).digest())
