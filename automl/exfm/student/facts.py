"""What is written down of a student under one recipe and seed, beside its weights and logits."""

from __future__ import annotations

import json
from pathlib import Path

from automl.study.exfm_results import RunFacts
from automl.study.plain import Codec

FACTS, WEIGHTS = "facts.json", "model.pt"
_CODEC = Codec(RunFacts)


def write_run(folder: Path, facts: RunFacts) -> None:
    """Into the folder of its results."""
    (folder / FACTS).write_text(json.dumps(_CODEC.plain(facts)))


def read_run(folder: Path) -> RunFacts:
    """From the folder of its results.

    Raises:
        InputError: where they are no facts of a student.
    """
    return _CODEC.read(folder / FACTS)
