"""What is written down of a student under one recipe and seed, beside its weights and logits."""

from __future__ import annotations

import json
from pathlib import Path

from automl.study.exfm_results import RunFacts
from automl.study.plain import Codec
from search_spaces.errors import InputError

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


def read_run_of(folder: Path, *, vm: str, recipe: str, seed: int, weights: str = "") -> RunFacts:
    """Those of this student, recipe and seed; with weights of this digest, where one is given.

    Raises:
        InputError: where they are of another: folders were exchanged or written anew.
    """
    found = read_run(folder)
    if (found.vm, found.recipe, found.seed) != (vm, recipe, seed):
        must, other = f"must be of {vm}, {recipe}, seed {seed}", f"{found.vm}, {found.recipe}, seed {found.seed}"
        raise InputError.of(str(folder / FACTS), must, other, "folders under students/ were renamed: name them back")
    if weights not in ("", found.weights):
        must, hint = f"must tell of the weights that exfm.json does ({weights})", "put back what the run left"
        raise InputError.of(str(folder / FACTS), must, found.weights or "none", hint)
    return found
