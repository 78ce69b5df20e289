"""What is said of a teacher's pass over the stream when it is over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from automl.exfm.das.counts import Counts
from automl.files.whole import whole_file
from automl.study.exfm_results import Refusal
from automl.study.plain import Codec

TEACHING = "teaching.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """What was scored and joined, the snapshots that were refused, core seconds of training, and ticks."""

    counts: Counts
    refusals: tuple[Refusal, ...]
    train_seconds: float
    ticks: int


_CODEC = Codec(Taught)


def write_taught(folder: Path, taught: Taught) -> None:
    """Into the folder of the run: the pass is over."""
    with whole_file(folder / TEACHING) as part:
        part.write_text(json.dumps(_CODEC.plain(taught), indent=1))


def read_taught(folder: Path) -> Taught | None:
    """Of a run's folder; None before the pass is over.

    Raises:
        InputError: where the file holds something else.
    """
    file = folder / TEACHING
    return _CODEC.read(file) if file.exists() else None
